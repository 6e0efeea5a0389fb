/** Sampling of category indices, number for number as PyTorch 1.13 on the CPU. */

import { fillExponential } from './distributions.js';
import { float32, float64 } from './dtype.js';
import { ValueError } from './errors.js';
import { defaultGenerator, type Generator } from './random.js';

/** What to sample: `weights` is (rows, categories), `out` (rows, samples). */
export interface Multinomial {
  weights: Float32Array | Float64Array;
  rows: number;
  categories: number;
  samples: number;
  replacement: boolean;
}

/** Throws ValueError for numbers of samples that cannot be drawn. */
export function checkSamples(samples: number, categories: number, replacement: boolean): void {
  if (!(samples > 0)) throw new ValueError(`multinomial: cannot draw ${samples} samples`);
  if (!replacement && samples > categories) {
    throw new ValueError(
      `multinomial: cannot draw ${samples} samples from ${categories} categories without ` +
        'replacement; draw fewer, or pass { replacement: true }',
    );
  }
}

/**
 * Draws category indices with probabilities proportional to the weights of their row. Throws
 * ValueError for negative, infinite or NaN weights, for a row that sums to zero, and for more
 * samples than categories without replacement.
 */
export function sampleMultinomial(
  out: { [i: number]: number },
  task: Multinomial,
  generator: Generator = defaultGenerator,
): void {
  const { replacement } = task;
  checkSamples(task.samples, task.categories, replacement);
  checkWeights(task);
  if (replacement) sampleByInversion(out, task, generator);
  else sampleByRace(out, task, generator);
}

/** Throws ValueError for weights that cannot be drawn by. */
export function checkWeights(task: Multinomial): void {
  for (let row = 0; row < task.rows; row++) checkRow(task, row);
}

function checkRow({ weights, categories }: Multinomial, row: number): void {
  let sum = 0;
  for (let j = 0; j < categories; j++) {
    const weight = weights[row * categories + j];
    if (!(weight >= 0 && weight < Number.POSITIVE_INFINITY)) {
      throw new ValueError(
        `multinomial: weights must be finite and not negative, got ${weight} in row ${row}`,
      );
    }
    sum += weight;
  }
  if (sum <= 0) throw new ValueError(`multinomial: the weights of row ${row} sum to zero`);
}

/** Sums up to each of the weights from `start` on into `sums`, in their precision. Returns the last. */
function accumulate(sums: Multinomial['weights'], weights: Multinomial['weights'], start: number) {
  const single = sums instanceof Float32Array;
  let sum = 0;
  for (let j = 0; j < sums.length; j++) {
    const next = sum + weights[start + j];
    sum = single ? Math.fround(next) : next;
    sums[j] = sum;
  }
  return sum;
}

/**
 * With replacement, of weights that were checked: one uniform double per sample, looked up in the
 * cumulative distribution, of which only what the search meets is divided.
 */
export function sampleByInversion(
  out: { [i: number]: number },
  { weights, rows, categories, samples }: Multinomial,
  generator: Generator = defaultGenerator,
): void {
  const sums = weights.slice(0, categories);
  const single = sums instanceof Float32Array;
  for (let row = 0; row < rows; row++) {
    const sum = accumulate(sums, weights, row * categories);
    for (let k = 0; k < samples; k++) {
      const u = generator.uniform();
      let low = 0;
      let high = categories;
      while (high > low) {
        const middle = (low + high) >>> 1;
        const share = sums[middle] / sum;
        if ((single ? Math.fround(share) : share) < u) low = middle + 1;
        else high = middle;
      }
      // Rounding can leave the last sum below 1.
      out[row * samples + k] = Math.min(low, categories - 1);
    }
  }
}

/** Without replacement: the largest of weight / exponential number win. */
function sampleByRace(
  out: { [i: number]: number },
  { weights, rows, categories, samples }: Multinomial,
  generator: Generator,
): void {
  const scores = weights.slice(0, rows * categories);
  fillExponential(scores, weights instanceof Float32Array ? float32 : float64, 1, generator);
  for (let i = 0; i < scores.length; i++) scores[i] = weights[i] / scores[i];
  for (let row = 0; row < rows; row++) {
    const start = row * categories;
    const order = Array.from({ length: categories }, (_, j) => j);
    order.sort((a, b) => scores[start + b] - scores[start + a]);
    for (let k = 0; k < samples; k++) out[row * samples + k] = order[k];
  }
}
