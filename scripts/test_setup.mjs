// Before any test: kernels older than the rows that launch them would compute wrong numbers in
// silence, on the CPU, which the GPU is judged by.
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildKernels } from '../wasm/build.mjs';

export const setup = () => buildKernels(resolve(fileURLToPath(import.meta.url), '../..'));
