/** Layers of the GPU that are bound by memory: what training needs beside products. */

import type * as Torch from '../../ts/index.js';
import { type Case, classes, type Input, type Inputs, toTensor, uniform, values } from '../case.js';
import type { Tf, TfTensor } from '../peers/tfjs_types.js';

const SIDE = 1024;
const [N, C, H, W] = [32, 32, 32, 32];
const [ROWS, COUNT, WIDTH] = [1000, 4096, 64];
const EPS = 1e-5;

interface Layer {
  readonly name: string;
  readonly inputs: Readonly<Record<string, Input>>;
  readonly expected: (inputs: Inputs) => ArrayLike<number>;
  readonly isotorch: (torch: typeof Torch, x: Record<string, Torch.Tensor>) => Torch.Tensor;
  /** On images with channels last; `images` brings its result back. */
  readonly tfjs: (tf: Tf, x: Record<string, TfTensor>) => TfTensor;
  readonly images?: boolean;
  readonly pytorch: string;
}

function transposed({ x }: Inputs): Float32Array {
  const out = new Float32Array(SIDE * SIDE);
  for (let i = 0; i < SIDE; i++) {
    for (let j = 0; j < SIDE; j++) out[j * SIDE + i] = x.data[i * SIDE + j];
  }
  return out;
}

function normed({ x, w, b }: Inputs): Float64Array {
  const out = new Float64Array(x.data.length);
  const places = (c: number) =>
    Array.from({ length: N * H * W }, (_, i) => {
      const image = Math.floor(i / (H * W));
      return (image * C + c) * H * W + (i % (H * W));
    });
  for (let c = 0; c < C; c++) {
    const all = places(c);
    const mean = all.reduce((sum, i) => sum + x.data[i], 0) / all.length;
    const variance = all.reduce((sum, i) => sum + (x.data[i] - mean) ** 2, 0) / all.length;
    for (const i of all) {
      out[i] = ((x.data[i] - mean) / Math.sqrt(variance + EPS)) * w.data[c] + b.data[c];
    }
  }
  return out;
}

function pooled({ x }: Inputs): Float64Array {
  return Float64Array.from({ length: x.data.length / 4 }, (_, o) => {
    const row = Math.floor(o / (W / 2));
    const at = 2 * row * W + 2 * (o % (W / 2));
    return Math.max(x.data[at], x.data[at + 1], x.data[at + W], x.data[at + W + 1]);
  });
}

function entropy({ x, y }: Inputs): number[] {
  let total = 0;
  for (let row = 0; row < SIDE; row++) {
    const scores = Float64Array.from(x.data.subarray(row * SIDE, (row + 1) * SIDE));
    const sum = scores.reduce((all, v) => all + Math.exp(v), 0);
    total += Math.log(sum) - scores[y.data[row]];
  }
  return [total / SIDE];
}

function scattered({ index, g }: Inputs): Float64Array {
  const out = new Float64Array(ROWS * WIDTH);
  index.data.forEach((row, i) => {
    for (let j = 0; j < WIDTH; j++) out[row * WIDTH + j] += g.data[i * WIDTH + j];
  });
  return out;
}

const square = uniform(50, [SIDE, SIDE]);
const image = uniform(51, [N, C, H, W]);

const LAYERS: readonly Layer[] = [
  {
    name: 'transpose',
    inputs: { x: square },
    expected: transposed,
    isotorch: (_, { x }) => x.t().contiguous(),
    tfjs: (tf, { x }) => tf.transpose(x, [1, 0]),
    pytorch: 'x.t().contiguous()',
  },
  {
    name: 'batch norm',
    inputs: { x: image, w: uniform(52, [C]), b: uniform(53, [C]) },
    expected: normed,
    isotorch: (torch, { x, w, b }) =>
      torch.nn.functional.batchNorm(x, null, null, w, b, true, 0.1, EPS),
    tfjs(tf, { x, w, b }) {
      const { mean, variance } = tf.moments(x, [0, 1, 2], true);
      return x.sub(mean).mul(variance.add(EPS).rsqrt()).mul(w).add(b);
    },
    images: true,
    pytorch: `F.batch_norm(x, None, None, w, b, True, 0.1, ${EPS})`,
  },
  {
    name: 'max pool',
    inputs: { x: image },
    expected: pooled,
    isotorch: (torch, { x }) => torch.nn.functional.maxPool2d(x, 2) as Torch.Tensor,
    tfjs: (tf, { x }) => tf.maxPool(x, 2, 2, 'valid'),
    images: true,
    pytorch: 'F.max_pool2d(x, 2)',
  },
  {
    name: 'cross-entropy',
    inputs: { x: square, y: classes(54, SIDE, SIDE) },
    expected: entropy,
    isotorch: (torch, { x, y }) => torch.nn.functional.crossEntropy(x, y),
    tfjs: (tf, { x, y }) => tf.losses.softmaxCrossEntropy(tf.oneHot(y, SIDE), x),
    pytorch: 'F.cross_entropy(x, y.long())',
  },
  {
    name: 'embedding gradient',
    inputs: {
      table: uniform(55, [ROWS, WIDTH]),
      index: classes(56, COUNT, ROWS),
      g: uniform(57, [COUNT, WIDTH]),
    },
    expected: scattered,
    isotorch: (torch, { table, index, g }) =>
      torch.zerosLike(table).indexAdd(0, index, g) as Torch.Tensor,
    tfjs: (tf, { table, index, g }) => tf.grads((t) => tf.gather(t, index))([table], g)[0],
    pytorch: 'torch.zeros_like(table).index_add(0, index.long(), g)',
  },
];

function caseOf({ name, inputs, expected, isotorch, tfjs, images, pytorch }: Layer): Case {
  return {
    name: `layer/${name}`,
    inputs: () => inputs,
    expected,
    tolerance: 1e-4,
    isotorch(torch, given) {
      const x = Object.fromEntries(
        Object.entries(given).map(([key, input]) => [key, toTensor(torch, input)]),
      );
      return {
        run: () => isotorch(torch, x).dispose(),
        check: () => values(isotorch(torch, x)),
      };
    },
    tfjs(tf, given) {
      const x = Object.fromEntries(
        Object.entries(given).map(([key, { data, shape }]) => {
          const type = data instanceof Int32Array ? 'int32' : 'float32';
          const t = tf.tensor(data, shape, type);
          return [key, images && shape.length === 4 ? tf.transpose(t, [0, 2, 3, 1]) : t];
        }),
      );
      const run = () => tf.tidy(() => tfjs(tf, x));
      return {
        run: () => run().dispose(),
        check: () => (images ? tf.transpose(run(), [0, 3, 1, 2]) : run()).data(),
      };
    },
    pytorch: `def run(): return ${pytorch}`,
  };
}

export const layerCases: readonly Case[] = LAYERS.map(caseOf);
