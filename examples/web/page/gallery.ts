/** Test images with what the network says about them. */

import { paintImage, percent } from './dom.js';

const PIXELS = 28 * 28;
const PAGE = 24;

interface Samples {
  classes: readonly string[];
  images: Uint8Array;
  truths: Uint8Array;
}

interface Answers {
  answers: readonly number[];
  confidences: readonly number[];
}

interface Card {
  button: HTMLButtonElement;
  canvas: HTMLCanvasElement;
  answer: HTMLElement;
  truth: HTMLElement;
}

export class Gallery {
  private samples: Samples | undefined;
  private said: Answers | undefined;
  private shown: number[] = [];
  private first = 0;
  private mistakesOnly = false;
  private readonly cards: Card[];

  constructor(
    list: HTMLElement,
    private readonly note: HTMLElement,
    private readonly chosen: (image: HTMLCanvasElement) => void,
  ) {
    this.cards = Array.from({ length: PAGE }, () => this.makeCard());
    list.replaceChildren(
      ...this.cards.map(({ button }) => {
        const item = document.createElement('li');
        item.append(button);
        return item;
      }),
    );
  }

  setSamples(samples: Samples): void {
    this.samples = samples;
    this.said = undefined;
    this.first = 0;
    this.choose();
  }

  setAnswers(said: Answers | undefined): void {
    this.said = said;
    // Mistakes stay where they are until other ones are asked for, or nothing would hold still.
    if (this.mistakesOnly && this.shown.length === 0) this.choose();
    else this.draw();
  }

  showMistakes(on: boolean): void {
    this.mistakesOnly = on;
    this.first = 0;
    this.choose();
  }

  next(): void {
    this.first += PAGE;
    this.choose();
  }

  private choose(): void {
    const { samples, said } = this;
    if (samples === undefined) return;
    const all = Array.from(samples.truths, (_, i) => i);
    const candidates =
      this.mistakesOnly && said !== undefined
        ? all.filter((i) => said.answers[i] !== samples.truths[i])
        : all;
    if (this.first >= candidates.length) this.first = 0;
    this.shown = candidates.slice(this.first, this.first + PAGE);
    this.draw();
  }

  private draw(): void {
    const { samples, said, shown } = this;
    if (samples === undefined) return;
    this.cards.forEach((card, place) => {
      const i = shown[place];
      const item = card.button.parentElement as HTMLElement;
      item.hidden = i === undefined;
      if (i === undefined) return;
      paintImage(card.canvas, samples.images.subarray(i * PIXELS, (i + 1) * PIXELS));
      describe(card, samples, said, i);
    });
    this.note.hidden = shown.length > 0;
    this.note.textContent = 'There is no mistake among these 500.';
  }

  private makeCard(): Card {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'card';
    const canvas = document.createElement('canvas');
    canvas.width = 28;
    canvas.height = 28;
    const answer = document.createElement('span');
    answer.className = 'answer';
    const truth = document.createElement('span');
    truth.className = 'truth';
    button.append(canvas, answer, truth);
    button.addEventListener('click', () => this.chosen(canvas));
    return { button, canvas, answer, truth };
  }
}

function describe(
  { button, answer, truth }: Card,
  { classes, truths }: Samples,
  said: Answers | undefined,
  i: number,
): void {
  const name = classes[truths[i]];
  button.classList.remove('right', 'wrong');
  if (said === undefined) {
    answer.textContent = name;
    truth.textContent = '';
    return;
  }
  const right = said.answers[i] === truths[i];
  button.classList.add(right ? 'right' : 'wrong');
  answer.textContent = `${right ? '✓' : '✗'} ${classes[said.answers[i]]}`;
  truth.textContent = right
    ? percent(said.confidences[i])
    : `${percent(said.confidences[i])}, is ${name}`;
}
