/** Tensors in JavaScript's own syntax: loops, destructuring, operators, and names of Python's kind. */

import { afterEach, describe, expect, test, vi } from 'vitest';
import * as torch from '../../ts/index.js';

afterEach(() => vi.restoreAllMocks());

describe('walking a tensor', () => {
  const x = torch.arange(6, { dtype: torch.float32 }).view(3, 2);

  test('goes along the first dimension, as views', () => {
    const rows: unknown[] = [];
    for (const row of x) rows.push(row.tolistSync());
    expect(rows).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ]);
    const [first, ...others] = x.clone();
    first.fill_(7);
    expect([first.storage().references > 1, others.length]).toEqual([true, 2]);
    expect([...x.at(1)].map((element) => element.itemSync())).toEqual([2, 3]);
    expect([x.length, torch.empty(0, 3).length, [...torch.empty(0, 3)]]).toEqual([3, 0, []]);
  });

  test('is recorded', () => {
    const leaf = x.clone().requiresGrad_();
    const [a, , c] = leaf;
    a.mul(c).sum().backward();
    expect(leaf.grad?.tolistSync()).toEqual([
      [4, 5],
      [0, 0],
      [0, 1],
    ]);
  });

  test('of `.data`, and of a tensor without dimensions', () => {
    expect([[...x.data].length, x.data.length]).toEqual([3, 3]);
    expect(() => [...torch.tensor(1)]).toThrow(TypeError);
    expect(() => torch.tensor(1).length).toThrow(/no length.*item\(\)/);
  });

  test('by a test runner, which compares what can be walked', () => {
    const called = vi.fn();
    called(x, { scalar: torch.tensor(1) });
    expect(called).toHaveBeenCalledWith(x, expect.anything());
    expect({ x }).toEqual({ x });
    expect(x).not.toBe(x.clone());
    expect(torch.tensor(1)).not.toEqual(torch.tensor(2));
  });

  test('a number is copied into all elements', () => {
    expect(torch.zeros(2, 2).at(0).copy_(3).tolistSync()).toEqual([3, 3]);
    expect(torch.zeros(2).bool().copy_(true).tolistSync()).toEqual([true, true]);
    const text = 'a' as unknown as torch.Tensor;
    expect(() => torch.zeros(2).copy_(text)).toThrow(/copy_: expected a tensor/);
    expect([torch.isTensor(torch.ones(1)), torch.isTensor([1])]).toEqual([true, false]);
  });

  test('makes no list of parameters of it', () => {
    const weight = torch.ones(2, { requiresGrad: true }) as unknown as torch.Tensor[];
    expect(() => new torch.optim.SGD(weight, { lr: 1 })).toThrow(/SGD: expected an iterable/);
  });
});

describe("JavaScript's operators", () => {
  // As untyped programs use them.
  const loose = (value: unknown) => value as number;

  test('take one element as a number', () => {
    const loss = loose(torch.tensor(1.5));
    expect([loss + 1, loss * 2, loss > 1, `loss ${loss}`]).toEqual([
      2.5,
      3,
      true,
      'loss tensor(1.5000)',
    ]);
    expect([Number(torch.tensor([[2]])), loose(torch.tensor(true)) + 1]).toEqual([2, 2]);
  });

  test('refuse more, and say what there is instead', () => {
    const x = loose(torch.ones(2, 3));
    for (const wrong of [() => x + 1, () => 2 * x, () => x > 0, () => -x]) {
      expect(wrong).toThrow(torch.ValueError);
      expect(wrong).toThrow(/shape \[2, 3\].*a\.add\(b\).*a\.gt\(b\)/);
    }
  });
});

describe('what would pass unseen', () => {
  const x = torch.ones(2) as unknown as Record<string, unknown>;

  test('brackets', () => {
    for (const index of ['0', '1', '-1']) expect(() => x[index]).toThrow(`x.at(${index}) reads`);
    expect(() => {
      x[0] = 1;
    }).toThrow(torch.ValueError);
  });

  test("Python's names of properties", () => {
    expect(() => {
      x.requires_grad = true;
    }).toThrow("no 'requires_grad': it is called 'requiresGrad'");
    expect(() => x.grad_fn).toThrow(torch.ValueError);
  });

  test('tensors made by the class', () => {
    const Made = torch.Tensor as unknown as new (values: number[]) => torch.Tensor;
    expect(() => new Made([1, 2])).toThrow(/Tensor: .*torch\.tensor\(\)/);
  });

  test('the gradient of what is no leaf: a warning, once', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const leaf = torch.ones(2, { requiresGrad: true });
    const [kept, lost] = [leaf.mul(2), leaf.mul(3)];
    kept.retainGrad();
    kept.add(lost).sum().backward();
    expect([leaf.grad?.tolistSync(), kept.grad?.tolistSync()]).toEqual([
      [5, 5],
      [1, 1],
    ]);
    expect([leaf.detach().grad, warn.mock.calls]).toEqual([null, []]);
    expect([lost.grad, lost.grad, leaf.exp().grad]).toEqual([null, null, null]);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0][0]).toMatch(/grad: .*retainGrad\(\)/);
  });
});
