/**
 * Fused attention. Queries, keys, values and results are [N, L, H, E] (batch, positions, heads,
 * features) with features contiguous and any other strides, so heads cut out of a projection
 * [N, L, H * E] are read in place; a bias and a mask are [N, H, L, S], broadcast by strides of 0.
 */

import { type Dtype, suffix } from '../../core/dtype.js';
import { ShapeError, showShape } from '../../core/errors.js';
import { sameShape } from '../../core/layout.js';
import type { Tensor } from '../../tensor.js';
import { kernel, REALS } from '../kernel.js';
import { type BufferRef, type Launcher, type OutputSpec, primitive } from '../row.js';

/** What a launch says of its operands, on every device. */
export const operandParams = {
  heads: 'u32',
  rows: 'u32',
  keys: 'u32',
  size: 'u32',
  width: 'u32',
  scale: 'f64',
  causal: 'u32',
  biased: 'u32',
  masked: 'u32',
  q_batch: 'u32',
  q_row: 'u32',
  q_head: 'u32',
  k_batch: 'u32',
  k_row: 'u32',
  k_head: 'u32',
  v_batch: 'u32',
  v_row: 'u32',
  v_head: 'u32',
  bias_batch: 'u32',
  bias_head: 'u32',
  bias_row: 'u32',
  mask_batch: 'u32',
  mask_head: 'u32',
  mask_row: 'u32',
} as const;
/** And of gradients, whose heads lie side by side. */
export const gradientParams = {
  g_batch: 'u32',
  g_row: 'u32',
  g_head: 'u32',
  dq_batch: 'u32',
  dq_row: 'u32',
  dk_batch: 'u32',
  dk_row: 'u32',
  dv_batch: 'u32',
  dv_row: 'u32',
} as const;
const common = { batch: 'u32', ...operandParams, per_unit: 'u32', slice: 'u32' } as const;

const forwardKernel = kernel({
  dtypes: REALS,
  buffers: ['q', 'k', 'v', 'bias', 'mask', 'out', 'lse', 'scratch'],
  params: common,
});
const backwardKernel = kernel({
  dtypes: REALS,
  buffers: ['g', 'q', 'k', 'v', 'out', 'lse', 'bias', 'mask', 'dq', 'dk', 'dv', 'scratch'],
  params: {
    ...common,
    ...gradientParams,
    row_span: 'u32',
    key_span: 'u32',
    wanted: 'u32',
  },
});

/** As kernels/attention.c has them: queries and keys of a block, and the widest tile. */
const BLOCK = 64;
const TILE = 16;
/** Multiplications that make a unit worth a thread, and the most units of a launch. */
const UNIT = 500_000;
const MOST_UNITS = 64;
/** Heads from which one launch by heads feeds all threads. */
const MANY_HEADS = 8;

export interface Attention {
  readonly scale: number;
  /** Position i sees positions up to i. */
  readonly causal: boolean;
}

type Inputs = readonly (Tensor | undefined)[];

function check([q, k, v, bias, mask]: Inputs): void {
  const [batch, rows, heads, size] = (q as Tensor).shape;
  const [, keys] = (k as Tensor).shape;
  const has = (t: Tensor | undefined, ...shape: number[]) =>
    t === undefined || (t.shape.length === 4 && shape.every((n, i) => n === t.shape[i]));
  const fits =
    has(k, batch, keys, heads, size) &&
    has(v, batch, keys, heads) &&
    [bias, mask].every((t) => has(t, batch, heads, rows, keys));
  if (fits && keys > 0 && has(q, batch, rows, heads, size)) return;
  const given = [q, k, v, bias, mask].flatMap((t) => (t ? [showShape(t.shape)] : [])).join(', ');
  throw new ShapeError(
    'attention: expected q [N, L, H, E], k [N, S, H, E], v [N, S, H, Ev] and masks ' +
      `[N, H, L, S] with S > 0, got ${given}`,
  );
}

/** The words of a launch that describe the operands. */
export function sizes([q, k, v, bias, mask]: Inputs, { scale, causal }: Attention) {
  const [batch, rows, heads, size] = (q as Tensor).shape;
  const [, keys] = (k as Tensor).shape;
  const width = (v as Tensor).shape[3];
  const [q_batch, q_row, q_head] = (q as Tensor).strides;
  const [k_batch, k_row, k_head] = (k as Tensor).strides;
  const [v_batch, v_row, v_head] = (v as Tensor).strides;
  const [bias_batch, bias_head, bias_row] = bias?.strides ?? [0, 0, 0];
  const [mask_batch, mask_head, mask_row] = mask?.strides ?? [0, 0, 0];
  return {
    batch,
    heads,
    rows,
    keys,
    size,
    width,
    scale,
    causal: Number(causal),
    biased: Number(bias !== undefined),
    masked: Number(mask !== undefined),
    q_batch,
    q_row,
    q_head,
    k_batch,
    k_row,
    k_head,
    v_batch,
    v_row,
    v_head,
    bias_batch,
    bias_head,
    bias_row,
    mask_batch,
    mask_head,
    mask_row,
  };
}

/** The words of a launch that describe the gradients too. */
export function gradientSizes(inputs: Inputs, [dq, dk, dv]: readonly Tensor[], given: Attention) {
  const [g, ...operands] = inputs as Tensor[];
  const [g_batch, g_row, g_head] = g.strides;
  const [dq_batch, dq_row] = dq.strides;
  const [dk_batch, dk_row] = dk.strides;
  const [dv_batch, dv_row] = dv.strides;
  const places = { g_batch, g_row, g_head, dq_batch, dq_row, dk_batch, dk_row, dv_batch, dv_row };
  return { ...sizes(operands, given), ...places };
}

/** Whether q, k and v lie side by side in one projection, [N, L, 3 H E] or [L, N, 3 H E]. */
function areBeside([q, k, v]: readonly Tensor[]): boolean {
  const [batch, rows, heads, size] = q.shape;
  const [far, near, head, one] = q.strides;
  const wide = 3 * heads * size;
  const whole = near === wide ? far === rows * wide : far === wide && near === batch * wide;
  return (
    whole &&
    head === size &&
    one === 1 &&
    [k, v].every(
      (t, i) =>
        t.storage_ === q.storage_ &&
        t.offset === q.offset + (i + 1) * heads * size &&
        sameShape(t.shape, q.shape) &&
        sameShape(t.strides, q.strides),
    )
  );
}

/** How `jobs` of `products` multiplications in all are cut, each unit with scratch of its own. */
function cut(launcher: Launcher, jobs: number, products: number, slice: number, dtype: Dtype) {
  const units = Math.max(1, Math.min(jobs, MOST_UNITS, Math.floor(products / UNIT)));
  const per_unit = Math.ceil(jobs / units);
  const range = Math.ceil(jobs / per_unit);
  return { params: { per_unit, slice }, range, scratch: launcher.scratch(range * slice, dtype) };
}

const readable = (shape: readonly number[], strides: readonly number[]): boolean =>
  shape[3] === 1 || strides[3] === 1;

/**
 * q [N, L, H, E], k [N, S, H, E], v [N, S, H, Ev], added bias? and mask? (true: seen) [N, H, L, S]
 * -> out [N, L, H, Ev], logarithms of the sums of exponentials [N, H, L].
 * out[n, i, h] = sum over j of softmax(scale q[n, i, h] . k[n, j, h] + bias) v[n, j, h].
 */
export const attention = primitive<Attention>()({
  kernels: { attention: forwardKernel },
  inputs: ['q', 'k', 'v', 'bias?', 'mask?'],
  dtypes: 'real',
  mask: [4],
  strided: [0, 1, 2, 3, 4],
  readable,
  outputs(inputs) {
    check(inputs);
    const [{ shape, dtype }, , v] = inputs;
    const [batch, rows, heads] = shape;
    return [
      { shape: [batch, rows, heads, v.shape[3]], dtype },
      { shape: [batch, heads, rows], dtype },
    ];
  },
  run(launcher, inputs: Inputs, [out, lse], attributes) {
    const [q, k, v, bias, mask] = inputs as Tensor[];
    const params = sizes(inputs, attributes);
    const { batch, heads, rows, keys, size, width } = params;
    const jobs = batch * heads * Math.ceil(rows / BLOCK);
    const slice = BLOCK * (BLOCK + size + Math.max(width, TILE)) + TILE;
    const products = batch * heads * rows * keys * (size + width);
    const work = cut(launcher, jobs, products, slice, q.dtype);
    const buffers = [q, k, v, bias ?? q, mask ?? q, out, lse, work.scratch];
    const all = { ...params, ...work.params };
    const dtype = suffix(q.dtype);
    launcher.launch('attention', forwardKernel, dtype, buffers, all, work.range, products);
  },
});

/** One launch of the backward: jobs are spans of queries and keys, `wanted` the gradients. */
function learn(
  launcher: Launcher,
  buffers: readonly (Tensor | BufferRef)[],
  params: ReturnType<typeof gradientSizes>,
  row_span: number,
  key_span: number,
  wanted: number,
): void {
  const { batch, heads, rows, keys, size, width } = params;
  const jobs = batch * heads * Math.ceil(rows / row_span) * Math.ceil(keys / key_span);
  const copies = 2 * Math.max(size, TILE) + Math.max(width, TILE);
  const slice = BLOCK * (2 * BLOCK + size + width + copies) + 2 * TILE;
  const products = batch * heads * rows * keys * (size + width);
  const { dtype } = buffers[0];
  const work = cut(launcher, jobs, 2 * products, slice, dtype);
  const all = { ...params, row_span, key_span, wanted, ...work.params };
  const name = 'attentionBackward';
  const every = [...buffers, work.scratch];
  launcher.launch(name, backwardKernel, suffix(dtype), every, all, work.range, 2 * products);
}

/**
 * g [N, L, H, Ev], q, k, v, out and logarithms of attention, bias?, mask? -> gradients of q, k
 * and v in their shapes, side by side where these are; a bias takes none.
 */
export const attentionBackward = primitive<Attention>()({
  kernels: { attentionBackward: backwardKernel },
  inputs: ['g', 'q', 'k', 'v', 'out', 'lse', 'bias?', 'mask?'],
  dtypes: 'real',
  mask: [7],
  strided: [0, 1, 2, 3, 6, 7],
  readable,
  outputs([, q, k, v, , , bias, mask]): OutputSpec[] {
    check([q, k, v, bias, mask]);
    const beside = areBeside([q, k, v]);
    return [q, k, v].map(({ shape, strides, offset, dtype }) => {
      const place = { numel: 3 * q.numel(), strides, offset: offset - q.offset };
      return beside ? { shape, dtype, within: place } : { shape, dtype };
    });
  },
  run(launcher, inputs: Inputs, outputs, attributes) {
    const [g, q, k, v, out, lse, bias, mask] = inputs as Tensor[];
    const params = gradientSizes([g, q, k, v, bias, mask], outputs, attributes);
    const { batch, heads, rows, keys } = params;
    const buffers = [g, q, k, v, out, lse, bias ?? q, mask ?? q, ...outputs];
    if (batch * heads >= MANY_HEADS || rows * keys <= BLOCK * BLOCK) {
      learn(launcher, buffers, params, rows, keys, 3);
      return;
    }
    learn(launcher, buffers, params, BLOCK, keys, 1);
    learn(launcher, buffers, params, rows, 2 * BLOCK, 2);
  },
});
