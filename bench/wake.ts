/**
 * What it costs to hand half of a launch to a second thread: node scripts/run.mjs bench/wake.ts
 * The cost is the time of a launch on two threads less half its time on one: where the worker must
 * be woken, and where it still looks for work. Beside it what the caller alone pays for a launch
 * that is over before anybody else wakes.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { cpu } from '../ts/device/cpu/cpu.js';
import * as torch from '../ts/index.js';
import { quantile } from './measure.js';

/** Microseconds in which a worker that finds no work has gone to sleep. */
const PAUSE = 3000;
const ROUNDS = 300;

function microseconds(run: () => void): number {
  const start = performance.now();
  run();
  return 1000 * (performance.now() - start);
}

/** Keeps this thread busy: a core that idles takes time to wake, which is not what is measured. */
function busy(time: number): void {
  const end = performance.now() + time / 1000;
  while (performance.now() < end);
}

function describe(name: string, samples: readonly number[], less = 0): void {
  const [low, median, high] = [0.1, 0.5, 0.9].map((p) => (quantile(samples, p) - less).toFixed(1));
  console.log(`${name.padEnd(46)} ${median} us (${low} to ${high})`);
}

async function main(): Promise<void> {
  cpu.worth = { awake: 0, asleep: 0 };
  const [large, small] = [torch.rand(100_000), torch.rand(128)];
  const work = () => large.exp().dispose();
  const little = () => small.exp().dispose();
  torch.setNumThreads(2);
  for (let i = 0; i < 2000; i++) {
    work();
    little();
  }
  await sleep(100);
  if (cpu.workers === 0) throw new Error(`there is no second thread: ${cpu.reason}`);
  const times: Record<string, number[]> = {};
  const sample = (name: string, threads: number, pause: number, run: () => void) => {
    torch.setNumThreads(2);
    work();
    busy(pause);
    torch.setNumThreads(threads);
    times[name] ??= [];
    times[name].push(microseconds(run));
  };
  for (let i = 0; i < ROUNDS; i++) {
    sample('one', 1, PAUSE, work);
    sample('asleep', 2, PAUSE, work);
    sample('awake', 2, 0, work);
    sample('little, one', 1, PAUSE, little);
    sample('little, asleep', 2, PAUSE, little);
    sample('little, awake', 2, 0, little);
    if (i % 10 === 0) await sleep(1);
  }
  const half = quantile(times.one, 0.5) / 2;
  const alone = quantile(times['little, one'], 0.5);
  console.log(`half a launch on one thread: ${half.toFixed(1)} us; ${cpu.helped} chunks helped`);
  describe('wake and join, the worker asleep', times.asleep, half);
  describe('wake and join, the worker looking for work', times.awake, half);
  describe('what the caller pays, the worker asleep', times['little, asleep'], alone);
  describe('what the caller pays, the worker looking for work', times['little, awake'], alone);
}

await main();
