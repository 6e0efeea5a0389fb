/** The page: settings, curves, test images and the drawing. It computes nothing itself. */

import type { Manifest, SetName } from '../manifest.js';
import { ClassBars } from './bars.js';
import { Curves, resultRow } from './charts.js';
import { duration, element, everyFrame, paintImage, percent } from './dom.js';
import { FRAMES, fitDrawing } from './fit.js';
import { Gallery } from './gallery.js';
import { isolate } from './isolation.js';
import type { FromWorker, Settings, State, ToWorker } from './messages.js';
import { SKETCH_SIDE, Sketch, type Tool } from './sketch.js';

const form = element<HTMLFormElement>('settings');
const buttons = {
  start: element<HTMLButtonElement>('start'),
  pause: element<HTMLButtonElement>('pause'),
  stop: element<HTMLButtonElement>('stop'),
  save: element<HTMLButtonElement>('save'),
  undo: element<HTMLButtonElement>('undo'),
};
const progress = element<HTMLProgressElement>('progress');

const curves = new Curves(element('loss-chart'), element('accuracy-chart'));
const bars = new ClassBars(element('bars'));
const sketch = new Sketch(element<HTMLCanvasElement>('sketch'), element('marker'), sketchChanged);
const gallery = new Gallery(element('images'), element('gallery-note'), (image) => {
  // The image is like the test images already.
  element<HTMLInputElement>('fit').checked = false;
  sketch.place(image);
  element('drawing').scrollIntoView({ block: 'nearest' });
});

let worker: Worker | undefined;
let state: State = 'idle';
let started = 0;
/** Whether there is a network that could be saved or asked. */
let hasNetwork = false;

function send(message: ToWorker): void {
  worker?.postMessage(message);
}

function choice<Word extends string>(name: string): Word {
  return new FormData(form).get(name) as Word;
}

function say(text: string): void {
  element('status').textContent = text;
}

function fail(text: string | undefined): void {
  const box = element('error');
  box.hidden = text === undefined;
  box.textContent = text ?? '';
}

// --- Training ------------------------------------------------------------------------------------

const RUNNING: Readonly<Record<State, string>> = {
  idle: '',
  loading: 'Getting the images …',
  training: 'Training.',
  testing: 'Testing on all test images.',
  paused: 'Paused.',
};

function enter(next: State): void {
  state = next;
  const running = state !== 'idle';
  for (const field of form.elements) {
    // What is missing on this device stays greyed.
    const { classList } = field;
    (field as HTMLInputElement).disabled = running || classList.contains('missing');
  }
  buttons.start.disabled = running;
  buttons.stop.disabled = !running;
  buttons.pause.disabled = !running || state === 'loading';
  buttons.pause.textContent = state === 'paused' ? 'Continue' : 'Pause';
  if (running) say(RUNNING[state]);
}

function start(): void {
  const settings: Settings = {
    set: choice('set'),
    model: choice('model'),
    device: choice('device'),
    epochs: Number(choice('epochs')),
  };
  fail(undefined);
  curves.restart(settings.epochs);
  element('results').replaceChildren();
  gallery.setAnswers(undefined);
  bars.show(undefined);
  progress.value = 0;
  for (const name of ['epoch', 'loss', 'accuracy', 'speed', 'left']) figure(name, '–');
  hasNetwork = false;
  buttons.save.disabled = true;
  started = performance.now();
  enter('loading');
  send({ type: 'start', settings });
}

function figure(name: string, text: string): void {
  element(`figure-${name}`).textContent = text;
}

function ended({ how, epochs }: Extract<FromWorker, { type: 'ended' }>): void {
  const count = epochs === 1 ? '1 epoch' : `${epochs} epochs`;
  figure('left', '–');
  enter('idle');
  if (how === 'failed') say('The training ended early.');
  else say(`${how === 'finished' ? 'Finished' : 'Stopped'} after ${count}.`);
}

// --- Drawing -------------------------------------------------------------------------------------

/** A drawing waits while the worker answers about an earlier one. */
let asking = false;
let askAgain = false;
let blank = true;

function ask(): void {
  if (!hasNetwork) return;
  if (asking) {
    askAgain = true;
    return;
  }
  asking = true;
  send({ type: 'classify', image: currentImage() });
}

function currentImage(): Float32Array {
  const fit = element<HTMLInputElement>('fit').checked;
  return fitDrawing(sketch.ink(), SKETCH_SIDE, fit ? FRAMES[choice<SetName>('set')] : undefined);
}

const showSketch = everyFrame(() => {
  const image = currentImage();
  blank = image.every((value) => value === 0);
  element('paper').classList.toggle('blank', blank);
  paintImage(
    element<HTMLCanvasElement>('seen'),
    image.map((value) => 255 * value),
  );
  ask();
});

function sketchChanged(): void {
  buttons.undo.disabled = !sketch.canUndo;
  showSketch();
}

function classified(probabilities: number[] | undefined): void {
  asking = false;
  const text = bars.show(blank ? undefined : probabilities);
  const wanted = hasNetwork ? 'draw something' : 'start the training first';
  element('said').textContent = text || wanted;
  if (!askAgain) return;
  askAgain = false;
  ask();
}

// --- Messages of the worker ----------------------------------------------------------------------

function ready({ missingWebGPU, threads, reason }: Extract<FromWorker, { type: 'ready' }>): void {
  const input = form.querySelector<HTMLInputElement>('input[value=webgpu]');
  const note = element('webgpu-reason');
  if (missingWebGPU !== undefined) {
    input?.classList.add('missing');
    note.textContent = `Not here: ${missingWebGPU}.`;
  } else {
    note.hidden = true;
  }
  const count = threads === 1 ? '1 thread' : `${threads} threads`;
  element('environment').textContent = globalThis.crossOriginIsolated
    ? `CPU: WebAssembly, ${count} (${reason}). The page is isolated from other origins.`
    : `CPU: WebAssembly, ${count}: the page is not isolated from other origins.`;
  enter('idle');
  say('Ready. Start the training and watch it learn.');
}

function samples(message: Extract<FromWorker, { type: 'samples' }>): void {
  bars.setClasses(message.classes);
  gallery.setSamples(message);
  showSketch();
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function download({ part, bytes, total }: Extract<FromWorker, { type: 'download' }>): void {
  if (state !== 'loading') return;
  progress.value = bytes / total;
  say(`Getting the ${part}: ${megabytes(bytes)} of ${megabytes(total)} MB.`);
}

function showProgress(message: Extract<FromWorker, { type: 'progress' }>): void {
  const { epoch, epochs, batch, batches, loss, imagesPerSecond, secondsLeft } = message.progress;
  hasNetwork = true;
  buttons.save.disabled = false;
  curves.addBatches(message.batches);
  progress.value = (epoch - 1 + batch / batches) / epochs;
  figure('epoch', `${epoch} / ${epochs}`);
  figure('loss', loss.toFixed(3));
  figure('speed', String(Math.round(imagesPerSecond)));
  figure('left', duration(secondsLeft));
}

function probe(message: Extract<FromWorker, { type: 'probe' }>): void {
  hasNetwork = true;
  curves.addProbe(message.epoch, message.accuracy);
  figure('accuracy', percent(message.accuracy, 1));
  gallery.setAnswers(message);
  ask();
}

function offer(bytes: Uint8Array<ArrayBuffer>): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([bytes]));
  link.download = `${choice('set')}-${choice('model')}.pt`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

type Handlers = {
  [Type in FromWorker['type']]: (message: Extract<FromWorker, { type: Type }>) => void;
};

const handlers: Handlers = {
  ready,
  samples,
  download,
  progress: showProgress,
  probe,
  ended,
  device({ name }) {
    element('device').textContent = `Computed by: ${name}.`;
  },
  state({ state: next }) {
    // The end of a run says more.
    if (next !== 'idle') enter(next);
  },
  epoch({ result }) {
    curves.addResult(result);
    element('results').append(resultRow(result, (performance.now() - started) / 1000));
    figure('accuracy', percent(result.testAccuracy, 1));
  },
  classified({ probabilities }) {
    classified(probabilities);
  },
  saved({ bytes }) {
    offer(bytes);
  },
  failure({ message }) {
    asking = false;
    fail(message);
  },
};

function hear(message: FromWorker): void {
  (handlers[message.type] as (message: FromWorker) => void)(message);
}

// --- Wiring --------------------------------------------------------------------------------------

const NAMES = { FashionMNIST: ['garments', 'a garment'], MNIST: ['digits', 'a digit'] } as const;

function chooseSet(): void {
  const set = choice<SetName>('set');
  [element('subject').textContent, element('draw-what').textContent] = NAMES[set];
  hasNetwork = false;
  buttons.save.disabled = true;
  element('said').textContent = 'start the training first';
  send({ type: 'choose', set });
}

/** Greys the data sets that the host does not have. */
function offerSets(sets: Manifest['sets']): void {
  const inputs = [...form.querySelectorAll<HTMLInputElement>('input[name=set]')];
  const there = inputs.filter(({ value }) => value in sets);
  if (there.length === 0) throw new Error('This site has no training data.');
  for (const input of inputs) {
    if (there.includes(input)) continue;
    input.disabled = true;
    input.classList.add('missing');
    const note = element('set-reason');
    note.hidden = false;
    note.textContent = `The ${NAMES[input.value as SetName][0]} are not on this site.`;
  }
  if (!there.some(({ checked }) => checked)) there[0].checked = true;
}

function listen(): void {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    start();
  });
  form.addEventListener('change', ({ target }) => {
    if ((target as HTMLInputElement).name === 'set') chooseSet();
  });
  buttons.pause.addEventListener('click', () => {
    const resting = state === 'paused';
    send({ type: resting ? 'resume' : 'pause' });
    if (resting) return;
    // The batch at hand is finished first.
    buttons.pause.disabled = true;
    say('Pausing …');
  });
  buttons.stop.addEventListener('click', () => {
    buttons.stop.disabled = true;
    say('Stopping …');
    send({ type: 'stop' });
  });
  buttons.save.addEventListener('click', () => send({ type: 'save' }));
  buttons.undo.addEventListener('click', () => sketch.undo());
  element('clear').addEventListener('click', () => {
    element<HTMLInputElement>('fit').checked = true;
    sketch.clear();
  });
  element('fit').addEventListener('change', showSketch);
  const number = (id: string) => Number(element<HTMLInputElement>(id).value);
  element('pen-width').addEventListener('input', () => {
    sketch.width = number('pen-width');
  });
  element('pen-tone').addEventListener('input', () => {
    sketch.tone = number('pen-tone');
  });
  for (const input of document.querySelectorAll<HTMLInputElement>('input[name=tool]')) {
    input.addEventListener('change', () => {
      sketch.tool = input.value as Tool;
    });
  }
  element('mistakes').addEventListener('change', ({ target }) => {
    gallery.showMistakes((target as HTMLInputElement).checked);
  });
  element('next').addEventListener('click', () => gallery.next());
}

async function begin(): Promise<void> {
  const response = await fetch('./site.json');
  if (!response.ok) throw new Error(`site.json could not be loaded (${response.status}).`);
  const manifest = (await response.json()) as Manifest;
  await isolate(manifest.isolate);
  offerSets(manifest.sets);
  listen();
  worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => hear(data));
  worker.addEventListener('error', ({ message }) => {
    fail(`The part of the page that computes has failed${message ? `: ${message}` : '.'}`);
    if (state === 'idle') say('Reload the page to try again.');
  });
  send({ type: 'hello', sets: manifest.sets });
  chooseSet();
}

begin().catch((error: Error) => {
  fail(error.message);
  say('The page could not start.');
});
