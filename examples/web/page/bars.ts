/** The bars of the classes beside the drawing. */

import { percent } from './dom.js';

interface Bar {
  row: HTMLElement;
  fill: HTMLElement;
  value: HTMLElement;
}

export class ClassBars {
  private bars: Bar[] = [];
  private classes: readonly string[] = [];

  constructor(private readonly list: HTMLElement) {}

  setClasses(classes: readonly string[]): void {
    this.classes = classes;
    this.bars = classes.map((name) => {
      const row = document.createElement('li');
      const label = document.createElement('span');
      label.className = 'bar-name';
      label.textContent = name;
      const track = document.createElement('span');
      track.className = 'bar-track';
      const fill = document.createElement('span');
      fill.className = 'bar-fill';
      track.append(fill);
      const value = document.createElement('span');
      value.className = 'bar-value';
      row.append(label, track, value);
      return { row, fill, value };
    });
    this.list.replaceChildren(...this.bars.map(({ row }) => row));
    this.show(undefined);
  }

  /** Shows probabilities; returns them in words. Undefined empties the bars. */
  show(probabilities: readonly number[] | undefined): string {
    const best = probabilities ? probabilities.indexOf(Math.max(...probabilities)) : -1;
    this.bars.forEach(({ row, fill, value }, i) => {
      const share = probabilities?.[i] ?? 0;
      fill.style.transform = `scaleX(${share})`;
      value.textContent = probabilities ? percent(share) : '–';
      row.classList.toggle('best', i === best);
    });
    if (!probabilities) return '';
    return `${this.classes[best]}, ${percent(probabilities[best])}`;
  }
}
