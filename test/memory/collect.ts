/** The collector at a known point, for tests that look at what stays alive. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { memory } from '../../ts/index.js';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Runs the collector and its finalisers until nothing more comes back. */
export async function collect(): Promise<void> {
  let last = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 12 && memory().bytes < last; i++) {
    last = memory().bytes;
    gc();
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
