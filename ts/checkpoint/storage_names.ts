/** The names of PyTorch's storage classes. */

import type { DtypeName } from '../core/dtype.js';

export const storageClasses: { readonly [K in DtypeName]: string } = {
  float64: 'DoubleStorage',
  float32: 'FloatStorage',
  float16: 'HalfStorage',
  bfloat16: 'BFloat16Storage',
  int64: 'LongStorage',
  int32: 'IntStorage',
  int16: 'ShortStorage',
  int8: 'CharStorage',
  uint8: 'ByteStorage',
  bool: 'BoolStorage',
};
