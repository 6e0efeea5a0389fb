/** Timing: the libraries take turns in one run, so that a busy moment of the machine hits all. */

import { setImmediate as turn } from 'node:timers/promises';
import type { Case } from './case.js';
import { verify } from './case.js';
import type { Peer, Runner } from './peers/peer.js';

/** Seconds of one run: the median of the samples and the tenth and ninetieth of a hundred. */
export interface Timing {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly samples: number;
}

/** A library's figure, or why there is none. */
export type Outcome = Timing | { readonly reason: string };

export interface Result {
  readonly name: string;
  readonly flops?: number;
  readonly peers: Readonly<Record<string, Outcome>>;
}

export interface Settings {
  /** Seconds each library gets per case, warm-up apart. */
  readonly seconds: number;
  readonly rounds: number;
}

/** Samples last at least this long, so that the clock's grain does not matter. */
const SAMPLE_SECONDS = 0.002;
const WARMUP_SECONDS = 0.3;
/** A run that takes longer is timed once, right after the check that has compiled everything. */
const LONG_SECONDS = 10;

interface Contender {
  readonly peer: Peer;
  readonly runner: Runner;
  /** Runs per sample. */
  repeat: number;
  readonly samples: number[];
}

/** The value below which the share `p` of the numbers lies. */
export function quantile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = p * (sorted.length - 1);
  const below = sorted[Math.floor(at)];
  return below + (at - Math.floor(at)) * (sorted[Math.ceil(at)] - below);
}

export function summary(samples: readonly number[]): Timing {
  return {
    median: quantile(samples, 0.5),
    low: quantile(samples, 0.1),
    high: quantile(samples, 0.9),
    samples: samples.length,
  };
}

/**
 * Runs until everything is compiled, and finds how many runs make a sample. What is long has had
 * its only sample then.
 */
async function warmUp(contender: Contender): Promise<void> {
  const until = performance.now() + 1000 * WARMUP_SECONDS;
  let seconds = 0;
  do {
    seconds = await contender.runner.sample(contender.repeat);
    if (seconds < SAMPLE_SECONDS) contender.repeat *= 2;
    await turn();
  } while (performance.now() < until || seconds < SAMPLE_SECONDS);
  if (seconds > LONG_SECONDS * contender.repeat) contender.samples.push(seconds);
}

async function round(contender: Contender, seconds: number): Promise<void> {
  const { runner, repeat, samples } = contender;
  await runner.sample(repeat);
  const until = performance.now() + 1000 * seconds;
  do {
    samples.push((await runner.sample(repeat)) / repeat);
    await turn();
  } while (performance.now() < until);
}

function failed(error: unknown): Outcome {
  return { reason: (error as Error).message.split('\n')[0] };
}

/** Checks a case in every library, then times them in turns. */
export async function measure(
  benchmark: Case,
  peers: readonly Peer[],
  { seconds, rounds }: Settings,
): Promise<Result> {
  const inputs = benchmark.inputs();
  const expected = benchmark.expected(inputs);
  const outcomes: Record<string, Outcome> = {};
  const contenders: Contender[] = [];
  for (const peer of peers) {
    try {
      const runner = await peer.prepare(benchmark, inputs);
      if (runner === undefined) continue;
      const who = `${peer.name}: ${benchmark.name}`;
      verify(who, await runner.check(), expected, benchmark.tolerance);
      contenders.push({ peer, runner, repeat: 1, samples: [] });
    } catch (error) {
      outcomes[peer.name] = failed(error);
    }
  }
  const inTurn = async (work: (contender: Contender) => Promise<void>) => {
    for (const contender of contenders) {
      const { name } = contender.peer;
      if (name in outcomes) continue;
      try {
        await work(contender);
      } catch (error) {
        outcomes[name] = failed(error);
      }
    }
  };
  await inTurn(warmUp);
  const once = new Set(contenders.filter(({ samples }) => samples.length > 0));
  for (let r = 0; r < rounds; r++) {
    await inTurn(async (contender) => {
      if (!once.has(contender)) await round(contender, seconds / rounds);
    });
  }
  for (const { peer, samples } of contenders) outcomes[peer.name] ??= summary(samples);
  return { name: benchmark.name, flops: benchmark.flops, peers: outcomes };
}
