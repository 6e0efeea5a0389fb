/** Sampling of category indices: what is checked, and drawing with replacement, as PyTorch 1.13 does on the CPU. */

import { ValueError } from './errors.js';
import { defaultGenerator, type Generator } from './random.js';

/** What to sample: `weights` is (rows, categories), `out` (rows, samples). */
export interface Multinomial {
  weights: Float32Array | Float64Array;
  rows: number;
  categories: number;
  samples: number;
}

/** Throws ValueError for numbers of samples that cannot be drawn. */
export function checkSamples(samples: number, categories: number, replacement: boolean): void {
  if (!Number.isInteger(samples) || samples <= 0) {
    throw new ValueError(`multinomial: cannot draw ${samples} samples`);
  }
  if (categories === 0) throw new ValueError('multinomial: there are no categories to draw from');
  if (!replacement && samples > categories) {
    throw new ValueError(
      `multinomial: cannot draw ${samples} samples from ${categories} categories without ` +
        'replacement; draw fewer, or pass { replacement: true }',
    );
  }
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
