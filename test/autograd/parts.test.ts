/** Gradients of leaves that lie side by side in the memory of one gradient. */

import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';

type Tensor = torch.Tensor;
const leaf = (...values: number[]) =>
  torch.tensor(values, { dtype: torch.float32 }).requiresGrad_();
const numbers = (x: Tensor | null) => [...((x as Tensor).reshape(-1).dataSync() as Float32Array)];
const weights = (n: number) => torch.arange(n).add(1).to(torch.float32);

/** Whether a write into the first gradient is seen in another tensor. */
function reaches(from: Tensor | null, other: Tensor | null): boolean {
  const before = numbers(other);
  (from as Tensor).add_(1000);
  const after = numbers(other);
  (from as Tensor).sub_(1000);
  return before.some((value, i) => value !== after[i]);
}

const storage = (x: Tensor | null) => (x as Tensor).storage_;

describe('parts of a gradient', () => {
  test('become the grad of the leaves of a cat without a copy, apart from each other', () => {
    const [x, y, z] = [leaf(1, 2), leaf(3), leaf(4, 5, 6)];
    const step = () => torch.cat([x, y, z]).mul(weights(6)).sum().backward();
    step();
    expect([numbers(x.grad), numbers(y.grad), numbers(z.grad)]).toEqual([[1, 2], [3], [4, 5, 6]]);
    expect(storage(x.grad) === storage(y.grad) && storage(y.grad) === storage(z.grad)).toBe(true);
    expect(reaches(x.grad, y.grad) || reaches(y.grad, z.grad) || reaches(z.grad, y.grad)).toBe(
      false,
    );
    step();
    expect([numbers(x.grad), numbers(y.grad), numbers(z.grad)]).toEqual([[2, 4], [6], [8, 10, 12]]);
    x.grad = null;
    step();
    expect([numbers(x.grad), numbers(y.grad), numbers(z.grad)]).toEqual([
      [1, 2],
      [9],
      [12, 15, 18],
    ]);
  });

  test('pass through views', () => {
    const [x, y] = [leaf(1, 2, 3, 4), leaf(5, 6)];
    const rows = torch.cat([x.view(2, 2), y.unsqueeze(0)]);
    torch
      .stack([rows, rows.mul(0)])
      .mul(weights(12).view(2, 3, 2))
      .sum()
      .backward();
    expect([numbers(x.grad), numbers(y.grad)]).toEqual([
      [1, 2, 3, 4],
      [5, 6],
    ]);
    expect(reaches(x.grad, y.grad) || reaches(y.grad, x.grad)).toBe(false);
  });

  test('of a gradient that goes to two cats are copied', () => {
    const [x, y, u, v] = [leaf(1), leaf(2, 3), leaf(4, 5), leaf(6)];
    torch
      .cat([x, y])
      .add(torch.cat([u, v]))
      .mul(weights(3))
      .sum()
      .backward();
    const grads = [x, y, u, v].map((t) => t.grad);
    expect(grads.map(numbers)).toEqual([[1], [2, 3], [1, 2], [3]]);
    for (const one of grads) {
      for (const other of grads) expect(one !== other && reaches(one, other)).toBe(false);
    }
  });

  test('of leaves used twice in one cat, or of two that are one view, are sums of their own', () => {
    const [x, y] = [leaf(1, 2), leaf(3, 4)];
    torch.cat([x, y, x]).mul(weights(6)).sum().backward();
    expect([numbers(x.grad), numbers(y.grad)]).toEqual([
      [6, 8],
      [3, 4],
    ]);
    expect(reaches(x.grad, y.grad) || reaches(y.grad, x.grad)).toBe(false);
    const [u, v] = [leaf(1, 2), leaf(3, 4)];
    u.view(2, 1).add(v.view(2, 1)).mul(weights(2).view(2, 1)).sum().backward();
    expect([numbers(u.grad), numbers(v.grad)]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    expect(reaches(u.grad, v.grad) || reaches(v.grad, u.grad)).toBe(false);
  });

  test('of what the caller gave, or a hook saw, are copied', () => {
    const [x, y] = [leaf(1), leaf(2, 3)];
    const gradient = weights(3);
    torch.cat([x, y]).backward({ gradient });
    expect(reaches(x.grad, gradient) || reaches(gradient, y.grad)).toBe(false);
    let seen: Tensor | null = null;
    const joined = torch.cat([x, y]);
    joined.registerHook((g) => {
      seen = g;
    });
    [x.grad, y.grad] = [null, null];
    joined.mul(weights(3)).sum().backward();
    expect([numbers(seen), numbers(x.grad), numbers(y.grad)]).toEqual([[1, 2, 3], [1], [2, 3]]);
    expect(reaches(x.grad, seen) || reaches(seen, y.grad)).toBe(false);
    let part: Tensor | null = null;
    x.registerHook((g) => {
      part = g;
    });
    [x.grad, y.grad] = [null, null];
    torch.cat([x, y]).mul(weights(3)).sum().backward();
    expect([numbers(part), numbers(x.grad), numbers(y.grad)]).toEqual([[1], [1], [2, 3]]);
    expect(reaches(part, x.grad) || reaches(x.grad, part) || reaches(part, y.grad)).toBe(false);
  });

  test('do not keep much more than they are', () => {
    const [x, big] = [leaf(1), torch.zeros([100]).requiresGrad_()];
    torch.cat([x, big]).mul(weights(101)).sum().backward();
    expect(storage(x.grad).bytes).toBe(4);
    expect(numbers(x.grad)).toEqual([1]);
  });

  test('are what autograd.grad returns, once each', () => {
    const [x, y] = [leaf(1), leaf(2, 3)];
    const loss = torch.cat([x, y]).mul(weights(3)).sum();
    const [gx, gy, again] = torch.autograd.grad(loss, [x, y, x]);
    expect([gx, gy, again].map(numbers)).toEqual([[1], [2, 3], [1]]);
    expect(reaches(gx, again) || reaches(again, gx) || reaches(gx, gy)).toBe(false);
  });
});
