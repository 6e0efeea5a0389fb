/** What the pairing of vectors in newer V8 is worth to the demo's network. */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DemoOptions } from './options.js';

/** The first major version of Node that has it. */
const NEWER = 24;
const FLAG = '--experimental-wasm-revectorize';
const run = promisify(execFile);

/**
 * Training steps without and with the pairing, each in a process of its own, as a line of text;
 * undefined in a Node that has no pairing. `root` is the repository's folder.
 */
export async function comparePairing(
  options: DemoOptions,
  root: string,
): Promise<string | undefined> {
  if (Number.parseInt(process.versions.node, 10) < NEWER) return undefined;
  const program = [join(root, 'scripts/run.mjs'), join(root, 'examples/demo/steps.ts')];
  const rates: string[] = [];
  for (const flags of [[], [FLAG]]) {
    const { stdout } = await run(process.execPath, [...flags, ...program, JSON.stringify(options)]);
    rates.push(Number(stdout).toFixed(0));
  }
  return (
    `Training steps alone take ${rates[0]} images/s, and ${rates[1]} images/s with ` +
    'torch.cpu.configure({ revectorize: true })'
  );
}
