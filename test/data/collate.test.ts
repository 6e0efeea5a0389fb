/** Batches are made of samples of one structure; others are refused by their place. */

import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';

const { defaultCollate } = torch.data;

describe('defaultCollate', () => {
  it.each<[string, unknown[], string]>([
    [
      'a missing key',
      [{ x: 1, y: 2 }, { x: 2 }],
      'sample 1.y is undefined, but sample 0.y is number',
    ],
    ['undefined', [1, 2, undefined], 'sample 2 is undefined, but sample 0 is number'],
    ['null', [1, null], 'sample 1 is null'],
    [
      'a text among numbers',
      [[[1]], [['a']]],
      'sample 1[0][0] is string, but sample 0[0][0] is number',
    ],
    ['a number among tensors', [torch.ones(2), 1], 'sample 1 is number, but sample 0 is a tensor'],
    ['a tensor among numbers', [1, torch.ones(2)], 'sample 1 is a tensor, but sample 0 is number'],
    ['an object among arrays', [[1, 2], { a: 1 }], 'sample 1 is object, but sample 0 is an array'],
    [
      'other lengths',
      [{ x: [1] }, { x: [1, 2] }],
      'sample 1.x has 2 entries, but sample 0.x has 1',
    ],
    ['what makes no batch', [() => 1], 'sample 0 is function, which makes no batch'],
  ])('refuses %s', (_, samples, message) => {
    expect(() => defaultCollate(samples)).toThrow(message);
    expect(() => defaultCollate(samples)).toThrow(torch.ValueError);
  });

  it('takes numbers as whole as they are, in the dtype that holds them', () => {
    const dtypeOf = (numbers: number[]) => (defaultCollate(numbers) as torch.Tensor).dtype;
    expect(dtypeOf([1, -(2 ** 31)])).toBe(torch.int32);
    expect(dtypeOf([1, 2 ** 31])).toBe(torch.int64);
    expect(dtypeOf([1, 0.5])).toBe(torch.float32);
    expect(dtypeOf([1, 1e300])).toBe(torch.float32);
    expect((defaultCollate([1, 2 ** 40]) as torch.Tensor).tolistSync()).toEqual([1, 2 ** 40]);
  });
});
