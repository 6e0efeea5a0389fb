/**
 * The cast of the GPU, launched as 'cast_any' with the codes of two dtypes. Each pair has a text of
 * its own, which writes a vec4 of words at a time where it may.
 */

import source from '../../../kernels/cast.wgsl';
import wordsSource from '../../../kernels/cast_words.wgsl';
import {
  bfloat16,
  bool,
  Category,
  type Dtype,
  float16,
  float32,
  int8,
  int16,
  int32,
  uint8,
} from '../../core/dtype.js';
import { TorchError } from '../../core/errors.js';
import type { LaunchBlock } from '../../device/device.js';
import { type GpuKernel, gpuKernel } from '../../device/webgpu/kernel.js';

interface Way {
  readonly dtype: Dtype;
  /** The value of `bits`, the higher of which are others': a float, or an integer of 32 bits. */
  readonly value: string;
  /** The bits of a float, and of an integer `v`. */
  readonly ofFloat: string;
  readonly ofInteger: string;
}

function float(dtype: Dtype, value: string, encode: string): Way {
  return { dtype, value, ofFloat: `${encode}(v)`, ofInteger: `${encode}(f32(v))` };
}

function integer(dtype: Dtype, value: string): Way {
  const mask = dtype.size === 4 ? '' : ` & ${2 ** (8 * dtype.size) - 1}u`;
  const encode = (v: string) => `bitcast<u32>(${v})${mask}`;
  return { dtype, value, ofFloat: encode('to_integer(v)'), ofInteger: encode('v') };
}

const WAYS: readonly Way[] = [
  float(float32, 'bitcast<f32>(bits)', 'bitcast<u32>'),
  float(float16, 'half_to_f32(bits & 0xffffu)', 'f32_to_half'),
  float(bfloat16, 'bitcast<f32>(bits << 16u)', 'f32_to_bfloat'),
  integer(int32, 'bitcast<i32>(bits)'),
  integer(int16, 'bitcast<i32>(bits << 16u) >> 16u'),
  integer(int8, 'bitcast<i32>(bits << 24u) >> 24u'),
  integer(uint8, 'i32(bits & 0xffu)'),
  {
    dtype: bool,
    value: 'i32(bits & 0xffu)',
    ofFloat: 'truth((bitcast<u32>(v) & 0x7fffffffu) != 0u)',
    ofInteger: 'truth(v != 0)',
  },
];

const WORKGROUP = 256;
const common = {
  entry: 'convert',
  dtypes: ['any'],
  buffers: { x: 'u8', out: 'u8' },
  params: { source: 'u32', goal: 'u32' },
} as const;

/** The bits of elements 4 q to 4 q + 3 of the source. */
const QUADS: Readonly<Record<number, string>> = {
  4: 'return get4_x(q);',
  2: `let word = vec2<u32>(word_x(p.x_at + 8u * q), word_x(p.x_at + 8u * q + 4u));
  return vec4<u32>(word.x, word.x >> 16u, word.y, word.y >> 16u);`,
  1: 'return vec4<u32>(word_x(p.x_at + 4u * q)) >> vec4<u32>(0u, 8u, 16u, 24u);',
};

/** Four words of results. */
function vectorText(bytes: number, goal: number): string {
  const words = Array.from({ length: 4 }, (_, word) =>
    Array.from({ length: 4 / goal }, (_, j) => {
      const k = (word * 4) / goal + j;
      return `(value_of(q${k >> 2}[${k & 3}]) << ${8 * goal * j}u)`;
    }).join(' | '),
  );
  const loads = Array.from({ length: 4 / goal }, (_, k) => {
    return `let q${k} = quad(i * ${4 / goal}u + ${k}u);`;
  });
  return `fn quad(q: u32) -> vec4<u32> { ${QUADS[bytes]} }
fn convert(group: u32, lane: u32) {
  let i = group * WORKGROUP + lane;
  if (i * ${16 / goal}u >= p.range) { return; }
  ${loads.join(' ')}
  set4_out(i, vec4<u32>(${words.join(',\n    ')}));
}`;
}

function makeKernel(from: Way, to: Way, vectors: boolean): GpuKernel {
  const [bytes, goal] = [from.dtype.size, to.dtype.size];
  const kind = from.dtype.category === Category.Float ? to.ofFloat : to.ofInteger;
  const text = `const SOURCE_BYTES = ${bytes}u;
const GOAL_BYTES = ${goal}u;
fn value_of(bits: u32) -> u32 {
  let v = ${from.value};
  return ${kind};
}
${source}`;
  if (!vectors) return gpuKernel({ ...common, source: text + wordsSource, perGroup: 1024 });
  const perGroup = (WORKGROUP * 16) / goal;
  const own = text + vectorText(bytes, goal);
  return gpuKernel({ ...common, source: own, wide: true, perGroup });
}

const made = new Map<number, GpuKernel>();

function choose({ words: [x, out, source, goal], range, storages }: LaunchBlock): GpuKernel {
  const [from, to] = [source, goal].map((code) => WAYS.find(({ dtype }) => dtype.code === code));
  if (from === undefined || to === undefined) {
    throw new TorchError(`webgpu: no cast between dtypes of codes ${source} and ${goal}`);
  }
  const end = out + range * to.dtype.size;
  const vectors =
    x % (from.dtype.size === 4 ? 16 : 4) === 0 &&
    out % 16 === 0 &&
    (end % 16 === 0 || end === storages[1]?.bytes);
  const key = 2 * (16 * source + goal) + Number(vectors);
  let kernel = made.get(key);
  if (kernel === undefined) {
    kernel = makeKernel(from, to, vectors);
    made.set(key, kernel);
  }
  return kernel;
}

export const castKernel = gpuKernel({ ...common, source: '', choose });
