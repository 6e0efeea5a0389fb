/** Layer norm of 1024 rows of 1024, with weight and bias. */

import { type Case, toTensor, uniform, values } from '../case.js';
import type { TfTensor } from '../peers/tfjs_types.js';
import { EPS, LAYER, normalised, SIDE } from './million_naive.js';

const SHAPE = [SIDE, SIDE];

export const layerNormCases: readonly Case[] = [
  {
    name: '1M/layer norm',
    inputs: () => ({
      x: uniform(30, SHAPE),
      weight: uniform(31, [SIDE]),
      bias: uniform(32, [SIDE]),
    }),
    expected: normalised(LAYER),
    tolerance: 1e-5,
    isotorch(torch, given) {
      const [x, weight, bias] = [given.x, given.weight, given.bias].map((i) => toTensor(torch, i));
      const norm = () => torch.nn.functional.layerNorm(x, [SIDE], weight, bias, EPS);
      return { run: () => norm().dispose(), check: () => values(norm()) };
    },
    tfjs(tf, given) {
      const [x, weight, bias] = [given.x, given.weight, given.bias].map(({ data, shape }) =>
        tf.tensor(data, shape),
      );
      const norm = () => tf.tidy(() => tfLayerNorm(tf, x, weight, bias));
      return { run: () => norm().dispose(), check: () => norm().data() };
    },
    onnx: [
      {
        op: 'LayerNormalization',
        inputs: ['x', 'weight', 'bias'],
        attributes: { axis: 1, epsilon: EPS },
      },
    ],
    naive: {
      name: 'layer_norm_naive',
      sizes: [SIDE, SIDE],
      inputs: ['x', 'weight', 'bias'],
      count: SIDE * SIDE,
    },
    pytorch: `def run(): return F.layer_norm(x, [${SIDE}], weight, bias)`,
  },
];

/** Layer norm over the last dimension: TensorFlow.js has none but of these parts. */
export function tfLayerNorm(
  tf: { moments(x: TfTensor, axis: number, keep: boolean): { mean: TfTensor; variance: TfTensor } },
  x: TfTensor,
  weight: TfTensor,
  bias: TfTensor,
): TfTensor {
  const { mean, variance } = tf.moments(x, x.shape.length - 1, true);
  return x.sub(mean).mul(variance.add(EPS).rsqrt()).mul(weight).add(bias);
}
