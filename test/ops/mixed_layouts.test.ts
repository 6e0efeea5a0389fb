/** Elementwise results beside operands in other memory orders: each element, against plain loops. */

import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';

const pool = torch.randn(400_000, { generator: new torch.Generator().manualSeed(5) });
const values = pool.dataSync() as Float32Array;

/** A tensor of the pool from `start` with the shape and strides given. */
const lying = (shape: number[], strides: number[], start = 0) =>
  pool.asStrided(shape, strides, start);

/** The elements of a tensor of the pool, in order. */
function elements(x: torch.Tensor): Float32Array {
  const result = new Float32Array(x.numel());
  const index = new Array<number>(x.ndim).fill(0);
  let place = x.offset;
  for (let i = 0; i < result.length; i++) {
    result[i] = values[place];
    for (let d = x.ndim - 1; d >= 0; d--) {
      place += x.strides[d];
      if (++index[d] < x.shape[d]) break;
      place -= x.shape[d] * x.strides[d];
      index[d] = 0;
    }
  }
  return result;
}

const elementsOf = (x: torch.Tensor) => x.contiguous().dataSync() as Float32Array;

const functions: [(x: torch.Tensor, y: torch.Tensor) => torch.Tensor, typeof Math.pow][] = [
  [(x, y) => x.add(y), (a, b) => a + b],
  [(x, y) => x.sub(y), (a, b) => a - b],
  [(x, y) => x.mul(y), (a, b) => a * b],
  [(x, y) => x.div(y), (a, b) => a / b],
  [torch.maximum, Math.max],
];

/** The first place where `got` is not f of the elements of x and y, or -1. */
function firstWrong(got: torch.Tensor, x: Float32Array, y: Float32Array, f: typeof Math.pow) {
  const found = got.contiguous().dataSync() as Float32Array;
  return found.findIndex((value, i) => value !== Math.fround(f(x[i], y[i])));
}

function check(x: torch.Tensor, y: torch.Tensor, some = functions): void {
  const [p, q] = [elements(x), elements(y)];
  for (const [run, f] of some) expect(firstWrong(run(x, y), p, q, f)).toBe(-1);
  for (const [run, f] of some) expect(firstWrong(run(y, x), q, p, f)).toBe(-1);
  expect(firstWrong(y.contiguous(), p, q, (_, b) => b)).toBe(-1);
  // In place: what is read is what is written.
  const sum = torch.empty(x.shape).copy_(x);
  expect(firstWrong(sum.add_(y), p, q, (a, b) => a + b)).toBe(-1);
}

describe('rows beside columns', () => {
  const sides = Array.from({ length: 70 }, (_, i) => i + 1);
  it.each(sides)('%i rows', (rows) => {
    for (const columns of sides) {
      const x = lying([rows, columns], [columns, 1], rows);
      check(
        x,
        lying([rows, columns], [1, rows], columns),
        functions.slice(columns % 4, (columns % 4) + 1),
      );
    }
  });

  // 128 k elements apart, columns fall on the same places of the cache, and so do rows of the result.
  it.each([
    [260, 100, 260],
    [260, 128, 260],
    [259, 256, 384],
    [67, 391, 128],
    [70, 384, 128],
    [66, 512, 640],
    [133, 259, 256],
    [3, 1000, 3],
    [1000, 3, 1000],
    [5, 700, 384],
  ])('%i x %i, columns %i apart', (rows, columns, across) => {
    check(lying([rows, columns], [columns, 1]), lying([rows, columns], [1, across], 7));
    check(lying([rows, columns], [columns + 5, 1], 3), lying([rows, columns], [1, across]));
    check(lying([rows, columns], [0, 1], 3), lying([rows, columns], [1, across]));
    check(lying([rows, columns], [1, 0], 3), lying([rows, columns], [1, across]));
  });
});

describe('more dimensions', () => {
  const shapes = [
    [9, 70, 41],
    [128, 3, 130],
    [5, 8, 17, 33],
    [3, 64, 9, 16],
    [2, 3, 4, 20, 19],
  ];
  const orders = (dims: number[]): number[][] =>
    dims.length < 2
      ? [dims]
      : dims.flatMap((dim) => orders(dims.filter((d) => d !== dim)).map((rest) => [dim, ...rest]));
  it.each(shapes)('%i x %i x %i', (...shape) => {
    const all = orders([...shape.keys()]);
    const contiguous = pool
      .narrow(
        0,
        11,
        shape.reduce((a, b) => a * b),
      )
      .view(shape);
    for (const order of all.filter((_, i) => all.length < 25 || i % 7 === 0)) {
      const strides = new Array<number>(shape.length);
      order.reduceRight((step, d) => {
        strides[d] = step;
        return step * shape[d];
      }, 1);
      check(contiguous, lying(shape, strides, 2), functions.slice(0, 2));
      strides[order[0]] = 0;
      check(contiguous, lying(shape, strides), functions.slice(3, 4));
    }
  });
});

it('gives the same bits as contiguous operands: signed zeros, infinities, NaN', () => {
  const [rows, columns] = [36, 72];
  const special = [0, -0, Infinity, -Infinity, Number.NaN, 1e-45, 3e38, -1];
  const x = torch.tensor(Array.from({ length: rows * columns }, (_, i) => special[i % 8]));
  const y = torch.tensor(Array.from({ length: rows * columns }, (_, i) => special[(i >> 3) % 8]));
  const [a, b] = [x.view(rows, columns), y.view(columns, rows).t()];
  const bits = (t: torch.Tensor) => new Uint32Array((t.dataSync() as Float32Array).slice().buffer);
  for (const [run] of functions) expect(bits(run(a, b))).toEqual(bits(run(a, b.contiguous())));
  const [copy, places] = [bits(b.contiguous()), bits(y)];
  const moved = copy.findIndex(
    (word, i) => word !== places[(i % columns) * rows + Math.floor(i / columns)],
  );
  expect(moved).toBe(-1);
});

describe('parts of rows and steps along them', () => {
  it.each([1, 2, 3, 4])('steps of %i', (step) => {
    for (const columns of [16, 20, 33, 63, 64, 100, 260, 1040]) {
      for (const rows of [1, 3, 9]) {
        const x = lying([rows, columns], [columns + 4, 1], 3);
        const y = lying([rows, columns], [step * columns + 8, step], 1);
        check(x, y);
        check(lying([rows, columns], [step * columns + 1, step], 7), y);
        check(lying([rows, columns], [step * columns, step]), lying([rows, columns], [1, 0], 5));
      }
    }
  });

  it('of one operand, to the end of its memory', () => {
    for (const columns of [16, 33, 63, 64, 65, 66, 67, 68, 260, 1040]) {
      const whole = torch.randn(3, 2 * columns - 1);
      for (const x of [
        whole.at(':', '::2'),
        torch
          .randn(2 * columns)
          .at('::2')
          .view(1, -1),
      ]) {
        const given = elementsOf(x);
        expect(elementsOf(x.relu())).toEqual(given.map((v) => Math.max(v, 0)));
        for (const [run, f] of functions) {
          expect(elementsOf(run(x, x))).toEqual(given.map((v) => Math.fround(f(v, v))));
        }
        expect(elementsOf(x.neg())).toEqual(given.map((v) => -v));
        expect(elementsOf(x.t().abs().t())).toEqual(given.map(Math.abs));
      }
    }
  });

  it('are written side by side', () => {
    for (const width of [15, 16, 64, 100, 512]) {
      const parts = [0, 1, 2].map((i) => lying([2, 5, width], [5 * width + 8, width, 1], i));
      const joined = torch.cat(parts, 2);
      parts.forEach((part, i) => {
        const got = elementsOf(joined.narrow(2, i * width, width));
        expect(got).toEqual(elements(part));
      });
    }
  });
});

describe('sums of steps and parts of rows', () => {
  const bits = (x: torch.Tensor) => new Uint8Array(x.contiguous().dataSync().slice().buffer).join();
  type Rand = (...shape: number[]) => torch.Tensor;
  const parts: [string, (r: number, c: number, rand: Rand) => torch.Tensor][] = [
    ['every second row', (r, c, rand) => rand(2 * r - 1, c).at('::2')],
    ['every second column', (r, c, rand) => rand(r, 2 * c).at(':', '::2')],
    ['every second, to the end', (r, c, rand) => rand(r * c * 2 - 1).asStrided([r, c], [2 * c, 2])],
    ['every third column', (r, c, rand) => rand(r, 3 * c).at(':', '::3')],
    ['some columns', (r, c, rand) => rand(r, c + 5).narrow(1, 5, c)],
    [
      'every second of some',
      (r, c, rand) =>
        rand(r, 2 * c + 7)
          .narrow(1, 0, 2 * c)
          .at(':', '::2'),
    ],
    ['a third dimension', (r, c, rand) => rand(2, 2 * r, c).at(':', '::2')],
    ['two that skip', (r, c, rand) => rand(4, 2 * r, c).at('::2', '::2')],
  ];
  it.each(parts)('%s', (_, part) => {
    for (const [rows, columns] of [
      [3, 16],
      [5, 32],
      [9, 33],
      [40, 256],
      [17, 1000],
      [5, 4160],
    ]) {
      for (const dtype of [torch.float32, torch.float64, torch.int32] as const) {
        const rand = (...shape: number[]) =>
          torch
            .randn(...shape)
            .mul(9)
            .to(dtype);
        const x = part(rows, columns, rand);
        const copy = x.contiguous();
        for (const dim of [undefined, 0, 1, -1, [0, 1]]) {
          expect(bits(x.sum(dim))).toEqual(bits(copy.sum(dim)));
          for (const name of ['amax', 'amin'] as const) {
            expect(bits(x[name](dim))).toEqual(bits(copy[name](dim)));
          }
          if (dtype === torch.int32) continue;
          for (const p of [0, 1, 2, 3, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
            expect(bits(x.norm(p, dim))).toEqual(bits(copy.norm(p, dim)));
          }
        }
        for (const dim of [0, 1]) {
          expect(bits(x.div(9).prod(dim))).toEqual(bits(copy.div(9).prod(dim)));
          expect(bits(x.prod(dim))).toEqual(bits(copy.prod(dim)));
        }
      }
    }
  });
  it.each(['amax', 'amin'] as const)('%s of zeros of both signs and of NaN', (name) => {
    const base = torch.zeros(8, 128);
    base.at('1::2').fill_(-0);
    for (const x of [base.at(':', ':64'), base.at(':', '::2')]) {
      expect(bits(x[name]())).toEqual(bits(x.contiguous()[name]()));
      x.at(5, 63).fill_(Number.NaN);
      expect(x[name]().itemSync()).toBe(Number.NaN);
      expect(bits(x[name](1))).toEqual(bits(x.contiguous()[name](1)));
      x.at(5, 63).fill_(0);
    }
  });
  it('of extremes, products and norms have the gradients of a copy', () => {
    const folds: ((x: torch.Tensor) => torch.Tensor)[] = [
      (x) => x.amax(1),
      (x) => x.amin(),
      (x) => x.prod(1),
      (x) => x.norm(2, 1),
      (x) => x.norm(3),
      (x) => x.norm(Number.POSITIVE_INFINITY, 1),
    ];
    for (const fold of folds) {
      for (const columns of [':64', '::2']) {
        const base = torch.randn(40, 128);
        const [x, y] = [base.clone().requiresGrad_(), base.clone().requiresGrad_()];
        fold(x.at(':', columns)).sum().backward();
        fold(y.at(':', columns).contiguous()).sum().backward();
        expect(bits(x.grad as torch.Tensor)).toEqual(bits(y.grad as torch.Tensor));
      }
    }
  });
  it('have gradients', () => {
    const x = torch.randn(40, 64).requiresGrad_();
    x.at(':', '::2').mean().backward();
    const steps = torch.zeros(40, 64);
    steps.at(':', '::2').fill_(1 / (40 * 32));
    expect(x.grad?.equal(steps)).toBe(true);
  });
});

describe('reductions of permuted tensors', () => {
  const rows: [string, (x: torch.Tensor, dim?: number) => torch.Tensor][] = [
    ['sum', (x, dim) => x.sum(dim)],
    ['mean', (x, dim) => x.mean(dim)],
    ['amax', (x, dim) => x.amax(dim)],
    ['prod', (x, dim) => (dim === undefined ? x.prod() : x.prod(dim))],
  ];
  const layouts = [
    [0, 1, 2],
    [2, 1, 0],
    [1, 0, 2],
    [0, 2, 1],
    [1, 2, 0],
  ];
  it.each(rows)('%s', (_, reduce) => {
    for (const order of layouts) {
      for (const dim of [undefined, 0, 1, 2]) {
        const x = lying([5, 6, 7], [42, 7, 1], 11).permute(order).detach().requiresGrad_();
        const flat = x.detach().contiguous().requiresGrad_();
        const [got, expected] = [reduce(x, dim), reduce(flat, dim)];
        expect(got.shape).toEqual(expected.shape);
        expect(torch.allclose(got, expected, { rtol: 1e-4, atol: 1e-5 })).toBe(true);
        const weight = torch.randn(got.shape);
        got.mul(weight).sum().backward();
        expected.mul(weight).sum().backward();
        const grads = [x, flat].map((t) => t.grad as torch.Tensor);
        expect(torch.allclose(grads[0], grads[1], { rtol: 1e-3, atol: 1e-4 })).toBe(true);
      }
    }
  });
});
