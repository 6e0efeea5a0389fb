/** Every row in every dtype and layout against its judge, hard points among them. */

import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';
import { applyPointwise } from '../../ts/ops/apply.js';
import { type PointwiseName, type PointwiseRow, pointwise } from '../../ts/ops/pointwise.js';
import { type OpName, table } from '../../ts/ops/table.js';
import { type PointwiseJudge, type Range, type SampledJudge, spread } from '../judges/judge.js';
import { judges } from '../judges.js';
import { callsOf, maskedInputs, names, type Tensor } from './samples.js';

const EPSILON = new Map([
  [torch.float64, 2 ** -52],
  [torch.float32, 2 ** -23],
  [torch.float16, 2 ** -10],
  [torch.bfloat16, 2 ** -7],
]);
const SMALLEST = new Map([
  [torch.float64, 2 ** -1074],
  [torch.float32, 2 ** -149],
  [torch.float16, 2 ** -24],
  [torch.bfloat16, 2 ** -133],
]);
const FLOATS = [...EPSILON.keys()];
const INTEGERS = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8];

/** The distance between neighbours of `dtype` at a value. */
function ulpAt(value: number, dtype: torch.Dtype): number {
  const epsilon = EPSILON.get(dtype) as number;
  const least = SMALLEST.get(dtype) as number;
  if (value === 0) return least;
  return Math.max(2 ** Math.floor(Math.log2(Math.abs(value))) * epsilon, least);
}

/** A value as the dtype holds it. */
function rounded(value: number, dtype: torch.Dtype): number {
  return Number(torch.tensor([value], { dtype }).dataSync()[0]);
}

/** How `actual` misses `expected`, or undefined. */
function misses(
  actual: number | boolean,
  expected: number | boolean,
  judge: PointwiseJudge,
  dtype: torch.Dtype,
): string | undefined {
  if (typeof expected === 'boolean') {
    return Boolean(actual) === expected ? undefined : `is ${actual}, not ${expected}`;
  }
  const got = Number(actual);
  const want = rounded(expected, dtype);
  if (Number.isNaN(want)) return Number.isNaN(got) ? undefined : `is ${got}, not NaN`;
  if (got === want) return undefined;
  const ulp = ulpAt(want, dtype);
  const cancelled = (judge.cancels ?? 0) * (EPSILON.get(dtype) as number);
  if (Number.isFinite(want) && Math.abs(got - expected) <= (judge.ulp + 0.5) * ulp + cancelled) {
    return undefined;
  }
  return `is ${got}, not ${want} (${(Math.abs(got - expected) / ulp).toFixed(1)} ulp off)`;
}

/** Where functions go wrong: zeros, infinities, NaN, ties, and the edges of overflow. */
const HARD = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  1.5,
  2.5,
  -2.5,
  1e-8,
  -1e-8,
  1e-4,
  100,
  -100,
  88,
  -87,
  1e10,
  -1e10,
  1e38,
  -1e38,
  1e-38,
  1e-42,
  16777217,
  0.99999994,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.NaN,
];

/** All operand tuples of a judge: random ones in its domain, and hard points in every pairing. */
function tuples(op: PointwiseName, judge: PointwiseJudge, dtype: torch.Dtype): number[][] {
  const count = pointwise[op].inputs;
  const masks = maskedInputs(op);
  const range = (i: number): Range => judge.domain[i] ?? (judge.domain[0] as Range);
  const random = Array.from({ length: count }, (_, i) =>
    masks.includes(i) ? spread(37, [0, 1], i).map(Math.round) : spread(37, range(i), i),
  );
  const list = random[0]!.map((_, k) => random.map((column) => column[k] as number));
  // Formulas that cancel are judged where they are used; the others everywhere.
  if (count === 1 && judge.cancels === undefined) list.push(...HARD.map((x) => [x]));
  if (count === 2 && judge.cancels === undefined) {
    for (const x of HARD) for (const y of HARD) list.push([x, y]);
  }
  return list.map((tuple) =>
    tuple.map((value, i) => (masks.includes(i) ? value : rounded(value, dtype))),
  );
}

function columnsOf(list: readonly number[][]): number[][] {
  return (list[0] ?? []).map((_, i) => list.map((tuple) => tuple[i] as number));
}

function operands(op: PointwiseName, columns: readonly number[][], dtype: torch.Dtype): Tensor[] {
  const masks = maskedInputs(op);
  return columns.map((column, i) =>
    torch.tensor(column, { dtype: masks.includes(i) ? torch.bool : dtype }),
  );
}

function compare(
  op: PointwiseName,
  judge: PointwiseJudge,
  dtype: torch.Dtype,
  list: readonly number[][],
  actual: ArrayLike<number | bigint>,
): string[] {
  const failures: string[] = [];
  list.forEach((tuple, k) => {
    if (judge.excused?.at(...tuple)) return;
    const expected = judge.f(...tuple, ...(judge.scalars ?? []));
    const why = misses(Number(actual[k]), expected, judge, dtype);
    if (why !== undefined) failures.push(`${op}(${tuple.join(', ')}) ${why}`);
  });
  return failures.slice(0, 12);
}

const pointwiseNames = Object.keys(pointwise) as PointwiseName[];
const rowOf = (op: PointwiseName): PointwiseRow => pointwise[op];

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

/** An integer result as its dtype wraps it. */
function wrapped(value: number, dtype: torch.Dtype): number {
  if (dtype === torch.int64) return value;
  const cell = new dtype.array(1);
  cell[0] = value;
  return Number(cell[0]);
}

const DIVIDES = /^(div|fmod|remainder)/;
const SHIFTS = /Shift$/;

describe('integers', () => {
  for (const op of pointwiseNames) {
    const row = rowOf(op);
    if (row.domain === 'real') continue;
    for (const dtype of INTEGERS) {
      test(`${op} ${dtype.name}`, () => {
        const judge = judges[op] as PointwiseJudge;
        const count = row.inputs;
        const values = dtype === torch.uint8 ? [1, 2, 3, 7, 0, 100] : [1, -2, 3, -7, 0, 100];
        const list: number[][] = [];
        for (const x of values) {
          if (count === 1) list.push([x]);
          for (const y of count > 1 ? values : []) {
            if (DIVIDES.test(op) && y === 0) continue;
            if (SHIFTS.test(op) && (y < 0 || y > 6)) continue;
            if (op === 'powTensors' && (y < 0 || y > 7)) continue;
            if (count === 2) list.push([x, y]);
            else list.push([maskedInputs(op).includes(0) ? (x > 1 ? 1 : 0) : x, y, 5]);
          }
        }
        const scalars = judge.scalars?.map(Math.ceil);
        const out = applyPointwise(op, operands(op, columnsOf(list), dtype), scalars);
        expect(out.dtype).toBe(row.result === 'bool' ? torch.bool : dtype);
        const actual = out.dataSync();
        const failures = list.flatMap((tuple, k) => {
          const value = judge.f(...tuple, ...(scalars ?? []));
          // Products past 2^53 wrap as integers do, which numbers cannot say.
          if (Math.abs(Number(value)) > Number.MAX_SAFE_INTEGER) return [];
          const want = typeof value === 'boolean' ? Number(value) : wrapped(value, dtype);
          return Number(actual[k]) === want ? [] : [`${op}(${tuple}) is ${actual[k]}, not ${want}`];
        });
        expect(failures.slice(0, 8)).toEqual([]);
      });
    }
  }
});

/** The same 3 x 4 elements in other layouts. */
const LAYOUTS: Record<string, (x: Tensor) => Tensor> = {
  transposed: (x) => x.t().contiguous().t(),
  offset: (x) => torch.cat([x, x], 0).narrow(0, 0, 3).clone().expand(2, 3, 4).select(0, 1),
  'every second column': (x) =>
    torch
      .stack([x, x.mul(0)], -1)
      .reshape(3, 8)
      .at(':', '::2'),
  'rows behind an offset': (x) => torch.cat([x.mul(0), x], 0).narrow(0, 3, 3),
};

describe('layouts', () => {
  for (const op of pointwiseNames) {
    const judge = judges[op] as PointwiseJudge;
    const dtype = rowOf(op).domain === 'int' ? torch.int32 : torch.float32;
    const make = () => {
      const masks = maskedInputs(op);
      return Array.from({ length: pointwise[op].inputs }, (_, i) => {
        const [low, high] = judge.domain[i] ?? (judge.domain[0] as Range);
        const values = spread(12, masks.includes(i) ? [0, 1] : [low, high], i);
        const x = torch.tensor(masks.includes(i) ? values.map(Math.round) : values);
        return x.to(masks.includes(i) ? torch.bool : dtype).view(3, 4);
      });
    };
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

/** A layout applied to any dtype, through int32 where a helper has no bool form. */
function relaid(x: Tensor, lay: (x: Tensor) => Tensor): Tensor {
  return x.dtype === torch.bool ? lay(x.int()).ne(0) : lay(x);
}

/** The same elements, transposed in memory where there are two dimensions or more. */
function strided(x: Tensor): Tensor {
  if (x.ndim < 2) return torch.stack([x, x], -1).select(-1, 0);
  return x.transpose(0, -1).contiguous().transpose(0, -1);
}

function close(actual: Tensor, expected: Tensor, rtol: number): boolean {
  const [a, b] = [actual.double(), expected.double()];
  return torch.allclose(a, b, { rtol, atol: rtol, equalNan: true });
}

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
