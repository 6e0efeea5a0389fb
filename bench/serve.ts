/** Runs cases of one library for a process that asks: lines of JSON over stdin and stdout. */

import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { cases } from './cases/index.js';
import { libraries } from './peers/libraries.js';
import type { Clock, Peer, Runner } from './peers/peer.js';

interface Question {
  readonly do: 'prepare' | 'sample';
  readonly name: string;
  readonly repeat: number;
}

let runner: Runner | undefined;

async function answer(peer: Peer, { do: what, name, repeat }: Question): Promise<object> {
  if (what === 'sample') return { seconds: await runner?.sample(repeat) };
  const benchmark = cases.find((known) => known.name === name);
  if (benchmark === undefined) throw new Error(`there is no case '${name}'`);
  runner = await peer.prepare(benchmark, benchmark.inputs());
  return { result: runner === undefined ? null : Array.from(await runner.check()) };
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function saying(line: () => Promise<object>): Promise<boolean> {
  try {
    say(await line());
    return true;
  } catch (error) {
    say({ error: (error as Error).message });
    return false;
  }
}

async function main([library, clock, threads]: readonly string[]): Promise<void> {
  let peer: Peer | undefined;
  const open = async () => {
    const conditions = { clock: clock as Clock, threads: Number(threads) };
    peer = await libraries[library](dirname(process.argv[1]), conditions);
    return { about: peer.about, node: process.version };
  };
  if (!(await saying(open))) return;
  for await (const line of createInterface({ input: process.stdin })) {
    await saying(() => answer(peer as Peer, JSON.parse(line)));
  }
}

// Lines of the answers only, whatever a library has to say.
console.log = console.error;
console.info = console.error;
await main(process.argv.slice(2));
// Threads of a library would keep the process alive.
process.exit();
