/** Numbers out of tensors: at once where the device can, and else when they are there. */

import { noGrad } from '../autograd/mode.js';
import type { Tensor } from '../tensor.js';

/** What is a number already, or a tensor of one element. */
export type Reading = Tensor | number;

const isNumber = (value: Reading): value is number => typeof value === 'number';

const readsAtOnce = (value: Reading): boolean => isNumber(value) || value.backend.synchronous;

/**
 * Runs `steps` outside recording, which yields what it wants to read and is given the numbers. Its
 * result, or a promise of it as soon as something to read is on a device that cannot wait.
 */
export function drive<R>(
  steps: Generator<readonly Reading[], R, readonly number[]>,
): R | Promise<R> {
  const go = (numbers: readonly number[]) => noGrad(() => steps.next(numbers));
  let turn = go([]);
  while (!turn.done) {
    if (!turn.value.every(readsAtOnce)) return driveLater(turn, go);
    turn = go(turn.value.map((item) => Number(isNumber(item) ? item : item.itemSync())));
  }
  return turn.value;
}

async function driveLater<R>(
  first: IteratorResult<readonly Reading[], R>,
  go: (numbers: readonly number[]) => IteratorResult<readonly Reading[], R>,
): Promise<R> {
  let turn = first;
  while (!turn.done) {
    const reads = turn.value.map(async (item) => Number(isNumber(item) ? item : await item.item()));
    turn = go(await Promise.all(reads));
  }
  return turn.value;
}

/** Calls `use` with the numbers: now if they can be read at once, else later. */
export function whenRead<R>(
  values: readonly Reading[],
  use: (numbers: readonly number[]) => R,
): R | Promise<R> {
  return drive(
    (function* () {
      return use(yield values);
    })(),
  );
}
