/**
 * A short run that anyone can judge: how many times as fast as plain C is each kernel? A ratio
 * depends little on the machine and, with these floors, not on which engine runs it.
 */

import type { Result } from './measure.js';
import { isTiming } from './report.js';

/** The least ratio of each case: about half of what is usual. */
const FLOORS: Readonly<Record<string, number>> = {
  'matmul/64 NN': 5,
  'matmul/256 NN': 12.5,
  'matmul/256 NT': 8,
  'matmul/256 TN': 18,
  'matmul/768 NN': 13,
  'matmul/64x784x512 NT': 7,
  'matmul/512x16x512 NN': 5,
  '1M/add': 1.6,
  '1M/exp': 3,
  '1M/sum': 4.5,
  '1M/softmax': 6,
  '1M/layer norm': 3.5,
  '1M/gelu': 13,
  '1M/max': 1.3,
  '1M/transpose copy': 8,
  'conv2d/forward': 10,
  'conv2d/input gradient': 13,
  'conv2d/weight gradient': 6,
};

/** The cases of the run. */
export const smokeCases: readonly string[] = Object.keys(FLOORS);

/** The cases that are slower than they should be, a line each. */
export function tooSlow(results: readonly Result[]): string[] {
  return results.flatMap(({ name, peers: { isotorch, naive } }) => {
    if (!isTiming(isotorch) || !isTiming(naive)) return [`${name}: was not measured`];
    const ratio = naive.median / isotorch.median;
    const floor = FLOORS[name];
    if (ratio >= floor) return [];
    return [`${name}: ${ratio.toFixed(1)} times as fast as plain C, should be ${floor} or more`];
  });
}
