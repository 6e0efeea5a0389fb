/** Borders around tensors, and classes as rows of zeros with a one: functions without a method. */

import { flat } from '../autograd/flat.js';
import { int32 } from '../core/dtype.js';
import { DtypeError, ShapeError, showShape, ValueError } from '../core/errors.js';
import type { Tensor } from '../tensor.js';
import { applyPrimitive } from './apply.js';
import { ones, tensor } from './creation.js';
import { indexSelect } from './gathering.js';
import { afterReading } from './later.js';
import { sumDtype } from './promote.js';
import { constantPadNd } from './rearrange.js';
import { clone, reshape } from './shape.js';
import { op } from './signature.js';

/** How the border is filled. */
export type PadMode = 'constant' | 'reflect' | 'replicate' | 'circular';

/** The position that output position i of one dimension shows; -1 if the border is too wide. */
function source(mode: PadMode, i: number, size: number, before: number, after: number): number {
  if (mode === 'circular') {
    const first = Math.max(0, -before);
    const kept = size - first - Math.max(0, -after);
    const around = i - Math.max(0, before);
    return around < -kept || around >= 2 * kept ? -1 : first + ((around + kept) % kept);
  }
  const at = i - before;
  if (mode === 'replicate') return size === 0 ? -1 : Math.min(Math.max(at, 0), size - 1);
  const result = at < 0 ? -at : at >= size ? 2 * (size - 1) - at : at;
  return result < 0 || result >= size ? -1 : result;
}

function padDim(input: Tensor, dim: number, mode: PadMode, before: number, after: number): Tensor {
  const size = input.shape[dim];
  const length = size + before + after;
  if (length < 0 || (length === 0 && size > 0)) {
    throw new ShapeError(
      `pad: (${before}, ${after}) leaves nothing of dimension ${dim} of shape ` +
        showShape(input.shape),
    );
  }
  const index = Int32Array.from({ length }, (_, i) => source(mode, i, size, before, after));
  if (index.includes(-1)) {
    throw new ShapeError(
      `pad: a border of (${before}, ${after}) in mode '${mode}' needs a larger dimension ${dim}; ` +
        `the shape is ${showShape(input.shape)}`,
    );
  }
  return indexSelect(input, dim, tensor(index, { device: input.device }));
}

/**
 * A border around the last dimensions: `pad` is (before, after) of the last one, then of the one
 * before it, and so on; negative sizes crop. Modes: 'constant' (of `value`), 'reflect' (without
 * repeating the edge), 'replicate' (the edge), 'circular'.
 */
export const pad = op(
  'pad',
  'input, pad, mode, value',
  (
    input: Tensor,
    sizes: readonly number[],
    mode: PadMode = 'constant',
    value: number | null = null,
  ): Tensor => {
    if (mode === 'constant') return constantPadNd(input, sizes, value ?? 0);
    if (!['reflect', 'replicate', 'circular'].includes(mode)) {
      throw new ValueError(
        `pad: mode is 'constant', 'reflect', 'replicate' or 'circular', got '${mode}'`,
      );
    }
    if (value !== null && value !== 0) {
      throw new ValueError(`pad: mode '${mode}' takes no value, got ${value}`);
    }
    const count = sizes.length / 2;
    if (
      !Number.isInteger(count) ||
      count < 1 ||
      count > 3 ||
      ![1, 2].includes(input.ndim - count)
    ) {
      throw new ShapeError(
        `pad: mode '${mode}' takes 2, 4 or 6 sizes for a tensor with one or two dimensions more ` +
          `than are padded, got [${sizes.join(', ')}] for shape ${showShape(input.shape)}`,
      );
    }
    const first = mode === 'circular' ? input : flat(input);
    let result = first;
    for (let i = 0; i < count; i++) {
      const [before, after] = [sizes[2 * i], sizes[2 * i + 1]];
      if (before !== 0 || after !== 0) {
        result = padDim(result, input.ndim - 1 - i, mode, before, after);
      }
    }
    return result === first ? clone(first) : result;
  },
);

/** Each class c of an integer tensor as a row of `numClasses` zeros with a 1 at c. */
export const oneHot = op(
  'oneHot',
  'tensor, numClasses',
  (classes: Tensor, numClasses = -1): Tensor => {
    if (classes.dtype.category !== int32.category) {
      throw new DtypeError(`oneHot: classes are integers, got ${classes.dtype}; cast with int()`);
    }
    if (!classes.backend.synchronous) {
      if (numClasses >= 0 || classes.numel() === 0) return hot(classes, numClasses);
      return afterReading('oneHot', classes.max(), ([largest]) =>
        hot(classes, Number(largest) + 1),
      );
    }
    if (classes.numel() === 0) {
      if (numClasses < 0) {
        throw new ValueError(
          'oneHot: an empty tensor says nothing of the number of classes; give it',
        );
      }
      return hot(classes, numClasses);
    }
    if (numberOf(classes.min()) < 0) {
      throw new ValueError('oneHot: class values must not be negative');
    }
    const largest = numberOf(classes.max());
    const count = numClasses < 0 ? largest + 1 : numClasses;
    if (largest >= count) {
      throw new ValueError(
        `oneHot: class ${largest} needs at least ${largest + 1} classes, got numClasses ${count}`,
      );
    }
    return hot(classes, count);
  },
);

/** The one element of a tensor that nobody else holds. */
function numberOf(single: Tensor): number {
  const value = Number(single.dataSync()[0]);
  single.dispose();
  return value;
}

/** Ones scattered into rows of `count` zeros. */
function hot(classes: Tensor, count: number): Tensor {
  if (count <= 0 && classes.numel() === 0) {
    throw new ValueError(`oneHot: numClasses must be positive, got ${count}`);
  }
  const index = reshape(classes, [classes.numel(), 1, 1]);
  const { dtype, device } = classes;
  const marks = ones(index.shape, { dtype: sumDtype(dtype, null), device });
  const [rows] = applyPrimitive('gatherBackward', [marks, index], { n: count });
  return reshape(rows, [...classes.shape, count]);
}
