/** Peers of this process, and where their packages are. */

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Program } from '../case.js';
import { type Conditions, type Finish, inProcess, type Peer } from './peer.js';

export type Open = (folder: string, conditions: Conditions) => Promise<Peer>;

export function localPeer(
  name: string,
  about: string,
  { clock }: Conditions,
  program: (
    ...given: Parameters<Peer['prepare']>
  ) => Program | undefined | Promise<Program | undefined>,
  finish?: Finish,
): Peer {
  return {
    name,
    about,
    async prepare(benchmark, inputs) {
      const made = await program(benchmark, inputs);
      return made && inProcess(made, clock, finish);
    },
    close() {},
  };
}

/** A package of bench/node_modules: its folder, its version, and what require() finds in it. */
export function installed(folder: string, name: string) {
  const home = join(folder, 'node_modules', name);
  if (!existsSync(home)) throw new Error(`${name} is not installed: make bench installs it`);
  const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  const require = createRequire(join(folder, 'package.json'));
  return { home, version: version as string, load: () => require(name) };
}
