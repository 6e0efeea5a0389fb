/**
 * True elements: their positions, and reading or writing the elements under a mask. `countTrue`
 * comes first and gives the start of every block (and last the total, from which the caller makes
 * the output's size); the others take those starts.
 */

import { bool, type Dtype, int32 } from '../../core/dtype.js';
import { ShapeError, showShape } from '../../core/errors.js';
import { numelOf } from '../../core/layout.js';
import type { Tensor } from '../../tensor.js';
import { kernel, WIDTHS } from '../kernel.js';
import { primitive } from '../row.js';
import { width } from './index.js';

/** Elements per block, as in kernels/index_mask.c. */
const BLOCK = 4096;

const truth = { n: 'u32', maskLow: 'u32', maskHigh: 'u32' } as const;

const countKernel = kernel({ dtypes: WIDTHS, buffers: ['x', 'counts'], params: truth });
const runningKernel = kernel({ dtypes: ['i32'], buffers: ['counts'], params: { blocks: 'u32' } });
const fillKernel = kernel({
  dtypes: WIDTHS,
  buffers: ['x', 'starts', 'out'],
  params: { ...truth, shape: 'u32[]' },
});
const selectKernel = kernel({
  dtypes: WIDTHS,
  buffers: ['x', 'mask', 'starts', 'out'],
  params: { n: 'u32' },
});
const scatterKernel = kernel({
  dtypes: WIDTHS,
  buffers: ['x', 'mask', 'starts', 'source', 'out'],
  params: { n: 'u32' },
});

/** The bits of an element that make it true: all, but not the sign of a float. */
export function truthMask(dtype: Dtype): { maskLow: number; maskHigh: number } {
  const bits = 8 * dtype.size - (dtype.isFloatingPoint ? 1 : 0);
  return {
    maskLow: bits >= 32 ? 0xffffffff : 2 ** bits - 1,
    maskHigh: bits > 32 ? 2 ** (bits - 32) - 1 : 0,
  };
}

function blocksOf(x: Tensor): number {
  return Math.ceil(numelOf(x.shape) / BLOCK);
}

/**
 * How many elements of x (any dtype) are not zero before each block of 4096, and in all: int32
 * [blocks + 1].
 */
export const countTrue = primitive<Record<never, never>>()({
  kernels: { nonzeroCount: countKernel, runningSum: runningKernel },
  inputs: ['x'],
  dtypes: 'any',
  outputs: ([x]) => [{ shape: [blocksOf(x) + 1], dtype: int32 }],
  run(launcher, [x], [starts]) {
    const blocks = blocksOf(x);
    const values = { n: numelOf(x.shape), ...truthMask(x.dtype) };
    launcher.launch('nonzeroCount', countKernel, width(x.dtype), [x, starts], values, blocks);
    launcher.launch('runningSum', runningKernel, 'i32', [starts], { blocks }, 1);
  },
});

/** Coordinates of the `count` elements that are not zero (NaN is not), in order: int32 [count, ndim]. */
export const nonzeroFill = primitive<{ count: number }>()({
  kernels: { nonzeroFill: fillKernel },
  inputs: ['x', 'starts'],
  dtypes: 'any',
  index: [1],
  outputs: ([x], { count }) => [{ shape: [count, x.shape.length], dtype: int32 }],
  run(launcher, [x, starts], [out]) {
    const values = { n: numelOf(x.shape), ...truthMask(x.dtype), shape: x.shape };
    launcher.launch(
      'nonzeroFill',
      fillKernel,
      width(x.dtype),
      [x, starts, out],
      values,
      blocksOf(x),
    );
  },
});

function checkMask(name: string, x: Tensor, mask: Tensor): void {
  if (mask.dtype !== bool || numelOf(mask.shape) !== numelOf(x.shape)) {
    throw new ShapeError(
      `${name}: expected a bool mask of shape ${showShape(x.shape)}, got ` +
        `${mask.dtype} ${showShape(mask.shape)}; broadcast it first`,
    );
  }
}

/** The `count` elements of x (any dtype) where mask (same shape) is true, in order: [count]. */
export const maskedSelect = primitive<{ count: number }>()({
  kernels: { maskedSelect: selectKernel },
  inputs: ['x', 'mask', 'starts'],
  dtypes: 'any',
  mask: [1],
  index: [2],
  outputs([x, mask], { count }) {
    checkMask('maskedSelect', x, mask);
    return [{ shape: [count], dtype: x.dtype }];
  },
  run(launcher, [x, mask, starts], [out]) {
    const buffers = [x, mask, starts, out];
    const values = { n: numelOf(x.shape) };
    const range = blocksOf(x);
    launcher.launch('maskedSelect', selectKernel, width(x.dtype), buffers, values, range);
  },
});

/** x where mask is false, the next of the `count` (or more) elements of source where true. */
export const maskedScatter = primitive<{ count: number }>()({
  kernels: { maskedScatter: scatterKernel },
  inputs: ['x', 'mask', 'starts', 'source'],
  dtypes: 'any',
  mask: [1],
  index: [2],
  outputs([x, mask, , source], { count }) {
    checkMask('maskedScatter', x, mask);
    if (numelOf(source.shape) < count) {
      throw new ShapeError(
        `maskedScatter: the mask has ${count} true elements but source ` +
          `${showShape(source.shape)} holds only ${numelOf(source.shape)}`,
      );
    }
    return [{ shape: x.shape, dtype: x.dtype }];
  },
  run(launcher, [x, mask, starts, source], [out]) {
    const buffers = [x, mask, starts, source, out];
    const values = { n: numelOf(x.shape) };
    const range = blocksOf(x);
    launcher.launch('maskedScatter', scatterKernel, width(x.dtype), buffers, values, range);
  },
});
