/** Allocations that fail, one after another. */

import { expect } from 'vitest';
import { memory, OutOfMemoryError } from '../../ts/index.js';

/**
 * Runs `body` with its first allocation failing, then with its second and so on, until none is left
 * that fails; gives their number. `allocating(hear)` has `hear` called before each allocation. After
 * each failure nothing stays allocated, and `check` is run.
 */
export async function atEveryAllocation(
  allocating: (hear: ((bytes: number) => void) | undefined) => void,
  body: () => unknown,
  check: () => Promise<void>,
): Promise<number> {
  for (let k = 0; ; k++) {
    const { bytes } = memory();
    let count = 0;
    let failed = false;
    allocating((size) => {
      if (count++ !== k) return;
      failed = true;
      throw new OutOfMemoryError(size, 0, 0, 'a test');
    });
    let caught: unknown;
    try {
      await body();
    } catch (error) {
      caught = error;
    }
    allocating(undefined);
    if (!failed) {
      expect(caught).toBeUndefined();
      return k;
    }
    expect(caught).toBeInstanceOf(OutOfMemoryError);
    expect(memory().bytes, `allocation ${k}`).toBe(bytes);
    await check();
  }
}
