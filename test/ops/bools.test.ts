/** Sums and differences of bools, as PyTorch has or refuses them. */

import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';

const mask = torch.tensor([true, false, true]);
const ints = torch.arange(3);
const floats = torch.ones(3);

describe('differences are refused', () => {
  const cases: Record<string, () => unknown> = {
    'of two masks': () => mask.sub(mask),
    'with a number': () => mask.sub(1),
    'of a number and a mask': () => torch.sub(1, mask),
    'with true': () => ints.sub(true),
    'with integers': () => mask.sub(ints),
    'of integers and a mask': () => ints.sub(mask),
    'of floats and a mask': () => floats.sub(mask),
    'of a 0-d mask': () => torch.tensor(true).sub(floats),
    reversed: () => torch.rsub(mask, 1.5),
    'with a factor': () => floats.sub(mask, { alpha: 2 }),
  };
  test.each(Object.entries(cases))('%s', (_, make) => {
    expect(make).toThrow(torch.DtypeError);
    expect(make).toThrow(/^r?sub: not defined for bool tensors; use logicalNot\(\)/);
  });

  test('in place, with nothing changed', () => {
    const x = floats.clone();
    expect(() => x.sub_(mask)).toThrow(torch.DtypeError);
    expect(() => x.sub_(mask, { alpha: 3 })).toThrow(torch.DtypeError);
    expect(x.tolistSync()).toEqual([1, 1, 1]);
  });
});

describe('sums', () => {
  test('with a factor count whether it is 0', () => {
    expect(mask.add(mask, { alpha: -1 }).tolistSync()).toEqual([true, false, true]);
    expect(mask.clone().add_(mask, { alpha: -1 }).tolistSync()).toEqual([true, false, true]);
    expect(mask.add(mask.logicalNot(), { alpha: 0 }).tolistSync()).toEqual([true, false, true]);
    expect(mask.add(true, { alpha: true }).tolistSync()).toEqual([true, true, true]);
    expect(mask.add(1, { alpha: -1 }).tolistSync()).toEqual([0, -1, 0]);
  });

  test('take a flag for the factor of bools only', () => {
    expect(() => ints.add(ints, { alpha: true })).toThrow(
      'add: alpha must be an integer for torch.int32 tensors, got true',
    );
    expect(() => floats.add(floats, { alpha: true })).toThrow(
      'add: alpha must be a number for torch.float32 tensors, got true',
    );
    expect(() => mask.add(mask, { alpha: 1.5 })).toThrow(torch.DtypeError);
    expect(() => floats.clone().add_(floats, { alpha: false })).toThrow(torch.DtypeError);
  });
});

describe('logic of bools', () => {
  const binary = {
    logicalAnd: (a: boolean, b: boolean) => a && b,
    logicalOr: (a: boolean, b: boolean) => a || b,
    logicalXor: (a: boolean, b: boolean) => a !== b,
    bitwiseAnd: (a: boolean, b: boolean) => a && b,
    bitwiseOr: (a: boolean, b: boolean) => a || b,
    bitwiseXor: (a: boolean, b: boolean) => a !== b,
  };
  const pick = (n: number, step: number) =>
    Array.from({ length: n }, (_, i) => (i * step) % 7 < 3 || i === n - 1);
  const flags = (x: torch.Tensor) => [...x.dataSync()].map(Boolean);

  test.each([0, 1, 3, 4, 5, 64, 1000, 1027])('%i elements, whole, in part and broadcast', (n) => {
    const [p, q] = [pick(n + 4, 3), pick(n + 4, 5)];
    const [a, b] = [p, q].map((values) => torch.tensor(values, { dtype: torch.bool }));
    for (const from of [0, 1, 4]) {
      const [x, y] = [a.narrow(0, from, n), b.narrow(0, from, n)];
      const [u, v] = [p.slice(from, from + n), q.slice(from, from + n)];
      for (const [name, f] of Object.entries(binary)) {
        const call = name as keyof typeof binary;
        const result = x[call](y);
        expect(result.dtype).toBe(torch.bool);
        expect(flags(result)).toEqual(u.map((value, i) => f(value, v[i])));
        const crossed = x.unsqueeze(1)[call](b.narrow(0, 0, 4));
        expect(crossed.shape).toEqual([n, 4]);
        expect(flags(crossed)).toEqual(
          u.flatMap((value) => q.slice(0, 4).map((other) => f(value, other))),
        );
      }
      expect(flags(x.logicalNot())).toEqual(u.map((value) => !value));
      expect(flags(x.bitwiseNot())).toEqual(u.map((value) => !value));
    }
    expect(flags(a)).toEqual(p);
  });

  test('of bytes that were written as integers', () => {
    const bytes = torch.tensor([1, 2, 3, 0, 2, 0, 128, 255], { dtype: torch.uint8 });
    const x = bytes.view(torch.bool);
    const all = torch.ones(8, { dtype: torch.bool });
    const expected = [1, 1, 1, 0, 1, 0, 1, 1];
    expect([...x.logicalAnd(all).view(torch.uint8).dataSync()]).toEqual(expected);
    expect([...x.logicalNot().view(torch.uint8).dataSync()]).toEqual(expected.map((v) => 1 - v));
    expect([...all.logicalXor(x).view(torch.uint8).dataSync()]).toEqual(expected.map((v) => 1 - v));
  });

  test('in place, with numbers and with other dtypes as before', () => {
    const a = torch.tensor([true, false, true, false]);
    expect(flags(a.logicalAnd(torch.tensor([2, 0, 0, 3])))).toEqual([true, false, false, false]);
    expect(flags(a.bitwiseXor(true))).toEqual([false, true, false, true]);
    a.logicalXor_(torch.tensor([true, true, false, false]));
    expect(flags(a)).toEqual([false, true, true, false]);
  });
});
