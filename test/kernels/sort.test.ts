import { describe, expect, it } from 'vitest';
import * as rows from '../../ts/ops/primitives/sort.js';
import { call, dtypes, input, randoms, reset, results } from './harness.js';

const { float32, float64, int32, int64 } = dtypes;
type Shape = [number, number, number];

/** Positions of a line in sorted order: stable, NaN greatest, -0 equal to 0. */
function order(line: number[], descending: boolean): number[] {
  const compare = (a: number, b: number) => {
    if (Number.isNaN(a) || Number.isNaN(b))
      return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
    return a < b ? -1 : a > b ? 1 : 0;
  };
  const places = line.map((_, i) => i);
  return places.sort((i, j) => {
    const c = compare(line[i]!, line[j]!);
    return (descending ? -c : c) || i - j;
  });
}

/** Values and positions of the places [first, k) of every sorted line. */
function expected(
  x: number[],
  [outer, n, inner]: Shape,
  k: number,
  descending: boolean,
  first = 0,
) {
  const count = k - first;
  const values = new Array<number>(outer * count * inner);
  const indices = new Array<number>(outer * count * inner);
  for (let o = 0; o < outer; o++) {
    for (let c = 0; c < inner; c++) {
      const line = Array.from({ length: n }, (_, i) => x[(o * n + i) * inner + c]!);
      order(line, descending)
        .slice(first, k)
        .forEach((place, i) => {
          const at = (o * count + i) * inner + c;
          values[at] = line[place]!;
          indices[at] = place;
        });
    }
  }
  return [values, indices];
}

const SHAPES: Shape[] = [
  [1, 1, 1],
  [3, 20, 1],
  [2, 24, 3],
  [3, 25, 2],
  [2, 700, 3],
  [1, 9000, 1],
  [2, 0, 3],
  [0, 3, 1],
];

for (const dtype of [float32, float64, int32, int64]) {
  describe(`sorting ${dtype.name}`, () => {
    for (const shape of SHAPES) {
      it(`[${shape}]`, () => {
        const [outer, n, inner] = shape;
        const size = outer * n * inner;
        const real = dtype === float32 || dtype === float64;
        const x = randoms(size, 3, 50).map((v, i) => (real && i % 3 ? v : Math.trunc(v)));
        const big = x.map((v, i) => (i % 4 === 0 ? Math.trunc(v) * 40000000 : Math.trunc(v)));
        const whole = [x, big].map((v) => v.map((value) => Math.trunc(value) + 0));
        for (const values of real ? [x, hard(x)] : whole) {
          for (const descending of [false, true]) {
            reset();
            const t = input(values, shape, dtype);
            const all = expected(values, shape, n, descending);
            expect(results(rows.sort, [t], { descending })).toEqual(all);
            for (const k of [1, 5, 64, 100].filter((k) => k <= n)) {
              const first = expected(values, shape, k, descending);
              expect(results(rows.topk, [t], { k, largest: descending })).toEqual(first);
              const last = { k, largest: descending, first: k - 1 };
              expect(results(rows.topk, [t], last)).toEqual(
                expected(values, shape, k, descending, k - 1),
              );
            }
          }
        }
      });
    }
  });
}

/** Ties, both zeros, infinities and NaN among the values. */
function hard(x: number[]): number[] {
  const special = [0, -0, 1, 1, Number.NaN, 1 / 0, -1 / 0, -1];
  return x.map((v, i) => (i % 2 ? v : special[(i / 2) % special.length]!));
}

describe('searching', () => {
  it('left and right, ties, ends and NaN', () => {
    for (const dtype of [float32, float64, int32, int64]) {
      reset();
      const sorted = input([1, 3, 3, 5], [4], dtype);
      const values = input([0, 1, 3, 4, 5, 9], [2, 3], dtype);
      expect(results(rows.searchsorted, [sorted, values], { right: false })).toEqual([
        [0, 0, 1, 3, 3, 4],
      ]);
      expect(results(rows.searchsorted, [sorted, values], { right: true })).toEqual([
        [0, 1, 3, 3, 4, 4],
      ]);
      const two = input([1, 2, 3, 10, 20, 30], [2, 3], dtype);
      const each = input([2, 20], [2, 1], dtype);
      expect(results(rows.searchsorted, [two, each], { right: true })).toEqual([[2, 2]]);
    }
    const sorted = input([1, 2], [2], float32);
    const nan = input([Number.NaN, 1 / 0], [2], float32);
    expect(results(rows.searchsorted, [sorted, nan], { right: false })).toEqual([[2, 2]]);
  });

  it('run starts', () => {
    reset();
    const { NaN: nan } = Number;
    for (const dtype of [float32, float64]) {
      const x = input([1, 1, 2, -0, 0, nan, nan], [7], dtype);
      expect(results(rows.runStarts, [x], {})).toEqual([[1, 0, 1, 1, 0, 1, 1]]);
    }
    for (const dtype of [int32, int64]) {
      const x = input([4, 4, -4], [3], dtype);
      expect(results(rows.runStarts, [x], {})).toEqual([[1, 0, 1]]);
    }
    expect(results(rows.runStarts, [input([], [0], int32)], {})).toEqual([[]]);
  });

  it('refuses what does not fit', () => {
    reset();
    const x = input([1, 2], [1, 2, 1], float32);
    expect(() => call(rows.topk, [x], { k: 3, largest: true })).toThrow(/k = 3 is out of range/);
    const rows3 = input([1, 2, 3], [3, 1], float32);
    expect(() => call(rows.searchsorted, [rows3, x], { right: true })).toThrow(/\[3, 1\]/);
  });
});
