/** Batched matrix products on the GPU. */

import matmulSource from '../../../kernels/matmul.wgsl';
import directSource from '../../../kernels/matmul_direct.wgsl';
import linesSource from '../../../kernels/matmul_lines.wgsl';
import thinSource from '../../../kernels/matmul_thin.wgsl';
import { float16, suffix } from '../../core/dtype.js';
import { gpuKernel } from '../../device/webgpu/kernel.js';
import type { Tensor } from '../../tensor.js';
import { describe, type Product, swap } from '../primitives/matmul.js';
import type { BufferRef, Launcher } from '../row.js';
import {
  direct,
  epilogueOf,
  inSlices,
  launchTiled,
  planOf,
  splitSumKernel,
  tiled,
} from './gemm.js';
import { aligned } from './team.js';
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
  epilogue: 'u32',
} as const;
const buffers = { a: 'S', b: 'S', bias: 'S', out: 'S' } as const;

/** Operands may be halves, which are summed as float32. */
const halfBuffers = { ...buffers, bias: 'f32', out: 'f32' } as const;

const tileOptions = {
  source: matmulSource,
  entry: 'matmul',
  params: { ...operands, splits: 'u32' },
} as const;
const words = { ...tileOptions, dtypes: ['f32', 'i32'], buffers } as const;
const halves = { ...tileOptions, dtypes: ['f16'], buffers: halfBuffers } as const;
const apart = direct({ ...words, source: directSource });
const halfApart = direct({ ...halves, source: directSource });
const matmulKernels = tiled('matmul', words, { apart });
const halfKernels = tiled('matmulHalf', halves, { apart: halfApart });
/** Of operands in whole vectors, by whether A and B lie along the depth. */
const linesKernels = [false, true].map((a) =>
  [false, true].map((b) =>
    tiled(
      `matmul${a ? 'N' : 'T'}${b ? 'T' : 'N'}`,
      { ...words, source: linesSource, wide: true },
      { lines: { a, b }, apart },
    ),
  ),
);

/** The kernels for operands in whole vectors, if these and the columns of the result are. */
function inVectors(
  { a, b, rows, cols, depth }: Product,
  buffers: readonly (Tensor | BufferRef | undefined)[],
) {
  const whole = ({ batch, side, depth: step }: Product['a'], count: number) => {
    if (batch % 4 !== 0) return undefined;
    if (step === 1 && side % 4 === 0 && depth % 4 === 0) return 1;
    return side === 1 && step % 4 === 0 && count % 4 === 0 ? 0 : undefined;
  };
  const ways = [whole(a, rows), whole(b, cols)] as const;
  if (ways[0] === undefined || ways[1] === undefined || cols % 4 !== 0) return undefined;
  const good = buffers.every((buffer) => buffer === undefined || aligned(buffer));
  return good ? linesKernels[ways[0]][ways[1]] : undefined;
}

const thinOptions = {
  source: thinSource,
  entry: 'matmul_thin',
  params: { ...operands, out_row: 'u32', out_col: 'u32', bias_row: 'u32', bias_col: 'u32' },
} as const;
const thinKernel = gpuKernel({ ...thinOptions, dtypes: ['f32', 'i32'], buffers });
const thinHalfKernel = gpuKernel({ ...thinOptions, dtypes: ['f16'], buffers: halfBuffers });

/** Rows the thin kernel does at once, and columns of its workgroups. */
const THIN = 4;
const THIN_COLS = 32;

function paramsOf({ a, b, rows, cols, depth }: Product, epilogue: number) {
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
    epilogue,
  };
}

function thin(
  launcher: Launcher,
  product: Product,
  a: Tensor,
  b: Tensor,
  out: Tensor,
  bias: Tensor | undefined,
  epilogue: number,
): void {
  const p = product.rows > THIN ? swap(product) : product;
  const { swapped } = p;
  const cols = product.cols;
  const params = {
    ...paramsOf(p, epilogue),
    out_row: swapped ? 1 : cols,
    out_col: swapped ? cols : 1,
    bias_row: swapped ? 1 : 0,
    bias_col: swapped ? 0 : 1,
  };
  const list = swapped ? [b, a, bias ?? out, out] : [a, b, bias ?? out, out];
  const groups = out.shape[0] * Math.ceil(p.cols / THIN_COLS);
  if (a.dtype === float16) {
    launcher.launch('matmulThinHalf', thinHalfKernel, 'f16', list, params, groups);
  } else launcher.launch('matmulThin', thinKernel, suffix(out.dtype), list, params, groups);
}

export const matmulTwins: Twins<'matmul'> = {
  matmul: {
    kernels: {
      ...matmulKernels.kernels,
      ...halfKernels.kernels,
      ...Object.assign({}, ...linesKernels.flat().map(({ kernels }) => kernels)),
      matmulThin: thinKernel,
      matmulThinHalf: thinHalfKernel,
      splitSum: splitSumKernel,
    },
    packed: [0, 1],
    run(launcher, [a, b, bias], [out], attributes) {
      const epilogue = epilogueOf(bias, attributes);
      const product = describe(a, b);
      const { batch, rows, cols, depth } = product;
      if (Math.min(rows, cols) <= THIN) {
        thin(launcher, product, a, b, out, bias, epilogue);
        return;
      }
      const plan = planOf(batch, rows, cols, depth, true);
      inSlices(launcher, out, plan.splits, bias, epilogue, (target, last) => {
        const params = { ...paramsOf(product, last), splits: plan.splits };
        const list = [a, b, bias ?? out, target];
        if (a.dtype === float16) launchTiled(launcher, halfKernels, plan, 'f16', list, params);
        else {
          const lines = inVectors(product, [a, b, bias, target]);
          launchTiled(launcher, lines ?? matmulKernels, plan, suffix(out.dtype), list, params);
        }
      });
    },
  },
};
