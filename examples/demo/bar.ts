/** The progress bar of the demo in a terminal. */

import { SingleBar } from 'cli-progress';
import type { Progress } from './train.js';

/** Shows each epoch as a bar of its own. */
export class EpochBars {
  private bar: SingleBar | undefined;

  show(progress: Progress): void {
    const { batch, batches } = progress;
    const values = {
      loss: progress.loss.toFixed(4),
      speed: Math.round(progress.imagesPerSecond),
      left: duration(progress.secondsLeft),
    };
    if (this.bar === undefined) {
      this.bar = makeBar(progress);
      this.bar.start(batches, batch, values);
    } else {
      this.bar.update(batch, values);
    }
    if (batch === batches) this.stop();
  }

  /** Leaves the bar as it is, so that text can follow. */
  stop(): void {
    this.bar?.stop();
    this.bar = undefined;
  }
}

function makeBar({ epoch, epochs }: Progress): SingleBar {
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
