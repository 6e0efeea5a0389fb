/** Every row in every dtype and layout against its judge, hard points among them. */

import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';
import { applyPointwise } from '../../ts/ops/apply.js';
import { type OpName, table } from '../../ts/ops/table.js';
import type { PointwiseJudge, SampledJudge } from '../judges/judge.js';
import { judges } from '../judges.js';
import {
  blocks,
  close,
  columnsOf,
  compare,
  compareIntegers,
  EPSILON,
  integerTuples,
  LAYOUTS,
  operands,
  pointwiseNames,
  relaid,
  rowOf,
  strided,
  tuples,
} from './matrix.js';
import { callsOf, names } from './samples.js';

const FLOATS = [...EPSILON.keys()];
const INTEGERS = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8];

describe('floats, hard points among them', () => {
  for (const op of pointwiseNames) {
    if (rowOf(op).domain === 'int') continue;
    for (const dtype of FLOATS) {
      test(`${op} ${dtype.name}`, () => {
        const judge = judges[op] as PointwiseJudge;
        const list = tuples(op, judge, dtype);
        const inputs = operands(op, columnsOf(list), dtype);
        const out = applyPointwise(op, inputs, judge.scalars);
        expect(out.dtype).toBe(rowOf(op).result === 'bool' ? torch.bool : dtype);
        expect(compare(op, judge, dtype, list, out.dataSync())).toEqual([]);
      });
    }
  }
});

describe('integers', () => {
  for (const op of pointwiseNames) {
    const row = rowOf(op);
    if (row.domain === 'real') continue;
    for (const dtype of INTEGERS) {
      test(`${op} ${dtype.name}`, () => {
        const { scalars } = judges[op] as PointwiseJudge;
        const values = dtype === torch.uint8 ? [1, 2, 3, 7, 0, 100] : [1, -2, 3, -7, 0, 100];
        const list = integerTuples(op, values);
        const inputs = operands(op, columnsOf(list), dtype);
        const out = applyPointwise(op, inputs, scalars?.map(Math.ceil));
        expect(out.dtype).toBe(row.result === 'bool' ? torch.bool : dtype);
        expect(compareIntegers(op, dtype, list, out.dataSync())).toEqual([]);
      });
    }
  }
});

describe('layouts', () => {
  for (const op of pointwiseNames) {
    const judge = judges[op] as PointwiseJudge;
    const make = () => blocks(op);
    for (const [layout, lay] of Object.entries(LAYOUTS)) {
      test(`${op} ${layout}`, () => {
        const plain = make();
        const expected = applyPointwise(op, plain, judge.scalars).tolistSync();
        const all = plain.map((x) => relaid(x, lay));
        expect(applyPointwise(op, all, judge.scalars).tolistSync()).toEqual(expected);
        for (let i = 0; i < plain.length; i++) {
          const one = plain.with(i, relaid(plain[i]!, lay));
          expect(applyPointwise(op, one, judge.scalars).tolistSync()).toEqual(expected);
        }
      });
    }
    test(`${op} broadcast, 0-d and empty`, () => {
      const plain = make();
      const row = plain.map((x) => x.at(0));
      const repeated = row.map((x) => x.expand(3, 4));
      const once = applyPointwise(op, row, judge.scalars);
      const expected = once.expand(3, 4).tolistSync();
      expect(applyPointwise(op, repeated, judge.scalars).tolistSync()).toEqual(expected);
      expect(
        applyPointwise(op, [repeated[0]!, ...row.slice(1)], judge.scalars).tolistSync(),
      ).toEqual(expected);
      const single = applyPointwise(
        op,
        row.map((x) => x.at(0)),
        judge.scalars,
      );
      expect(single.shape).toEqual([]);
      expect(single.itemSync()).toEqual(once.at(0).itemSync());
      const none = applyPointwise(
        op,
        row.map((x) => x.narrow(0, 0, 0)),
        judge.scalars,
      );
      expect([none.shape, none.numel()]).toEqual([[0], 0]);
    });
  }
});

describe('rows with kernels of their own', () => {
  const sampled = names.filter((op): op is OpName => judges[op].kind === 'sampled');
  for (const op of sampled) {
    const { rtol } = judges[op] as SampledJudge<object>;
    const exact = callsOf(op, torch.float64);
    exact.forEach((call, k) => {
      const expected = call.run(call.inputs);
      test(`${op}, ${call.name}: float64 in another layout`, () => {
        if (table[op].kind === 'view') return expect(expected).toHaveLength(1);
        const actual = call.run(call.inputs.map((x) => (x.numel() > 0 ? strided(x) : x)));
        actual.forEach((out, i) => {
          expect(out.tolistSync()).toEqual(expected[i]!.tolistSync());
        });
      });
      for (const dtype of [torch.float32, torch.float16, torch.bfloat16]) {
        test(`${op}, ${call.name}: ${dtype.name}`, () => {
          const { inputs, run } = callsOf(op, dtype)[k]!;
          const actual = run(inputs);
          const wide = run(inputs.map((x) => (x.dtype === dtype ? x.double() : x)));
          const tolerance = dtype === torch.float32 ? rtol : 3 * (EPSILON.get(dtype) as number);
          actual.forEach((out, i) => {
            const reference = wide[i]!;
            expect(out.shape).toEqual(reference.shape);
            const final = reference.dtype === torch.float64 ? dtype : reference.dtype;
            expect(out.dtype).toBe(final);
            const same = final === dtype ? reference.to(dtype) : reference;
            expect(close(out, same, tolerance)).toBe(true);
          });
        });
      }
    });
  }
});
