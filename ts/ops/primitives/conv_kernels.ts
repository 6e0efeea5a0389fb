/** What the kernels of convolutions take: see kernels/conv.c. */

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
    kept: 'u32',
    row_step: 'u32',
    top: 'i32',
    left: 'i32',
  },
});

const windowWords = {
  kernel_h: 'u32',
  kernel_w: 'u32',
  stride_h: 'u32',
  stride_w: 'u32',
  dilation_h: 'u32',
  dilation_w: 'u32',
} as const;

const shapeWords = {
  groups: 'u32',
  channels: 'u32',
  filters: 'u32',
  ...windowWords,
} as const;

export const convFlip = kernel({
  dtypes: REALS,
  buffers: ['weight', 'out'],
  params: { ...shapeWords, last: 'u32' },
});

const productWords = {
  groups: 'u32',
  channels: 'u32',
  filters: 'u32',
  taps_h: 'u32',
  taps_w: 'u32',
  plane: 'u32',
  cols: 'u32',
  tap_row: 'i32',
  tap_step: 'i32',
  phases: 'u32',
  source_row: 'u32',
  line_rows: 'u32',
  line_plane: 'u32',
  line_row: 'u32',
  line_words: 'u32',
  grid_h: 'u32',
  grid_w: 'u32',
  direct: 'u32',
  row_block: 'u32',
  col_block: 'u32',
  units: 'u32',
  per_unit: 'u32',
  slice: 'u32',
} as const;

export const productKernel = kernel({
  dtypes: REALS,
  buffers: ['source', 'weight', 'bias', 'out', 'scratch'],
  params: {
    ...productWords,
    source_at: 'u32',
    weight_at: 'u32',
    weight_group: 'u32',
    biased: 'u32',
    together: 'u32',
    staged: 'u32',
    out_at: 'u32',
    out_plane: 'u32',
    out_row: 'u32',
    out_step: 'u32',
    apart: 'u32',
    band: 'u32',
    pad_h: 'u32',
    pad_w: 'u32',
    height: 'u32',
    width: 'u32',
  },
});

export const weightsKernel = kernel({
  dtypes: REALS,
  buffers: ['source', 'g', 'out', 'scratch'],
  params: { ...productWords, batch: 'u32', together: 'u32' },
});

export const mergeKernel = kernel({
  dtypes: ['f32'],
  buffers: ['x', 'out'],
  params: { units: 'u32', size: 'u32', cols: 'u32', row_step: 'u32', col_step: 'u32' },
});

const gradientWords = {
  ...shapeWords,
  pad_h: 'u32',
  pad_w: 'u32',
  height: 'u32',
  width: 'u32',
  out_h: 'u32',
  out_w: 'u32',
  batch: 'u32',
  together: 'u32',
  slice: 'u32',
  units: 'u32',
  per_unit: 'u32',
} as const;

export const scatterKernel = kernel({
  dtypes: REALS,
  buffers: ['g', 'weight', 'out', 'scratch'],
  params: {
    ...gradientWords,
    images: 'u32',
    downs: 'u32',
    rows: 'u32',
    part: 'u32',
    pitch: 'u32',
    strip: 'u32',
    space: 'u32',
    line: 'u32',
    spots: 'u32',
  },
});

export const turnedKernel = kernel({
  dtypes: REALS,
  buffers: ['g', 'weight', 'out', 'scratch'],
  params: { ...gradientWords, step: 'u32', pitch: 'u32' },
});

export const depthKernel = kernel({
  dtypes: ['f32'],
  buffers: ['x', 'weight', 'bias', 'out', 'scratch'],
  params: {
    form: 'u32',
    edged: 'u32',
    input: 'u32',
    batch: 'u32',
    channels: 'u32',
    height: 'u32',
    width: 'u32',
    out_h: 'u32',
    out_w: 'u32',
    out_y: 'u32',
    out_x: 'u32',
    ...windowWords,
    pad_h: 'u32',
    pad_w: 'u32',
    top: 'i32',
    left: 'i32',
    rows: 'u32',
    cols: 'u32',
    lines: 'u32',
    places: 'u32',
    together: 'u32',
    step: 'u32',
    biased: 'u32',
    units: 'u32',
    per_unit: 'u32',
    slice: 'u32',
  },
});
