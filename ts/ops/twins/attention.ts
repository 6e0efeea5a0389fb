/** Fused attention on the GPU. Forms and strides are those of ts/ops/primitives/attention.ts. */

import placesSource from '../../../kernels/attention.wgsl';
import deltaSource from '../../../kernels/attention_delta.wgsl';
import forwardSource from '../../../kernels/attention_forward.wgsl';
import gradientSource from '../../../kernels/attention_gradient.wgsl';
import keysSource from '../../../kernels/attention_keys.wgsl';
import queriesSource from '../../../kernels/attention_queries.wgsl';
import { gpuKernel } from '../../device/webgpu/kernel.js';
import type { Tensor } from '../../tensor.js';
import { type Attention, operandParams, sizes } from '../primitives/attention.js';
import type { Twins } from './twin.js';

const backward = { ...operandParams, g_batch: 'u32', g_row: 'u32', g_head: 'u32' } as const;
const read = { q: 'S', k: 'S', v: 'S', bias: 'S', mask: 'u8' } as const;

const forwardKernel = gpuKernel({
  source: `${placesSource}${forwardSource}`,
  entry: 'attention',
  buffers: { ...read, out: 'S', lse: 'S' },
  params: operandParams,
});
const deltaKernel = gpuKernel({
  source: deltaSource,
  entry: 'attention_delta',
  buffers: { g: 'S', out: 'S', delta: 'S' },
  params: { rows: 'u32', heads: 'u32', width: 'u32', g_batch: 'u32', g_row: 'u32', g_head: 'u32' },
  perGroup: 256,
});
const queriesKernel = gpuKernel({
  source: `${placesSource}${gradientSource}${queriesSource}`,
  entry: 'attention_queries',
  buffers: { ...read, g: 'S', lse: 'S', delta: 'S', dq: 'S' },
  params: backward,
});
const keysKernel = gpuKernel({
  source: `${placesSource}${gradientSource}${keysSource}`,
  entry: 'attention_keys',
  buffers: { ...read, g: 'S', lse: 'S', delta: 'S', dk: 'S', dv: 'S' },
  params: backward,
});

/** Queries of a workgroup that reads keys, and keys of one that reads queries. */
const TOGETHER = 16;

type Maybe = Tensor | undefined;

export const attentionTwins: Twins<'attention' | 'attentionBackward'> = {
  attention: {
    kernels: { attention: forwardKernel },
    run(launcher, inputs: readonly Maybe[], [out, lse], attributes: Attention) {
      const [q, k, v, bias, mask] = inputs as Tensor[];
      const params = sizes(inputs, attributes);
      const groups = params.batch * params.heads * Math.ceil(params.rows / TOGETHER);
      const buffers = [q, k, v, bias ?? q, mask ?? q, out, lse];
      launcher.launch('attention', forwardKernel, 'f32', buffers, params, groups);
    },
  },
  attentionBackward: {
    kernels: {
      attentionDelta: deltaKernel,
      attentionQueries: queriesKernel,
      attentionKeys: keysKernel,
    },
    run(launcher, inputs: readonly Maybe[], [dq, dk, dv], attributes: Attention) {
      const [g, q, k, v, out, lse, bias, mask] = inputs as Tensor[];
      const [g_batch, g_row, g_head] = g.strides;
      const params = { ...sizes([q, k, v, bias, mask], attributes), g_batch, g_row, g_head };
      const { batch, heads, rows, keys } = params;
      const count = batch * heads * rows;
      const delta = launcher.scratch(count, q.dtype);
      launcher.launch('attentionDelta', deltaKernel, 'f32', [g, out, delta], params, count);
      const read = [q, k, v, bias ?? q, mask ?? q, g, lse, delta];
      const byQueries = batch * heads * Math.ceil(rows / TOGETHER);
      launcher.launch('attentionQueries', queriesKernel, 'f32', [...read, dq], params, byQueries);
      const byKeys = batch * heads * Math.ceil(keys / TOGETHER);
      launcher.launch('attentionKeys', keysKernel, 'f32', [...read, dk, dv], params, byKeys);
    },
  },
};
