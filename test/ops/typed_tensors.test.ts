/** Typed constructors. */

import { expect, it } from 'vitest';
import * as torch from '../../ts/index.js';

it.each([
  ['FloatTensor', torch.float32],
  ['DoubleTensor', torch.float64],
  ['HalfTensor', torch.float16],
  ['BFloat16Tensor', torch.bfloat16],
  ['LongTensor', torch.int64],
  ['IntTensor', torch.int32],
  ['ShortTensor', torch.int16],
  ['CharTensor', torch.int8],
  ['ByteTensor', torch.uint8],
] as const)('%s makes tensors of its dtype, of data or of sizes', (name, dtype) => {
  const { [name]: Typed } = torch;
  const data = Typed([
    [1, 2],
    [3, 4],
  ]);
  expect(data.dtype).toBe(dtype);
  expect(data.tolistSync()).toEqual([
    [1, 2],
    [3, 4],
  ]);
  const made = new Typed(2, 3);
  expect([made.dtype, made.shape]).toEqual([dtype, [2, 3]]);
  expect(Typed().shape).toEqual([0]);
});

it('BoolTensor holds truth values; ragged data is refused', () => {
  expect(torch.BoolTensor([0, 2]).tolistSync()).toEqual([false, true]);
  expect(() => torch.LongTensor([[1], [2, 3]])).toThrow(torch.ShapeError);
});

const { int32, int64, uint8, int8 } = torch;

it('numbers that do not fit int32 make int64, and those that are not exact make floats', () => {
  expect(torch.tensor([2 ** 31 - 1, -(2 ** 31)]).dtype).toBe(int32);
  const wide = torch.tensor([1, 2 ** 31]);
  expect([wide.dtype, wide.tolistSync()]).toEqual([int64, [1, 2 ** 31]]);
  expect(torch.tensor(1e300, { dtype: torch.float64 }).itemSync()).toBe(1e300);
  expect(torch.tensor(2 ** 60).dtype).toBe(torch.float32);
  const range = torch.arange(2 ** 31 - 1, 2 ** 31 + 1);
  expect([range.dtype, range.tolistSync()]).toEqual([int64, [2 ** 31 - 1, 2 ** 31]]);
});

it.each<[string, () => unknown]>([
  ['data', () => torch.tensor([1, 2 ** 31], { dtype: int32 })],
  ['a bigint', () => torch.tensor(2n ** 63n)],
  ['a typed array', () => torch.tensor(Float32Array.of(-129), { dtype: int8 })],
  ['no number', () => torch.tensor([Number.NaN], { dtype: int64 })],
  ['full', () => torch.full([2], 256, { dtype: uint8 })],
  ['fill_', () => torch.zeros(2, { dtype: int32 }).fill_(-(2 ** 31) - 1)],
])('%s that an integer dtype does not hold is refused', (_, make) => {
  expect(make).toThrow(torch.ValueError);
  expect(make).toThrow('does not fit torch.');
});

it('integers reach to the ends of their dtypes, and bytes count negative ones from their end', () => {
  const ends = torch.tensor([-(2n ** 63n), 2n ** 63n - 1n]);
  expect(ends.dataSync()).toEqual(BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n));
  expect(torch.tensor([-128.9, 127.9], { dtype: int8 }).tolistSync()).toEqual([-128, 127]);
  expect(torch.tensor([-1, 255], { dtype: uint8 }).tolistSync()).toEqual([255, 255]);
});
