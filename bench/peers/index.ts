/** The libraries that are measured: this one, and those of bench/node_modules and Python. */

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as torch from '../../ts/index.js';
import type { DeviceName } from '../case.js';
import type { Jax } from './jax_types.js';
import { installed, localPeer, type Open } from './local.js';
import type { Clock, Peer } from './peer.js';
import { openPyTorch } from './pytorch.js';
import type { Tf } from './tfjs_types.js';
import { webgpuPeers } from './webgpu.js';

async function openIsotorch(folder: string, clock: Clock): Promise<Peer> {
  const { version } = JSON.parse(readFileSync(join(folder, '../package.json'), 'utf8'));
  torch.setNumThreads(1);
  return localPeer('isotorch', `isotorch ${version}`, clock, (benchmark, inputs) =>
    benchmark.isotorch(torch, inputs),
  );
}

async function openTfjs(folder: string, clock: Clock): Promise<Peer> {
  const { version, load } = installed(folder, '@tensorflow/tfjs');
  const tf = load() as Tf & { setBackend(name: string): Promise<boolean> };
  const wasm = installed(folder, '@tensorflow/tfjs-backend-wasm');
  wasm.load().setWasmPaths(join(wasm.home, 'dist/'));
  await tf.setBackend('wasm');
  return localPeer('tfjs', `TensorFlow.js ${version} (wasm)`, clock, (benchmark, inputs) =>
    benchmark.tfjs?.(tf, inputs),
  );
}

async function openJax(folder: string, clock: Clock): Promise<Peer> {
  const { version, home } = installed(folder, '@jax-js/jax');
  const { href } = pathToFileURL(join(home, 'dist/index.js'));
  const jax = (await import(href)) as Jax & {
    init(...devices: string[]): Promise<string[]>;
    defaultDevice(name: string): string;
  };
  await jax.init('wasm');
  jax.defaultDevice('wasm');
  return localPeer('jax', `jax-js ${version} (wasm)`, clock, (benchmark, inputs) =>
    benchmark.jax?.(jax, inputs),
  );
}

const OPENERS: Readonly<Record<DeviceName, Readonly<Record<string, Open>>>> = {
  cpu: { isotorch: openIsotorch, pytorch: openPyTorch, tfjs: openTfjs, jax: openJax },
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
  clock: Clock,
): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const name of names) {
    try {
      peers.push(await OPENERS[device][name](dirname(program), clock));
    } catch (error) {
      console.log(`Without ${name}: ${(error as Error).message.split('\n')[0]}`);
    }
  }
  return peers;
}
