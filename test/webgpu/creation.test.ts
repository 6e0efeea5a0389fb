/** New tensors of int64 on the GPU, which keeps them as int32. */

import { expect, test } from 'vitest';
import * as torch from '../../ts/index.js';
import { withGpu } from './agree.js';

const there = { dtype: torch.int64, device: 'webgpu' } as const;

await withGpu('int64 on the GPU', () => {
  test.each<[string, () => torch.Tensor, number[]]>([
    ['bigints', () => torch.tensor([1n, -2n, 3n], there), [1, -2, 3]],
    ['a typed array', () => torch.tensor(BigInt64Array.of(5n, -6n), there), [5, -6]],
    ['numbers', () => torch.tensor([1, 2, 3], there), [1, 2, 3]],
    ['arange', () => torch.arange(4, there), [0, 1, 2, 3]],
    ['linspace', () => torch.linspace(0, 4, 3, there), [0, 2, 4]],
    ['full', () => torch.full([2], 7, there), [7, 7]],
    ['setAt', () => torch.zeros(2, there).setAt(['...'], [8n, 9n]), [8, 9]],
  ])('%s are int32', async (_, make, values) => {
    const x = make();
    expect([x.dtype, await x.tolist()]).toEqual([torch.int32, values]);
  });

  test('random integers are those of the CPU', async () => {
    for (const draw of [
      (options: object) => torch.randperm(20, options),
      (options: object) => torch.randint(-5, 100, [20], options),
    ]) {
      torch.manualSeed(3);
      const expected = draw({ dtype: torch.int64 }).tolistSync();
      torch.manualSeed(3);
      expect(await draw(there).tolist()).toEqual(expected);
    }
  });

  test('what does not fit is refused', () => {
    expect(() => torch.tensor([2 ** 31], there)).toThrow('does not fit torch.int32');
    expect(() => torch.tensor(BigInt64Array.of(2n ** 40n), there)).toThrow('does not fit');
    expect(() => torch.full([2], 2 ** 31, there)).toThrow('does not fit torch.int32');
    expect(() => torch.randint(0, 2 ** 33, [2], there)).toThrow('do not all fit torch.int32');
  });
});
