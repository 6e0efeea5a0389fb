/** Calls that between them launch every kernel on work enough for several threads. */

import * as torch from '../../ts/index.js';
import { applyPointwise } from '../../ts/ops/apply.js';
import { type PointwiseName, pointwise } from '../../ts/ops/pointwise.js';
import { type PointwiseJudge, spread } from '../judges/judge.js';
import { judges } from '../judges.js';
import { maskedInputs } from '../ops/samples.js';

type Tensor = torch.Tensor;
export type Calls = Readonly<Record<string, () => Tensor[]>>;

const { nn, optim } = torch;
const F = nn.functional;
const { float32, float64, int32, int64, bool, float16 } = torch;

/** Dtypes of the kernels by a row's domain. */
const DTYPES = {
  real: [float32, float64],
  number: [float32, float64, int32, int64],
  int: [int32, int64],
};
const [ROWS, COLUMNS] = [37, 29];

/** Operands of a row, as many as fill vectors, the runs that some loops take, and a rest. */
function operands(name: PointwiseName, dtype: torch.Dtype): Tensor[] {
  const { domain } = judges[name] as PointwiseJudge;
  const masks = maskedInputs(name);
  return Array.from({ length: pointwise[name].inputs }, (_, i) => {
    const isWhole = dtype === int32 || dtype === int64;
    const range = isWhole ? ([-9, 9] as const) : (domain[i] ?? domain[0]!);
    const values = spread(ROWS * COLUMNS, range, i);
    const given = masks.includes(i) ? values.map((_v, k) => k % 3 === 0) : values;
    const tensor = torch.tensor(given as number[], { dtype: masks.includes(i) ? bool : float64 });
    return (masks.includes(i) ? tensor : tensor.to(dtype)).view(ROWS, COLUMNS);
  });
}

/** A row on operands that are contiguous, and on some that are transposed and broadcast. */
function pointwiseCall(name: PointwiseName, dtype: torch.Dtype) {
  return () => {
    const given = operands(name, dtype);
    const { scalars } = judges[name] as PointwiseJudge;
    const turned = given.map((x, i) => (i === 1 ? x.narrow(1, 0, 1) : x.t().contiguous().t()));
    return [applyPointwise(name, given, scalars), applyPointwise(name, turned, scalars)];
  };
}

/** Every elementwise row in every dtype that it has kernels for. */
export const pointwiseCalls: Calls = Object.fromEntries(
  (Object.keys(pointwise) as PointwiseName[]).flatMap((name) =>
    DTYPES[pointwise[name].domain].map((dtype) => [
      `${name}, ${dtype.name}`,
      pointwiseCall(name, dtype),
    ]),
  ),
);

const rand = (...shape: number[]) => torch.randn(shape);
const whole = (low: number, high: number, ...shape: number[]) => torch.randint(low, high, shape);

/** A result with the gradients of all inputs. */
function withGradients(inputs: Tensor[], f: (inputs: Tensor[]) => Tensor) {
  const leaves = inputs.map((x) => x.detach().requiresGrad_());
  const out = f(leaves);
  out
    .mul(torch.linspace(-1, 1, out.numel()).reshape(out.shape))
    .sum()
    .backward();
  return [out, ...leaves.map((x) => x.grad as Tensor)];
}

/** What a module makes of an input, with the gradients of that and of all parameters. */
function model(module: torch.nn.Module, x: Tensor) {
  x.requiresGrad_();
  let out = (module as unknown as (x: Tensor) => Tensor | Tensor[])(x);
  if (Array.isArray(out)) out = out[0] as Tensor;
  out.square().mean().backward();
  return [out, ...[x, ...module.parameters()].map((t) => t.grad as Tensor)];
}

type Steps = Pick<torch.optim.SGD, 'zeroGrad' | 'step'>;

/** Two steps of an optimiser. */
function steps(make: (parameters: torch.nn.Parameter[]) => Steps) {
  const net = new nn.Linear(90, 80);
  const optimizer = make([...net.parameters()]);
  for (let i = 0; i < 2; i++) {
    optimizer.zeroGrad();
    net(rand(20, 90)).square().sum().backward();
    optimizer.step();
  }
  return [...net.parameters()].map((p) => p.detach());
}

/** Of the default float dtype. */
const FLOATS: Calls = {
  'elementwise, turned': () => [
    rand(301, 259).add(rand(259, 301).t()),
    rand(256, 384).mul(rand(384, 256).t()),
  ],
  'elementwise, strided': () => [rand(301, 203).t().exp().add(rand(203, 1))],
  matmul: () => withGradients([rand(331, 217), rand(217, 285)], ([a, b]) => a.matmul(b)),
  'matmul, transposed': () =>
    withGradients([rand(217, 331), rand(285, 217)], ([a, b]) => a.t().matmul(b.t())),
  'matmul, few rows': () => {
    const b = rand(800, 1018);
    return [rand(1, 800).matmul(b), rand(3, 800).matmul(b), b.matmul(rand(1018, 2))];
  },
  'matmul, batched': () => withGradients([rand(9, 65, 33), rand(9, 33, 70)], ([a, b]) => a.bmm(b)),
  linear: () => model(new nn.Linear(200, 300), rand(130, 200)),
  conv2d: () => model(new nn.Conv2d(3, 20, 5, { padding: 2 }), rand(6, 3, 29, 31)),
  'conv2d, strided, grouped': () =>
    model(new nn.Conv2d(8, 12, 3, { stride: 2, groups: 4 }), rand(5, 8, 33, 30)),
  'conv2d, three channels, strided': () =>
    model(new nn.Conv2d(3, 12, 3, { stride: 2, padding: 1 }), rand(3, 3, 67, 66)),
  'conv2d, many channels of few pixels': () =>
    model(new nn.Conv2d(70, 160, 3, { padding: 1 }), rand(1, 70, 6, 7)),
  'conv2d, single taps': () => model(new nn.Conv2d(24, 50, 1), rand(2, 24, 32, 30)),
  'conv2d, of the whole image': () => model(new nn.Conv2d(30, 130, 4), rand(90, 30, 4, 4)),
  'conv2d, depthwise': () =>
    model(new nn.Conv2d(12, 12, 3, { padding: 1, groups: 12 }), rand(3, 12, 33, 30)),
  'conv2d, depthwise, strided': () =>
    model(new nn.Conv2d(12, 12, 3, { stride: 2, padding: 1, groups: 12 }), rand(3, 12, 32, 30)),
  'conv2d, depthwise, dilated': () =>
    model(new nn.Conv2d(12, 12, 3, { dilation: 2, groups: 12 }), rand(3, 12, 33, 30)),
  pooling: () => withGradients([rand(5, 7, 30, 31)], ([x]) => F.maxPool2d(x, 3)),
  norms: () => [0, 1, 2, 3, 4.5, Infinity].map((p) => rand(70, 211).norm(p, 1)),
  statistics: () => [rand(103, 211).mean(1), rand(103, 211).std(0), rand(40, 301).logcumsumexp(1)],
  'running products': () => withGradients([rand(140, 301)], ([x]) => x.cumprod(1)),
  softmax: () => withGradients([rand(213, 301)], ([x]) => x.softmax(1)),
  'singular values': () => Object.values(torch.linalg.svd(rand(150, 9, 7))),
  'batch norm': () => model(new nn.BatchNorm2d(9), rand(8, 9, 13, 12)),
  'layer norm': () => model(new nn.LayerNorm(65), rand(90, 65)),
  'group norm': () => model(new nn.GroupNorm(3, 9), rand(8, 9, 13, 12)),
  'cross entropy': () =>
    withGradients([rand(301, 70)], ([x]) => F.crossEntropy(x, torch.arange(301).remainder(70))),
  rnn: () => model(new nn.RNN(20, 34), rand(11, 9, 20)),
  lstm: () => model(new nn.LSTM(20, 34, { numLayers: 2 }), rand(11, 90, 20)),
  gru: () => model(new nn.GRU(20, 34), rand(11, 90, 20)),
  attention: () =>
    withGradients([rand(3, 4, 70, 16), rand(3, 4, 70, 16), rand(3, 4, 70, 16)], ([q, k, v]) =>
      F.scaledDotProductAttention(q, k, v),
    ),
  dropout: () => [F.dropout(rand(9001), 0.3)],
  sgd: () => steps((p) => new optim.SGD(p, { lr: 0.1, momentum: 0.9 })),
  adam: () => steps((p) => new optim.Adam(p)),
  rmsprop: () => steps((p) => new optim.RMSprop(p)),
  adagrad: () => steps((p) => new optim.Adagrad(p)),
  adadelta: () => steps((p) => new optim.Adadelta(p)),
  adamax: () => steps((p) => new optim.Adamax(p)),
  nadam: () => steps((p) => new optim.NAdam(p)),
  radam: () => steps((p) => new optim.RAdam(p)),
  rprop: () => steps((p) => new optim.Rprop(p)),
  asgd: () => steps((p) => new optim.ASGD(p)),
};

/** Of numbers, whole ones too. */
const numbers = (dtype: torch.Dtype): Calls => {
  const some = (...shape: number[]) => whole(-9, 10, ...shape).to(dtype);
  return {
    reductions: () => {
      const x = some(103, 211, 7);
      const long = some(2, 70_001);
      const tops = [x.amax(1), x.amin(0), x.argmax(2), long.amin(), long.argmax(1)];
      const steps = [long.at(':', '::2').sum(), some(802, 300).at('::2').sum(0)];
      const sums = [x.sum(), x.sum(0), x.sum(1), long.sum(1), ...steps];
      return [...sums, x.prod(2), x.countNonzero(), ...tops];
    },
    scans: () => [
      some(40, 301).cumsum(1),
      some(301, 140).cumprod(0),
      ...Object.values(some(40, 301).cummax(1)),
      ...Object.values(some(301, 140).cummin(0)),
    ],
    sort: () => [
      ...Object.values(some(31, 501).sort(1)),
      ...Object.values(some(31, 501).topk(7, 1)),
      ...Object.values(some(31, 501).topk(100, 1)),
      torch.searchsorted(some(501).sort().values, some(501)),
      ...[torch.uniqueConsecutive(some(5001))].flat(),
    ],
    products: () => [some(140, 331).t().matmul(some(140, 285))],
    'sums by index': () => {
      const [x, index] = [some(40, 301), whole(0, 40, 50)];
      return [
        x.indexAdd(0, index, some(50, 301)),
        x.scatterAdd(0, whole(0, 40, 50, 301), some(50, 301)),
        some(200, 301).put(whole(0, 60_200, 900), some(900), true),
      ];
    },
  };
};

/** Of elements that are only moved. */
const moves = (dtype: torch.Dtype): Calls => {
  const some = (...shape: number[]) => whole(0, 2, ...shape).to(dtype);
  return {
    copies: () => [some(50, 301).t().contiguous(), some(50, 301).to(int64)],
    'by index': () => {
      const [x, many] = [some(40, 301), whole(0, 40, 50, 301)];
      const [long, few, order] = [some(200, 301), whole(0, 60_200, 500), torch.randperm(40)];
      return [
        ...[x.gather(0, many), x.scatter(0, many.narrow(0, 0, 40), some(40, 301))],
        ...[x.indexSelect(0, many.select(1, 0)), x.indexCopy(0, order, some(40, 301))],
        ...[long.take(few), long.put(few, some(500)), x.tril(), x.triu()],
      ];
    },
    'by mask': () => {
      const [x, mask] = [some(40, 3011), whole(0, 2, 40, 3011).to(bool)];
      return [x.maskedSelect(mask), x.maskedScatter(mask, some(40, 3011)), torch.nonzero(x)].map(
        (result) => result as Tensor,
      );
    },
    'any and all': () => [some(40, 3011).any(1), some(40, 3011).all(0)],
  };
};

/** Calls by name, each with the dtype in it. */
function under(dtype: torch.Dtype, calls: Calls): Calls {
  const entries = Object.entries(calls).map(([name, call]) => {
    return [`${name}, ${dtype.name}`, call] as const;
  });
  return Object.fromEntries(entries);
}

/** Calls whose floats are of another dtype than usual. */
function inDefault(dtype: torch.Dtype, calls: Calls): Calls {
  const entries = Object.entries(calls).map(([name, call]) => {
    const run = () => {
      const usual = torch.getDefaultDtype();
      torch.setDefaultDtype(dtype);
      try {
        return call();
      } finally {
        torch.setDefaultDtype(usual);
      }
    };
    return [name, run] as const;
  });
  return under(dtype, Object.fromEntries(entries));
}

/** The same of several dtypes. */
function each(dtypes: readonly torch.Dtype[], calls: (dtype: torch.Dtype) => Calls): Calls {
  return Object.assign({}, ...dtypes.map(calls));
}

export const largerCalls: Calls = {
  'elementwise, half and bytes': () => [
    rand(5003).half().mul(3),
    rand(5003).to(torch.uint8).add(1),
  ],
  ...each([float32, float64], (dtype) => inDefault(dtype, FLOATS)),
  ...each([float32, float64, int32, int64], (dtype) => under(dtype, numbers(dtype))),
  ...each([bool, float16, float32, float64], (dtype) => under(dtype, moves(dtype))),
};
