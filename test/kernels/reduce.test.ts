import { describe, expect, it } from 'vitest';
import * as rows from '../../ts/ops/primitives/reduce.js';
import { call, close, dtypes, input, randoms, read, reset, results } from './harness.js';

const { float32, float64, int32, int64, bool, float16, int8 } = dtypes;

/** Shapes that reach every path: short, long, blocked, columns, tails, empty. */
const SHAPES: [number, number, number][] = [
  [1, 1, 1],
  [3, 0, 2],
  [5, 3, 1],
  [7, 16, 1],
  [3, 37, 1],
  [2, 4096, 1],
  [1, 9001, 1],
  [1, 3, 7],
  [2, 9, 130],
  [1, 1100, 5],
  [2, 600, 33],
  [0, 4, 3],
];

/** The values of output (o, c) along the reduced dimension. */
function lines(x: number[], [outer, n, inner]: [number, number, number]): number[][] {
  const all: number[][] = [];
  for (let o = 0; o < outer; o++) {
    for (let c = 0; c < inner; c++) {
      all.push(Array.from({ length: n }, (_, r) => x[(o * n + r) * inner + c]!));
    }
  }
  return all;
}

const add = (v: number[]) => v.reduce((a, b) => a + b, 0);
const mean = (v: number[]) => add(v) / v.length;
const variance = (v: number[], correction: number) => {
  const centre = mean(v);
  return add(v.map((x) => (x - centre) ** 2)) / Math.max(0, v.length - correction);
};
const top = (v: number[]) => v.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
const place = (v: number[], least: boolean) => {
  const nan = v.findIndex(Number.isNaN);
  const best = least ? -top(v.map((x) => -x)) : top(v);
  return nan >= 0 ? nan : v.indexOf(best);
};

for (const dtype of [float32, float64]) {
  describe(`reductions of ${dtype.name}`, () => {
    const relative = dtype === float32 ? 2e-6 : 1e-14;
    for (const shape of SHAPES) {
      const [outer, n, inner] = shape;
      const data = randoms(outer * n * inner, 7 + n);
      const each = lines(data, shape);
      const check = <A extends object>(
        row: Parameters<typeof results<A>>[0],
        attributes: A,
        reference: ((v: number[]) => number)[],
        absolute = 1e-6,
      ) => {
        reset();
        const out = results(row, [input(data, shape, dtype)], attributes);
        for (const [i, f] of reference.entries()) close(out[i]!, each.map(f), relative, absolute);
      };
      it(`[${shape}]`, () => {
        const absolute = dtype === float32 ? 1e-6 * Math.sqrt(n) : 1e-12;
        check(rows.sum, {}, [add], absolute);
        check(rows.sum, { divisor: n }, [mean]);
        check(rows.prod, {}, [(v) => v.reduce((a, b) => a * b, 1)]);
        check(rows.varMean, { correction: 1 }, [(v) => variance(v, 1), mean]);
        for (const p of [0, 1, 2, 3, 0.5, Number.POSITIVE_INFINITY]) {
          check(rows.vectorNorm, { p }, [(v) => norm(v, p)], 1e-5);
        }
        if (n === 0) return;
        check(rows.vectorNorm, { p: Number.NEGATIVE_INFINITY }, [(v) => norm(v, -1 / 0)]);
        check(rows.vectorNorm, { p: -2 }, [(v) => norm(v, -2)]);
        check(rows.amax, {}, [top]);
        check(rows.amin, {}, [(v) => -top(v.map((x) => -x))]);
        check(rows.argmax, {}, [(v) => place(v, false)]);
        check(rows.argmin, {}, [(v) => place(v, true)]);
        check(rows.maxDim, {}, [top, (v) => place(v, false)]);
        check(rows.minDim, {}, [(v) => -top(v.map((x) => -x)), (v) => place(v, true)]);
      });
    }
  });
}

function norm(v: number[], p: number): number {
  const sizes = v.map(Math.abs);
  if (p === 0) return sizes.filter((x) => x !== 0).length;
  if (p === 1 / 0) return Math.max(0, ...sizes);
  if (p === -1 / 0) return Math.min(...sizes);
  return add(sizes.map((x) => x ** p)) ** (1 / p);
}

describe('hard points', () => {
  const long = (value: number, at: number, n: number) =>
    Array.from({ length: n }, (_, i) => (i === at ? value : Math.fround(Math.sin(i))));

  it('NaN wins, wherever it stands', () => {
    for (const n of [1, 5, 17, 50, 20000]) {
      for (const inner of [1, 3, 8]) {
        for (const at of [0, n >> 1, n - 1]) {
          reset();
          const values = long(Number.NaN, at, n).flatMap((x) => Array(inner).fill(x));
          const x = input(values, [1, n, inner], float32);
          for (const row of [rows.amax, rows.amin, rows.sum, rows.prod]) {
            expect(results(row, [x], {})[0]).toEqual(Array(inner).fill(Number.NaN));
          }
          for (const row of [rows.argmax, rows.argmin]) {
            expect(results(row, [x], {})[0]).toEqual(Array(inner).fill(at));
          }
          const [values_, indices] = results(rows.minDim, [x], {});
          expect(values_).toEqual(Array(inner).fill(Number.NaN));
          expect(indices).toEqual(Array(inner).fill(at));
        }
      }
    }
  });

  it('ties give the first position', () => {
    for (const n of [4, 33, 17000]) {
      for (const inner of [1, 2]) {
        const values = Array.from({ length: n }, (_, i) => (i === 0 || i === n - 1 ? 0 : 1));
        const all = values.flatMap((v) => Array(inner).fill(v));
        for (const dtype of [float32, float64, int32, int64]) {
          reset();
          const x = input(all, [1, n, inner], dtype);
          expect(results(rows.argmax, [x], {})[0]).toEqual(Array(inner).fill(1));
          expect(results(rows.argmin, [x], {})[0]).toEqual(Array(inner).fill(0));
        }
      }
    }
  });

  it('infinities and all of one sign', () => {
    reset();
    const x = input([-1 / 0, -1 / 0, 1 / 0, 3], [2, 2, 1], float32);
    expect(results(rows.amax, [x], {})[0]).toEqual([-1 / 0, 1 / 0]);
    expect(results(rows.argmax, [x], {})[0]).toEqual([0, 0]);
    expect(results(rows.argmin, [x], {})[0]).toEqual([0, 1]);
    expect(results(rows.sum, [x], {})[0]).toEqual([-1 / 0, 1 / 0]);
  });

  it('infinities of both signs and zeros among many', () => {
    for (const inner of [1, 8]) {
      reset();
      const many = (special: number[], rest: number) =>
        Array.from({ length: 64 }, (_, i) => special[i] ?? rest).flatMap((v) =>
          Array<number>(inner).fill(v),
        );
      const shape: [number, number, number] = [1, 64, inner];
      const ends = input(many([3, 1 / 0, -1 / 0], -1), shape, float32);
      expect(results(rows.amax, [ends], {})[0]).toEqual(Array(inner).fill(1 / 0));
      expect(results(rows.amin, [ends], {})[0]).toEqual(Array(inner).fill(-1 / 0));
      for (const special of [
        [0, -0],
        [-0, 0],
      ]) {
        const high = input(many([...special, -0], -1), shape, float32);
        expect(results(rows.amax, [high], {})[0]).toEqual(Array(inner).fill(0));
        const low = input(many([...special, 0], 1), shape, float32);
        expect(results(rows.amin, [low], {})[0]).toEqual(Array(inner).fill(-0));
      }
    }
  });

  it('integers: exact sums, wrapped products, extremes of the type', () => {
    reset();
    const values = Array.from({ length: 5001 }, (_, i) => ((i * 7919) % 100003) - 50000);
    for (const dtype of [int32, int64]) {
      for (const shape of [
        [1, 5001, 1],
        [3, 1667, 1],
        [1, 1667, 3],
        [1, 3, 1667],
      ] as [number, number, number][]) {
        const x = input(values, shape, dtype);
        const each = lines(values, shape);
        expect(results(rows.sum, [x], {})[0]).toEqual(each.map(add));
        expect(results(rows.amax, [x], {})[0]).toEqual(each.map(top));
        expect(results(rows.amin, [x], {})[0]).toEqual(each.map((v) => Math.min(...v)));
        expect(results(rows.prod, [x], {})[0]).toHaveLength(each.length);
        expect(results(rows.argmin, [x], {})[0]).toEqual(each.map((v) => place(v, true)));
      }
    }
    const edge = input([-(2 ** 31), 2 ** 31 - 1, 0], [1, 3, 1], int32);
    expect(results(rows.argmin, [edge], {})[0]).toEqual([0]);
    expect(results(rows.argmax, [edge], {})[0]).toEqual([1]);
    expect(read(call(rows.prod, [input([65536, 65536, 3], [1, 3, 1], int32)], {})[0]!)).toEqual([
      0,
    ]);
  });

  it('any and all by bits, for every element size', () => {
    reset();
    for (const dtype of [float32, float64, int32, int64, bool, float16, int8]) {
      const one = dtype === bool ? 1 : 3;
      for (const inner of [1, 3]) {
        for (const n of [0, 1, 300, 9000]) {
          const zeros = Array(n * inner).fill(0);
          const last = [...zeros];
          if (n) last[n * inner - 1] = one;
          const ones = Array(n * inner).fill(one);
          const shape = [1, n, inner];
          const only = Array.from({ length: inner }, (_, c) => Number(n > 0 && c === inner - 1));
          const rest = Array.from({ length: inner }, (_, c) => Number(n === 1 && c === inner - 1));
          const every = Array(inner).fill(1);
          expect(results(rows.any, [input(zeros, shape, dtype)], {})[0]).toEqual(
            Array(inner).fill(0),
          );
          expect(results(rows.any, [input(last, shape, dtype)], {})[0]).toEqual(only);
          expect(results(rows.all, [input(ones, shape, dtype)], {})[0]).toEqual(every);
          const lastAll = results(rows.all, [input(last, shape, dtype)], {})[0];
          expect(lastAll).toEqual(n === 0 ? every : rest);
        }
      }
    }
    const x = input([-0, -0, Number.NaN, 0], [2, 2, 1], float64);
    expect(results(rows.any, [x], {})[0]).toEqual([0, 1]);
  });

  it('empty dimensions', () => {
    reset();
    const x = input([], [2, 0, 1], float32);
    expect(results(rows.sum, [x], {})[0]).toEqual([0, 0]);
    expect(results(rows.sum, [x], { divisor: 0 })[0]).toEqual([Number.NaN, Number.NaN]);
    expect(results(rows.prod, [x], {})[0]).toEqual([1, 1]);
    for (const row of [rows.amax, rows.argmin, rows.maxDim]) {
      expect(() => call(row, [x], {})).toThrow(/has size 0 and there is no identity/);
    }
  });

  it('variance keeps its digits beside a large mean', () => {
    reset();
    const values = Array.from({ length: 10000 }, (_, i) => 4096 + (i % 2));
    const x = input(values, [1, 10000, 1], float32);
    close(results(rows.varMean, [x], { correction: 0 })[0]!, [0.25], 1e-6);
    const y = input(values, [1, 5000, 2], float32);
    close(results(rows.varMean, [y], { correction: 0 })[0]!, [0, 0], 0, 1e-7);
  });
});
