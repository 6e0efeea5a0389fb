/** Convolution of 32 images of 16 x 28 x 28 with 32 filters of 3 x 3, and both gradients. */

import { type Case, type Inputs, toTensor, uniform, values } from '../case.js';

const [N, C, H, W, F, K] = [32, 16, 28, 28, 32, 3];
const [OH, OW] = [H - K + 1, W - K + 1];
const FLOPS = 2 * N * F * OH * OW * C * K * K;

const inputs = () => ({
  x: uniform(7, [N, C, H, W]),
  w: uniform(8, [F, C, K, K], 0.1),
  g: uniform(9, [N, F, OH, OW]),
});

/** Calls `visit(x, w, out)` with the offsets of every product x[...] w[...] that out[...] sums. */
function products(visit: (x: number, w: number, out: number) => void): void {
  for (let nf = 0; nf < N * F; nf++) {
    const [n, f] = [Math.floor(nf / F), nf % F];
    for (let tap = 0; tap < C * K * K; tap++) {
      const c = Math.floor(tap / (K * K));
      const shift = Math.floor((tap % (K * K)) / K) * W + (tap % K);
      const start = (n * C + c) * H * W + shift;
      for (let i = 0; i < OH; i++) {
        for (let j = 0; j < OW; j++) {
          visit(start + i * W + j, f * C * K * K + tap, (nf * OH + i) * OW + j);
        }
      }
    }
  }
}

function naiveForward({ x, w }: Inputs): Float64Array {
  const out = new Float64Array(N * F * OH * OW);
  products((i, j, o) => {
    out[o] += x.data[i] * w.data[j];
  });
  return out;
}

function naiveInputGrad({ w, g }: Inputs): Float64Array {
  const out = new Float64Array(N * C * H * W);
  products((i, j, o) => {
    out[i] += g.data[o] * w.data[j];
  });
  return out;
}

function naiveWeightGrad({ x, g }: Inputs): Float64Array {
  const out = new Float64Array(F * C * K * K);
  products((i, j, o) => {
    out[j] += g.data[o] * x.data[i];
  });
  return out;
}

/** TensorFlow.js on wasm knows only channels last: inputs in that order, results brought back. */
const toLast = [0, 2, 3, 1];
const filterToLast = [2, 3, 1, 0];
const toFirst = [0, 3, 1, 2];

const forward: Case = {
  name: 'conv2d/forward',
  flops: FLOPS,
  inputs,
  expected: naiveForward,
  tolerance: 1e-5,
  onnx: [{ op: 'Conv', inputs: ['x', 'w'] }],
  naive: {
    name: 'conv_naive',
    sizes: [N, C, H, F, K],
    inputs: ['x', 'w'],
    count: N * F * OH * OW,
  },
  isotorch(torch, given) {
    const [x, w] = [toTensor(torch, given.x), toTensor(torch, given.w)];
    const { conv2d } = torch.nn.functional;
    return { run: () => conv2d(x, w).dispose(), check: () => values(conv2d(x, w)) };
  },
  tfjs(tf, given) {
    const x = tf.transpose(tf.tensor(given.x.data, given.x.shape), toLast);
    const w = tf.transpose(tf.tensor(given.w.data, given.w.shape), filterToLast);
    const conv = () => tf.conv2d(x, w, 1, 'valid');
    return {
      run: () => conv().dispose(),
      check: () => tf.transpose(conv(), toFirst).data(),
    };
  },
  jax({ numpy: np, lax, jit }, given) {
    const [x, w] = [given.x, given.w].map(({ data, shape }) => np.array(data).reshape(shape));
    const conv = jit((a: typeof x, b: typeof w) => lax.conv(a, b, [1, 1], 'VALID'));
    const run = async () => (await conv(x.ref, w.ref).blockUntilReady()).dispose();
    return { run, check: () => conv(x.ref, w.ref).data() };
  },
  pytorch: 'def run(): return F.conv2d(x, w)',
};

function gradient(name: string, of: 'x' | 'w', expected: Case['expected']): Case {
  return {
    name: `conv2d/${name}`,
    flops: FLOPS,
    inputs,
    expected,
    // An element of the weight gradient sums 21 632 products.
    tolerance: of === 'w' ? 1e-3 : 1e-5,
    naive: {
      ...(of === 'x'
        ? { name: 'conv_input_naive', inputs: ['w', 'g'], count: N * C * H * W }
        : { name: 'conv_weight_naive', inputs: ['x', 'g'], count: F * C * K * K }),
      sizes: [N, C, H, F, K],
    },
    isotorch(torch, given) {
      const [x, w, g] = [given.x, given.w, given.g].map((input) => toTensor(torch, input));
      const target = (of === 'x' ? x : w).requiresGrad_();
      const y = torch.nn.functional.conv2d(x, w);
      const grad = () => torch.grad(y, [target], { gradOutputs: [g], retainGraph: true })[0];
      return {
        run: () => (grad() as typeof y).dispose(),
        check: () => values(grad() as typeof y),
      };
    },
    tfjs(tf, given) {
      const x = tf.transpose(tf.tensor(given.x.data, given.x.shape), toLast);
      const w = tf.transpose(tf.tensor(given.w.data, given.w.shape), filterToLast);
      const g = tf.transpose(tf.tensor(given.g.data, given.g.shape), toLast);
      // There is no backward apart from a forward: the time includes it.
      const grad = () =>
        tf.tidy(() =>
          of === 'x'
            ? tf.grads((t) => tf.conv2d(t, w, 1, 'valid'))([x], g)[0]
            : tf.grads((t) => tf.conv2d(x, t, 1, 'valid'))([w], g)[0],
        );
      const back = of === 'x' ? toFirst : [3, 2, 0, 1];
      return {
        run: () => grad().dispose(),
        check: () => tf.transpose(grad(), back).data(),
      };
    },
    pytorch: `
${of}.requires_grad_()
y = F.conv2d(x, w)
def run(): return torch.autograd.grad(y, [${of}], g, retain_graph=True)[0]
`,
  };
}

export const convCases: readonly Case[] = [
  forward,
  gradient('input gradient', 'x', naiveInputGrad),
  gradient('weight gradient', 'w', naiveWeightGrad),
];
