/** The libraries that compute on the CPU in JavaScript and WebAssembly. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as torch from '../../ts/index.js';
import type { Jax } from './jax_types.js';
import { installed, localPeer, type Open } from './local.js';
import { openOnnx } from './onnx.js';
import type { Tf } from './tfjs_types.js';

const openIsotorch: Open = async (folder, conditions) => {
  const { version } = JSON.parse(readFileSync(join(folder, '../package.json'), 'utf8'));
  torch.setNumThreads(conditions.threads);
  return localPeer('isotorch', `isotorch ${version}`, conditions, (benchmark, inputs) =>
    benchmark.isotorch(torch, inputs),
  );
};

const openTfjs: Open = async (folder, conditions) => {
  const { version, load } = installed(folder, '@tensorflow/tfjs');
  const tf = load() as Tf & { setBackend(name: string): Promise<boolean> };
  const wasm = installed(folder, '@tensorflow/tfjs-backend-wasm');
  wasm.load().setWasmPaths(join(wasm.home, 'dist/'));
  await tf.setBackend('wasm');
  return localPeer('tfjs', `TensorFlow.js ${version} (wasm)`, conditions, (benchmark, inputs) =>
    benchmark.tfjs?.(tf, inputs),
  );
};

const openJax: Open = async (folder, conditions) => {
  const { version, home } = installed(folder, '@jax-js/jax');
  const { href } = pathToFileURL(join(home, 'dist/index.js'));
  const jax = (await import(href)) as Jax & {
    init(...devices: string[]): Promise<string[]>;
    defaultDevice(name: string): string;
  };
  await jax.init('wasm');
  jax.defaultDevice('wasm');
  return localPeer('jax', `jax-js ${version} (wasm)`, conditions, (benchmark, inputs) =>
    benchmark.jax?.(jax, inputs),
  );
};

export const libraries: Readonly<Record<string, Open>> = {
  isotorch: openIsotorch,
  tfjs: openTfjs,
  jax: openJax,
  onnx: openOnnx,
};
