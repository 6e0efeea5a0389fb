import { describe, expect, it } from 'vitest';
import type { Dtype } from '../../ts/core/dtype.js';
import { matmul } from '../../ts/ops/primitives/matmul.js';
import { close, dtypes, input, type Operand, randoms, reset, results } from './harness.js';

const { float32, float64, int32, int64 } = dtypes;

/** A matrix [batch, rows, cols] stored row by row, column by column, or shared by the batch. */
type Storage = 'plain' | 'transposed' | 'shared' | 'shared transposed';

interface Matrix {
  readonly operand: Operand;
  at(n: number, i: number, j: number): number;
}

function matrix(shape: [number, number, number], how: Storage, dtype: Dtype, seed: number): Matrix {
  const [batch, rows, cols] = shape;
  const stored = batch * rows * cols;
  const whole = !dtype.isFloatingPoint;
  const data = randoms(stored, seed, whole ? 50 : 1).map((v) => (whole ? Math.round(v) : v));
  if (how.startsWith('shared')) data.fill(Number.NaN, rows * cols);
  const flip = how.endsWith('transposed');
  const strides = [
    how.startsWith('shared') ? 0 : rows * cols,
    flip ? 1 : cols,
    flip ? rows : 1,
  ] as const;
  const operand = { ...input(data, [stored], dtype), shape, strides };
  return {
    operand,
    at: (n, i, j) => data[n * strides[0] + i * strides[1] + j * strides[2]],
  };
}

/** Products in double precision. */
function reference(a: Matrix, b: Matrix, bias: number[] | undefined) {
  const [batch, rows, depth] = a.operand.shape;
  const cols = b.operand.shape[2];
  const sums: number[] = [];
  for (let n = 0; n < batch; n++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < cols; j++) {
        let sum = bias ? bias[j] : 0;
        for (let k = 0; k < depth; k++) sum += a.at(n, i, k) * b.at(n, k, j);
        sums.push(sum);
      }
    }
  }
  return sums;
}

const layouts: Storage[] = ['plain', 'transposed'];

/** [batch, M, N, K]: dots, thin, in place, packed, whole, and the edges of tiles and blocks. */
const SHAPES: [number, number, number, number][] = [
  [1, 1, 1, 1],
  [1, 1, 1, 700],
  [2, 1, 33, 20],
  [1, 1, 70, 300],
  [1, 2, 65, 300],
  [1, 3, 9, 40],
  [1, 65, 1, 33],
  [1, 40, 3, 17],
  [3, 5, 7, 3],
  [2, 7, 17, 9],
  [2, 16, 16, 16],
  [1, 33, 31, 29],
  [1, 47, 53, 41],
  [1, 65, 67, 61],
  [1, 9, 200, 300],
  [1, 200, 10, 130],
  [2, 130, 70, 90],
  [1, 125, 129, 520],
  [1, 29, 45, 2060],
  [1, 12, 12, 2000],
  [1, 1, 1030, 261],
  [2, 6, 45, 300],
  [1, 300, 24, 60],
  [150, 8, 8, 8],
  [40, 4, 4, 4],
  [5, 9, 13, 12],
  [7, 6, 5, 4],
  [6, 7, 7, 9],
  [4, 13, 10, 6],
  [70, 12, 12, 12],
  [1, 8, 70, 300],
  [1, 4, 100, 300],
  [3, 5, 12, 7],
  [4, 13, 20, 5],
  [3, 6, 27, 21],
  [1, 4, 21, 75],
  [1, 1, 528, 530],
  [1, 1, 521, 530],
  [1, 130, 300, 5],
  [1, 101, 40, 2],
  [1, 3, 1024, 261],
  [1, 5, 1027, 262],
  [1, 5, 1024, 262],
  [1, 3, 1030, 263],
  [1, 2, 3, 5000],
  [1, 1, 61, 200],
  [1, 2, 127, 152],
  [1, 5, 6, 200],
  [11, 3, 3, 3],
  [9, 2, 7, 3],
  [17, 5, 6, 5],
  [13, 1, 8, 8],
  [8, 8, 8, 1],
  [9001, 4, 3, 5],
  [1, 192, 3, 3],
  [70, 5, 5, 5],
  [21, 7, 6, 4],
  [6, 6, 7, 8],
  [5, 12, 8, 8],
  [5, 9, 8, 21],
  [4, 7, 8, 8],
  [3, 9, 9, 9],
  [3, 4, 10, 11],
  [3, 12, 12, 12],
  [2, 11, 15, 6],
  [3, 4, 4, 9],
];

for (const dtype of [float32, float64, int32, int64]) {
  describe(`matmul of ${dtype.name}`, () => {
    for (const [batch, m, n, k] of SHAPES) {
      for (const left of layouts) {
        for (const right of layouts) {
          it(`${left} [${batch}, ${m}, ${k}] by ${right} [${batch}, ${k}, ${n}]`, () => {
            reset();
            const a = matrix([batch, m, k], left, dtype, 1 + m);
            const b = matrix([batch, k, n], right, dtype, 2 + n);
            const [actual] = results(matmul, [a.operand, b.operand], {});
            const absolute = dtype === float32 ? 4e-7 * Math.sqrt(k) * 3 : 1e-12;
            close(actual, reference(a, b, undefined), 1e-6, absolute);
          });
        }
      }
    }
  });
}

describe('matmul', () => {
  const bias = randoms(67, 5);
  for (const [left, right] of [
    ['plain', 'plain'],
    ['shared', 'plain'],
    ['plain', 'transposed'],
    ['plain', 'shared'],
    ['shared transposed', 'transposed'],
    ['transposed', 'shared transposed'],
  ] as const) {
    it(`adds a bias and shares a matrix over the batch: ${left}, ${right}`, () => {
      for (const [m, k, n] of [
        [2, 30, 67],
        [21, 30, 67],
        [90, 300, 67],
        [5, 0, 67],
        [1, 40, 67],
        [70, 200, 1],
        [1, 9, 1],
        [3, 140, 5],
      ]) {
        reset();
        const a = matrix([3, m, k], left, float32, 3);
        const b = matrix([3, k, n], right, float32, 4);
        const inputs = [a.operand, b.operand, input(bias.slice(0, n), [n], float32)];
        close(results(matmul, inputs, {})[0], reference(a, b, bias), 1e-6, 1e-5);
      }
    });
  }

  it('reads small matrices that the batch shares, or that overlap', () => {
    for (const size of [4, 7, 8, 9, 12]) {
      for (const [left, right] of [
        ['shared', 'plain'],
        ['plain', 'shared transposed'],
        ['shared transposed', 'shared'],
      ] as const) {
        reset();
        const a = matrix([11, size, size], left, float32, 3);
        const b = matrix([11, size, size], right, float32, 4);
        const [actual] = results(matmul, [a.operand, b.operand], {});
        close(actual, reference(a, b, undefined), 1e-6, 5e-6);
      }
      // Each begins one element after the other, and rows are parts of longer ones.
      reset();
      const pitch = size + 1;
      const data = [randoms(5 * size * size, 6), randoms(5 * size * size, 7)];
      const operands = data.map((values) => ({
        ...input(values, [values.length], float32),
        shape: [5, size, size],
        strides: [1, pitch, 1],
      }));
      const [actual] = results(matmul, operands, {});
      const value = (which: number, n: number, i: number, j: number) =>
        data[which][n + i * pitch + j];
      const expected = actual.map((_, at) => {
        const [n, i, j] = [Math.floor(at / size / size), Math.floor(at / size) % size, at % size];
        let sum = 0;
        for (let k = 0; k < size; k++) sum += value(0, n, i, k) * value(1, n, k, j);
        return sum;
      });
      close(actual, expected, 1e-6, 5e-6);
    }
  });

  it('is zero where there is nothing to sum', () => {
    reset();
    const a = input([], [2, 3, 0], float32);
    const b = input([], [2, 0, 4], float32);
    expect(results(matmul, [a, b], {})[0]).toEqual(new Array(24).fill(0));
  });

  it('wraps int32 as PyTorch does', () => {
    reset();
    const a = input([2 ** 30, 3], [1, 1, 2], int32);
    const b = input([4, 5], [1, 2, 1], int32);
    expect(results(matmul, [a, b], {})[0]).toEqual([15]);
  });

  it('keeps NaN and infinities in their own rows and columns', () => {
    reset();
    const data = randoms(70 * 70, 1);
    data[5 * 70 + 7] = Number.NaN;
    data[69 * 70 + 69] = Number.POSITIVE_INFINITY;
    const other = new Array(70 * 70).fill(1);
    const a = input(data, [1, 70, 70], float32);
    const b = input(other, [1, 70, 70], float32);
    const [out] = results(matmul, [a, b], {});
    out.forEach((value, at) => {
      const row = Math.floor(at / 70);
      if (row === 5) expect(value).toBeNaN();
      else if (row === 69) expect(value).toBe(Number.POSITIVE_INFINITY);
      else expect(Number.isFinite(value)).toBe(true);
    });
  });

  it('refuses shapes that do not go together', () => {
    reset();
    const a = input(new Array(6).fill(1), [1, 2, 3], float32);
    const b = input(new Array(8).fill(1), [1, 4, 2], float32);
    expect(() => results(matmul, [a, b], {})).toThrow(/matmul: .*\[1, 2, 3\] and \[1, 4, 2\]/);
    const c = input(new Array(6).fill(1), [1, 3, 2], float32);
    expect(() => results(matmul, [a, c, a], {})).toThrow(/expected a bias \[2\]/);
  });
});
