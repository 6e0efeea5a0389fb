/** Matrix products: square, thin and batched, each operand as it lies or transposed. */

import { type Case, type Inputs, toTensor, uniform, values } from '../case.js';
import type { JaxArray } from '../peers/jax_types.js';

const FORMS = ['NN', 'NT', 'TN'] as const;
type Form = (typeof FORMS)[number];
const NAIVE = { NN: 'gemm_naive', NT: 'gemm_naive_nt', TN: 'gemm_naive_tn' };

/** [M, K] by [K, N], or so many of them. */
interface Sizes {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly batch?: number;
}

function naive({ a, b }: Inputs, { m, k, n, batch = 1 }: Sizes, form: Form): Float64Array {
  const out = new Float64Array(batch * m * n);
  const [ai, ak] = form[0] === 'N' ? [k, 1] : [1, m];
  const [bk, bj] = form[1] === 'N' ? [n, 1] : [1, k];
  for (let row = 0; row < batch * m; row++) {
    const [matrix, i] = [Math.floor(row / m), row % m];
    for (let d = 0; d < k; d++) {
      const x = a.data[matrix * m * k + i * ai + d * ak];
      const from = matrix * k * n + d * bk;
      for (let j = 0; j < n; j++) out[row * n + j] += x * b.data[from + j * bj];
    }
  }
  return out;
}

function product(name: string, sizes: Sizes, form: Form): Case {
  const { m, k, n, batch } = sizes;
  const [transposeA, transposeB] = [form[0] === 'T', form[1] === 'T'];
  const lead = batch === undefined ? [] : [batch];
  const shapes = {
    a: [...lead, ...(transposeA ? [k, m] : [m, k])],
    b: [...lead, ...(transposeB ? [n, k] : [k, n])],
  };
  const turned = (transposed: boolean) => `${transposed ? '.transpose(-1, -2)' : ''}`;
  return {
    name: `matmul/${name} ${form}`,
    flops: 2 * (batch ?? 1) * m * k * n,
    inputs: () => ({ a: uniform(1, shapes.a), b: uniform(2, shapes.b) }),
    expected: (inputs) => naive(inputs, sizes, form),
    tolerance: 1e-4,
    isotorch(torch, inputs) {
      const [a, b] = [toTensor(torch, inputs.a), toTensor(torch, inputs.b)];
      const x = transposeA ? a.mT : a;
      const y = transposeB ? b.mT : b;
      return { run: () => x.matmul(y).dispose(), check: () => values(x.matmul(y)) };
    },
    ...(form === 'NN' && { onnx: [{ op: 'MatMul', inputs: ['a', 'b'] }] }),
    ...(batch === undefined && {
      naive: { name: NAIVE[form], sizes: [m, n, k], inputs: ['a', 'b'], count: m * n },
    }),
    tfjs(tf, inputs) {
      const [a, b] = [tf.tensor(inputs.a.data, shapes.a), tf.tensor(inputs.b.data, shapes.b)];
      const multiply = () => tf.matMul(a, b, transposeA, transposeB);
      return { run: () => multiply().dispose(), check: () => multiply().data() };
    },
    jax({ numpy: np, jit }, inputs) {
      const a = np.array(inputs.a.data).reshape(shapes.a);
      const b = np.array(inputs.b.data).reshape(shapes.b);
      const axes = batch === undefined ? [1, 0] : [0, 2, 1];
      const multiply = jit((x: JaxArray, y: JaxArray) =>
        np.matmul(transposeA ? x.transpose(axes) : x, transposeB ? y.transpose(axes) : y),
      );
      const run = async () => (await multiply(a.ref, b.ref).blockUntilReady()).dispose();
      return { run, check: () => multiply(a.ref, b.ref).data() };
    },
    pytorch: `
x = a${turned(transposeA)}
y = b${turned(transposeB)}
def run(): return x @ y
`,
  };
}

export function matmul(n: number, form: Form): Case {
  return product(`${n}`, { m: n, k: n, n }, form);
}

/** Square matrices: tiles divide 64 to 768 and 1024. */
const SQUARES = [64, 256, 512, 768, 1000, 1024, 257].flatMap((n) =>
  FORMS.map((form) => matmul(n, form)),
);

/** Of a perceptron's layer with its gradients, thin ones, a single row, and many small ones. */
const OTHERS: [string, Sizes, Form][] = [
  ['64x784x512', { m: 64, k: 784, n: 512 }, 'NT'],
  ['64x512x784', { m: 64, k: 512, n: 784 }, 'NN'],
  ['512x64x784', { m: 512, k: 64, n: 784 }, 'TN'],
  ['512x16x512', { m: 512, k: 16, n: 512 }, 'NN'],
  ['16x512x512', { m: 16, k: 512, n: 512 }, 'NN'],
  ['512x512x16', { m: 512, k: 512, n: 16 }, 'NN'],
  ['1x1024x1024', { m: 1, k: 1024, n: 1024 }, 'NN'],
  ['1x1024x1024', { m: 1, k: 1024, n: 1024 }, 'NT'],
  ['64 of 64x32x64', { batch: 64, m: 64, k: 32, n: 64 }, 'NT'],
  ['64 of 64x64x32', { batch: 64, m: 64, k: 64, n: 32 }, 'NN'],
];

export const matmulCases = [...SQUARES, ...OTHERS.map((other) => product(...other))];
