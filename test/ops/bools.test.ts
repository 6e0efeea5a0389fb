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
