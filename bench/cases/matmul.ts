/** Products of square matrices, each operand as it lies or transposed. */

import { type Case, type Inputs, toTensor, uniform, values } from '../case.js';
import type { JaxArray } from '../peers/jax_types.js';

const SIZES = [64, 256, 768];
const FORMS = ['NN', 'NT', 'TN'] as const;

function naive({ a, b }: Inputs, n: number, form: string): Float64Array {
  const out = new Float64Array(n * n);
  const [ai, ak] = form[0] === 'N' ? [n, 1] : [1, n];
  const [bk, bj] = form[1] === 'N' ? [n, 1] : [1, n];
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < n; k++) {
      const x = a.data[i * ai + k * ak];
      for (let j = 0; j < n; j++) out[i * n + j] += x * b.data[k * bk + j * bj];
    }
  }
  return out;
}

export function matmul(n: number, form: (typeof FORMS)[number]): Case {
  const [transposeA, transposeB] = [form[0] === 'T', form[1] === 'T'];
  return {
    name: `matmul/${n} ${form}`,
    flops: 2 * n ** 3,
    inputs: () => ({ a: uniform(1, [n, n]), b: uniform(2, [n, n]) }),
    expected: (inputs) => naive(inputs, n, form),
    tolerance: 1e-4,
    isotorch(torch, inputs) {
      const [a, b] = [toTensor(torch, inputs.a), toTensor(torch, inputs.b)];
      const x = transposeA ? a.t() : a;
      const y = transposeB ? b.t() : b;
      return { run: () => x.matmul(y).dispose(), check: () => values(x.matmul(y)) };
    },
    ...(form === 'NN' && {
      onnx: [{ op: 'MatMul', inputs: ['a', 'b'] }],
      naive: { name: 'gemm_naive', sizes: [n, n, n], inputs: ['a', 'b'], count: n * n },
    }),
    tfjs(tf, inputs) {
      const [a, b] = [tf.tensor(inputs.a.data, [n, n]), tf.tensor(inputs.b.data, [n, n])];
      const product = () => tf.matMul(a, b, transposeA, transposeB);
      return { run: () => product().dispose(), check: () => product().data() };
    },
    jax({ numpy: np, jit }, inputs) {
      const [a, b] = [inputs.a, inputs.b].map(({ data }) => np.array(data).reshape([n, n]));
      const product = jit((x: JaxArray, y: JaxArray) =>
        np.matmul(transposeA ? x.transpose() : x, transposeB ? y.transpose() : y),
      );
      const run = async () => (await product(a.ref, b.ref).blockUntilReady()).dispose();
      return { run, check: () => product(a.ref, b.ref).data() };
    },
    pytorch: `
x = a.t() if ${transposeA ? 'True' : 'False'} else a
y = b.t() if ${transposeB ? 'True' : 'False'} else b
def run(): return x @ y
`,
  };
}

export const matmulCases = SIZES.flatMap((n) => FORMS.map((form) => matmul(n, form)));
