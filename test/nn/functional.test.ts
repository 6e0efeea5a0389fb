import { describe, expect, it, vi } from 'vitest';
import type { Tensor } from '../../ts/index.js';
import * as torch from '../../ts/index.js';

const { nn } = torch;
const F = nn.functional;
const { gradcheck, gradgradcheck } = torch.autograd;

function sample(...shape: number[]): Tensor {
  return torch.randn(shape, { dtype: torch.float64 }).requiresGrad_();
}

const classes = torch.tensor([0, 2, 1, 2]);
const weight = torch.tensor([0.5, 1, 2], { dtype: torch.float64 });
const probabilities = torch.tensor([0.2, 0.4, 0.9, 0.5], { dtype: torch.float64 });
const binary = torch.tensor([1, 0, 0.3, 1], { dtype: torch.float64 });

const differentiable: Record<string, [(...x: Tensor[]) => Tensor, number[][]]> = {
  leakyRelu: [(x) => F.leakyRelu(x, 0.2), [[7]]],
  elu: [(x) => F.elu(x, 1.5), [[7]]],
  selu: [(x) => F.selu(x), [[7]]],
  celu: [(x) => F.celu(x, 0.7), [[7]]],
  silu: [(x) => F.silu(x), [[7]]],
  mish: [(x) => F.mish(x), [[7]]],
  gelu: [(x) => F.gelu(x), [[7]]],
  'gelu, tanh': [(x) => F.gelu(x, 'tanh'), [[7]]],
  softplus: [(x) => F.softplus(x, 2, 1), [[7]]],
  softsign: [(x) => F.softsign(x), [[7]]],
  logsigmoid: [(x) => F.logsigmoid(x), [[7]]],
  hardtanh: [(x) => F.hardtanh(x, -0.5, 0.7), [[7]]],
  prelu: [(x, w) => F.prelu(x, w), [[2, 3, 2], [3]]],
  glu: [(x) => F.glu(x, 0), [[4, 3]]],
  softmax: [(x) => F.softmax(x, 1), [[2, 3, 2]]],
  logSoftmax: [(x) => F.logSoftmax(x, 0), [[3, 2]]],
  conv1d: [(x, w, b) => F.conv1d(x, w, b, { stride: 2, padding: 1 }), [[2, 2, 7], [3, 2, 3], [3]]],
  'conv2d, groups, same': [
    (x, w, b) => F.conv2d(x, w, b, { padding: 'same', groups: 2 }),
    [[1, 4, 4, 3], [2, 2, 2, 3], [2]],
  ],
  maxPool2d: [(x) => F.maxPool2d(x, 2), [[2, 2, 4, 4]]],
  avgPool2d: [(x) => F.avgPool2d(x, 3, 2, 1), [[1, 2, 5, 5]]],
  adaptiveAvgPool2d: [(x) => F.adaptiveAvgPool2d(x, [2, 3]), [[1, 2, 5, 5]]],
  'batchNorm, training': [
    (x, w, b) => F.batchNorm(x, null, null, w, b, true),
    [[4, 2, 3], [2], [2]],
  ],
  'batchNorm, eval': [
    (x, w, b) => F.batchNorm(x, weight.narrow(0, 0, 2), weight.narrow(0, 1, 2), w, b),
    [[4, 2, 3], [2], [2]],
  ],
  layerNorm: [
    (x, w, b) => F.layerNorm(x, [2, 3], w, b),
    [
      [3, 2, 3],
      [2, 3],
      [2, 3],
    ],
  ],
  groupNorm: [(x, w, b) => F.groupNorm(x, 2, w, b), [[2, 4, 3], [4], [4]]],
  instanceNorm: [(x) => F.instanceNorm(x), [[2, 2, 5]]],
  normalize: [(x) => F.normalize(x), [[3, 4]]],
  cosineSimilarity: [
    (a, b) => F.cosineSimilarity(a, b),
    [
      [3, 4],
      [3, 4],
    ],
  ],
  bilinear: [(a, b, w, c) => F.bilinear(a, b, w, c), [[2, 3], [2, 4], [2, 3, 4], [2]]],
  attention: [
    (q, k, v) => F.scaledDotProductAttention(q, k, v, { isCausal: true }),
    [
      [2, 3, 4],
      [2, 3, 4],
      [2, 3, 2],
    ],
  ],
  mseLoss: [(x, y) => F.mseLoss(x, y), [[4], [4]]],
  smoothL1Loss: [(x, y) => F.smoothL1Loss(x, y, { beta: 0.5 }), [[4], [4]]],
  huberLoss: [(x, y) => F.huberLoss(x, y, 'sum', 0.5), [[4], [4]]],
  klDiv: [(x) => F.klDiv(x, probabilities, { reduction: 'batchmean' }), [[4]]],
  crossEntropy: [(x) => F.crossEntropy(x, classes, { weight, labelSmoothing: 0.1 }), [[4, 3]]],
  'crossEntropy, images': [
    (x) => F.crossEntropy(x, classes.view(1, 2, 2), { ignoreIndex: 1, reduction: 'none' }),
    [[1, 3, 2, 2]],
  ],
  'crossEntropy, probabilities': [
    (x, y) => F.crossEntropy(x, y.softmax(1), { weight, labelSmoothing: 0.1 }),
    [
      [4, 3],
      [4, 3],
    ],
  ],
  nllLoss: [(x) => F.nllLoss(x, classes, weight), [[4, 3]]],
  binaryCrossEntropy: [(x) => F.binaryCrossEntropy(x.sigmoid(), binary), [[4]]],
  binaryCrossEntropyWithLogits: [
    (x) => F.binaryCrossEntropyWithLogits(x, binary, { posWeight: probabilities }),
    [[4]],
  ],
};

describe('gradients', () => {
  it('gelu by tanh: 0 and 1 where powers of the argument overflow', () => {
    const x = torch.tensor([-1e15, -1e18, 1e15, 1e18], { requiresGrad: true });
    F.gelu(x, 'tanh').sum().backward();
    expect(x.grad?.tolistSync()).toEqual([0, 0, 1, 1]);
  });

  for (const [name, [f, shapes]] of Object.entries(differentiable)) {
    it(`${name}: first and second derivatives`, () => {
      torch.manualSeed(7);
      const inputs = shapes.map((shape) => sample(...shape));
      expect(gradcheck(f, inputs)).toBe(true);
      expect(gradgradcheck(f, inputs)).toBe(true);
    });
  }

  it('is 0 at the bounds of hardtanh and relu6, as in PyTorch', () => {
    const x = torch.tensor([-1, 0, 0.5, 6, 7], { dtype: torch.float32, requiresGrad: true });
    F.relu6(x).sum().backward();
    expect(x.grad?.tolistSync()).toEqual([0, 0, 1, 0, 0]);
  });

  it('stays finite at probabilities 0 and 1', () => {
    const x = torch.tensor([0, 1], { dtype: torch.float32, requiresGrad: true });
    const loss = F.binaryCrossEntropy(x, torch.ones(2), { reduction: 'none' });
    expect(loss.abs().tolistSync()).toEqual([100, 0]);
    loss.sum().backward();
    expect(x.grad?.neg().tolistSync()).toEqual([999999995904, -0]);
  });
});

describe('in place', () => {
  it('writes the result into the input', () => {
    for (const f of [F.relu, F.leakyRelu, F.silu, F.mish, F.elu, F.hardtanh, F.relu6]) {
      const call = f as (x: Tensor, options?: { inplace: boolean }) => Tensor;
      const x = torch.tensor([-2, 0.5, 8]);
      const expected = call(x).tolistSync();
      expect(call(x, { inplace: true })).toBe(x);
      expect(x.tolistSync()).toEqual(expected);
    }
  });
});

describe('losses', () => {
  it("shows PyTorch's nodes", () => {
    const x = torch.zeros(2, 2, { requiresGrad: true });
    const loss = F.crossEntropy(x, torch.tensor([0, 1]));
    expect(String(loss)).toBe('tensor(0.6931, grad_fn=<NllLossBackward0>)');
    expect(F.mseLoss(x, x.detach()).gradFn?.name).toBe('MseLossBackward0');
  });

  it('warns once, as PyTorch does, where it broadcasts the target', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    try {
      for (let i = 0; i < 2; i++) {
        const loss = F.mseLoss(torch.ones(5, 1), torch.zeros(5), { reduction: 'none' });
        expect(loss.shape).toEqual([5, 5]);
      }
      F.mseLoss(torch.ones(5), torch.zeros(5));
      expect(warn.mock.calls).toEqual([[expect.stringMatching(/^mseLoss: .*\[5, 1\].*\[5\]/)]]);
    } finally {
      warn.mockRestore();
    }
  });

  it('is NaN where no target counts', () => {
    const ignored = F.crossEntropy(torch.ones(2, 3), torch.tensor([-100, -100]));
    expect(ignored.itemSync()).toBeNaN();
  });
});

describe('mistakes', () => {
  const x = torch.ones(2, 3, 8, 8);
  const cases: [string, () => unknown, typeof torch.TorchError, string][] = [
    [
      'channels of a convolution',
      () => F.conv2d(torch.ones(8, 1, 28, 28), torch.ones(16, 3, 5, 5)),
      torch.ShapeError,
      'conv2d: expected input [N, 3, H, W] for weight [16, 3, 5, 5] and groups 1, ' +
        'got [8, 1, 28, 28] with 1 channels',
    ],
    [
      'kernel larger than the input',
      () => F.conv1d(torch.ones(1, 2, 3), torch.ones(4, 2, 5)),
      torch.ShapeError,
      'conv1d: the kernel of weight [4, 2, 5] is larger than the padded input [1, 2, 3]; add padding',
    ],
    [
      'dtype of a convolution',
      () => F.conv2d(x.double(), torch.ones(1, 3, 3, 3)),
      torch.DtypeError,
      'conv2d: input is torch.float64, weight torch.float32; cast one',
    ],
    [
      'last dimension of linear',
      () => F.linear(torch.ones(2, 3), torch.ones(4, 5)),
      torch.ShapeError,
      'linear: shapes [2, 3] and [4, 5] do not go together: the input ends with size 3',
    ],
    [
      'class out of range',
      () => F.crossEntropy(torch.ones(2, 3), torch.tensor([0, 3])),
      torch.IndexError,
      'crossEntropy',
    ],
    [
      'shape of a target',
      () => F.crossEntropy(torch.ones(4, 3), torch.tensor([0, 1])),
      torch.ShapeError,
      'crossEntropy: expected a target [4] for input [4, 3], got [2]. The class dimension',
    ],
    [
      'integers as probabilities',
      () => F.crossEntropy(torch.ones(2, 3), torch.ones(2, 3).int()),
      torch.DtypeError,
      'holds probabilities, got torch.int32',
    ],
    [
      'unknown option',
      () => F.maxPool2d(x, 2, { strid: 1 } as never),
      torch.ValueError,
      "maxPool2d: unknown option 'strid'. Did you mean 'stride'?",
    ],
    [
      'reduction',
      () => F.mseLoss(x, x, { reduction: 'avg' as never }),
      torch.ValueError,
      "mseLoss: reduction is one of 'none', 'mean', 'sum', got 'avg'",
    ],
    [
      'not probabilities',
      () => F.binaryCrossEntropy(torch.tensor([1.5]), torch.tensor([1.0]).float()),
      torch.ValueError,
      'apply sigmoid() first, or use binaryCrossEntropyWithLogits',
    ],
    [
      'probability of dropout',
      () => F.dropout(x, 1.5),
      torch.ValueError,
      'dropout: the probability p lies between 0 and 1, got 1.5',
    ],
    [
      'dtype of dropout',
      () => F.dropout(torch.ones([3], { dtype: torch.int32 })),
      torch.DtypeError,
      'dropout: expected floating point, got torch.int32; use float()',
    ],
    [
      'groups',
      () => F.groupNorm(x, 2),
      torch.ShapeError,
      'groupNorm: the 3 channels of input [2, 3, 8, 8] do not divide into 2 groups',
    ],
    [
      'normalized shape',
      () => F.layerNorm(x, [4]),
      torch.ShapeError,
      'layerNorm: expected input [..., 4], got [2, 3, 8, 8]',
    ],
    [
      'one value per channel',
      () => F.batchNorm(torch.ones(1, 3), null, null, { training: true }),
      torch.ValueError,
      'batchNorm: training needs more than 1 value per channel, got input [1, 3]',
    ],
  ];
  for (const [name, call, type, text] of cases) {
    it(name, () => {
      expect(call).toThrow(type);
      expect(call).toThrow(text);
    });
  }
});

it('keeps smoothL1Loss of half floats from overflow and from vanishing', () => {
  const loss = (value: number, beta: number) => {
    const x = torch.tensor([value], { dtype: torch.float16, requiresGrad: true });
    const y = F.smoothL1Loss(x, torch.zeros(1, { dtype: torch.float16 }), { beta });
    y.backward();
    return [y.itemSync(), x.grad?.itemSync()];
  };
  expect(loss(10000, 10)).toEqual([9992, 1]);
  expect(loss(2000, 1000)).toEqual([1500, 1]);
  expect(loss(0.001, 1e-5)[0]).toBeCloseTo(0.000995, 5);
  expect(loss(-1, 1e-5)[1]).toBe(-1);
});
