/** Fused attention on the GPU. Forms and strides are those of ts/ops/primitives/attention.ts. */

import sharedSource from '../../../kernels/attention.wgsl';
import backwardSource from '../../../kernels/attention_backward.wgsl';
import forwardSource from '../../../kernels/attention_forward.wgsl';
import keysSource from '../../../kernels/attention_keys.wgsl';
import operandSource from '../../../kernels/attention_operand.wgsl';
import queriesSource from '../../../kernels/attention_queries.wgsl';
import resultSource from '../../../kernels/attention_result.wgsl';
import { type GpuKernel, gpuKernel } from '../../device/webgpu/kernel.js';
import type { Tensor } from '../../tensor.js';
import {
  type Attention,
  gradientParams,
  gradientSizes,
  operandParams,
  sizes,
} from '../primitives/attention.js';
import type { BufferRef } from '../row.js';
import { aligned } from './team.js';
import type { Twins } from './twin.js';

const backward = { ...operandParams, ...gradientParams } as const;
const read = { q: 'S', k: 'S', v: 'S', bias: 'S', mask: 'u8' } as const;
const readBack = { ...read, g: 'S', lse: 'S' } as const;

/** Names of a tensor's rows and features among the parameters. */
const DIMENSIONS: Readonly<Record<string, readonly [string, string]>> = {
  q: ['rows', 'size'],
  k: ['keys', 'size'],
  v: ['keys', 'width'],
  g: ['rows', 'width'],
  out: ['rows', 'width'],
  dq: ['rows', 'size'],
  dk: ['keys', 'size'],
  dv: ['keys', 'width'],
};
const COMPONENTS = ['x', 'y', 'z', 'w'];

/** A template with the names of one tensor. */
function named(template: string, name: string): string {
  const [rows, width] = DIMENSIONS[name];
  return template.replaceAll('NAME', name).replaceAll('ROWS', rows).replaceAll('WIDTH', width);
}

/** four_<name>: reads four features from `e` on, as a vector or one by one. */
function fourText(name: string, wide: boolean): string {
  const one = (c: string, k: number) =>
    `if (e + ${k}u < p.WIDTH) { v.${c} = get_NAME(at + e + ${k}u); }`;
  const get = wide
    ? 'if (e < p.WIDTH) { v = get4_NAME((at + e) / 4u); }'
    : COMPONENTS.map(one).join('\n    ');
  const text = `fn four_NAME(at: u32, e: u32, there: bool) -> vec4<f32> {
  var v = vec4<f32>();
  if (there) {
    ${get}
  }
  return v;
}
`;
  return named(text, name);
}

/** save_part_<name>: writes rows of four features. */
function resultText(name: string, wide: boolean): string {
  const one = (c: string, k: number) =>
    `if (f + ${k}u < p.WIDTH) { set_NAME(at + ${k}u, v.${c}); }`;
  const set = wide
    ? 'if (f < p.WIDTH) { set4_NAME(at / 4u, v); }'
    : COMPONENTS.map(one).join('\n  ');
  const place =
    name === 'out' ? '(n * p.rows + i) * p.heads * p.width' : 'n * p.NAME_batch + i * p.NAME_row';
  return named(
    resultSource.replace('= PLACE', `= ${place}`).replace(/^ {2}SET$/m, `  ${set}`),
    name,
  );
}

/** save_<name>: writes four numbers of rows, of which `left` are there. */
function rowsText(name: string, wide: boolean): string {
  const one = (c: string, k: number) => `if (left > ${k}u) { set_${name}(at + ${k}u, v.${c}); }`;
  const set = wide
    ? `if (left > 0u) { set4_${name}(at / 4u, v); }`
    : COMPONENTS.map(one).join('\n  ');
  return `fn save_${name}(at: u32, left: u32, v: vec4<f32>) {\n  ${set}\n}\n`;
}

/** The text with its lines for chunks of 32 features written out. */
function unrolled(text: string, chunks: number): string {
  const list = Array.from({ length: chunks }, (_, k) => `${k}`);
  return text.replace(/(?:^.*CHUNK.*\n)+/gm, (lines) =>
    list.map((k) => lines.replaceAll('CHUNK', k)).join(''),
  );
}

interface Texts {
  readonly source: string;
  readonly operands: readonly string[];
  readonly results: readonly string[];
  /** A result by rows only. */
  readonly byRows: readonly string[];
}

/** The whole text of a kernel that does `chunks` times 32 features, `wide` where all are vectors. */
function textOf(
  { source, operands, results, byRows }: Texts,
  chunks: number,
  wide: boolean,
): string {
  return [
    `const SPAN = ${32 * chunks}u;\n${sharedSource}`,
    ...operands.map((name) => fourText(name, wide)),
    ...operands.filter((name) => name !== 'out').map((name) => named(operandSource, name)),
    ...results.map((name) => resultText(name, wide)),
    ...byRows.map((name) => rowsText(name, wide)),
    unrolled(source, chunks),
  ].join('');
}

const FORWARD: Texts = {
  source: forwardSource,
  operands: ['q', 'k', 'v'],
  results: ['out'],
  byRows: ['lse'],
};
const QUERIES: Texts = {
  source: `${backwardSource}${queriesSource}`,
  operands: ['q', 'k', 'v', 'g', 'out'],
  results: ['dq'],
  byRows: ['delta'],
};
const KEYS: Texts = {
  source: `${backwardSource}${keysSource}`,
  operands: ['q', 'k', 'v', 'g'],
  results: ['dk', 'dv'],
  byRows: [],
};

/** Kernels of a text by chunks and whether all is vectors, and by their launch names. */
function family<P extends typeof operandParams>(
  name: string,
  texts: Texts,
  options: Omit<Parameters<typeof gpuKernel<P>>[0], 'source' | 'workgroup' | 'wide'>,
) {
  const kernels: Record<string, GpuKernel & { readonly params: P }> = {};
  for (const chunks of [1, 2]) {
    for (const wide of [false, true]) {
      const source = textOf(texts, chunks, wide);
      const kernel = gpuKernel({ ...options, source, workgroup: 64, wide });
      kernels[`${name}${32 * chunks}${wide ? 'Lines' : ''}`] = kernel;
    }
  }
  /** The kernel for results of `features`, and how many workgroups share these. */
  const pick = (features: number, wide: boolean) => {
    const chunks = features > 32 ? 2 : 1;
    const key = `${name}${32 * chunks}${wide ? 'Lines' : ''}`;
    return { key, kernel: kernels[key], slices: Math.max(1, Math.ceil(features / (32 * chunks))) };
  };
  return { kernels, pick };
}

const forwardKernels = family('attention', FORWARD, {
  entry: 'attention',
  buffers: { ...read, out: 'S', lse: 'S' },
  params: operandParams,
});
const queriesKernels = family('attentionQueries', QUERIES, {
  entry: 'attention_queries',
  buffers: { ...readBack, out: 'S', delta: 'S', dq: 'S' },
  params: backward,
});
const keysKernels = family('attentionKeys', KEYS, {
  entry: 'attention_keys',
  buffers: { ...readBack, delta: 'S', dk: 'S', dv: 'S' },
  params: backward,
});

/** Queries (or keys) of a workgroup. */
const BLOCK = 64;

type Maybe = Tensor | undefined;

/** Whether the rows of all tensors [N, L, H, E] are whole vectors. */
function vectors(tensors: readonly Tensor[]): boolean {
  return tensors.every(
    (x) => aligned(x) && x.shape[3] % 4 === 0 && x.strides.every((s, d) => d === 3 || s % 4 === 0),
  );
}

export const attentionTwins: Twins<'attention' | 'attentionBackward'> = {
  attention: {
    kernels: forwardKernels.kernels,
    run(launcher, inputs: readonly Maybe[], [out, lse], attributes: Attention) {
      const [q, k, v, bias, mask] = inputs as Tensor[];
      const params = sizes(inputs, attributes);
      const { batch, heads, rows, width } = params;
      const wide = vectors([q, k, v, out]) && rows % 4 === 0 && aligned(lse);
      const { key, kernel, slices } = forwardKernels.pick(width, wide);
      const groups = batch * heads * Math.ceil(rows / BLOCK) * slices;
      const buffers = [q, k, v, bias ?? q, mask ?? q, out, lse];
      launcher.launch(key, kernel, 'f32', buffers, params, groups);
    },
  },
  attentionBackward: {
    kernels: { ...queriesKernels.kernels, ...keysKernels.kernels },
    run(launcher, inputs: readonly Maybe[], outputs, attributes: Attention) {
      const [g, q, k, v, out, lse, bias, mask] = inputs as Tensor[];
      const [dq, dk, dv] = outputs;
      const params = gradientSizes([g, q, k, v, bias, mask], outputs, attributes);
      const { batch, heads, rows, keys, size, width } = params;
      const wide = vectors([g, q, k, v, out, dq, dk, dv]);
      const count = batch * heads;
      const delta: BufferRef = launcher.scratch(count * Math.ceil(rows / 4) * 4, q.dtype);
      const read = [q, k, v, bias ?? q, mask ?? q, g, lse];
      const byQueries = queriesKernels.pick(size, wide);
      const queryGroups = count * Math.ceil(rows / BLOCK) * byQueries.slices;
      const targets = [...read, out, delta, dq];
      launcher.launch(byQueries.key, byQueries.kernel, 'f32', targets, params, queryGroups);
      const byKeys = keysKernels.pick(Math.max(size, width), wide);
      const keyGroups = count * Math.ceil(keys / BLOCK) * byKeys.slices;
      const learned = [...read, delta, dk, dv];
      launcher.launch(byKeys.key, byKeys.kernel, 'f32', learned, params, keyGroups);
    },
  },
};
