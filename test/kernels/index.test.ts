import { describe, expect, it } from 'vitest';
import { IndexError } from '../../ts/core/errors.js';
import * as rows from '../../ts/ops/primitives/index.js';
import {
  countTrue,
  maskedScatter,
  maskedSelect,
  nonzeroFill,
} from '../../ts/ops/primitives/mask.js';
import { call, dtypes, input, randoms, read, reset, results } from './harness.js';

const { float32, float64, float16, int32, int64, int16, uint8, bool } = dtypes;
type Shape = [number, number, number];
const EVERY = [float32, float64, float16, int32, int64, int16, uint8, bool];

/** Small whole numbers, which every dtype holds. */
const wholes = (n: number, seed: number, limit: number) =>
  randoms(n, seed).map((x) => Math.floor(Math.abs(x) * limit));

const CASES: [Shape, number][] = [
  [[1, 5, 1], 3],
  [[3, 4, 1], 6],
  [[2, 7, 3], 5],
  [[2, 3, 200], 4],
  [[1, 9, 128], 20],
  [[0, 3, 2], 2],
  [[2, 3, 4], 0],
];

for (const [shape, count] of CASES) {
  const [outer, n, inner] = shape;
  const x = wholes(outer * n * inner, 1, 2);
  const src = wholes(outer * count * inner, 2, 2);
  const each = wholes(outer * count * inner, 3, n);
  const list = wholes(count, 4, n);
  const form = [outer, count, inner];
  /** Runs f over the destination (o, index, c) and the source position. */
  const visit = (index: (at: number, i: number) => number, f: (to: number, at: number) => void) => {
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < count; i++) {
        for (let c = 0; c < inner; c++) {
          const at = (o * count + i) * inner + c;
          f((o * n + index(at, i)) * inner + c, at);
        }
      }
    }
  };
  const by = (at: number) => each[at]!;
  const row = (_: number, i: number) => list[i]!;

  describe(`x [${shape}], count ${count}`, () => {
    it('moves elements of any size', () => {
      for (const dtype of EVERY) {
        reset();
        const tx = input(x, shape, dtype);
        const ts = input(src, form, dtype);
        const te = input(each, form, int32);
        const tl = input(list, [count], int32);
        const gathered = [...src];
        visit(by, (to, at) => {
          gathered[at] = x[to]!;
        });
        expect(results(rows.gather, [tx, te], {})[0]).toEqual(gathered);
        const scattered = [...x];
        visit(by, (to, at) => {
          scattered[to] = src[at]!;
        });
        expect(results(rows.scatter, [tx, te, ts], {})[0]).toEqual(scattered);
        const selected = [...src];
        visit(row, (to, at) => {
          selected[at] = x[to]!;
        });
        expect(results(rows.indexSelect, [tx, tl], {})[0]).toEqual(selected);
        const copied = [...x];
        const filled = [...x];
        visit(row, (to, at) => {
          copied[to] = src[at]!;
          filled[to] = 1;
        });
        expect(results(rows.indexCopy, [tx, tl, ts], {})[0]).toEqual(copied);
        if (dtype === float16) continue;
        expect(results(rows.indexFill, [tx, tl], { value: 1 })[0]).toEqual(filled);
      }
    });

    it('combines in order', () => {
      for (const dtype of [float32, float64, int32, int64]) {
        reset();
        const tx = input(x, shape, dtype);
        const ts = input(src, form, dtype);
        const te = input(each, form, int32);
        const tl = input(list, [count], int32);
        const added = [...x];
        const fresh = x.map(() => 0);
        const byRow = [...x];
        const freshRow = x.map(() => 0);
        const most = [...x];
        const product = [...x];
        visit(by, (to, at) => {
          added[to]! += src[at]!;
          fresh[to]! += src[at]!;
          most[to] = Math.max(most[to]!, src[at]!);
          product[to]! *= src[at]!;
        });
        visit(row, (to, at) => {
          byRow[to]! += 3 * src[at]!;
          if (list[Math.floor(at / inner) % count] !== 1) freshRow[to]! += src[at]!;
        });
        expect(results(rows.scatterAdd, [tx, te, ts], {})[0]).toEqual(added);
        expect(results(rows.gatherBackward, [ts, te], { n })[0]).toEqual(fresh);
        expect(results(rows.scatterReduce, [tx, te, ts], { mode: 'amax' })[0]).toEqual(most);
        expect(results(rows.scatterReduce, [tx, te, ts], { mode: 'prod' })[0]).toEqual(product);
        expect(results(rows.indexAdd, [tx, tl, ts], { alpha: 3 })[0]).toEqual(byRow);
        const back = results(rows.indexSelectBackward, [ts, tl], { n, skip: 1 })[0];
        expect(back).toEqual(freshRow);
      }
    });
  });
}

describe('flat', () => {
  it('take and put, from the end too', () => {
    reset();
    const n = 40000;
    const values = wholes(n, 8, 100);
    const index = wholes(300, 9, n).map((i, k) => (k % 2 ? i : i - n));
    const given = wholes(300, 10, 100);
    const at = (i: number) => (i < 0 ? i + n : i);
    for (const dtype of [float32, float64, int32, int64, int16, uint8]) {
      reset();
      const tx = input(values, [200, 200], dtype);
      const ti = input(index, [3, 100], int32);
      const ts = input(given, [3, 100], dtype);
      const [out] = call(rows.takeFlat, [tx, ti], {});
      expect(out!.shape).toEqual([3, 100]);
      expect(read(out!)).toEqual(index.map((i) => values[at(i)]));
      const put = [...values];
      index.forEach((i, k) => {
        put[at(i)] = given[k]!;
      });
      expect(results(rows.putFlat, [tx, ti, ts], {})[0]).toEqual(put);
      if (dtype === uint8 || dtype === int16) continue;
      const sum = [...values];
      const fresh = values.map(() => 0);
      index.forEach((i, k) => {
        sum[at(i)]! += given[k]!;
        fresh[at(i)]! += given[k]!;
      });
      expect(results(rows.putAddFlat, [tx, ti, ts], {})[0]).toEqual(sum);
      expect(results(rows.takeBackward, [ts, ti], { shape: [200, 200] })[0]).toEqual(fresh);
    }
  });
});

describe('bad indices touch nothing and are named', () => {
  it('the first bad position, with its value and the size', () => {
    reset();
    const x = input([1, 2, 3, 4], [2, 2, 1], float32);
    const src = input([0, 0, 0, 0], [2, 2, 1], float32);
    const each = input([0, 1, 2, -1], [2, 2, 1], int32);
    const list = input([1, -1], [2], int32);
    const text = /gather: index 2 at position 2 is out of range for a dimension of size 2/;
    expect(() => call(rows.gather, [x, each], {}, 3)).toThrow(text);
    expect(() => call(rows.scatter, [x, each, src], {})).toThrow(IndexError);
    expect(() => call(rows.scatterAdd, [x, each, src], {})).toThrow(IndexError);
    expect(() => call(rows.indexSelect, [x, list], {})).toThrow(/index -1 at position 1/);
    expect(() => call(rows.indexAdd, [x, list, src], {})).toThrow(IndexError);
    expect(() => call(rows.indexCopy, [x, list, src], {})).toThrow(IndexError);
    expect(results(rows.indexSelect, [x, list], { wrap: true })[0]).toEqual([2, 2, 4, 4]);
    const flat = input([-5, 4], [2], int32);
    const two = input([7, 8], [2], float32);
    expect(() => call(rows.takeFlat, [x, flat], {})).toThrow(/index -5 at position 0/);
    expect(() => call(rows.putFlat, [x, flat, two], {})).toThrow(IndexError);
    expect(() => call(rows.putAddFlat, [x, flat, two], {})).toThrow(IndexError);
  });

  it('far outside', () => {
    reset();
    const x = input([1, 2], [1, 2, 1], float64);
    for (const bad of [-(2 ** 31), 2 ** 31 - 1, 2, -3]) {
      const index = input([bad], [1], int32);
      for (const wrap of [false, true]) {
        expect(() => call(rows.indexSelect, [x, index], { wrap })).toThrow(`index ${bad} `);
      }
    }
  });
});

describe('masks', () => {
  const shape = [3, 7, 500];
  const n = 10500;
  const values = wholes(n, 20, 3);
  for (const dtype of EVERY) {
    it(`of ${dtype.name}`, () => {
      reset();
      const x = input(values, shape, dtype);
      const truth = values.map((v) => (dtype === bool ? Number(v !== 0) : v));
      const expected = truth.flatMap((v, i) =>
        v ? [Math.floor(i / 3500), Math.floor(i / 500) % 7, i % 500] : [],
      );
      const [starts] = call(countTrue, [x], {});
      const count = read(starts!).at(-1)!;
      expect(count).toBe(expected.length / 3);
      expect(results(countTrue, [x], {})[0]).toEqual(read(starts!));
      expect(results(nonzeroFill, [x, starts], { count })[0]).toEqual(expected);
      const mask = input(
        values.map((v) => v === 2),
        shape,
        bool,
      );
      const [blocks] = call(countTrue, [mask], {});
      const trues = read(blocks!).at(-1)!;
      const picked = results(maskedSelect, [x, mask, blocks], { count: trues })[0];
      expect(picked).toEqual(values.filter((v) => v === 2));
      const source = input(wholes(trues, 30, 2), [trues], dtype);
      let next = 0;
      const fresh = wholes(trues, 30, 2);
      const replaced = values.map((v) => (v === 2 ? fresh[next++]! : v));
      const scattered = results(maskedScatter, [x, mask, blocks, source], { count: trues })[0];
      expect(scattered).toEqual(replaced);
    });
  }

  it('NaN is true, -0 is not; empty and 0-d', () => {
    reset();
    const x = input([-0, Number.NaN, 0, -1], [4], float32);
    const [starts] = call(countTrue, [x], {});
    expect(read(starts!)).toEqual([0, 2]);
    expect(results(nonzeroFill, [x, starts], { count: 2 })[0]).toEqual([1, 3]);
    expect(results(countTrue, [input([], [0, 3], float32)], {})[0]).toEqual([0]);
    const scalar = input([5], [], float32);
    const [one] = call(countTrue, [scalar], {});
    expect(read(one!)).toEqual([0, 1]);
    expect(call(nonzeroFill, [scalar, one], { count: 1 })[0]!.shape).toEqual([1, 0]);
  });

  it('refuses what does not fit', () => {
    reset();
    const x = input([1, 2], [2], float32);
    const mask = input([1, 1, 0], [3], bool);
    expect(() => call(maskedSelect, [x, mask, mask], { count: 1 })).toThrow(
      /bool mask of shape \[2\], got torch.bool \[3\]/,
    );
  });
});

describe('triangles', () => {
  it('any diagonal, any size, batches', () => {
    for (const [rows_, columns] of [
      [4, 4],
      [3, 7],
      [7, 2],
    ] as const) {
      for (const diagonal of [-9, -1, 0, 2, 9]) {
        for (const upper of [true, false]) {
          reset();
          const values = wholes(2 * rows_ * columns, 40, 9).map((v) => v + 1);
          const expected = values.map((v, i) => {
            const d = (i % columns) - (Math.floor(i / columns) % rows_);
            return (upper ? d >= diagonal : d <= diagonal) ? v : 0;
          });
          for (const dtype of [uint8, int16, float32, float64]) {
            const x = input(values, [2, rows_, columns], dtype);
            expect(results(rows.triangle, [x], { diagonal, upper })[0]).toEqual(expected);
          }
        }
      }
    }
  });
});
