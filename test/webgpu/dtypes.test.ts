/** What the GPU does with dtypes it has not: int64 is narrowed if it fits, float64 is refused. */

import { expect, test } from 'vitest';
import * as torch from '../../ts/index.js';
import type { Tensor } from '../../ts/tensor.js';
import { withGpu } from './agree.js';

const gpu = { device: 'webgpu' } as const;
const long = { ...gpu, dtype: torch.int64 } as const;
const [largest, least] = [2n ** 31n - 1n, -(2n ** 31n)];

const FITTING: Readonly<Record<string, [() => Tensor, readonly number[]]>> = {
  'numbers that are moved': [
    () => torch.tensor([largest, least]).to('webgpu'),
    [2147483647, -2147483648],
  ],
  bigints: [() => torch.tensor([1n, 2n, largest], gpu), [1, 2, 2147483647]],
  'plain numbers': [() => torch.tensor([1, 2, 3], long), [1, 2, 3]],
  'a typed array of its own': [
    () => torch.tensor(new BigInt64Array([5n, -6n, 7n]), gpu),
    [5, -6, 7],
  ],
  'a typed array of another dtype': [() => torch.tensor(new Int32Array([5, -6]), long), [5, -6]],
  arange: [() => torch.arange(3, 9, 2, long), [3, 5, 7]],
  linspace: [() => torch.linspace(0, 10, 3, long), [0, 5, 10]],
  full: [() => torch.full([2], least, gpu), [-2147483648, -2147483648]],
  randperm: [() => torch.randperm(1, long), [0]],
};

const TOO_LARGE: Readonly<Record<string, () => unknown>> = {
  'numbers that are moved': () => torch.tensor([largest + 1n]).to('webgpu'),
  bigints: () => torch.tensor([1n, least - 1n], gpu),
  'plain numbers': () => torch.tensor([2 ** 31], long),
  'a typed array of its own': () => torch.tensor(new BigInt64Array([2n ** 40n]), gpu),
  arange: () => torch.arange(2 ** 31 - 1, 2 ** 31 + 1, long),
  full: () => torch.full([2], 2 ** 40, long),
  'fill_()': () => torch.zeros([2], long).fill_(2n ** 31n),
  'a number beside a tensor': () => torch.zeros([2], long).add(2 ** 31),
  'a comparison': () => torch.zeros([2], long).gt(-(2 ** 40)),
  'a bound': () => torch.zeros([2], long).clamp({ max: 2 ** 31 }),
  'an element': () => torch.zeros([2], long).setAt([0], 2 ** 31),
  'randint()': () => torch.randint(0, 2 ** 40, [2], long),
};

const DOUBLE: Readonly<Record<string, () => unknown>> = {
  'x.double()': () => torch.ones([2], gpu).double(),
  'x.sum(dtype)': () => torch.ones([2], gpu).sum({ dtype: torch.float64 }),
  'a tensor that is moved': () => torch.ones(2).double().to('webgpu'),
  'a module that is moved': () => new torch.nn.Linear(2, 2).double().to('webgpu'),
  'a typed array': () => torch.tensor(new Float64Array([1]), gpu),
};

await withGpu('dtypes the GPU has not', () => {
  test.each(Object.entries(FITTING))('int64 becomes int32: %s', async (_, [make, expected]) => {
    const x = make();
    expect(x.dtype).toBe(torch.int32);
    expect(await x.tolist()).toEqual(expected);
  });

  test.each(Object.entries(TOO_LARGE))('int64 that does not fit is refused: %s', (_, make) => {
    expect(make).toThrow(torch.ValueError);
    expect(make).toThrow(/not (all )?fit/);
  });

  test('floats that become int64 are checked where they are, and told at the next read', async () => {
    const float = { ...gpu, dtype: torch.float32 } as const;
    const fitting = torch.tensor([-(2 ** 31), 2 ** 31 - 128, -1.5], float).long();
    expect(await fitting.tolist()).toEqual([-(2 ** 31), 2 ** 31 - 128, -1]);
    for (const value of [2 ** 31, 1e10, -(2 ** 31) - 256]) {
      const large = torch.tensor([1, value], float).long();
      await expect(large.tolist()).rejects.toThrow(/does not fit/);
    }
    const whole = torch.tensor([1e10], float).int();
    expect(await whole.tolist()).toHaveLength(1);
  });

  test('classes become rows of integers', async () => {
    const { oneHot } = torch.nn.functional;
    const classes = torch.tensor([2, 0], long);
    const hot = await oneHot(classes, 3);
    expect(await hot.tolist()).toEqual([
      [0, 0, 1],
      [1, 0, 0],
    ]);
    await expect((await oneHot(classes, 2)).tolist()).rejects.toThrow(/out of range/);
  });

  test.each(Object.entries(DOUBLE))('float64 says what to do: %s', (_, make) => {
    expect(make).toThrow(torch.DtypeError);
    expect(make).toThrow('use torch.float32 (x.float()), or compute on the CPU');
  });
});
