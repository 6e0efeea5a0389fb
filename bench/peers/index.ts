/** The libraries that are measured: this one, and those of bench/node_modules and Python. */

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as torch from '../../ts/index.js';
import type { Program } from '../case.js';
import type { Jax } from './jax_types.js';
import { type Clock, inProcess, type Peer } from './peer.js';
import { openPyTorch } from './pytorch.js';
import type { Tf } from './tfjs_types.js';

type Open = (folder: string, clock: Clock) => Promise<Peer>;

function localPeer(
  name: string,
  about: string,
  clock: Clock,
  program: (...given: Parameters<Peer['prepare']>) => Program | undefined,
): Peer {
  return {
    name,
    about,
    async prepare(benchmark, inputs) {
      const made = program(benchmark, inputs);
      return made && inProcess(made, clock);
    },
    close() {},
  };
}

/** A package of bench/node_modules: its folder, its version, and what require() finds in it. */
function installed(folder: string, name: string) {
  const home = join(folder, 'node_modules', name);
  if (!existsSync(home)) throw new Error(`${name} is not installed: make bench installs it`);
  const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  const require = createRequire(join(folder, 'package.json'));
  return { home, version: version as string, load: () => require(name) };
}

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

const OPENERS: Readonly<Record<string, Open>> = {
  isotorch: openIsotorch,
  pytorch: openPyTorch,
  tfjs: openTfjs,
  jax: openJax,
};

export const peerNames = Object.keys(OPENERS);

/** Opens the named libraries; says which are not there, and goes on without them. */
export async function openPeers(
  program: string,
  names: readonly string[],
  clock: Clock,
): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const name of names) {
    try {
      peers.push(await OPENERS[name](dirname(program), clock));
    } catch (error) {
      console.log(`Without ${name}: ${(error as Error).message.split('\n')[0]}`);
    }
  }
  return peers;
}
