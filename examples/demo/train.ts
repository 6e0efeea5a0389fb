/** The training and the test loop of the demo, the same in Node and in a page's worker. */

import * as torch from '../../ts/index.js';
import type { EpochResult, History } from './history.js';
import { type CNN, type MLP, makeModel, makeOptimizer, type Stepper } from './model.js';
import type { Recipe } from './recipe.js';

const { nn } = torch;

type Batches = AsyncIterable<[torch.Tensor, torch.Tensor]> & { readonly length: number };
type Images = torch.data.MapDataset<[torch.Tensor, number]>;

/** How far an epoch is. */
export interface Progress {
  epoch: number;
  epochs: number;
  batch: number;
  batches: number;
  /** Mean over the epoch so far. */
  loss: number;
  imagesPerSecond: number;
  /** Of the whole run. */
  secondsLeft: number;
}

/** What surrounds the loop: a terminal, or a page. */
export interface Surroundings {
  /** Hears several times a second how far the training is. */
  show?(progress: Progress): void;
  /** Lets others in (signals, messages) several times a second; may take its time. */
  turn(): Promise<void>;
  /** Whether to end after the batch at hand. */
  stopped(): boolean;
}

export interface Run extends Surroundings {
  model: MLP | CNN;
  optimizer: Stepper;
  device: Recipe['device'];
  training: Batches;
  test: Batches;
  epochs: number;
  history: History;
}

/** A new network and all that it takes to train it. Equal recipes give equal runs. */
export function makeRun(
  recipe: Recipe,
  training: Images,
  test: Images,
  surroundings: Surroundings,
): Run {
  const { batchSize, device, epochs } = recipe;
  torch.manualSeed(recipe.seed);
  const model = makeModel(recipe.model).to(device);
  return {
    model,
    optimizer: makeOptimizer(model, recipe),
    device,
    training: new torch.data.DataLoader(training, { batchSize, shuffle: true }),
    test: new torch.data.DataLoader(test, { batchSize: 1000 }),
    epochs,
    history: { batches: [], epochs: [] },
    ...surroundings,
  };
}

/** Trains and tests, epoch by epoch, until the last one or until it is stopped. */
export async function train(
  run: Run,
  finished: (result: EpochResult) => void | Promise<void>,
): Promise<void> {
  for (let epoch = 1; epoch <= run.epochs; epoch++) {
    const trainLoss = await trainEpoch(run, epoch);
    if (trainLoss === undefined) return;
    const tested = await evaluate(run);
    if (tested === undefined) return;
    const result = { epoch, trainLoss, testLoss: tested.loss, testAccuracy: tested.accuracy };
    run.history.epochs.push(result);
    await finished(result);
  }
}

/**
 * Takes values a few batches after they were asked for: a GPU then has the next batch to work on
 * while one is read, and yet never runs far ahead.
 */
class LateReader<T> {
  private readonly waiting: Promise<T>[] = [];

  constructor(
    private readonly take: (value: T) => void,
    private readonly lag: number,
  ) {}

  async add(value: Promise<T>): Promise<void> {
    // A failure shows when the value is taken, or in one taken before.
    value.catch(() => {});
    this.waiting.push(value);
    if (this.waiting.length > this.lag) await this.next();
  }

  async finish(): Promise<void> {
    while (this.waiting.length > 0) await this.next();
  }

  private async next(): Promise<void> {
    this.take(await (this.waiting.shift() as Promise<T>));
  }
}

/** Counts the batches of an epoch, shows how far it is, and lets others in. */
class EpochMeter {
  private readonly start = performance.now();
  private shown = this.start;
  /** Time that was spent outside the training. */
  private away = 0;
  private total = 0;
  private images = 0;
  private batch = 0;

  constructor(
    private readonly run: Run,
    private readonly epoch: number,
  ) {}

  get meanLoss(): number {
    return this.total / this.images;
  }

  count(loss: number, images: number): void {
    this.total += loss * images;
    this.images += images;
    this.batch++;
    const epoch = this.epoch - 1 + this.batch / this.run.training.length;
    this.run.history.batches.push({ epoch, loss });
  }

  async turn(): Promise<void> {
    if (performance.now() - this.shown < 50) return;
    this.show();
    const before = performance.now();
    await this.run.turn();
    this.shown = performance.now();
    this.away += this.shown - before;
  }

  show(): void {
    if (this.batch === 0) return;
    const { epochs, training } = this.run;
    const batches = training.length;
    const seconds = (performance.now() - this.start - this.away) / 1000;
    this.run.show?.({
      epoch: this.epoch,
      epochs,
      batch: this.batch,
      batches,
      loss: this.meanLoss,
      imagesPerSecond: this.images / seconds,
      secondsLeft: (seconds / this.batch) * (batches * (epochs - this.epoch + 1) - this.batch),
    });
  }
}

/** One pass over the training images. Returns the mean loss, or undefined if it was stopped. */
export async function trainEpoch(run: Run, epoch: number): Promise<number | undefined> {
  const { model, optimizer, device } = run;
  const lossFunction = new nn.CrossEntropyLoss();
  const meter = new EpochMeter(run, epoch);
  const losses = new LateReader<[number, number]>((read) => meter.count(...read), 4);
  model.train();
  for await (const [images, labels] of run.training) {
    const [x, y] = [images.to(device), labels.to(device)];
    optimizer.zeroGrad();
    const loss = lossFunction(model(x), y);
    loss.backward();
    optimizer.step();
    await losses.add(loss.item().then((value) => [value, x.shape[0]]));
    await meter.turn();
    if (run.stopped()) break;
  }
  await losses.finish();
  meter.show();
  return run.stopped() ? undefined : meter.meanLoss;
}

/** Mean loss and accuracy on the test images, or undefined if it was stopped. */
export async function evaluate(run: Run): Promise<{ loss: number; accuracy: number } | undefined> {
  const { model, device } = run;
  const lossFunction = new nn.CrossEntropyLoss({ reduction: 'sum' });
  let loss = 0;
  let right = 0;
  let seen = 0;
  const results = new LateReader<[number, number]>(([sum, hits]) => {
    loss += sum;
    right += hits;
  }, 1);
  model.eval();
  for await (const [images, labels] of run.test) {
    const [x, y] = [images.to(device), labels.to(device)];
    const [sum, hits] = torch.noGrad(() => {
      const scores = model(x);
      return [lossFunction(scores, y), scores.argmax(1).eq(y).sum()];
    });
    seen += y.shape[0];
    await results.add(Promise.all([sum.item(), hits.item()]));
    await run.turn();
    if (run.stopped()) return undefined;
  }
  await results.finish();
  return { loss: loss / seen, accuracy: right / seen };
}

/** The probabilities [N, 10] a network gives images [N, 1, 28, 28], on the device of both. */
export function classify(model: MLP | CNN, images: torch.Tensor): torch.Tensor {
  const { training } = model;
  model.eval();
  const probabilities = torch.noGrad(() => model(images).softmax(1));
  model.train(training);
  return probabilities;
}

/** The likeliest class of each image, and its probability. */
export async function predict(
  model: MLP | CNN,
  images: torch.Tensor,
): Promise<{ answers: number[]; confidences: number[] }> {
  const { values, indices } = classify(model, images).max(1);
  const [answers, confidences] = await Promise.all([indices.toArray(), values.toArray()]);
  return { answers: Array.from(answers, Number), confidences: Array.from(confidences, Number) };
}
