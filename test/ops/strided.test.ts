/** Elementwise operators on operands that skip or repeat, against contiguous copies of them. */

import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';

const { float32, int64, uint8 } = torch;

/** Rows around the sizes of tiles and of what is left of them. */
const WIDTHS = [1, 3, 66, 160, 257, 1030];

type Lay = (rows: number, width: number, dtype: torch.Dtype) => torch.Tensor;

function values(shape: number[], dtype: torch.Dtype): torch.Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  return torch.arange(count).mul(37).remainder(101).sub(50).abs().view(shape).to(dtype);
}

const LAYOUTS: [string, Lay][] = [
  ['side by side', (rows, width, dtype) => values([rows, width], dtype)],
  ...[2, 3, 4, 7].map((step): [string, Lay] => [
    `steps of ${step}`,
    (rows, width, dtype) => values([rows, step * width - 1], dtype).at(':', `::${step}`),
  ]),
  ['every other row', (rows, width, dtype) => values([2 * rows, width + 1], dtype).at('::2', '1:')],
  ['columns', (rows, width, dtype) => values([width, rows], dtype).t()],
  [
    'columns a multiple of 128 apart',
    (rows, width, dtype) =>
      values([width, Math.ceil(rows / 128) * 128], dtype)
        .t()
        .narrow(0, 0, rows),
  ],
  ['a column', (rows, width, dtype) => values([rows, 2], dtype).at(':', '1:').expand(rows, width)],
  [
    'a row',
    (rows, width, dtype) =>
      values([2 * width], dtype)
        .at('::2')
        .expand(rows, width),
  ],
  ['a row of neighbours', (rows, width, dtype) => values([width], dtype).expand(rows, width)],
  ['a number', (rows, width, dtype) => values([2], dtype).at('1:').expand(rows, width)],
];

const same = (a: torch.Tensor, b: torch.Tensor) => expect(a.equal(b)).toBe(true);

describe.each([float32, int64, uint8])('operands that are strided or repeated, %s', (dtype) => {
  it.each(LAYOUTS)('%s', (_, lay) => {
    for (const width of WIDTHS) {
      const x = lay(5, width, dtype);
      const plain = x.contiguous();
      same(x.relu(), plain.relu());
      same(x.eq(7), plain.eq(7));
      for (const [, other] of LAYOUTS) {
        const y = other(5, width, dtype);
        const whole = y.contiguous();
        const mask = other(5, width, uint8).gt(20);
        same(x.add(y), plain.add(whole));
        same(x.maximum(y), plain.maximum(whole));
        same(x.gt(y), plain.gt(whole));
        same(torch.where(mask, x, y), torch.where(mask.contiguous(), plain, whole));
        const condition = values([5, 1], uint8).gt(20).expand(5, width);
        same(torch.where(condition, x, y), torch.where(condition.contiguous(), plain, whole));
      }
    }
  });
});

describe('in place', () => {
  it.each([2, 3, 5])('what lies between steps of %i stays as it is', (step) => {
    for (const width of WIDTHS) {
      const base = values([3, step * width], float32);
      const y = values([3, 2 * width], float32).at(':', '::2');
      const expected = base.clone();
      const sum = base.at(':', `1::${step}`).add(y).contiguous();
      const view = base.at(':', `1::${step}`);
      view.add_(y);
      same(view, sum);
      for (let gap = 0; gap < step; gap++) {
        if (gap !== 1) same(base.at(':', `${gap}::${step}`), expected.at(':', `${gap}::${step}`));
      }
      view.fill_(3).mul_(y);
      same(view, y.mul(3));
      view.copy_(y);
      same(view, y.contiguous());
    }
  });

  it('operands that overlap the target are read before it is written', () => {
    const base = values([3000], float32);
    const sum = base.narrow(0, 0, 2999).add(base.narrow(0, 1, 2999));
    base.narrow(0, 1, 2999).add_(base.narrow(0, 0, 2999));
    same(base.narrow(0, 1, 2999), sum);
    const pairs = values([2, 3000], float32);
    const both = pairs.at(':', '::2').mul(pairs.at(':', '1::2'));
    pairs.at(':', '::2').mul_(pairs.at(':', '1::2'));
    same(pairs.at(':', '::2'), both);
  });

  it('nothing and one element', () => {
    const none = torch.zeros([4, 0]);
    expect(none.at('::2').add(torch.zeros([2, 1])).shape).toEqual([2, 0]);
    const one = torch.tensor([1, 2, 3]).at(1).add(torch.tensor(4));
    expect(one.dataSync()[0]).toBe(6);
    expect([...torch.tensor([1, 2, 3]).at('::2').flip(0).dataSync()]).toEqual([3, 1]);
  });
});

describe.each([float32, torch.float64])('sums of columns that skip, %s', (dtype) => {
  it.each([2, 3])('steps of %i have the bits of their copy', (step) => {
    for (const [rows, width] of [
      [3, 66],
      [513, 131],
      [1030, 257],
    ]) {
      const base = torch.randn([rows, step * width], { dtype });
      const x = base.at(':', `${step - 1}::${step}`);
      same(x.sum(0), x.contiguous().sum(0));
      same(x.mean(0), x.contiguous().mean(0));
      const part = base.at(':', `::${step}`).narrow(1, 1, width - 2);
      same(part.sum(0), part.contiguous().sum(0));
    }
  });
});

it('what repeats more often than kernels count is too large, not wrong', () => {
  const one = torch.ones(1, { dtype: torch.float64 });
  for (const side of [65_536, 65_537]) {
    const sum = () => one.expand(side, side).sum();
    expect(sum).toThrow(torch.OutOfMemoryError);
  }
});

describe.each([float32, torch.float64])('sums of what skips or repeats, %s', (dtype) => {
  // What is only turned is summed in the order of memory.
  it.each(LAYOUTS.filter(([name]) => name !== 'columns'))('%s: the bits of a copy', (_, lay) => {
    for (const [rows, width] of [
      [5, 33],
      [37, 64],
      [70, 1024],
      [3, 4100],
    ]) {
      const { shape, strides, offset, storage_ } = lay(rows, width, dtype);
      const x = torch
        .randn([storage_.bytes / dtype.size], { dtype })
        .asStrided(shape, strides, offset);
      const plain = x.contiguous();
      same(x.sum(), plain.sum());
      same(x.sum(0), plain.sum(0));
      same(x.sum(1), plain.sum(1));
      same(x.mean(), plain.mean());
    }
  });
});
