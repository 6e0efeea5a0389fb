import { describe, expect, it } from 'vitest';
import { svd } from '../../ts/ops/primitives/svd.js';
import { call, close, dtypes, input, randoms, reset, results } from './harness.js';

const { float32, float64 } = dtypes;
type Shape = [number, number, number];

/** u diag(s) vh, and how far columns of u and rows of vh are from orthonormal. */
function composed(found: number[][], [batch, m, n]: Shape, full: boolean) {
  const [u, s, vh] = found as [number[], number[], number[]];
  const k = Math.min(m, n);
  const [columns, rows] = full ? [m, n] : [k, k];
  const product: number[] = [];
  let off = 0;
  for (let b = 0; b < batch; b++) {
    const at = (i: number, j: number) => u[(b * m + i) * columns + j]!;
    const ht = (j: number, i: number) => vh[(b * rows + j) * n + i]!;
    const check = (size: number, length: number, f: (i: number, j: number) => number) => {
      for (let p = 0; p < size; p++) {
        for (let q = 0; q < size; q++) {
          let dot = p === q ? -1 : 0;
          for (let i = 0; i < length; i++) dot += f(i, p) * f(i, q);
          off = Math.max(off, Math.abs(dot));
        }
      }
    };
    check(columns, m, at);
    check(rows, n, (i, j) => ht(j, i));
    for (let i = 0; i < m; i++) {
      for (let c = 0; c < n; c++) {
        let sum = 0;
        for (let j = 0; j < k; j++) sum += at(i, j) * s[b * k + j]! * ht(j, c);
        product.push(sum);
      }
    }
  }
  return { product, off };
}

const SHAPES: Shape[] = [
  [1, 1, 1],
  [3, 4, 4],
  [2, 7, 3],
  [2, 3, 7],
  [1, 1, 5],
  [1, 5, 1],
  [2, 4, 0],
  [70, 3, 2],
  [0, 2, 2],
  [1, 40, 33],
];

for (const dtype of [float32, float64]) {
  const epsilon = dtype === float32 ? 1e-6 : 1e-14;
  describe(`singular values of ${dtype.name}`, () => {
    for (const full of [false, true]) {
      it.each(SHAPES)(`[%i, %i, %i]${full ? ', full' : ''}`, (...shape) => {
        reset();
        const x = randoms(shape[0] * shape[1] * shape[2], 3, 2);
        const found = results(svd, [input(x, shape, dtype)], { full });
        const { product, off } = composed(found, shape, full);
        close(product, x, epsilon, 4 * epsilon);
        expect(off).toBeLessThan(4 * epsilon);
        const k = Math.min(shape[1], shape[2]);
        found[1]!.forEach((value, i) => {
          expect(value).toBeGreaterThanOrEqual(0);
          if (i % k > 0) expect(value).toBeLessThanOrEqual(found[1]![i - 1]!);
        });
      });
    }

    it('lost ranks get vectors all the same', () => {
      reset();
      const x = Array.from({ length: 5 * 4 }, (_, i) => ((i % 4) % 2) * Math.floor(i / 4));
      const found = results(svd, [input(x, [1, 5, 4], dtype)], { full: true });
      const { product, off } = composed(found, [1, 5, 4], true);
      close(product, x, epsilon, 8 * epsilon);
      expect(off).toBeLessThan(4 * epsilon);
      close(found[1]!, [Math.sqrt(60), 0, 0, 0], epsilon, 8 * epsilon);
    });
  });
}

describe('hard points', () => {
  const values = (x: number[], shape: Shape, dtype = float64) =>
    results(svd, [input(x, shape, dtype)], { full: false })[1]!;

  it('zeros have the axes for vectors', () => {
    reset();
    const eye = [1, 0, 0, 1];
    const x = input([0, 0, 0, 0], [1, 2, 2], float32);
    expect(results(svd, [x], { full: false })).toEqual([eye, [0, 0], eye]);
  });

  it('the largest and the smallest numbers', () => {
    reset();
    const large = [1.2e308, 0, 0, 1.5e308];
    expect(values(large, [1, 2, 2])).toEqual([1.5e308, 1.2e308]);
    expect(values([5e-324, 0, 0, 1e-323], [1, 2, 2])).toEqual([1e-323, 5e-324]);
    close(values([3e-200, 4e-200], [1, 2, 1]), [5e-200], 1e-15, 0);
    close(values([3e38, 0, 0, 1e-38], [1, 2, 2], float32), [3e38, 1e-38], 1e-7, 0);
  });

  it('small singular values keep their digits', () => {
    reset();
    // Columns of sizes far apart, nearly parallel otherwise: det = 1e-20.
    const [first, second] = values([1, 2e-20, 1, 3e-20], [1, 2, 2]) as [number, number];
    expect(first).toBeCloseTo(Math.SQRT2, 14);
    expect(second * first * 1e20).toBeCloseTo(1, 14);
  });

  it('NaN and infinities are refused, beside matrices that have none', () => {
    reset();
    for (const bad of [Number.NaN, 1 / 0, -1 / 0]) {
      const x = input([1, 2, 3, 4, 1, bad, 0, 1], [2, 2, 2], float32);
      expect(() => call(svd, [x], { full: false })).toThrow(/\[2, 2, 2\] hold NaN or infinity/);
    }
  });

  it('refuses another form', () => {
    reset();
    const x = input([1, 2], [1, 2], float32);
    expect(() => call(svd, [x], { full: false })).toThrow(/batch, m, n\], got \[1, 2\]/);
  });
});
