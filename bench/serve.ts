/** Runs cases of this library for a process that asks: lines of JSON over stdin and stdout. */

import { createInterface } from 'node:readline';
import * as torch from '../ts/index.js';
import { cases } from './cases/index.js';
import { type Clock, inProcess, type Runner } from './peers/peer.js';

interface Question {
  readonly do: 'prepare' | 'sample';
  readonly name: string;
  readonly repeat: number;
}

const [, , clock, threads] = process.argv;
torch.setNumThreads(Number(threads));
let runner: Runner | undefined;

async function answer({ do: what, name, repeat }: Question): Promise<object> {
  if (what === 'sample') return { seconds: await runner?.sample(repeat) };
  const benchmark = cases.find((known) => known.name === name);
  if (benchmark === undefined) throw new Error(`there is no case '${name}'`);
  runner = inProcess(benchmark.isotorch(torch, benchmark.inputs()), clock as Clock);
  return { result: Array.from(await runner.check()) };
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

say({ node: process.version });
for await (const line of createInterface({ input: process.stdin })) {
  try {
    say(await answer(JSON.parse(line)));
  } catch (error) {
    say({ error: (error as Error).message });
  }
}
