/** The libraries that are measured: this one, and those of bench/node_modules and Python. */

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as torch from '../../ts/index.js';
import type { DeviceName } from '../case.js';
import type { Jax } from './jax_types.js';
import { installed, localPeer, type Open } from './local.js';
import { openNaive } from './naive.js';
import { openNewer, openPaired } from './node.js';
import { openOnnx } from './onnx.js';
import type { Conditions, Peer } from './peer.js';
import { openPyTorch } from './pytorch.js';
import type { Tf } from './tfjs_types.js';
import { webgpuPeers } from './webgpu.js';

async function openIsotorch(folder: string, conditions: Conditions): Promise<Peer> {
  const { version } = JSON.parse(readFileSync(join(folder, '../package.json'), 'utf8'));
  torch.setNumThreads(conditions.threads);
  return localPeer('isotorch', `isotorch ${version}`, conditions, (benchmark, inputs) =>
    benchmark.isotorch(torch, inputs),
  );
}

async function openTfjs(folder: string, conditions: Conditions): Promise<Peer> {
  const { version, load } = installed(folder, '@tensorflow/tfjs');
  const tf = load() as Tf & { setBackend(name: string): Promise<boolean> };
  const wasm = installed(folder, '@tensorflow/tfjs-backend-wasm');
  wasm.load().setWasmPaths(join(wasm.home, 'dist/'));
  await tf.setBackend('wasm');
  return localPeer('tfjs', `TensorFlow.js ${version} (wasm)`, conditions, (benchmark, inputs) =>
    benchmark.tfjs?.(tf, inputs),
  );
}

async function openJax(folder: string, conditions: Conditions): Promise<Peer> {
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
}

const OPENERS: Readonly<Record<DeviceName, Readonly<Record<string, Open>>>> = {
  cpu: {
    isotorch: openIsotorch,
    newer: openNewer,
    paired: openPaired,
    pytorch: openPyTorch,
    tfjs: openTfjs,
    jax: openJax,
    onnx: openOnnx,
    naive: openNaive,
  },
  webgpu: webgpuPeers,
};

export function peerNames(device: DeviceName): string[] {
  return Object.keys(OPENERS[device]);
}

/** Opens the named libraries; says which are not there, and goes on without them. */
export async function openPeers(
  device: DeviceName,
  program: string,
  names: readonly string[],
  conditions: Conditions,
): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const name of names) {
    try {
      peers.push(await OPENERS[device][name](dirname(program), conditions));
    } catch (error) {
      console.log(`Without ${name}: ${(error as Error).message.split('\n')[0]}`);
    }
  }
  return peers;
}
