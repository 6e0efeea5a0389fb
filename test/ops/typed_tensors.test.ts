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
