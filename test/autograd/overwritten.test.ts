/** Tensors of a graph whose elements are all replaced in place stay part of it. */

import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';

const leaf = () => torch.ones(3, { requiresGrad: true });

describe('copy_', () => {
  test('of a constant: what was there has a gradient of zeros', () => {
    const x = leaf();
    const y = x.mul(2).copy_(torch.tensor([1, 2, 3]));
    expect(y.requiresGrad).toBe(true);
    expect(y.isLeaf).toBe(false);
    expect(String(y)).toBe('tensor([1., 2., 3.], grad_fn=<CopyBackwards>)');
    y.mul(5).sum().backward();
    expect(x.grad?.tolistSync()).toEqual([0, 0, 0]);
  });

  test('of what requires gradients: both have one', () => {
    const [x, w] = [leaf(), leaf()];
    const y = x.mul(2).copy_(w.mul(3));
    y.mul(5).sum().backward();
    expect(x.grad?.tolistSync()).toEqual([0, 0, 0]);
    expect(w.grad?.tolistSync()).toEqual([15, 15, 15]);
  });

  test('of one number for all, of another dtype', () => {
    const w = torch.ones(1, { requiresGrad: true, dtype: torch.float64 });
    const y = torch.zeros(2, 3).copy_(w);
    y.sum().backward();
    expect(w.grad?.tolistSync()).toEqual([6]);
    expect(w.grad?.dtype).toBe(torch.float64);
  });

  test('into a view: the rest of the base keeps its gradient', () => {
    const x = leaf();
    const y = x.mul(2);
    const part = y.at('1:');
    part.copy_(torch.zeros(2));
    expect(part.requiresGrad).toBe(true);
    y.sum().backward();
    expect(x.grad?.tolistSync()).toEqual([2, 0, 0]);
  });

  test('without recording leaves a leaf a leaf', () => {
    const x = leaf();
    torch.noGrad(() => x.copy_(torch.zeros(3)));
    expect([x.requiresGrad, x.isLeaf]).toEqual([true, true]);
    expect(() => x.copy_(torch.zeros(3))).toThrow(torch.AutogradError);
  });

  test('into integers records nothing', () => {
    const y = torch.zeros(3, { dtype: torch.int32 }).copy_(leaf().mul(2));
    expect([y.requiresGrad, y.isLeaf]).toEqual([false, true]);
  });
});

describe('comparisons in place', () => {
  const ones = torch.ones(3);
  const writes: Record<string, (y: torch.Tensor) => torch.Tensor> = {
    lt_: (y) => y.lt_(ones),
    'lt_ of a number': (y) => y.lt_(1),
    eq_: (y) => y.eq_(ones),
    ge_: (y) => y.ge_(ones),
    logicalAnd_: (y) => y.logicalAnd_(ones),
    logicalNot_: (y) => y.logicalNot_(),
  };
  test.each(Object.entries(writes))('%s', (_, write) => {
    const x = leaf();
    const y = x.mul(2);
    write(y);
    expect([y.requiresGrad, y.isLeaf]).toEqual([true, false]);
    y.sum().backward();
    expect(x.grad?.tolistSync()).toEqual([0, 0, 0]);
  });

  test('have a name', () => {
    expect(String(leaf().mul(2).lt_(3))).toBe('tensor([1., 1., 1.], grad_fn=<LtBackward0>)');
  });
});
