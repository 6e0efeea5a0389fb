/** What the operator matrix asks of every device: operands, layouts, and how near a result is. */

import * as torch from '../../ts/index.js';
import { type PointwiseName, type PointwiseRow, pointwise } from '../../ts/ops/pointwise.js';
import { type PointwiseJudge, type Range, spread } from '../judges/judge.js';
import { judges } from '../judges.js';
import { maskedInputs, type Tensor } from './samples.js';

export const pointwiseNames = Object.keys(pointwise) as PointwiseName[];
export const rowOf = (op: PointwiseName): PointwiseRow => pointwise[op];

export const EPSILON = new Map([
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

/** How a device computes: what its tolerances are called, and what it does to subnormals. */
export interface Arithmetic {
  /** Units in the last place that a result may be off. Throws if a judge allows too many. */
  ulp(judge: PointwiseJudge): number;
  /** Subnormal numbers may count as zeros, as operands and as results. */
  readonly flushes: boolean;
}

const IEEE: Arithmetic = { ulp: ({ ulp }) => ulp, flushes: false };

/** Most of what a GPU may be off: 4 x the relative tolerance PyTorch has for float32. */
export const GPU_MOST_ULP = (4 * 1.3e-6) / 2 ** -23;
export const GPU: Arithmetic = {
  ulp: ({ ulp }) => {
    if (ulp > GPU_MOST_ULP) throw new Error(`${ulp} ulp are more than a GPU may be off`);
    return ulp;
  },
  flushes: true,
};

const NORMAL = 2 ** -126;
const flushed = (value: number) => (Math.abs(value) < NORMAL ? value * 0 : value);

/** How `actual` misses `expected`, or undefined. */
function misses(
  actual: number | boolean,
  expected: number | boolean,
  judge: PointwiseJudge,
  dtype: torch.Dtype,
  { ulp, flushes }: Arithmetic,
): string | undefined {
  if (typeof expected === 'boolean') {
    return Boolean(actual) === expected ? undefined : `is ${actual}, not ${expected}`;
  }
  const got = Number(actual);
  const want = rounded(expected, dtype);
  if (Number.isNaN(want)) return Number.isNaN(got) ? undefined : `is ${got}, not NaN`;
  if (got === want) return undefined;
  if (flushes && Math.abs(want) < NORMAL && Math.abs(got) <= NORMAL) return undefined;
  const unit = ulpAt(want, dtype);
  const cancelled = (judge.cancels ?? 0) * (EPSILON.get(dtype) as number);
  const most = (ulp(judge) + 0.5) * unit + cancelled;
  if (Number.isFinite(want) && Math.abs(got - expected) <= most) return undefined;
  return `is ${got}, not ${want} (${(Math.abs(got - expected) / unit).toFixed(1)} ulp off)`;
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
export function tuples(op: PointwiseName, judge: PointwiseJudge, dtype: torch.Dtype): number[][] {
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

export function columnsOf(list: readonly number[][]): number[][] {
  return (list[0] ?? []).map((_, i) => list.map((tuple) => tuple[i] as number));
}

export function operands(
  op: PointwiseName,
  columns: readonly number[][],
  dtype: torch.Dtype,
): Tensor[] {
  const masks = maskedInputs(op);
  return columns.map((column, i) =>
    torch.tensor(column, { dtype: masks.includes(i) ? torch.bool : dtype }),
  );
}

/** What a row gets wrong: at most twelve of them. */
export function compare(
  op: PointwiseName,
  judge: PointwiseJudge,
  dtype: torch.Dtype,
  list: readonly number[][],
  actual: ArrayLike<number | bigint>,
  arithmetic = IEEE,
): string[] {
  const failures: string[] = [];
  list.forEach((tuple, k) => {
    if (judge.excused?.at(...tuple)) return;
    const why = (given: readonly number[]) => {
      const expected = judge.f(...given, ...(judge.scalars ?? []));
      return misses(Number(actual[k]), expected, judge, dtype, arithmetic);
    };
    const first = why(tuple);
    if (first === undefined) return;
    if (arithmetic.flushes && why(tuple.map(flushed)) === undefined) return;
    failures.push(`${op}(${tuple.join(', ')}) ${first}`);
  });
  return failures.slice(0, 12);
}

/** An integer result as its dtype wraps it. */
function wrapped(value: number, dtype: torch.Dtype): number {
  if (dtype === torch.int64) return value;
  const cell = new dtype.array(1);
  cell[0] = value;
  return Number(cell[0]);
}

const DIVIDES = /^(div|fmod|remainder)/;
const SHIFTS = /Shift$/;

/** Integer operands of a row, without those C leaves undefined. */
export function integerTuples(op: PointwiseName, values: readonly number[]): number[][] {
  const count = pointwise[op].inputs;
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
  return list;
}

/** What an integer row gets wrong. */
export function compareIntegers(
  op: PointwiseName,
  dtype: torch.Dtype,
  list: readonly number[][],
  actual: ArrayLike<number | bigint>,
): string[] {
  const { f, scalars = [] } = judges[op] as PointwiseJudge;
  const failures = list.flatMap((tuple, k) => {
    const value = f(...tuple, ...scalars.map(Math.ceil));
    // Products past 2^53 wrap as integers do, which numbers cannot say.
    if (Math.abs(Number(value)) > Number.MAX_SAFE_INTEGER) return [];
    const want = typeof value === 'boolean' ? Number(value) : wrapped(value, dtype);
    return Number(actual[k]) === want ? [] : [`${op}(${tuple}) is ${actual[k]}, not ${want}`];
  });
  return failures.slice(0, 8);
}

/** The operands of a row for the layouts: 3 x 4 elements each. */
export function blocks(op: PointwiseName): Tensor[] {
  const judge = judges[op] as PointwiseJudge;
  const dtype = rowOf(op).domain === 'int' ? torch.int32 : torch.float32;
  const masks = maskedInputs(op);
  return Array.from({ length: pointwise[op].inputs }, (_, i) => {
    const [low, high] = judge.domain[i] ?? (judge.domain[0] as Range);
    const values = spread(12, masks.includes(i) ? [0, 1] : [low, high], i);
    const x = torch.tensor(masks.includes(i) ? values.map(Math.round) : values);
    return x.to(masks.includes(i) ? torch.bool : dtype).view(3, 4);
  });
}

/** The same 3 x 4 elements in other layouts. */
export const LAYOUTS: Record<string, (x: Tensor) => Tensor> = {
  transposed: (x) => x.t().contiguous().t(),
  offset: (x) => torch.cat([x, x], 0).narrow(0, 0, 3).clone().expand(2, 3, 4).select(0, 1),
  'every second column': (x) =>
    torch
      .stack([x, x.mul(0)], -1)
      .reshape(3, 8)
      .at(':', '::2'),
  'rows behind an offset': (x) => torch.cat([x.mul(0), x], 0).narrow(0, 3, 3),
};

/** A layout applied to any dtype, through int32 where a helper has no bool form. */
export function relaid(x: Tensor, lay: (x: Tensor) => Tensor): Tensor {
  return x.dtype === torch.bool ? lay(x.int()).ne(0) : lay(x);
}

/** The same elements, transposed in memory where there are two dimensions or more. */
export function strided(x: Tensor): Tensor {
  if (x.ndim < 2) return torch.stack([x, x], -1).select(-1, 0);
  return x.transpose(0, -1).contiguous().transpose(0, -1);
}

export function close(actual: Tensor, expected: Tensor, rtol: number): boolean {
  const [a, b] = [actual.double(), expected.double()];
  return torch.allclose(a, b, { rtol, atol: rtol, equalNan: true });
}
