/** PyTorch's typed constructors: `torch.LongTensor([1, 2])`, `torch.FloatTensor(2, 3)`. */

import * as dt from '../core/dtype.js';
import type { Tensor } from '../tensor.js';
import { tensor, zeros } from './creation.js';

type Data = Parameters<typeof tensor>[0];

/** Called with data, or with sizes for a tensor of zeros; with `new` or without. */
export interface TypedTensor {
  (...sizes: number[]): Tensor;
  (data: Exclude<Data, number>): Tensor;
  new (...sizes: number[]): Tensor;
  new (data: Exclude<Data, number>): Tensor;
}

function typed(dtype: dt.Dtype): TypedTensor {
  return function make(...args: unknown[]): Tensor {
    if (args.length === 0) return zeros(0, { dtype });
    const isShape = args.every((arg) => typeof arg === 'number');
    return isShape ? zeros(args as number[], { dtype }) : tensor(args[0] as Data, { dtype });
  } as unknown as TypedTensor;
}

export const FloatTensor = typed(dt.float32);
export const DoubleTensor = typed(dt.float64);
export const HalfTensor = typed(dt.float16);
export const BFloat16Tensor = typed(dt.bfloat16);
export const LongTensor = typed(dt.int64);
export const IntTensor = typed(dt.int32);
export const ShortTensor = typed(dt.int16);
export const CharTensor = typed(dt.int8);
export const ByteTensor = typed(dt.uint8);
export const BoolTensor = typed(dt.bool);
