/**
 * A short run that anyone can judge: how many times as fast as plain C is each kernel? A ratio
 * depends little on the machine and, with these floors, not on which engine runs it.
 */

import type { Result } from './measure.js';
import { isTiming } from './report.js';

/** The least ratio of each case: about half of what is usual. */
const FLOORS: Readonly<Record<string, number>> = {
  'matmul/64 NN': 5,
  'matmul/256 NN': 9,
  'matmul/768 NN': 11,
  '1M/add': 1.5,
  '1M/exp': 4,
  '1M/sum': 4,
  '1M/softmax': 7,
  '1M/layer norm': 2,
  'conv2d/forward': 6,
};

export function isSmokeCase(name: string): boolean {
  return name in FLOORS;
}

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
