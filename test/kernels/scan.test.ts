import { describe, expect, it } from 'vitest';
import * as rows from '../../ts/ops/primitives/scan.js';
import type { Primitive } from '../../ts/ops/row.js';
import { call, close, dtypes, input, randoms, reset, results } from './harness.js';

const { float32, float64, int32, int64 } = dtypes;
type Shape = [number, number, number];
const SHAPES: Shape[] = [
  [1, 1, 1],
  [3, 17, 1],
  [9, 17, 1],
  [2, 5, 3],
  [2, 300, 70],
  [2, 0, 3],
  [0, 2, 2],
];

/** Runs f(so far, value) along n from `start`, in either direction. */
function scan(
  x: number[],
  [outer, n, inner]: Shape,
  start: number,
  f: (total: number, value: number) => number,
  reverse: boolean,
): number[] {
  const out = [...x];
  for (let o = 0; o < outer; o++) {
    for (let c = 0; c < inner; c++) {
      let total = start;
      for (let i = 0; i < n; i++) {
        const at = (o * n + (reverse ? n - 1 - i : i)) * inner + c;
        total = f(total, x[at]!);
        out[at] = total;
      }
    }
  }
  return out;
}

/** The place one or more steps along n from another, if there is one. */
function neighbour(at: number, [, n, inner]: Shape, by: number): number | undefined {
  const i = (Math.floor(at / inner) % n) + by;
  return i >= 0 && i < n ? at + by * inner : undefined;
}

const logAdd = (a: number, b: number) => {
  const most = Math.max(a, b);
  return most === -1 / 0 ? most : most + Math.log1p(Math.exp(Math.min(a, b) - most));
};

for (const dtype of [float32, float64]) {
  describe(`running totals of ${dtype.name}`, () => {
    const relative = dtype === float32 ? 1e-6 : 1e-12;
    for (const shape of SHAPES) {
      for (const reverse of [false, true]) {
        it(`[${shape}] ${reverse ? 'reversed' : ''}`, () => {
          reset();
          const x = randoms(shape[0] * shape[1] * shape[2], 5, 1.5);
          const t = input(x, shape, dtype);
          const of = (row: Primitive<{ reverse?: boolean }>) => results(row, [t], { reverse })[0]!;
          close(
            of(rows.cumsum),
            scan(x, shape, 0, (a, b) => a + b, reverse),
            relative,
          );
          close(
            of(rows.cumprod),
            scan(x, shape, 1, (a, b) => a * b, reverse),
            relative,
            1e-30,
          );
          const before = results(rows.cumprod, [t], { reverse, exclusive: true })[0]!;
          const products = scan(x, shape, 1, (a, b) => a * b, reverse);
          products.forEach((_, at) => {
            const previous = neighbour(at, shape, reverse ? 1 : -1);
            const product = previous === undefined ? 1 : products[previous]!;
            close([before[at]!], [product], relative, 1e-30);
          });
          for (const lag of [0, 1]) {
            const factors = randoms(x.length, 6, 0.9);
            const given = [t, input(factors, shape, dtype)];
            const [found] = results(rows.recurrence, given, { reverse, lag });
            found!.forEach((value, at) => {
              const previous = neighbour(at, shape, reverse ? 1 : -1);
              const term =
                previous === undefined
                  ? 0
                  : factors[lag === 1 ? previous : at]! * found![previous]!;
              close([value], [x[at]! + term], 10 * relative, 10 * relative);
            });
          }
          close(of(rows.logcumsumexp), scan(x, shape, -1 / 0, logAdd, reverse), relative);
          if (reverse) return;
          const most = scan(x, shape, -1 / 0, Math.max, false);
          const [values, indices] = results(rows.cummax, [t], {});
          close(values!, most, 0, 0);
          const [, n, inner] = shape;
          indices!.forEach((i, at) => {
            const line = Math.floor(at / (n * inner)) * n * inner + (at % inner);
            expect(x[line + i * inner]).toBe(most[at]);
          });
          close(results(rows.cummin, [t], {})[0]!, scan(x, shape, 1 / 0, Math.min, false), 0, 0);
        });
      }
    }
  });
}

describe('hard points', () => {
  const { NaN: nan } = Number;
  const inf = 1 / 0;

  it('NaN and infinities', () => {
    reset();
    const line = (v: number[]) => input(v, [1, v.length, 1], float32);
    const [values, indices] = results(rows.cummax, [line([1, 3, 3, nan, 5, nan])], {});
    expect(values).toEqual([1, 3, 3, nan, nan, nan]);
    expect(indices).toEqual([0, 1, 2, 3, 3, 5]);
    expect(results(rows.cummin, [line([2, 2, -inf, 0])], {})).toEqual([
      [2, 2, -inf, -inf],
      [0, 1, 2, 2],
    ]);
    expect(results(rows.cumsum, [line([inf, -inf, 1])], {})[0]).toEqual([inf, nan, nan]);
    expect(results(rows.logcumsumexp, [line([-inf, -inf, 1000, 1000])], {})[0]).toEqual([
      -inf,
      -inf,
      1000,
      Math.fround(1000 + Math.log(2)),
    ]);
    expect(results(rows.logcumsumexp, [line([inf, inf, nan])], {})[0]).toEqual([inf, inf, nan]);
  });

  it('integers are exact and wrap', () => {
    reset();
    const x = input([2 ** 31 - 1, 1, 5], [1, 3, 1], int32);
    expect(results(rows.cumsum, [x], {})[0]).toEqual([2 ** 31 - 1, -(2 ** 31), -(2 ** 31) + 5]);
    expect(results(rows.cumprod, [x], {})[0]).toEqual([2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 5]);
    expect(results(rows.cummin, [x], {})[0]).toEqual([2 ** 31 - 1, 1, 1]);
    const y = input([3, -2, 5], [1, 3, 1], int64);
    expect(results(rows.cumsum, [y], {})[0]).toEqual([3, 1, 6]);
    expect(results(rows.cumprod, [y], { reverse: true })[0]).toEqual([-30, -10, 5]);
    expect(results(rows.cummax, [y], {})).toEqual([
      [3, 3, 5],
      [0, 0, 2],
    ]);
  });

  it('refuses another form', () => {
    reset();
    expect(() => call(rows.cumsum, [input([1], [1], float32)], {})).toThrow(/got \[1\]/);
  });
});
