/** The operator matrix on the GPU: the judges of the CPU, asked of the other device. */

import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';
import { applyPointwise } from '../../ts/ops/apply.js';
import type { PointwiseName } from '../../ts/ops/pointwise.js';
import type { PointwiseJudge } from '../judges/judge.js';
import { judges } from '../judges.js';
import {
  blocks,
  columnsOf,
  compare,
  compareIntegers,
  GPU,
  integerTuples,
  LAYOUTS,
  operands,
  pointwiseNames,
  relaid,
  rowOf,
  tuples,
} from '../ops/matrix.js';
import { maskedInputs, type Tensor } from '../ops/samples.js';
import { withFeatures } from './agree.js';

const judgeOf = (op: PointwiseName) => judges[op] as PointwiseJudge;
const toGpu = (list: readonly Tensor[]) => list.map((x) => x.to('webgpu'));

async function floats(op: PointwiseName): Promise<void> {
  const judge = judgeOf(op);
  const list = tuples(op, judge, torch.float32);
  const inputs = toGpu(operands(op, columnsOf(list), torch.float32));
  const out = applyPointwise(op, inputs, judge.scalars);
  expect(out.device).toBe('webgpu');
  expect(out.dtype).toBe(rowOf(op).result === 'bool' ? torch.bool : torch.float32);
  expect(compare(op, judge, torch.float32, list, await out.data(), GPU)).toEqual([]);
}

async function integers(op: PointwiseName): Promise<void> {
  const list = integerTuples(op, [1, -2, 3, -7, 0, 100, 2 ** 31 - 1, -(2 ** 31)]);
  const inputs = toGpu(operands(op, columnsOf(list), torch.int32));
  const out = applyPointwise(op, inputs, judgeOf(op).scalars?.map(Math.ceil));
  expect(out.dtype).toBe(rowOf(op).result === 'bool' ? torch.bool : torch.int32);
  expect(compareIntegers(op, torch.int32, list, await out.data())).toEqual([]);
}

/** What a call says, or what it throws. */
function outcome(call: () => Tensor): Tensor | string {
  try {
    return call();
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
}

/** Bools are computed with, or refused, as on the CPU. */
async function bools(op: PointwiseName): Promise<void> {
  const count = rowOf(op).inputs;
  const cells = 2 ** count;
  const inputs = Array.from({ length: count }, (_, i) =>
    torch.tensor(Array.from({ length: cells }, (_, k) => Boolean((k >> i) & 1))),
  );
  const { scalars } = judgeOf(op);
  const want = outcome(() => applyPointwise(op, inputs, scalars));
  const found = outcome(() => applyPointwise(op, toGpu(inputs), scalars));
  if (typeof want === 'string' || typeof found === 'string') {
    expect(found).toBe(want);
    return;
  }
  expect(found.dtype).toBe(want.dtype);
  const [a, b] = [(await found.cpu()).double(), want.double()];
  expect(torch.allclose(a, b, { rtol: 1e-6, atol: 1e-6, equalNan: true })).toBe(true);
}

/** Every layout alone and in every operand, broadcast, 0-d and empty: the same bits. */
async function layouts(op: PointwiseName): Promise<void> {
  const { scalars } = judgeOf(op);
  const plain = toGpu(blocks(op));
  const run = (inputs: readonly Tensor[]) => applyPointwise(op, inputs, scalars);
  const expected = run(plain);
  const found: [string, Tensor, Tensor][] = [];
  for (const [layout, lay] of Object.entries(LAYOUTS)) {
    found.push([layout, run(plain.map((x) => relaid(x, lay))), expected]);
    for (let i = 1; i < plain.length; i++) {
      const one = plain.with(i, relaid(plain[i] as Tensor, lay));
      found.push([`${layout}, operand ${i}`, run(one), expected]);
    }
  }
  const row = plain.map((x) => x.at(0));
  const repeated = row.map((x) => x.expand(3, 4));
  const once = run(row);
  found.push(['all broadcast', run(repeated), once.expand(3, 4)]);
  found.push(['one broadcast', run([repeated[0] as Tensor, ...row.slice(1)]), once.expand(3, 4)]);
  found.push(['0-d', run(row.map((x) => x.at(0))), once.at(0)]);
  found.push(['empty', run(row.map((x) => x.narrow(0, 0, 0))), once.narrow(0, 0, 0)]);
  const lists = await Promise.all(found.flatMap(([, a, b]) => [a.tolist(), b.tolist()]));
  found.forEach(([name], k) => {
    expect(lists[2 * k], name).toEqual(lists[2 * k + 1]);
  });
}

await withFeatures('elementwise rows on the GPU', () => {
  describe('floats, hard points among them', () => {
    test.each(pointwiseNames.filter((op) => rowOf(op).domain !== 'int'))('%s', floats);
  });
  describe('int32, wrapping', () => {
    test.each(pointwiseNames.filter((op) => rowOf(op).domain !== 'real'))('%s', integers);
  });
  describe('bool', () => {
    test.each(pointwiseNames.filter((op) => maskedInputs(op).length === 0))('%s', bools);
  });
  describe('layouts', () => {
    test.each(pointwiseNames)('%s', layouts);
  });
});
