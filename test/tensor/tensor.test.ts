/** What a tensor says of itself, how it is read, and its two kinds of `.data`. */

import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';

describe('asking', () => {
  const x = torch.zeros(2, 3, 4);

  test('shape, strides, offset', () => {
    expect([x.shape, x.size(), x.size(-1), x.ndim, x.dim(), x.numel()]).toEqual([
      [2, 3, 4],
      [2, 3, 4],
      4,
      3,
      3,
      24,
    ]);
    expect([x.stride(), x.stride(0), x.storageOffset()]).toEqual([[12, 4, 1], 12, 0]);
    const v = x.at(1).t();
    expect([v.shape, v.stride(), v.storageOffset()]).toEqual([[4, 3], [1, 4], 12]);
    expect([x.isContiguous(), v.isContiguous(), v.contiguous().isContiguous()]).toEqual([
      true,
      false,
      true,
    ]);
    expect(() => x.size(3)).toThrow(/size: dimension 3.*\[2, 3, 4\]/);
  });

  test('dtype, device, leaf', () => {
    expect([x.dtype, x.device, x.elementSize(), x.isFloatingPoint()]).toEqual([
      torch.float32,
      'cpu',
      4,
      true,
    ]);
    expect([x.requiresGrad, x.isLeaf, x.grad, x.gradFn]).toEqual([false, true, null, undefined]);
    expect(x instanceof torch.Tensor).toBe(true);
  });

  test('views share memory', () => {
    const v = x.view(6, 4);
    expect(v.dataPtr()).toBe(x.dataPtr());
    expect(x.at(1).dataPtr()).toBe(x.dataPtr() + 48);
    expect(x.clone().dataPtr()).not.toBe(x.dataPtr());
  });
});

describe('reading', () => {
  test('item, of each kind', async () => {
    expect(await torch.tensor(1.5).item()).toBe(1.5);
    expect(torch.tensor([[7]]).itemSync()).toBe(7);
    expect(torch.tensor(true).itemSync()).toBe(true);
    expect(torch.tensor([5], { dtype: torch.int64 }).itemSync()).toBe(5);
    expect(torch.tensor([9007199254740993n]).itemSync()).toBe(9007199254740993n);
    expect(torch.tensor([0.1], { dtype: torch.bfloat16 }).itemSync()).toBe(0.10009765625);
  });

  test('data and tolist, of strided tensors too', async () => {
    const x = torch.arange(6).view(2, 3).t();
    expect(await x.data()).toEqual(Int32Array.from([0, 3, 1, 4, 2, 5]));
    expect(await x.tolist()).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ]);
    expect(torch.zeros(2, 0).tolistSync()).toEqual([[], []]);
    expect(torch.tensor(3).tolistSync()).toBe(3);
    expect(torch.tensor([1.5], { dtype: torch.float16 }).dataSync()).toEqual(
      Float32Array.from([1.5]),
    );
  });

  test('what is read is a copy', () => {
    const x = torch.ones(3);
    x.dataSync()[0] = 9;
    expect(x.tolistSync()).toEqual([1, 1, 1]);
  });
});

describe('`.data`', () => {
  test('is the tensor outside autograd, over the same memory', () => {
    const p = torch.ones(3).requiresGrad_();
    p.data.mul_(3);
    p.data.at(0).fill_(5);
    p.data.sub_(torch.ones(3));
    expect([p.tolistSync(), p.data.requiresGrad, p.data.shape]).toEqual([[4, 2, 2], false, [3]]);
    expect(torch.add(p.data, p.data).tolistSync()).toEqual([8, 4, 4]);
  });

  test('can be given', () => {
    const p = torch.ones(3).requiresGrad_();
    const before = p.mul(2);
    p.data = torch.zeros(2, 2);
    expect([p.shape, p.tolistSync(), p.requiresGrad, p.isLeaf]).toEqual([
      [2, 2],
      [
        [0, 0],
        [0, 0],
      ],
      true,
      true,
    ]);
    expect(before.tolistSync()).toEqual([2, 2, 2]);
    p.mul(3).sum().backward();
    expect(p.grad?.tolistSync()).toEqual([
      [3, 3],
      [3, 3],
    ]);
    expect(() => {
      p.data = torch.zeros(2, { dtype: torch.float64 });
    }).toThrow(/data: .*torch.float32.*torch.float64/);
  });

  test('memory is shared and counted', () => {
    const p = torch.zeros(1000);
    const q = torch.ones(1000);
    const before = torch.memory().bytes;
    p.data = q;
    expect(before - torch.memory().bytes).toBe(4000);
    q.dispose();
    expect(p.sum().itemSync()).toBe(1000);
  });
});

describe('lists of sizes', () => {
  const x = torch.arange(6);
  const row = torch.ones(1, 3);
  const makers: Record<string, (size: number[]) => torch.Tensor> = {
    zeros: (size) => torch.zeros(size),
    rand: (size) => torch.rand(size),
    full: (size) => torch.full(size, 1),
    view: (size) => x.view(size),
    reshape: (size) => x.at('::1').reshape(size),
    expand: (size) => row.expand(size),
    unflatten: (size) => x.unflatten(0, size),
    newZeros: (size) => x.newZeros(size),
    'asStrided, contiguous': (size) => x.asStrided(size, [3, 1]),
    asStrided: (size) => x.asStrided(size, [1, 2]),
  };
  test.each(Object.keys(makers))('that %s was given may change afterwards', (name) => {
    const size = [2, 3];
    const made = makers[name](size);
    size.reverse();
    expect([made.shape, torch.zeros(2, 3).shape]).toEqual([
      [2, 3],
      [2, 3],
    ]);
  });

  test('strides that asStrided was given may change afterwards', () => {
    const stride = [1, 2];
    const made = x.asStrided([2, 3], stride);
    stride[0] = 7;
    expect(made.stride()).toEqual([1, 2]);
  });
});

describe('wrong kinds of arguments are typed errors, never wrong numbers', () => {
  const x = torch.ones(2, 3) as unknown as Record<string, (...args: unknown[]) => unknown>;
  const f = torch as unknown as Record<string, (...args: unknown[]) => unknown>;
  const calls: Record<string, () => unknown> = {
    'narrow: start 0.5': () => x.narrow(0, 0.5, 1),
    'narrow: no length': () => x.narrow(0, 0),
    'slice of a fraction': () => x.slice(0, 0.5),
    'unfold by a fraction': () => x.unfold(1, 1.5, 1),
    'a diagonal between two': () => x.diagonal(0.5),
    'asStrided between two': () => x.asStrided([1], [1], 0.5),
    'fill_: nothing': () => x.fill_(),
    'copy_: text': () => x.copy_('3'),
    'equal: a number': () => x.equal(3),
    'matmul: a number': () => x.matmul(3),
    'sum: text': () => x.sum('0'),
    'where: a plain condition': () => f.where(true, x, x),
    'setAt: shapes': () => x.setAt([0], torch.ones(7)),
    'manualSeed: text': () => f.manualSeed('a'),
    'noGrad: a number': () => f.noGrad(3),
  };
  for (const [name, call] of Object.entries(calls)) {
    test(name, () => {
      expect(call).toThrow(torch.TorchError);
      expect(x.tolistSync()).toEqual([
        [1, 1, 1],
        [1, 1, 1],
      ]);
    });
  }

  test('with the function’s name, its arguments and its parameters', () => {
    expect(() => x.equal(3)).toThrow(/^equal: .*\(tensor \[2, 3\], 3\).*input, other/);
    expect(() => x.copy_(torch.ones(4))).toThrow(/^copy_: .*\[4\].*\[2, 3\]/);
    expect(() => x.setAt([0], torch.ones(7))).toThrow(/^setAt: .*\[7\].*\[3\]/);
  });
});
