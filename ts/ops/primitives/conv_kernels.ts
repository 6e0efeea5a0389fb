/** What the kernels of convolutions take: see kernels/conv.c and kernels/conv_scatter.c. */

import { kernel, REALS } from '../kernel.js';

export const convPad = kernel({
  dtypes: REALS,
  buffers: ['x', 'out'],
  params: {
    height: 'u32',
    width: 'u32',
    rows: 'u32',
    cols: 'u32',
    phases: 'u32',
    top: 'i32',
    left: 'i32',
  },
});

const shapeWords = {
  groups: 'u32',
  channels: 'u32',
  filters: 'u32',
  kernel_h: 'u32',
  kernel_w: 'u32',
  stride_h: 'u32',
  stride_w: 'u32',
  dilation_h: 'u32',
  dilation_w: 'u32',
} as const;

export const convFlip = kernel({ dtypes: REALS, buffers: ['weight', 'out'], params: shapeWords });

const windowParams = {
  ...shapeWords,
  rows: 'u32',
  cols: 'u32',
  slice: 'u32',
  units: 'u32',
  per_unit: 'u32',
} as const;

export const conv2dKernel = kernel({
  dtypes: REALS,
  buffers: ['x', 'weight', 'bias', 'out', 'scratch'],
  params: {
    ...windowParams,
    phases: 'u32',
    biased: 'u32',
    out_h: 'u32',
    out_w: 'u32',
    row_block: 'u32',
  },
});

export const inputGradKernel = kernel({
  dtypes: REALS,
  buffers: ['g', 'weight', 'out', 'scratch'],
  params: {
    ...windowParams,
    height: 'u32',
    width: 'u32',
    pad_h: 'u32',
    pad_w: 'u32',
    top: 'u32',
    left: 'u32',
    row_block: 'u32',
    blocks: 'u32',
  },
});

export const weightGradKernel = kernel({
  dtypes: REALS,
  buffers: ['x', 'g', 'out', 'scratch'],
  params: {
    ...windowParams,
    phases: 'u32',
    batch: 'u32',
    out_h: 'u32',
    out_w: 'u32',
    g_cols: 'u32',
  },
});

export const scatterKernel = kernel({
  dtypes: REALS,
  buffers: ['g', 'weight', 'out', 'scratch'],
  params: {
    ...shapeWords,
    pad_h: 'u32',
    pad_w: 'u32',
    height: 'u32',
    width: 'u32',
    out_h: 'u32',
    out_w: 'u32',
    together: 'u32',
    slice: 'u32',
    units: 'u32',
    per_unit: 'u32',
  },
});
