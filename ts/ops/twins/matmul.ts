/** Batched matrix products on the GPU. */

import matmulSource from '../../../kernels/matmul.wgsl';
import thinSource from '../../../kernels/matmul_thin.wgsl';
import { suffix } from '../../core/dtype.js';
import { gpuKernel } from '../../device/webgpu/kernel.js';
import type { Tensor } from '../../tensor.js';
import type { Launcher } from '../row.js';
import { inSlices, launchTiled, planOf, splitSumKernel, tiled } from './gemm.js';
import type { Twins } from './twin.js';

const operands = {
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
} as const;
const buffers = { a: 'S', b: 'S', bias: 'S', out: 'S' } as const;

const matmulKernels = tiled('matmul', {
  source: matmulSource,
  entry: 'matmul',
  dtypes: ['f32', 'i32'],
  buffers,
  params: { ...operands, splits: 'u32' },
});

const thinKernel = gpuKernel({
  source: thinSource,
  entry: 'matmul_thin',
  dtypes: ['f32', 'i32'],
  buffers,
  params: { ...operands, out_row: 'u32', out_col: 'u32', bias_row: 'u32', bias_col: 'u32' },
});

/** Rows the thin kernel does at once, and columns of its workgroups. */
const THIN = 4;
const THIN_COLS = 32;

interface Operand {
  readonly tensor: Tensor;
  readonly batch: number;
  /** Stride of the rows of A, of the columns of B. */
  readonly side: number;
  readonly depth: number;
}

interface Product {
  readonly a: Operand;
  readonly b: Operand;
  readonly rows: number;
  readonly cols: number;
  readonly depth: number;
}

function paramsOf({ a, b, rows, cols, depth }: Product, biased: boolean) {
  return {
    rows,
    cols,
    depth,
    a_batch: a.batch,
    a_row: a.side,
    a_depth: a.depth,
    b_batch: b.batch,
    b_depth: b.depth,
    b_col: b.side,
    biased: biased ? 1 : 0,
  };
}

function thin(launcher: Launcher, product: Product, out: Tensor, bias?: Tensor): void {
  const swapped = product.rows > THIN;
  const { a, b, rows, cols } = product;
  const p = swapped ? { ...product, a: b, b: a, rows: cols, cols: rows } : product;
  const params = {
    ...paramsOf(p, bias !== undefined),
    out_row: swapped ? 1 : cols,
    out_col: swapped ? cols : 1,
    bias_row: swapped ? 1 : 0,
    bias_col: swapped ? 0 : 1,
  };
  const list = [p.a.tensor, p.b.tensor, bias ?? out, out];
  const groups = out.shape[0] * Math.ceil(p.cols / THIN_COLS);
  launcher.launch('matmulThin', thinKernel, suffix(out.dtype), list, params, groups);
}

export const matmulTwins: Twins<'matmul'> = {
  matmul: {
    kernels: { ...matmulKernels.kernels, matmulThin: thinKernel, splitSum: splitSumKernel },
    run(launcher, [a, b, bias], [out]) {
      const [batch, rows, depth] = a.shape;
      const cols = b.shape[2];
      const product = {
        a: { tensor: a, batch: a.strides[0], side: a.strides[1], depth: a.strides[2] },
        b: { tensor: b, batch: b.strides[0], side: b.strides[2], depth: b.strides[1] },
        rows,
        cols,
        depth,
      };
      if (Math.min(rows, cols) <= THIN) {
        thin(launcher, product, out, bias);
        return;
      }
      const plan = planOf(batch, rows, cols, depth, true);
      inSlices(launcher, out, plan.splits, bias, (target, biased) => {
        const params = { ...paramsOf(product, biased), splits: plan.splits };
        const list = [a, b, bias ?? out, target];
        launchTiled(launcher, matmulKernels, plan, suffix(out.dtype), list, params);
      });
    },
  },
};
