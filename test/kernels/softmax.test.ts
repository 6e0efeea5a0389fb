import { describe, expect, it } from 'vitest';
import * as rows from '../../ts/ops/primitives/softmax.js';
import { call, close, dtypes, input, randoms, reset, results } from './harness.js';

const { float32, float64 } = dtypes;
type Shape = [number, number, number];

/** Applies f to every line along the middle. */
function along(
  arrays: number[][],
  [outer, n, inner]: Shape,
  f: (...lines: number[][]) => number[],
) {
  const out = new Array<number>(outer * n * inner);
  for (let o = 0; o < outer; o++) {
    for (let c = 0; c < inner; c++) {
      const at = (r: number) => (o * n + r) * inner + c;
      const lines = arrays.map((a) => Array.from({ length: n }, (_, r) => a[at(r)]!));
      f(...lines).forEach((value, r) => {
        out[at(r)] = value;
      });
    }
  }
  return out;
}

const add = (v: number[]) => v.reduce((a, b) => a + b, 0);
function softmax(x: number[]): number[] {
  const most = x.reduce((a, b) => Math.max(a, b), -1 / 0);
  const e = x.map((v) => Math.exp(v - most));
  return e.map((v) => v / add(e));
}
function logSoftmax(x: number[]): number[] {
  const most = x.reduce((a, b) => Math.max(a, b), -1 / 0);
  const total = Math.log(add(x.map((v) => Math.exp(v - most))));
  return x.map((v) => v - most - total);
}

const SHAPES: Shape[] = [
  [1, 1, 1],
  [3, 10, 1],
  [2, 33, 1],
  [2, 500, 1],
  [2, 5, 3],
  [2, 7, 16],
  [1, 9, 37],
  [2, 135, 3],
  [1, 3, 1043],
  [0, 3, 2],
];

for (const dtype of [float32, float64]) {
  describe(`softmax of ${dtype.name}`, () => {
    const relative = dtype === float32 ? 2e-6 : 1e-14;
    for (const shape of SHAPES) {
      it(`[${shape}]`, () => {
        reset();
        const size = shape[0] * shape[1] * shape[2];
        const x = randoms(size, 3, 20);
        const g = randoms(size, 4);
        const tx = input(x, shape, dtype);
        const tg = input(g, shape, dtype);
        const y = along([x], shape, softmax).map(Math.fround);
        const z = along([x], shape, logSoftmax).map(Math.fround);
        close(results(rows.softmax, [tx], {})[0]!, along([x], shape, softmax), relative, 1e-12);
        close(results(rows.logSoftmax, [tx], {})[0]!, along([x], shape, logSoftmax), relative);
        const gy = along([g, y], shape, (g, y) => {
          const dot = add(g.map((v, i) => v * y[i]!));
          return g.map((v, i) => y[i]! * (v - dot));
        });
        const gz = along([g, z], shape, (g, z) => g.map((v, i) => v - Math.exp(z[i]!) * add(g)));
        const ty = input(y, shape, dtype);
        const tz = input(z, shape, dtype);
        close(results(rows.softmaxBackward, [tg, ty], {})[0]!, gy, relative, 1e-7);
        close(results(rows.logSoftmaxBackward, [tg, tz], {})[0]!, gz, relative, 2e-6);
      });
    }

    for (const inner of [1, 2]) {
      const spread = (v: number[]) => v.flatMap((x) => Array(inner).fill(x));
      it(`hard points, inner ${inner}`, () => {
        reset();
        const of = (row: typeof rows.softmax, v: number[]) =>
          results(row, [input(spread(v), [1, v.length, inner], dtype)], {})[0];
        const { NaN: nan } = Number;
        const inf = 1 / 0;
        expect(of(rows.softmax, [1e30, 1e30])).toEqual(spread([0.5, 0.5]));
        expect(of(rows.softmax, [-inf, 0, -inf])).toEqual(spread([0, 1, 0]));
        expect(of(rows.logSoftmax, [-inf, 0, -inf])).toEqual(spread([-inf, 0, -inf]));
        expect(of(rows.softmax, [-inf, -inf])).toEqual(spread([nan, nan]));
        expect(of(rows.softmax, [inf, 0])).toEqual(spread([nan, nan]));
        expect(of(rows.softmax, [nan, 0, 1, 2, 3])).toEqual(spread(Array(5).fill(nan)));
        expect(of(rows.logSoftmax, [0, -1e5])).toEqual(spread([0, -1e5]));
      });
    }
  });
}

it('refuses other forms', () => {
  reset();
  const x = input([1], [1, 1, 1], float32);
  const y = input([1, 2], [1, 2, 1], float32);
  expect(() => call(rows.softmaxBackward, [x, y], {})).toThrow(/equal shapes .* \[1, 1, 1\] and/);
});
