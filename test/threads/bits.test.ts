/** Results are the same to the bit on 1, 2, 3 and 4 threads: every row, and every kernel. */

import { beforeAll, describe, expect, it } from 'vitest';
import { cpu } from '../../ts/device/cpu/cpu.js';
import * as torch from '../../ts/index.js';
import { table } from '../../ts/ops/table.js';
import { compileModule } from '../../wasm/loader.js';
import { callsOf, names } from '../ops/samples.js';
import { type Calls, largerCalls, pointwiseCalls } from './calls.js';
import { bytesOf, startThreads } from './threads.js';

beforeAll(() => startThreads(4));

/** Runs `work` with each number of threads, from the same seed. */
function sameOnAll(work: () => torch.Tensor[]): void {
  const results = [1, 2, 3, 4].map((threads) => {
    torch.setNumThreads(threads);
    torch.manualSeed(7);
    return bytesOf(work());
  });
  for (const result of results) expect(result === results[0]).toBe(true);
}

/** The calls that the judge of a row asks for. */
function samplesOf(op: (typeof names)[number]): (() => torch.Tensor[])[] {
  const row = table[op];
  const isWhole = 'domain' in row && row.domain === 'int';
  const dtypes = isWhole ? [torch.int32, torch.int64] : [torch.float32, torch.float64];
  return dtypes.flatMap((dtype) =>
    callsOf(op, dtype).map(
      ({ run, inputs }) =>
        () =>
          run(inputs),
    ),
  );
}

describe('every row', () => {
  it.each(names)('%s', (op) => {
    for (const call of samplesOf(op)) sameOnAll(call);
  });

  it('ran on several threads', () => {
    expect(cpu.helped).toBeGreaterThan(0);
  });
});

const every: Calls = { ...pointwiseCalls, ...largerCalls };

/**
 * Kernels whose launches are of one unit: a few numbers, or such as follow from those before; the last serves no
 * operator.
 */
const ALONE = [
  'drawFloats_f32',
  'drawMask_f32',
  'lossTotal_f32',
  'lossTotal_f64',
  'runningSum_i32',
  'tileProbe_f32',
];

/** Runs all calls, and has a look at each launch before it is done. */
function watch(look: (block: Parameters<typeof cpu.launch>[0]) => void): void {
  const { launch } = cpu;
  cpu.launch = (block) => {
    look(block);
    launch.call(cpu, block);
  };
  try {
    for (const call of [...names.flatMap(samplesOf), ...Object.values(every)]) call();
  } finally {
    cpu.launch = launch;
  }
}

describe('calls that are large enough to be split', () => {
  it.each(Object.keys(every))('%s', (name) => {
    sameOnAll(every[name] as () => torch.Tensor[]);
  });

  it('leave out no kernel', () => {
    const split = new Set<string>();
    watch((block) => {
      if (block.range > 1) split.add(block.kernel);
    });
    const exports = WebAssembly.Module.exports(compileModule(true));
    const kernels = exports.filter(({ kind }) => kind === 'function').map(({ name }) => name);
    expect(kernels.length).toBeGreaterThan(500);
    expect(kernels.filter((name) => !split.has(name)).sort()).toEqual(ALONE);
  });

  it('say at their first launch how much they compute: then the tile is chosen', () => {
    const late = new Set<string>();
    let known = false;
    watch(({ first, products, kernel }) => {
      if (first) known = products > 0;
      else if (products > 0 && !known) late.add(kernel);
    });
    expect([...late]).toEqual([]);
  });
});
