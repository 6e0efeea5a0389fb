/** A million floats: one operation each, bound by memory or by the vector units. */

import type { Tensor } from '../../ts/index.js';
import {
  type Case,
  type Inputs,
  type NaiveCall,
  type OnnxNode,
  toTensor,
  uniform,
  values,
} from '../case.js';
import type { JaxArray } from '../peers/jax_types.js';
import type { TfTensor } from '../peers/tfjs_types.js';
import { SIDE, softmax } from './million_naive.js';

const SHAPE = [SIDE, SIDE];
const COUNT = SIDE * SIDE;

interface Work {
  readonly name: string;
  readonly expected: (inputs: Inputs) => ArrayLike<number>;
  readonly tolerance: number;
  readonly isotorch: (x: Tensor, y: Tensor) => Tensor;
  readonly tfjs: (x: TfTensor, y: TfTensor, softmax: (x: TfTensor) => TfTensor) => TfTensor;
  readonly jax: (x: JaxArray, y: JaxArray, jax: JaxFunctions) => JaxArray;
  readonly pytorch: string;
  readonly onnx: OnnxNode;
  readonly naive: NaiveCall;
}

interface JaxFunctions {
  readonly exp: (x: JaxArray) => JaxArray;
  readonly softmax: (x: JaxArray) => JaxArray;
}

function naiveSoftmax({ x }: Inputs): number[] {
  return Array.from({ length: SIDE }, (_, row) => {
    return [...softmax(Float64Array.from(x.data.subarray(row * SIDE, (row + 1) * SIDE)))];
  }).flat();
}

const WORKS: readonly Work[] = [
  {
    name: 'add',
    expected: ({ x, y }) => Float64Array.from(x.data, (v, i) => v + y.data[i]),
    tolerance: 1e-6,
    isotorch: (x, y) => x.add(y),
    tfjs: (x, y) => x.add(y),
    jax: (x, y) => x.ref.add(y.ref),
    pytorch: 'x + y',
    onnx: { op: 'Add', inputs: ['x', 'y'] },
    naive: { name: 'add_naive', sizes: [COUNT], inputs: ['x', 'y'], count: COUNT },
  },
  {
    name: 'exp',
    expected: ({ x }) => Float64Array.from(x.data, Math.exp),
    tolerance: 1e-6,
    isotorch: (x) => x.exp(),
    tfjs: (x) => x.exp(),
    jax: (x, _, { exp }) => exp(x.ref),
    pytorch: 'x.exp()',
    onnx: { op: 'Exp', inputs: ['x'] },
    naive: { name: 'exp_naive', sizes: [COUNT], inputs: ['x'], count: COUNT },
  },
  {
    name: 'sum',
    expected: ({ x }) => [(x.data as Float32Array).reduce((a, b) => a + b, 0)],
    tolerance: 1e-4,
    isotorch: (x) => x.sum(),
    tfjs: (x) => x.sum(),
    jax: (x) => x.ref.sum(),
    pytorch: 'x.sum()',
    onnx: { op: 'ReduceSum', inputs: ['x'], attributes: { keepdims: 0 } },
    naive: { name: 'sum_naive', sizes: [COUNT], inputs: ['x'], count: 1 },
  },
  {
    name: 'softmax',
    expected: naiveSoftmax,
    tolerance: 1e-6,
    isotorch: (x) => x.softmax(1),
    tfjs: (x, _, softmax) => softmax(x),
    jax: (x, _, { softmax }) => softmax(x.ref),
    pytorch: 'x.softmax(1)',
    onnx: { op: 'Softmax', inputs: ['x'], attributes: { axis: 1 } },
    naive: { name: 'softmax_naive', sizes: [SIDE, SIDE], inputs: ['x'], count: COUNT },
  },
];

function elementwise(work: Work): Case {
  return {
    name: `1M/${work.name}`,
    inputs: () => ({ x: uniform(3, SHAPE), y: uniform(4, SHAPE) }),
    expected: work.expected,
    tolerance: work.tolerance,
    isotorch(torch, inputs) {
      const [x, y] = [toTensor(torch, inputs.x), toTensor(torch, inputs.y)];
      return {
        run: () => work.isotorch(x, y).dispose(),
        check: () => values(work.isotorch(x, y)),
      };
    },
    tfjs(tf, inputs) {
      const [x, y] = [tf.tensor(inputs.x.data, SHAPE), tf.tensor(inputs.y.data, SHAPE)];
      const result = () => work.tfjs(x, y, (t) => tf.softmax(t, 1));
      return { run: () => result().dispose(), check: () => result().data() };
    },
    jax({ numpy: np, nn }, inputs) {
      const [x, y] = [inputs.x, inputs.y].map(({ data }) => np.array(data).reshape(SHAPE));
      const functions = { exp: np.exp, softmax: (t: JaxArray) => nn.softmax(t, 1) };
      const run = async () => (await work.jax(x, y, functions).blockUntilReady()).dispose();
      return { run, check: () => work.jax(x, y, functions).data() };
    },
    onnx: [work.onnx],
    naive: work.naive,
    pytorch: `def run(): return ${work.pytorch}`,
  };
}

export const elementwiseCases = WORKS.map(elementwise);
