/** Batched matrix products on the GPU. */

import source from '../../../kernels/matmul.wgsl';
import { suffix } from '../../core/dtype.js';
import { gpuKernel } from '../../device/webgpu/kernel.js';
import type { Twins } from './twin.js';

const TILE = 64;

const matmulKernel = gpuKernel({
  source,
  entry: 'matmul',
  dtypes: ['f32', 'i32'],
  buffers: { a: 'S', b: 'S', bias: 'S', out: 'S' },
  params: {
    rows: 'u32',
    cols: 'u32',
    depth: 'u32',
    a_batch: 'u32',
    a_row: 'u32',
    a_depth: 'u32',
    b_batch: 'u32',
    b_depth: 'u32',
    b_col: 'u32',
    biased: 'u32',
  },
});

export const matmulTwins: Twins<'matmul'> = {
  matmul: {
    kernels: { matmul: matmulKernel },
    run(launcher, [a, b, bias], [out]) {
      const [batch, rows, depth] = a.shape;
      const cols = b.shape[2];
      const [aBatch, aRow, aDepth] = a.strides;
      const [bBatch, bDepth, bCol] = b.strides;
      const params = {
        rows,
        cols,
        depth,
        a_batch: aBatch,
        a_row: aRow,
        a_depth: aDepth,
        b_batch: bBatch,
        b_depth: bDepth,
        b_col: bCol,
        biased: bias === undefined ? 0 : 1,
      };
      const groups = batch * Math.ceil(rows / TILE) * Math.ceil(cols / TILE);
      const buffers = [a, b, bias ?? out, out];
      launcher.launch('matmul', matmulKernel, suffix(out.dtype), buffers, params, groups);
    },
  },
};
