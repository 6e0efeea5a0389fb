/** Dropout on the GPU: masks of Philox 4x32-10 under a key from the generator. */

import { expect, test } from 'vitest';
import * as torch from '../../ts/index.js';
import { withGpu } from './agree.js';

const F = torch.nn.functional;

/** The upper and the lower half of a product. */
function product(a: number, b: number): [number, number] {
  const whole = BigInt(a) * BigInt(b);
  return [Number(whole >> 32n), Number(whole & 0xffffffffn)];
}

function philox(counter: readonly number[], key: readonly number[]): number[] {
  let [a, b, c, d] = counter;
  let [low, high] = key;
  for (let round = 0; round < 10; round++) {
    const [x, z] = [product(0xd2511f53, a), product(0xcd9e8d57, c)];
    [a, b, c, d] = [(z[0] ^ b ^ low) >>> 0, z[1], (x[0] ^ d ^ high) >>> 0, x[1]];
    low = (low + 0x9e3779b9) >>> 0;
    high = (high + 0xbb67ae85) >>> 0;
  }
  return [a, b, c, d];
}

test('the reference gives the published numbers', () => {
  const hex = (words: readonly number[]) => words.map((word) => word.toString(16)).join(' ');
  expect(hex(philox([0, 0, 0, 0], [0, 0]))).toBe('6627e8d5 e169c58d bc57ac4c 9b00dbd8');
  const pi = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
  expect(hex(philox(pi, [0xa4093822, 0x299f31d0]))).toBe('d16cfe09 94fdcceb 5001e420 24126ea1');
});

/** What dropout of ones is, number for number. */
function expected(seed: number, count: number, p: number): number[] {
  const generator = new torch.Generator().manualSeed(seed);
  const key = [generator.random(), generator.random()];
  return Array.from({ length: count }, (_, i) => {
    const word = philox([Math.floor(i / 4), 0, 0, 0], key)[i % 4];
    return (word >>> 8) * 2 ** -24 < Math.fround(1 - p) ? Math.fround(1 / (1 - p)) : 0;
  });
}

await withGpu('dropout on the GPU', () => {
  const listed = async (x: torch.Tensor) => [...(await x.data())].map(Number);
  const onGpu = { device: 'webgpu' } as const;

  test('draws the numbers of the counter, in any size', async () => {
    for (const [count, p] of [
      [1, 0.5],
      [5, 0.1],
      [1023, 0.5],
      [4099, 0.8],
      [64, 1],
    ] as const) {
      torch.manualSeed(7);
      const found = F.dropout(torch.ones([count], onGpu), p);
      expect(await listed(found), `${count} ${p}`).toEqual(expected(7, count, p));
    }
    expect(F.dropout(torch.ones([0, 3], onGpu), 0.5).shape).toEqual([0, 3]);
  });

  test('follows the seed, and goes on with the next call', async () => {
    const x = torch.ones([200], onGpu);
    torch.manualSeed(1);
    const [first, second] = [await listed(F.dropout(x)), await listed(F.dropout(x))];
    torch.manualSeed(1);
    const again = await listed(F.dropout(x));
    expect(again).toEqual(first);
    expect(second).not.toEqual(first);
  });

  test('drops as often as asked, and the same in both directions', async () => {
    const x = torch.ones([300, 300], { ...onGpu, requiresGrad: true });
    const y = F.dropout(x, 0.3);
    y.sum().backward();
    const kept = (await listed(y)).filter((value) => value !== 0).length / x.numel();
    // Five standard deviations.
    expect(Math.abs(kept - 0.7)).toBeLessThan(5 * Math.sqrt((0.3 * 0.7) / x.numel()));
    expect(await listed(x.grad as torch.Tensor)).toEqual(await listed(y));
  });

  test('sends no mask: one launch, and nothing is drawn on the CPU but the key', async () => {
    const x = torch.ones([64, 64], onGpu);
    torch.manualSeed(3);
    const before = torch.webgpu.info().launches;
    F.dropout(x);
    // The mask and the product.
    expect(torch.webgpu.info().launches - before).toBe(2);
    const generator = new torch.Generator().manualSeed(3);
    generator.random64();
    expect(await listed(torch.rand([2]))).toEqual(await listed(torch.rand([2], { generator })));
  });

  test('whole channels, half floats, in place', async () => {
    const channels = await listed(F.dropout2d(torch.ones([4, 8, 3, 3], onGpu), 0.5));
    const rows = Array.from({ length: 32 }, (_, i) => channels.slice(9 * i, 9 * i + 9));
    expect(rows.every((row) => new Set(row).size === 1)).toBe(true);
    expect(new Set(channels)).toEqual(new Set([0, 2]));
    const half = F.dropout(torch.ones([64], onGpu).half(), 0.5);
    expect(half.dtype).toBe(torch.float16);
    expect(new Set(await listed(half.float()))).toEqual(new Set([0, 2]));
    const x = torch.ones([64], onGpu);
    F.dropout(x, { p: 0.5, inplace: true });
    expect(new Set(await listed(x))).toEqual(new Set([0, 2]));
  });
});
