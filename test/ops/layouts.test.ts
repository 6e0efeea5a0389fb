import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';

/** The position whose bits are those of `i` in reverse order. */
function reversedBits(i: number, bits: number): number {
  let result = 0;
  for (let bit = 0; bit < bits; bit++) if (i & (1 << bit)) result |= 1 << (bits - 1 - bit);
  return result;
}

describe('layouts of many dimensions', () => {
  it.each([3, 16, 17, 20])('%i dimensions of size 2 in reverse order', (bits) => {
    const shape = new Array<number>(bits).fill(2);
    const turned = torch
      .arange(2 ** bits)
      .view(shape)
      .permute(shape.map((_, d) => bits - 1 - d));
    const values = turned.add(1).dataSync() as Int32Array;
    const wrong = values.findIndex((value, i) => value !== reversedBits(i, bits) + 1);
    expect(wrong).toBe(-1);
  });

  it('refuses more dimensions than memory can have', () => {
    const overlapping = torch
      .zeros(100)
      .asStrided(new Array<number>(40).fill(2), new Array<number>(40).fill(1));
    expect(() => overlapping.fill_(1)).toThrow(torch.ShapeError);
  });
});

it('reading a strided tensor leaves no copy behind', () => {
  const x = torch.arange(6).view(2, 3).t();
  const before = torch.memory().storages;
  expect(x.tolistSync()).toEqual([
    [0, 3],
    [1, 4],
    [2, 5],
  ]);
  expect(torch.memory().storages).toBe(before);
});

describe('operands that lie column by column', () => {
  const [rows, columns] = [37, 131];
  it.each(['float32', 'float64', 'int32', 'bool'] as const)('%s beside others', (name) => {
    const dtype = {
      float32: torch.float32,
      float64: torch.float64,
      int32: torch.int32,
      bool: torch.bool,
    }[name];
    const turned = torch
      .arange(rows * columns)
      .remainder(7)
      .view(columns, rows)
      .to(dtype)
      .t();
    const plain = turned.contiguous();
    expect(plain.at(36, 130).itemSync()).toEqual(turned.at(36, 130).itemSync());
    const others = [torch.randn(columns, rows).t(), torch.randn(columns), torch.randn(rows, 1)];
    for (const other of [
      ...others,
      torch.randn(1),
      torch.randn(2 * columns).slice(0, 0, null, 2),
    ]) {
      const got = turned.add(other).dataSync();
      expect(got).toEqual(plain.add(other.expand(rows, columns).contiguous()).dataSync());
    }
    const stacked = torch.stack([turned, turned.logicalNot().to(dtype)]);
    expect(stacked.select(0, 0).contiguous().dataSync()).toEqual(plain.dataSync());
    const masked = torch.where(turned.ne(0), others[1], others[0]);
    expect(masked.dataSync()).toEqual(
      torch.where(plain.ne(0), others[1], others[0].contiguous()).dataSync(),
    );
  });

  it('in place, and out of a batch', () => {
    const x = torch.randn(3, columns, rows);
    const y = torch.zeros(3, rows, columns);
    y.add_(x.transpose(1, 2));
    expect(y.dataSync()).toEqual(x.transpose(1, 2).contiguous().dataSync());
    const [i, r, c] = [2, 33, 129];
    expect(y.at(i, r, c).itemSync()).toBe(x.at(i, c, r).itemSync());
  });
});

describe('short rows, other orders and repeated operands', () => {
  const count = 24 * 40 * 66;
  const base = torch.arange(count, { dtype: torch.float32 });
  const layouts: [string, torch.Tensor][] = [
    ['rows of 66', base.view(24, 40, 66)],
    ['rows of 66, turned', base.view(24, 66, 40).transpose(1, 2)],
    ['the first dimension in order', base.view(40, 66, 24).permute(2, 0, 1)],
    ['all in reverse', base.view(66, 40, 24).permute(2, 1, 0)],
    ['heads', base.view(40, 24, 66).transpose(0, 1)],
    ['a row', base.narrow(0, 0, 66)],
    ['a column', base.narrow(0, 0, 40).view(40, 1)],
    ['a plane of numbers', base.narrow(0, 0, 24).view(24, 1, 1)],
    [
      'every other',
      torch
        .arange(2 * count, { dtype: torch.float32 })
        .view(24, 40, 132)
        .at('...', '::2'),
    ],
  ];
  it.each(layouts)('%s', (_, x) => {
    for (const [, y] of layouts) {
      for (const [a, b] of [
        [x, y],
        [x.narrow(-1, 0, x.size(-1) > 2 ? 3 : 1), y.narrow(-1, 0, y.size(-1) > 2 ? 3 : 1)],
      ]) {
        const sum = a.add(b);
        const shape = sum.shape;
        const whole = (t: torch.Tensor) => t.expand(shape).contiguous();
        const got = sum.dataSync();
        const [p, q] = [a.expand(shape), b.expand(shape)];
        const wrong = got.findIndex((value, i) => {
          const at = (t: torch.Tensor) => {
            let [rest, place] = [i, t.offset];
            for (let d = shape.length - 1; d >= 0; d--) {
              place += (rest % shape[d]) * t.strides[d];
              rest = Math.floor(rest / shape[d]);
            }
            return place;
          };
          return value !== at(p) + at(q);
        });
        expect(wrong).toBe(-1);
        expect(whole(a).add(whole(b)).equal(sum)).toBe(true);
      }
    }
  });
});

describe('blocks of rows that are turned', () => {
  const { float32, float64, int32, int64, uint8, float16 } = torch;
  const dtypes: Record<string, torch.Dtype> = { float32, float64, int32, int64, uint8, float16 };
  const shapes = [1, 3, 4, 5, 70, 257, 1500].flatMap((n) => [
    [2, 3, n],
    [2, n, 3],
    [3, n, 35],
  ]);
  it.each(Object.keys(dtypes))('%s', (name) => {
    for (const [batch, rows, columns] of shapes) {
      const count = batch * rows * columns;
      const x = torch.arange(count).remainder(113).to(dtypes[name]);
      const turned = x.view(batch, columns, rows).transpose(1, 2);
      const reversed = x.view(columns, rows, batch).permute(2, 1, 0);
      const flat = x.view(batch, rows, columns);
      const column = turned.narrow(2, 0, 1);
      for (const [a, b] of [
        [flat, turned],
        [turned, flat],
        [flat, reversed],
        [turned, reversed],
        [turned, column],
      ]) {
        const whole = [a, b.expand(a.shape)].map((t) => t.reshape(-1).view(a.shape));
        expect(a.add(b).equal(whole[0].add(whole[1]))).toBe(true);
        expect(a.gt(b).equal(whole[0].gt(whole[1]))).toBe(true);
        const kept = torch.where(b.gt(50), a, b);
        expect(kept.equal(torch.where(whole[1].gt(50), whole[0], whole[1]))).toBe(true);
        const target = a.clone();
        expect(target.copy_(b).equal(whole[1])).toBe(true);
      }
      const first = turned.contiguous().view(-1).dataSync();
      const places = Array.from(x.dataSync(), Number);
      const wrong = Array.from(first, Number).findIndex((value, i) => {
        const [c, r] = [i % columns, Math.floor(i / columns) % rows];
        const b = Math.floor(i / (rows * columns));
        return value !== places[(b * columns + c) * rows + r];
      });
      expect(wrong).toBe(-1);
    }
  });
});
