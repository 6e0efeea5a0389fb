/** A million floats, beside native PyTorch: forward, backward alone, and other layouts. */

import type * as Torch from '../../ts/index.js';
import type { Tensor } from '../../ts/index.js';
import {
  type Case,
  classes,
  type Input,
  type Inputs,
  type NaiveCall,
  toTensor,
  uniform,
  values,
} from '../case.js';
import {
  BATCH,
  density,
  EPS,
  erf,
  LAYER,
  map,
  normalised,
  normalisedBackward,
  order,
  rows,
  SIDE,
  softmax,
} from './million_naive.js';

type Tensors = Readonly<Record<string, Tensor>>;

interface Work {
  readonly name: string;
  /** Beside x, y and g: 1024 x 1024 in [-2, 2). */
  readonly inputs?: () => Inputs;
  readonly forward: (torch: typeof Torch, t: Tensors) => Tensor;
  readonly pytorch: string;
  /** Absent where the case is in elementwise.ts. */
  readonly value?: (inputs: Inputs) => ArrayLike<number>;
  /** The gradients of `of` where that of the result is g, one after the other. */
  readonly gradient?: (inputs: Inputs) => ArrayLike<number>;
  readonly of?: readonly string[];
  /** Timed into the leaves' grad: where PyTorch's gradients are views, only there they are made. */
  readonly accumulated?: boolean;
  readonly tolerance?: number;
  /** Forward in plain C. */
  readonly naive?: NaiveCall;
  /** What of a random result must be right, in both languages. */
  readonly digest?: { isotorch: (torch: typeof Torch, t: Tensor) => Tensor; pytorch: string };
}

const square = (seed: number) => uniform(seed, [SIDE, SIDE], 2);
const full = (shape: number[], value: number): Input => ({
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value),
});
const mean = (x: ArrayLike<number>) => Array.from(x).reduce((a, b) => a + b, 0) / x.length;
const most = ({ x }: Inputs) => [(x.data as Float32Array).reduce((a, b) => Math.max(a, b))];
const firstMost = (x: Float64Array) => x.indexOf(x.reduce((a, b) => Math.max(a, b)));
const alone = () => ({ g: full([], 1) });
const perRow = () => ({ g: uniform(9, [SIDE]) });
const picks = () => ({ index: { ...classes(7, SIDE * SIDE, SIDE), shape: [SIDE, SIDE] } });
const affine = (count: number) => ({ weight: uniform(31, [count]), bias: uniform(32, [count]) });
const WORDS = 4096;
const [VOCABULARY, WIDTH] = [2000, 256];
const DROPPED = [1, 2, 0];
const drops: Work['digest'] = {
  isotorch: (torch, t) => torch.stack([t.mean(), t.max(), t.min()]),
  pytorch: 'torch.stack([t.mean(), t.max(), t.min()])',
};

/** Sums what `from` holds at the places of the others. */
function gathered(size: number, from: ArrayLike<number>, place: (i: number) => number) {
  const out = new Float64Array(size);
  for (let i = 0; i < from.length; i++) out[place(i)] += from[i];
  return out;
}

/** Operands that are not contiguous, by their Python; and where an element is in y, or in z. */
const LAYOUTS: readonly [string, (t: Tensors) => Tensor, (i: number) => number][] = [
  ['y.t()', ({ y }) => y.t(), (i) => (i % SIDE) * SIDE + (i >> 10)],
  ['y[0]', ({ y }) => y.select(0, 0), (i) => i % SIDE],
  ['y[:, :1]', ({ y }) => y.narrow(1, 0, 1), (i) => i & -SIDE],
  ['y[0, 0]', ({ y }) => y.select(0, 0).select(0, 0), () => 0],
  ['z[:, ::2]', ({ z }) => z.at(':', '::2'), (i) => 2 * i],
  ['z.view(2048, 1024)[::2]', ({ z }) => z.view(2 * SIDE, SIDE).at('::2'), (i) => i + (i & -SIDE)],
];

/** x and y seen as 8 matrices, which are turned, or as 32, whose order is. */
const TURNED: readonly [
  string,
  string,
  (t: Tensor, side: 'x' | 'y') => Tensor,
  (i: number) => number,
][] = [
  [
    'x + batched y.mT',
    'x.view(8, 128, 1024) + y.view(8, 1024, 128).transpose(1, 2)',
    (t, side) => (side === 'x' ? t.view(8, 128, SIDE) : t.view(8, SIDE, 128).transpose(1, 2)),
    (i) => (i & -(128 * SIDE)) + (i % SIDE) * 128 + ((i >> 10) & 127),
  ],
  [
    'x + permuted y',
    'x.view(16, 64, 32, 32) + y.view(16, 32, 32, 64).permute(0, 3, 1, 2)',
    (t, side) =>
      side === 'x' ? t.view(16, 64, 32, 32) : t.view(16, 32, 32, 64).permute(0, 3, 1, 2),
    (i) => (i & -65536) + (i % SIDE) * 64 + ((i >> 10) & 63),
  ],
  [
    'x + y.transpose(0, 1)',
    'x.view(32, 32, 1024) + y.view(32, 32, 1024).transpose(0, 1)',
    (t, side) => (side === 'x' ? t.view(32, 32, SIDE) : t.view(32, 32, SIDE).transpose(0, 1)),
    (i) => (((i >> 10) & 31) << 15) + ((i >> 15) << 10) + (i % SIDE),
  ],
];

const WORKS: readonly Work[] = [
  {
    name: 'add',
    forward: (_, { x, y }) => x.add(y),
    pytorch: 'x + y',
    gradient: ({ g }) => [...g.data, ...g.data],
    of: ['x', 'y'],
    accumulated: true,
  },
  {
    name: 'mul',
    forward: (_, { x, y }) => x.mul(y),
    pytorch: 'x * y',
    value: map((v, w) => v * w, 'y'),
    gradient: ({ x, y, g }) => [
      ...map((v, w) => v * w)({ x: y, g }),
      ...map((v, w) => v * w)({ x, g }),
    ],
    of: ['x', 'y'],
  },
  {
    name: 'relu',
    forward: (_, { x }) => x.relu(),
    pytorch: 'x.relu()',
    value: map((v) => Math.max(v, 0)),
    gradient: map((v, g) => (v > 0 ? g : 0)),
  },
  {
    name: 'exp',
    forward: (_, { x }) => x.exp(),
    pytorch: 'x.exp()',
    gradient: map((v, g) => g * Math.exp(v)),
  },
  {
    name: 'tanh',
    forward: (_, { x }) => x.tanh(),
    pytorch: 'x.tanh()',
    value: map(Math.tanh),
    gradient: map((v, g) => g * (1 - Math.tanh(v) ** 2)),
  },
  {
    name: 'gelu',
    forward: (torch, { x }) => torch.nn.functional.gelu(x),
    pytorch: 'F.gelu(x)',
    naive: { name: 'gelu_naive', sizes: [SIDE * SIDE], inputs: ['x'], count: SIDE * SIDE },
    value: map((v) => (v / 2) * (1 + erf(v / Math.SQRT2))),
    gradient: map((v, g) => g * ((1 + erf(v / Math.SQRT2)) / 2 + v * density(v))),
  },
  {
    name: 'sum',
    inputs: alone,
    forward: (_, { x }) => x.sum(),
    pytorch: 'x.sum()',
    gradient: ({ x }) => full([...x.shape], 1).data,
    accumulated: true,
    tolerance: 1e-4,
  },
  {
    name: 'mean of rows',
    inputs: perRow,
    forward: (_, { x }) => x.mean(1),
    pytorch: 'x.mean(1)',
    value: rows((x) => [mean(x)]),
    gradient: ({ g }) => Array.from({ length: SIDE * SIDE }, (_, i) => g.data[i >> 10] / SIDE),
  },
  {
    name: 'sum of columns',
    inputs: perRow,
    forward: (_, { x }) => x.sum(0),
    pytorch: 'x.sum(0)',
    value: ({ x }) => gathered(SIDE, x.data, (i) => i % SIDE),
    gradient: ({ g }) => Array.from({ length: SIDE * SIDE }, (_, i) => g.data[i % SIDE]),
    tolerance: 1e-4,
  },
  {
    name: 'max',
    inputs: alone,
    forward: (_, { x }) => x.max(),
    pytorch: 'x.max()',
    naive: { name: 'max_naive', sizes: [SIDE * SIDE], inputs: ['x'], count: 1 },
    value: most,
    gradient: ({ x }) => {
      const [top] = most({ x });
      return x.data.map((v) => (v === top ? 1 : 0));
    },
  },
  {
    name: 'max of rows',
    inputs: perRow,
    forward: (_, { x }) => x.max(1).values,
    pytorch: 'x.max(1).values',
    value: rows((x) => [x[firstMost(x)]]),
    gradient: ({ x, g }) =>
      rows((v, _, r) => v.map((_w, i) => (i === firstMost(v) ? g.data[r] : 0)))({ x, g: x }),
  },
  {
    name: 'argmax',
    forward: (_, { x }) => x.argmax(1),
    pytorch: 'x.argmax(1)',
    value: rows((x) => [firstMost(x)]),
  },
  {
    name: 'softmax',
    forward: (_, { x }) => x.softmax(1),
    pytorch: 'x.softmax(1)',
    gradient: rows((x, g) => {
      const y = softmax(x);
      const total = y.reduce((sum, v, i) => sum + v * g[i], 0);
      return y.map((v, i) => v * (g[i] - total));
    }),
  },
  {
    name: 'layer norm',
    inputs: () => affine(SIDE),
    forward: (torch, { x, weight, bias }) =>
      torch.nn.functional.layerNorm(x, [SIDE], weight, bias, EPS),
    pytorch: `F.layer_norm(x, [${SIDE}], weight, bias)`,
    gradient: normalisedBackward(LAYER),
    of: ['x', 'weight', 'bias'],
    tolerance: 1e-4,
  },
  {
    name: 'batch norm',
    inputs: () => {
      const shape = [64, 16, 32, 32];
      return { ...affine(16), x: uniform(3, shape, 2), g: uniform(6, shape, 2) };
    },
    forward: (torch, { x, weight, bias }) =>
      torch.nn.functional.batchNorm(x, null, null, weight, bias, true, 0.1, EPS),
    pytorch: 'F.batch_norm(x, None, None, weight, bias, True)',
    value: normalised(BATCH),
    gradient: normalisedBackward(BATCH),
    of: ['x', 'weight', 'bias'],
    tolerance: 1e-4,
  },
  {
    name: 'cross-entropy',
    inputs: () => ({ target: classes(8, SIDE, SIDE), g: full([], 1) }),
    forward: (torch, { x, target }) => torch.nn.functional.crossEntropy(x, target),
    pytorch: 'F.cross_entropy(x, target)',
    value: ({ x, g, target }) => [
      mean(rows((v, _, r) => [-Math.log(softmax(v)[target.data[r]])])({ x, g })),
    ],
    gradient: ({ x, target }) =>
      rows((v, _, r) => softmax(v).map((p, i) => (p - (i === target.data[r] ? 1 : 0)) / SIDE))({
        x,
        g: x,
      }),
  },
  {
    name: 'transpose copy',
    forward: (_, { x }) => x.t().contiguous(),
    pytorch: 'x.t().contiguous()',
    naive: { name: 'transpose_naive', sizes: [SIDE, SIDE], inputs: ['x'], count: SIDE * SIDE },
    value: ({ x }) => x.data.map((_, i) => x.data[(i % SIDE) * SIDE + (i >> 10)]),
    gradient: ({ g }) => g.data.map((_, i) => g.data[(i % SIDE) * SIDE + (i >> 10)]),
    accumulated: true,
  },
  {
    name: 'cat',
    inputs: () => ({ x: uniform(3, [SIDE, SIDE / 2]), y: uniform(4, [SIDE, SIDE / 2]) }),
    forward: (torch, { x, y }) => torch.cat([x, y], 1),
    pytorch: 'torch.cat([x, y], 1)',
    value: ({ x, y }) =>
      Float64Array.from({ length: SIDE * SIDE }, (_, i) => {
        return (i & 512 ? y : x).data[(i >> 10) * 512 + (i & 511)];
      }),
    gradient: ({ g }) => [
      ...g.data.filter((_, i) => (i & 512) === 0),
      ...g.data.filter((_, i) => (i & 512) !== 0),
    ],
    of: ['x', 'y'],
    accumulated: true,
  },
  {
    name: 'gather',
    inputs: picks,
    forward: (_, { x, index }) => x.gather(1, index),
    pytorch: 'x.gather(1, index)',
    value: ({ x, index }) => x.data.map((_, i) => x.data[(i & -SIDE) + index.data[i]]),
    gradient: ({ g, index }) => gathered(SIDE * SIDE, g.data, (i) => (i & -SIDE) + index.data[i]),
  },
  {
    name: 'embedding',
    inputs: () => ({
      x: uniform(3, [VOCABULARY, WIDTH]),
      index: classes(7, WORDS, VOCABULARY),
      g: uniform(6, [WORDS, WIDTH]),
    }),
    forward: (torch, { x, index }) => torch.nn.functional.embedding(index, x),
    pytorch: 'F.embedding(index, x)',
    value: ({ x, index, g }) =>
      g.data.map((_, i) => x.data[index.data[i >> 8] * WIDTH + (i % WIDTH)]),
    gradient: ({ index, g }) =>
      gathered(VOCABULARY * WIDTH, g.data, (i) => index.data[i >> 8] * WIDTH + (i % WIDTH)),
  },
  {
    name: 'dropout',
    inputs: () => ({ x: full([SIDE, SIDE], 1), g: full([SIDE, SIDE], 1) }),
    forward: (torch, { x }) => torch.nn.functional.dropout(x),
    pytorch: 'F.dropout(x)',
    value: () => DROPPED,
    gradient: () => DROPPED,
    tolerance: 0.01,
    digest: drops,
  },
  {
    name: 'sort',
    inputs: () => ({ x: uniform(3, [SIDE * SIDE]), g: uniform(6, [SIDE * SIDE]) }),
    forward: (_, { x }) => x.sort().values,
    pytorch: 'x.sort(stable=True).values',
    value: ({ x }) => Float32Array.from(x.data).sort(),
    gradient: ({ x, g }) => {
      const places = order(x.data);
      return gathered(SIDE * SIDE, g.data, (i) => places[i]);
    },
  },
  {
    name: 'sort of rows',
    forward: (_, { x }) => x.sort(1).values,
    pytorch: 'x.sort(dim=1, stable=True).values',
    value: rows((x) => x.sort()),
    gradient: rows((x, g) => {
      const places = order(x);
      return gathered(SIDE, g, (i) => places[i]);
    }),
  },
  ...LAYOUTS.map(
    ([name, other, place]): Work => ({
      name: `x + ${name}`,
      inputs: (): Inputs => (name[0] === 'z' ? { z: uniform(11, [SIDE, 2 * SIDE], 2) } : {}),
      forward: (_, t) => t.x.add(other(t)),
      pytorch: `x + ${name}`,
      value: (of) => of.x.data.map((v, i) => v + of[name[0]].data[place(i)]),
    }),
  ),
  ...TURNED.map(
    ([name, pytorch, seen, place]): Work => ({
      name,
      forward: (_, { x, y }) => seen(x, 'x').add(seen(y, 'y')),
      pytorch,
      value: ({ x, y }) => x.data.map((v, i) => v + y.data[place(i)]),
    }),
  ),
  {
    name: 'y[0] + y[:, :1]',
    forward: (_, { y }) => y.select(0, 0).add(y.narrow(1, 0, 1)),
    pytorch: 'y[0] + y[:, :1]',
    value: ({ y }) => y.data.map((_, i) => y.data[i % SIDE] + y.data[i & -SIDE]),
  },
];

function allInputs(work: Work): Inputs {
  return { x: square(3), y: square(4), g: square(6), ...work.inputs?.() };
}

function tensors(torch: typeof Torch, inputs: Inputs): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(inputs).map(([k, v]) => [k, toTensor(torch, v)]));
}

function digested(work: Work, torch: typeof Torch, result: Tensor) {
  return values(work.digest?.isotorch(torch, result) ?? result);
}

/** PyTorch's indices are int64. */
const LONG = `
if 'index' in globals(): index = index.long()
if 'target' in globals(): target = target.long()
`;

const PYTHON_INTO = `for t in of: t.grad = None
    out.backward(g, retain_graph=True)
    return [t.grad for t in of]`;

function forward(work: Work): Case {
  return {
    name: `1M/${work.name}`,
    inputs: () => allInputs(work),
    expected: work.value as NonNullable<Work['value']>,
    tolerance: work.tolerance ?? 1e-5,
    naive: work.naive,
    isotorch(torch, inputs) {
      const given = tensors(torch, inputs);
      return {
        run: () => torch.scope(() => void work.forward(torch, given)),
        check: () => digested(work, torch, work.forward(torch, given)),
      };
    },
    pytorch: `
${LONG}def run(): return ${work.pytorch}
def check():
    t = run()
    return ${work.digest?.pytorch ?? 't'}
`,
  };
}

/** `accumulated`: into the grad of the leaves. */
function backward(work: Work, accumulated: boolean): Case {
  const of = work.of ?? ['x'];
  return {
    name: `1M/${work.name} backward${accumulated ? ' into grad' : ''}`,
    inputs: () => allInputs(work),
    expected: work.gradient as NonNullable<Work['gradient']>,
    tolerance: work.tolerance ?? 1e-5,
    isotorch(torch, inputs) {
      const given = tensors(torch, inputs);
      for (const name of of) given[name].requiresGrad_();
      const result = work.forward(torch, given);
      const options = { gradOutputs: given.g, retainGraph: true };
      const leaves = of.map((name) => given[name]);
      const into = () => {
        for (const leaf of leaves) {
          leaf.grad?.dispose();
          leaf.grad = null;
        }
        result.backward({ gradient: given.g, retainGraph: true });
        return leaves.map((leaf) => leaf.grad as Tensor);
      };
      const alone = () => torch.autograd.grad(result, leaves, options) as Tensor[];
      const run = accumulated ? into : alone;
      return {
        run: () => torch.scope(() => void run()),
        check: () => digested(work, torch, torch.cat(run().map((t) => t.flatten()))),
      };
    },
    pytorch: `
${LONG}of = [${of.map((name) => `${name}.requires_grad_()`).join(', ')}]
out = ${work.pytorch}
def run():
    ${accumulated ? PYTHON_INTO : 'return torch.autograd.grad(out, of, g, retain_graph=True)'}
def check():
    t = torch.cat([t.flatten() for t in run()])
    return ${work.digest?.pytorch ?? 't'}
`,
  };
}

export const millionCases: readonly Case[] = WORKS.flatMap((work) => [
  ...(work.value ? [forward(work)] : []),
  ...(work.gradient ? [backward(work, work.accumulated ?? false)] : []),
]);
