/** Where elementwise results lie in memory: as PyTorch's do, which layouts.json records. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';

type Operand = [number[], number[], number, number, number[]];
type Case = [string, Operand[], number[], number[]];

const cases = JSON.parse(
  readFileSync(new URL('./layouts.json', import.meta.url), 'utf8'),
) as Case[];

/** The tensor that record_layouts.py makes of a description. */
function make([shape, order, step, along, wide]: Operand): torch.Tensor {
  const sizes = order.map((d, i) => (wide.includes(d) ? 1 : shape[d]) * (i === along ? step : 1));
  const whole = torch.randn(sizes);
  const stepped = shape.length > 0 ? whole.slice(along, 0, null, step) : whole;
  return stepped.permute(shape.map((_, d) => order.indexOf(d))).expand(shape);
}

const operators: Record<string, (...x: torch.Tensor[]) => torch.Tensor> = {
  exp: (a) => a.exp(),
  add1: (a) => a.add(1),
  relu: (a) => a.relu(),
  isnan: (a) => a.isnan(),
  clamp: (a) => a.clamp(-1, 1),
  clone: (a) => a.clone(),
  double: (a) => a.double(),
  zerosLike: (a) => a.zerosLike(),
  randLike: (a) => torch.randLike(a),
  add: (a, b) => a.add(b),
  lt: (a, b) => a.lt(b),
  mixed: (a, b) => a.int().mul(b),
  maximum: (a, b) => a.maximum(b),
  atan2: (a, b) => a.atan2(b),
  lerp: (a, b) => a.lerp(b, 0.5),
  where: (a, b, c) => torch.where(a.gt(0), b, c),
  addcmul: (a, b, c) => torch.addcmul(a, b, c),
};

/** Strides of dimensions of size 1 say nothing. */
const telling = (strides: readonly number[], shape: readonly number[]) =>
  strides.map((stride, d) => (shape[d] === 1 ? 0 : stride));

const reversed = (x: torch.Tensor) => x.permute(x.shape.map((_, d) => x.ndim - 1 - d));

it('strides of results are those that PyTorch gives', () => {
  const wrong: unknown[] = [];
  for (const [name, operands, shape, strides] of cases) {
    const given = operands.map(make);
    const got = operators[name](...given);
    expect(got.shape).toEqual(shape);
    if (telling(got.strides, shape).join() !== telling(strides, shape).join()) {
      wrong.push([name, given.map((x) => x.strides), shape, strides, got.strides]);
    }
    // The same numbers, bit for bit, as of row-major operands.
    if (name === 'randLike') continue;
    const plain = operators[name](...given.map((x) => x.contiguous()));
    if (!got.equal(plain)) wrong.push([name, given.map((x) => x.strides), 'values']);
  }
  expect(wrong).toEqual([]);
});

describe('other results with the order of their operands', () => {
  const t = torch.randn(3, 4).t();

  const { int8, uint8, int16, int32, int64, float16, bfloat16, bool } = torch;
  const dtypes: Record<string, torch.Dtype> = {
    int8,
    uint8,
    int16,
    int32,
    int64,
    float16,
    bfloat16,
    bool,
  };
  it.each(Object.keys(dtypes))('%s, which is cast to be computed with', (name) => {
    const dtype = dtypes[name];
    const x = t.mul(3).to(dtype);
    const [plain, half] = [x.contiguous(), x.slice(0, 0, null, 2)];
    expect(x.strides).toEqual([1, 4]);
    for (const op of [
      (a: torch.Tensor) => a.add(a),
      (a: torch.Tensor) => a.mul(1.5),
      (a: torch.Tensor) => a.exp(),
      (a: torch.Tensor) => a.ge(1),
      (a: torch.Tensor) => a.maximum(plain.sum().to(dtype)),
      (a: torch.Tensor) => torch.where(a.ne(0), a, a.logicalNot().to(dtype)),
    ]) {
      expect(op(x).strides).toEqual([1, 4]);
      expect(op(x).equal(op(plain))).toBe(true);
      expect(op(half).strides).toEqual([1, 2]);
      expect(op(half).equal(op(half.contiguous()))).toBe(true);
    }
  });

  it('rounding of integers copies, *_like and to() keep the order', () => {
    const x = t.to(torch.int32);
    expect(x.floor().strides).toEqual([1, 4]);
    for (const like of [torch.onesLike, torch.emptyLike, torch.randnLike]) {
      expect(like(t).strides).toEqual([1, 4]);
    }
    expect(torch.fullLike(t, 2).tolistSync()).toEqual(torch.full([4, 3], 2.0).tolistSync());
    expect(t.to(torch.float32, false, true).strides).toEqual([1, 4]);
    expect(t.clone('contiguousFormat').strides).toEqual([3, 1]);
    const memoryFormat = 'contiguousFormat';
    expect(t.to({ dtype: torch.int32, memoryFormat }).strides).toEqual([3, 1]);
    expect(torch.onesLike(t, { memoryFormat }).strides).toEqual([3, 1]);
    expect(torch.randLike(t, { memoryFormat }).strides).toEqual([3, 1]);
    expect(t.contiguous().strides).toEqual([3, 1]);
    expect(t.newZeros(t.shape).strides).toEqual([3, 1]);
    expect(t.reshape(12).tolistSync()).toEqual(t.contiguous().view(12).tolistSync());
  });

  it('view() of a permuted result needs reshape(), as in PyTorch', () => {
    expect(() => t.exp().view(12)).toThrow(torch.ShapeError);
  });

  it('random numbers are drawn in the order of memory', () => {
    torch.manualSeed(3);
    const drawn = torch.randLike(t);
    torch.manualSeed(3);
    expect(drawn.t().equal(torch.rand(3, 4))).toBe(true);
    torch.manualSeed(3);
    const dropped = torch.nn.functional.dropout(torch.ones(3, 4).t());
    torch.manualSeed(3);
    expect(dropped.equal(torch.nn.functional.dropout(torch.ones(4, 3)))).toBe(true);
    expect(dropped.strides).toEqual([1, 4]);
  });
});

describe('in place', () => {
  const shape = [3, 4, 5];
  it('the layout stays, whatever the other operands have', () => {
    const base = torch.randn(5, 4, 3);
    const x = reversed(base.clone());
    const others = [
      torch.randn(3, 4, 5),
      reversed(torch.randn(5, 4, 3)),
      torch.randn(4, 3, 5).transpose(0, 1),
      torch.randn(5),
      torch.randn(4, 1),
      torch.randn([]),
    ];
    for (const y of others) {
      const expected = x.contiguous().mul(y.expand(shape).contiguous()).add(y);
      const { strides } = x;
      x.mul_(y).add_(y);
      expect(x.strides).toBe(strides);
      expect(x.equal(expected)).toBe(true);
    }
    x.copy_(torch.arange(60).view(shape));
    expect(x.tolistSync()).toEqual(torch.arange(60).float().view(shape).tolistSync());
  });

  it('of a view of itself', () => {
    const x = torch.arange(16, { dtype: torch.float32 }).view(4, 4);
    const expected = x.t().add(x).contiguous();
    x.t().add_(x);
    expect(x.t().equal(expected)).toBe(true);
  });
});

describe('gradients through permuted operands', () => {
  const leaf = (...sizes: number[]) => torch.randn(sizes, { dtype: torch.float64 }).requiresGrad_();
  const cases: [string, (a: torch.Tensor, b: torch.Tensor) => torch.Tensor][] = [
    ['permuted with permuted', (a, b) => reversed(a).mul(reversed(b)).sigmoid()],
    [
      'permuted with row-major',
      (a, b) =>
        reversed(a)
          .mul(b.reshape(4, 3, 2))
          .tanh(),
    ],
    ['broadcast', (a, b) => reversed(a).mul(b.select(2, 0).t()).exp()],
    ['where', (a, b) => torch.where(reversed(a).gt(0), reversed(a), reversed(b)).square()],
    ['in place', (a, b) => reversed(a).clone().mul_(reversed(b)).sin_().add_(a.sum())],
    [
      'a copy that is written through a view',
      (a, b) => {
        const copy = reversed(a).mul(1);
        copy.select(0, 1).mul_(b.select(2, 1).t());
        return copy.exp();
      },
    ],
    ['saved by other operators', (a, b) => reversed(a).exp().matmul(b).softmax(1)],
  ];
  it.each(cases)('%s, once and twice', (_, f) => {
    const [a, b] = [leaf(2, 3, 4), leaf(2, 3, 4)];
    if (_.startsWith('saved')) {
      const right = leaf(4, 2, 3);
      expect(torch.autograd.gradcheck((p, q) => f(p, q), [a, right])).toBe(true);
      return;
    }
    expect(torch.autograd.gradcheck(f, [a, b])).toBe(true);
    expect(torch.autograd.gradgradcheck(f, [a, b])).toBe(true);
  });

  it('a gradient lies as its leaf does', () => {
    const rows = torch.randn(4, 3).requiresGrad_();
    const turned = torch.randn(3, 4).t().clone().requiresGrad_();
    rows.mul(turned).sum().backward();
    turned.mul(rows).add(turned.t().reshape(4, 3)).sum().backward();
    expect(rows.grad?.strides).toEqual([3, 1]);
    expect(turned.grad?.strides).toEqual([1, 4]);
    expect(rows.grad?.equal(turned.mul(2))).toBe(true);
    const again = torch.randn(3, 4).t().clone().requiresGrad_();
    again.mul(rows).mul(again).sum().backward({ createGraph: true });
    expect(again.grad?.strides).toEqual([1, 4]);
    expect(again.grad?.requiresGrad).toBe(true);
    const part = torch.randn(4, 6).slice(1, 0, null, 2).requiresGrad_();
    part.mul(turned.detach()).sum().backward();
    expect(part.grad?.strides).toEqual([3, 1]);
  });

  it.each(['SGD', 'Adam'] as const)('%s changes parameters of any layout alike', (name) => {
    const start = torch.randn(4, 3);
    const step = (p: torch.Tensor) => {
      const optimizer = new torch.optim[name]([p], { lr: 0.1 });
      for (let i = 0; i < 3; i++) {
        optimizer.zeroGrad();
        p.square().mul(torch.arange(12).view(4, 3)).sum().backward();
        optimizer.step();
      }
      return p.detach();
    };
    const turned = start.t().contiguous().t().requiresGrad_();
    expect(step(turned).equal(step(start.clone().requiresGrad_()))).toBe(true);
  });
});
