/**
 * What each idea is worth: times a kernel from the naive version, step by step, to this library's
 * own. npm run ladder -- [gemm|conv|softmax]
 */

import { dirname, join } from 'node:path';
import * as torch from '../../ts/index.js';
import { type Input, toTensor, uniform, values, verify } from '../case.js';
import { quantile } from '../measure.js';
import { showTime } from '../report.js';
import { type Ladder, openLadder } from './kernels.js';

interface Step {
  readonly name: string;
  readonly run: () => void;
  readonly result: () => ArrayLike<number> | Promise<ArrayLike<number>>;
}

interface Rungs {
  readonly title: string;
  /** Floating point operations, where a rate says more than a time. */
  readonly flops?: number;
  readonly steps: readonly Step[];
}

const ROUNDS = 7;
const SAMPLE_MS = 30;

function place(ladder: Ladder, { data }: Input): number {
  return ladder.place(data.length, data);
}

/** A step in C: its sizes, then the addresses of its inputs, of the result, and of scratch. */
function step(
  ladder: Ladder,
  name: string,
  about: string,
  given: readonly number[],
  count: number,
  rest: (out: number) => readonly number[] = (out) => [out],
): Step {
  const kernel = ladder.kernel(name);
  const out = ladder.place(count);
  const all = [...given, ...rest(out)];
  return { name: about, run: () => kernel(...all), result: () => ladder.read(out, count) };
}

function own(compute: () => torch.Tensor): Step {
  const name = `this library (${torch.cpu.info().kernels})`;
  return { name, run: () => compute().dispose(), result: () => values(compute()) };
}

function gemm(ladder: Ladder): Rungs {
  const n = 512;
  const [a, b] = [uniform(1, [n, n]), uniform(2, [n, n])];
  const given = [n, n, n, place(ladder, a), place(ladder, b)];
  const scratch = ladder.place((256 + 64) * Math.max(n, 256));
  const [x, y] = [toTensor(torch, a), toTensor(torch, b)];
  const compute = () => x.matmul(y);
  compute().dispose();
  return {
    title: `matrix product, ${n} x ${n} x ${n}`,
    flops: 2 * n ** 3,
    steps: [
      step(ladder, 'gemm_naive', 'three loops', given, n * n),
      step(ladder, 'gemm_rows', 'inner loop along rows, vectorised', given, n * n),
      step(ladder, 'gemm_tiles', '4 x 8 tile in registers', given, n * n),
      step(ladder, 'gemm_packed', 'blocks packed for the caches', given, n * n, (out) => [
        out,
        n,
        scratch,
      ]),
      own(compute),
    ],
  };
}

function conv(ladder: Ladder): Rungs {
  const [batch, channels, side, filters, taps] = [8, 16, 34, 32, 3];
  const plane = (side - taps + 1) ** 2;
  const count = batch * filters * plane;
  const x = uniform(3, [batch, channels, side, side]);
  const w = uniform(4, [filters, channels, taps, taps]);
  const given = [batch, channels, side, filters, taps, place(ladder, x), place(ladder, w)];
  const depth = channels * taps * taps;
  const scratch = ladder.place(depth * plane + 256 * (plane + 64));
  const [image, filter] = [toTensor(torch, x), toTensor(torch, w)];
  const rest = (out: number) => [out, scratch];
  return {
    title: `convolution, ${x.shape.join(' x ')} with ${w.shape.join(' x ')}`,
    flops: 2 * count * depth,
    steps: [
      step(ladder, 'conv_naive', 'seven loops', given, count),
      step(ladder, 'conv_rows', 'inner loop along rows, vectorised', given, count),
      step(ladder, 'conv_unfolded', 'unfolded image times filters', given, count, rest),
      step(ladder, 'conv_blocks', 'a few rows unfolded at a time', given, count, rest),
      own(() => torch.nn.functional.conv2d(image, filter)),
    ],
  };
}

function softmax(ladder: Ladder): Rungs {
  const [rows, n] = [1024, 1024];
  const x = uniform(5, [rows, n], 4);
  const given = [rows, n, place(ladder, x)];
  const tensor = toTensor(torch, x);
  return {
    title: `softmax, ${rows} rows of ${n}`,
    steps: [
      step(ladder, 'softmax_naive', 'as in a textbook', given, rows * n),
      step(ladder, 'softmax_kept', 'exponentials kept, one division', given, rows * n),
      step(ladder, 'softmax_vectors', 'SIMD with a polynomial', given, rows * n),
      own(() => tensor.softmax(1)),
    ],
  };
}

const LADDERS = { gemm, conv, softmax };

/** Milliseconds of a run: medians over rounds in which the steps take turns. */
function time(steps: readonly Step[]): number[] {
  const samples = steps.map((): number[] => []);
  for (let round = 0; round <= ROUNDS; round++) {
    steps.forEach(({ run }, i) => {
      const start = performance.now();
      let runs = 0;
      do {
        run();
        runs++;
      } while (performance.now() - start < SAMPLE_MS);
      // The first round is for the engine to compile.
      if (round > 0) samples[i].push((performance.now() - start) / runs);
    });
  }
  return samples.map((own) => quantile(own, 0.5));
}

async function climb({ title, flops, steps }: Rungs): Promise<void> {
  console.log(`\n${title}`);
  const [naive] = steps;
  naive.run();
  const expected = await naive.result();
  for (const { name, run, result } of steps) {
    run();
    verify(name, await result(), expected, 1e-4);
  }
  const times = time(steps);
  steps.forEach(({ name }, i) => {
    const rate = flops ? `${(flops / times[i] / 1e6).toFixed(1).padStart(7)} GFLOP/s` : '';
    const ratio = `${(times[0] / times[i]).toFixed(1).padStart(7)}x`;
    console.log(`  ${name.padEnd(36)} ${showTime(times[i] / 1e3).padStart(9)} ${ratio} ${rate}`);
  });
}

const chosen = process.argv.slice(2);
if (chosen.includes('--help')) {
  console.log(`npm run ladder -- [${Object.keys(LADDERS).join('|')}] (default: all)`);
  process.exit();
}
const unknown = chosen.find((name) => !(name in LADDERS));
if (unknown !== undefined) {
  console.error(`There is no ladder '${unknown}'; there are ${Object.keys(LADDERS).join(', ')}.`);
  process.exit(2);
}
torch.setNumThreads(1);
const ladder = openLadder(join(dirname(process.argv[1]), '../..'));
console.log(`Node ${process.version}, one thread; every result is checked before it is timed.`);
for (const [name, make] of Object.entries(LADDERS)) {
  if (chosen.length === 0 || chosen.includes(name)) await climb(make(ladder));
}
