/** The training and the test loop of the demo. */

import { SingleBar } from 'cli-progress';
import * as torch from '../../ts/index.js';
import type { CNN, MLP, Stepper } from './model.js';
import type { History } from './pictures.js';

const { nn } = torch;

type Batches = AsyncIterable<[torch.Tensor, torch.Tensor]> & { readonly length: number };

export interface Run {
  model: MLP | CNN;
  optimizer: Stepper;
  training: Batches;
  test: Batches;
  images: number;
  epochs: number;
  history: History;
  /** Set by Ctrl-C; the loop ends after the batch it is in. */
  stopped: () => boolean;
}

/** Lets signals and the collector in. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

function makeBar(epoch: number, epochs: number): SingleBar {
  return new SingleBar({
    format: `Epoch ${epoch}/${epochs} {bar} {value}/{total} | loss {loss} | {speed} images/s | {left} left`,
    barsize: 24,
    hideCursor: true,
    noTTYOutput: true,
    notTTYSchedule: 10_000,
    gracefulExit: false,
  });
}

function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** One pass over the training images. Returns the mean loss, or undefined if it was stopped. */
export async function trainEpoch(run: Run, epoch: number): Promise<number | undefined> {
  const { model, optimizer, training } = run;
  const lossFunction = new nn.CrossEntropyLoss();
  const bar = makeBar(epoch, run.epochs);
  bar.start(training.length, 0, { loss: '-', speed: '-', left: '-' });
  const start = performance.now();
  let shown = start;
  let total = 0;
  let seen = 0;
  let done = 0;
  model.train();
  for await (const [x, y] of training) {
    optimizer.zeroGrad();
    const loss = lossFunction(model(x), y);
    loss.backward();
    optimizer.step();
    const value = await loss.item();
    total += value * y.shape[0];
    seen += y.shape[0];
    done++;
    run.history.batches.push({ epoch: epoch - 1 + done / training.length, loss: value });
    const now = performance.now();
    if (now - shown < 100 && done < training.length) continue;
    shown = now;
    const perBatch = (now - start) / 1000 / done;
    const left = perBatch * (training.length * (run.epochs - epoch + 1) - done);
    bar.update(done, {
      loss: (total / seen).toFixed(4),
      speed: Math.round((1000 * seen) / (now - start)),
      left: duration(left),
    });
    await turn();
    if (run.stopped()) break;
  }
  bar.stop();
  return run.stopped() ? undefined : total / seen;
}

/** Mean loss and accuracy on the test images. */
export async function evaluate(run: Run): Promise<{ loss: number; accuracy: number }> {
  const lossFunction = new nn.CrossEntropyLoss({ reduction: 'sum' });
  let loss = 0;
  let right = 0;
  let seen = 0;
  run.model.eval();
  for await (const [x, y] of run.test) {
    const [sum, hits] = torch.noGrad(() => {
      const scores = run.model(x);
      return [lossFunction(scores, y), scores.argmax(1).eq(y).sum()];
    });
    loss += await sum.item();
    right += await hits.item();
    seen += y.shape[0];
  }
  return { loss: loss / seen, accuracy: right / seen };
}
