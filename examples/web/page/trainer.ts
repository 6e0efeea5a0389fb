/** One training run in the worker: steps aside for messages, and shows what the network knows. */

import * as torch from '../../../ts/index.js';
import { prepareDevice } from '../../demo/device.js';
import type { CNN, MLP } from '../../demo/model.js';
import { learningRate, presets, type Recipe } from '../../demo/recipe.js';
import { classify, makeRun, type Progress, predict, type Run, train } from '../../demo/train.js';
import type { Images } from './data.js';
import type { Ending, FromWorker, Settings, State } from './messages.js';

type Tell = (message: FromWorker) => void;

/** Test images that are looked at again and again. */
export const SAMPLES = 500;

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** A later turn of the event loop: messages come first. */
const nextTurn = () => new Promise<void>((resolve) => setTimeout(resolve));

/** Looks at the samples from time to time: a tenth of the time at most, where that is not too seldom. */
class Probe {
  private next = 0;
  private readonly truths: number[];

  constructor(
    private readonly model: MLP | CNN,
    private readonly samples: torch.Tensor,
    truths: ArrayLike<number>,
    private readonly tell: Tell,
  ) {
    this.truths = Array.from(truths);
  }

  async look(epoch: number, now = false): Promise<void> {
    const start = performance.now();
    if (start < this.next && !now) return;
    const { answers, confidences } = await predict(this.model, this.samples);
    const right = answers.filter((answer, i) => answer === this.truths[i]).length;
    const accuracy = right / answers.length;
    this.tell({ type: 'probe', epoch, accuracy, answers, confidences });
    const end = performance.now();
    this.next = end + Math.min(8000, Math.max(700, 10 * (end - start)));
  }
}

export class Trainer {
  private readonly run: Run;
  private readonly probe: Probe;
  private stopping = false;
  private resume: (() => void) | undefined;
  private paused: Promise<void> | undefined;
  private state: State = 'training';
  private shownBatches = 0;

  private constructor(
    recipe: Recipe,
    training: Images,
    test: Images,
    samples: torch.Tensor,
    truths: ArrayLike<number>,
    private readonly tell: Tell,
  ) {
    this.run = makeRun(recipe, training, test, {
      show: (progress) => this.show(progress),
      turn: () => this.turn(),
      stopped: () => this.stopping,
    });
    this.probe = new Probe(this.run.model, samples.to(recipe.device), truths, tell);
  }

  static async make(
    { model, device, epochs }: Settings,
    training: Images,
    test: Images,
    tell: Tell,
  ): Promise<Trainer> {
    tell({ type: 'device', name: await prepareDevice(device) });
    const recipe: Recipe = {
      ...presets,
      lr: learningRate(presets.optimizer),
      model,
      device,
      epochs,
    };
    const [samples, labels] = test.batch(range(SAMPLES)) as [torch.Tensor, torch.Tensor];
    const truths = Array.from(await labels.toArray(), Number);
    return new Trainer(recipe, training, test, samples, truths, tell);
  }

  /** Trains to the end, or until it is stopped. */
  async work(): Promise<{ how: Ending; epochs: number }> {
    this.enter('training');
    await this.probe.look(0, true);
    await train(this.run, async (result) => {
      this.tell({ type: 'epoch', result });
      await this.probe.look(result.epoch, true);
      if (result.epoch < this.run.epochs) this.enter('training');
    });
    const how = this.stopping ? 'stopped' : 'finished';
    return { how, epochs: this.run.history.epochs.length };
  }

  pause(): void {
    if (this.paused !== undefined || this.stopping) return;
    this.paused = new Promise((resolve) => {
      this.resume = resolve;
    });
  }

  continue(): void {
    this.resume?.();
    this.paused = undefined;
    if (!this.stopping) this.tell({ type: 'state', state: this.state });
  }

  stop(): void {
    this.stopping = true;
    this.continue();
  }

  /** The probabilities of the classes for one image of 28 x 28 values. */
  async classify(image: Float32Array): Promise<number[]> {
    const x = torch.tensor(image).view(1, 1, 28, 28).to(this.run.device);
    return Array.from(await classify(this.run.model, x).toArray(), Number);
  }

  /** The parameters as a file of PyTorch's. */
  save(): Promise<Uint8Array> {
    return torch.save(this.run.model.stateDict());
  }

  private enter(state: State): void {
    this.state = state;
    if (this.paused === undefined) this.tell({ type: 'state', state });
  }

  private show(progress: Progress): void {
    const batches = this.run.history.batches.slice(this.shownBatches);
    this.shownBatches += batches.length;
    this.tell({ type: 'progress', progress, batches });
  }

  private async turn(): Promise<void> {
    await nextTurn();
    while (this.paused !== undefined) {
      this.tell({ type: 'state', state: 'paused' });
      await this.paused;
    }
    const { batches, epochs } = this.run.history;
    const position = batches.at(-1)?.epoch ?? 0;
    if (position === epochs.length + 1 && this.state === 'training') this.enter('testing');
    if (this.state === 'training' && !this.stopping) await this.probe.look(position);
  }
}
