/** Other dtypes and devices for the same elements. */

import { isGradEnabled, noGrad } from '../autograd/mode.js';
import * as dt from '../core/dtype.js';
import { DeviceError, ValueError } from '../core/errors.js';
import { rowMajor } from '../core/layout.js';
import { scope } from '../core/memory.js';
import { checkOptions, isOptions } from '../core/options.js';
import type { DeviceType } from '../device/device.js';
import { deviceOf } from '../device/registry.js';
import { emptyTensor, isTensor, stridesLike, Tensor } from '../tensor.js';
import { recordAs } from './apply.js';
import { elementwise } from './elementwise.js';
import { cast as castElements, copyInto, dense } from './launch.js';
import { checkFormat, type MemoryFormat } from './memory_format.js';
import { any } from './reductions.js';
import { clone, contiguous } from './shape.js';

export interface ToOptions {
  dtype?: dt.Dtype | null;
  device?: DeviceType | null;
  copy?: boolean;
  nonBlocking?: boolean;
  memoryFormat?: MemoryFormat | null;
}

const TO_OPTIONS = ['dtype', 'device', 'copy', 'nonBlocking', 'memoryFormat', 'other'];

/**
 * The tensor under another dtype, on another device, or as another tensor is: `to(dtype)`,
 * `to(device)`, `to(device, dtype)`, `to(other)`, each with `{ copy }`. Itself if nothing changes.
 */
export const to = (
  input: Tensor,
  ...args: (dt.Dtype | DeviceType | Tensor | ToOptions | boolean | null)[]
): Tensor => {
  input.assertLive('to');
  let dtype: dt.Dtype = input.dtype;
  let device: DeviceType = input.device;
  let flags = 0;
  let copy = false;
  let format: MemoryFormat | undefined | null;
  for (const arg of args) {
    if (arg instanceof dt.Dtype) dtype = arg;
    else if (typeof arg === 'string') device = arg;
    else if (typeof arg === 'boolean') copy = flags++ === 1 ? arg : copy;
    else if (isTensor(arg)) {
      dtype = arg.dtype;
      device = arg.device;
    } else if (isOptions(arg)) {
      checkOptions('to', arg, TO_OPTIONS);
      const options = arg as ToOptions;
      checkFormat('to', options.memoryFormat);
      format = options.memoryFormat;
      dtype = options.dtype ?? dtype;
      device = options.device ?? device;
      copy = options.copy ?? copy;
    } else if (arg !== null) {
      throw new ValueError(
        `to: expected a dtype, a device, a tensor or options, got ${String(arg)}`,
      );
    }
  }
  dt.assertDtype('to', dtype);
  const moved = device === input.device ? input : move(input, device);
  const copied = copy && moved === input ? clone(input) : moved;
  const result = dtype === moved.dtype ? copied : convert(moved, dtype);
  return format === 'contiguousFormat' ? contiguous(result) : result;
};

/**
 * On a device that keeps `dtype` as a smaller one, has the next read refuse floats that only the
 * former would hold; NaN and infinities have no integer in either.
 */
function refuseLater(input: Tensor, dtype: dt.Dtype): void {
  const { backend } = input;
  const stored = backend.stored(dtype);
  const wide = input.dtype === dt.float32 || input.dtype === dt.bfloat16;
  if (stored === dtype || !wide || input.numel() === 0) return;
  if (backend.status === undefined || backend.defer === undefined) return;
  const { storage, offset, dtype: word } = backend.status();
  const limit = 2 ** (8 * stored.size - 1);
  scope(() =>
    noGrad(() => {
      const beyond = elementwise.logicalOr(input.ge(limit), input.lt(-limit));
      const finite = elementwise.logicalAnd(beyond, input.isfinite());
      const found = castElements(any(finite), word);
      copyInto(new Tensor(storage, rowMajor([]), offset, word), found);
    }),
  );
  backend.defer(
    { storage, offset, dtype: word },
    () =>
      new ValueError(
        `to: '${input.device}' keeps ${dtype} as ${stored}, and a number in ${input.dtype} does ` +
          'not fit; convert on the CPU, or bring the values into range',
      ),
  );
}

function convert(input: Tensor, dtype: dt.Dtype): Tensor {
  refuseLater(input, dtype);
  const result = castElements(input, dtype);
  if (!dtype.isFloatingPoint || !isGradEnabled()) return result;
  return recordAs('alias', input, result, {}, 'ToCopyBackward0');
}

function move(input: Tensor, device: DeviceType): Tensor {
  const target = deviceOf(device);
  if (!input.backend.synchronous) {
    throw new DeviceError(`to: reading '${input.device}' back is asynchronous; use await x.cpu()`);
  }
  const stored = target.stored(input.dtype);
  const source = stored === input.dtype ? dense(input) : narrowed(input, stored, device);
  const { storage_, offset, dtype } = source;
  const result = emptyTensor(input.shape, dtype, target, stridesLike(source));
  const bytes = storage_.device.readSync(
    storage_.handle,
    offset * dtype.size,
    input.numel() * dtype.size,
  );
  target.write(result.storage_.handle, 0, bytes);
  return recordAs('alias', input, result, {}, 'ToCopyBackward0');
}

/** Integers under a smaller dtype that the device has; throws if one does not fit. */
function narrowed(input: Tensor, dtype: dt.Dtype, device: DeviceType): Tensor {
  for (const value of input.dataSync()) {
    if (value === BigInt.asIntN(8 * dtype.size, value as bigint)) continue;
    throw new ValueError(
      `to: '${device}' keeps ${input.dtype} as ${dtype}, and ${value} does not fit; ` +
        'keep this tensor on the CPU, or bring its values into range',
    );
  }
  return castElements(input, dtype);
}

/** Each dtype has its method: `x.float()`, `x.long()`. */
const castTo =
  (dtype: dt.Dtype) =>
  (input: Tensor, _options?: { memoryFormat?: MemoryFormat }): Tensor =>
    input.dtype === dtype ? input : to(input, dtype);

export const float = castTo(dt.float32);
export const double = castTo(dt.float64);
export const half = castTo(dt.float16);
export const bfloat16 = castTo(dt.bfloat16);
export const int = castTo(dt.int32);
export const long = castTo(dt.int64);
export const short = castTo(dt.int16);
export const char = castTo(dt.int8);
export const byte = castTo(dt.uint8);
export const bool = castTo(dt.bool);

export const type = (input: Tensor, dtype: dt.Dtype): Tensor => to(input, dtype);
export const typeAs = (input: Tensor, other: Tensor): Tensor => to(input, other.dtype);
