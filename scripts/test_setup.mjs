// Before any test: kernels older than the rows that launch them would compute wrong numbers in
// silence, on the CPU, which the GPU is judged by.
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildKernels } from '../wasm/build.mjs';

/** Every group of tests calls it, in one process. */
export async function setup() {
  globalThis.kernelsBuilt ??= buildKernels(resolve(fileURLToPath(import.meta.url), '../..'));
  await globalThis.kernelsBuilt;
}
