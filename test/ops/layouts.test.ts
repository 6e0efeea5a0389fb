import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';

/** The position whose bits are those of `i` in reverse order. */
function reversedBits(i: number, bits: number): number {
  let result = 0;
  for (let bit = 0; bit < bits; bit++) if (i & (1 << bit)) result |= 1 << (bits - 1 - bit);
  return result;
}

describe('layouts of many dimensions', () => {
  it.each([3, 16, 17, 20])('%i dimensions of size 2 in reverse order', (bits) => {
    const shape = new Array<number>(bits).fill(2);
    const turned = torch
      .arange(2 ** bits)
      .view(shape)
      .permute(shape.map((_, d) => bits - 1 - d));
    const values = turned.add(1).view(-1).dataSync() as Int32Array;
    const wrong = values.findIndex((value, i) => value !== reversedBits(i, bits) + 1);
    expect(wrong).toBe(-1);
  });

  it('refuses more dimensions than memory can have', () => {
    const overlapping = torch
      .zeros(100)
      .asStrided(new Array<number>(40).fill(2), new Array<number>(40).fill(1));
    expect(() => overlapping.fill_(1)).toThrow(torch.ShapeError);
  });
});

it('reading a strided tensor leaves no copy behind', () => {
  const x = torch.arange(6).view(2, 3).t();
  const before = torch.memory().storages;
  expect(x.tolistSync()).toEqual([
    [0, 3],
    [1, 4],
    [2, 5],
  ]);
  expect(torch.memory().storages).toBe(before);
});
