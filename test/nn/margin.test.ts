/** Losses with margins, activations of straight lines, borders: derivatives, numbers, mistakes. */

import { beforeEach, describe, expect, it } from 'vitest';
import type { Tensor } from '../../ts/index.js';
import * as torch from '../../ts/index.js';

const { nn } = torch;
const F = nn.functional;
const { gradcheck, gradgradcheck } = torch.autograd;

beforeEach(() => {
  torch.manualSeed(3);
});

const randn = (...shape: number[]) => torch.randn(shape, { dtype: torch.float64 });
const signs = torch.tensor([1, -1, 1]).double();
const classes = torch.tensor([2, 0, 1]);
const listed = torch.tensor([
  [2, 0, -1, 1],
  [3, -1, 0, 1],
  [1, 1, 2, -1],
]);

describe('first and second derivatives', () => {
  type Case = [name: string, f: (...x: Tensor[]) => Tensor, shapes: number[][]];
  const p2 = { p: 2, margin: 0.7 };
  const cases: Case[] = [
    ['gaussianNllLoss', (x, t, v) => F.gaussianNllLoss(x, t, v.square(), true), [[3], [3], [3]]],
    ['poissonNllLoss', (x) => F.poissonNllLoss(x, signs.add(1)), [[3]]],
    ['hingeEmbeddingLoss', (x) => F.hingeEmbeddingLoss(x, signs), [[3]]],
    ['marginRankingLoss', (x, y) => F.marginRankingLoss(x, y, signs, 0.3), [[3], [3]]],
    [
      'cosineEmbeddingLoss',
      (x, y) => F.cosineEmbeddingLoss(x, y, signs, -0.5),
      [
        [3, 2],
        [3, 2],
      ],
    ],
    [
      'tripletMarginLoss',
      (a, p, n) => F.tripletMarginLoss(a, p, n, { swap: true, margin: 3 }),
      [
        [3, 2],
        [3, 2],
        [3, 2],
      ],
    ],
    ['multiMarginLoss', (x) => F.multiMarginLoss(x, classes, p2), [[3, 4]]],
    ['multilabelMarginLoss', (x) => F.multilabelMarginLoss(x, listed), [[3, 4]]],
    ['multilabelSoftMarginLoss', (x, t) => F.multilabelSoftMarginLoss(x, t), [[2], [2]]],
    ['softMarginLoss', (x) => F.softMarginLoss(x, signs), [[3]]],
    ['hardswish', (x) => F.hardswish(x.mul(3)), [[6]]],
    ['hardsigmoid', (x) => F.hardsigmoid(x.mul(3)), [[6]]],
    ['hardshrink', (x) => F.hardshrink(x).square(), [[6]]],
    ['softshrink', (x) => F.softshrink(x).square(), [[6]]],
    ['threshold', (x) => F.threshold(x, 0.1, 20).square(), [[6]]],
    ['pixelShuffle', (x) => F.pixelShuffle(x, 2).square(), [[4, 1, 2]]],
    ['pixelUnshuffle', (x) => F.pixelUnshuffle(x, 2).square(), [[1, 2, 4]]],
  ];
  for (const [name, f, shapes] of cases) {
    it(name, () => {
      const inputs = shapes.map((shape) => randn(...shape).requiresGrad_());
      expect(gradcheck(f, inputs)).toBe(true);
      expect(gradgradcheck(f, inputs)).toBe(true);
    });
  }
});

describe('rrelu', () => {
  it("draws PyTorch's slopes in training, one for each element that is not positive", () => {
    const x = torch.randn(40);
    const y = F.rrelu(x, { lower: 0.1, upper: 0.3, training: true });
    const expected = [-0.016327, 0.359882, -0.18983, 0.071528, 0.664839, -0.076779, 1.620551];
    expected.forEach((value, i) => {
      expect(Number(y.dataSync()[i])).toBeCloseTo(value, 5);
    });
    expect(torch.rand(2).tolistSync()).toEqual([
      expect.closeTo(0.572892, 5),
      expect.closeTo(0.674306, 5),
    ]);
  });

  it('takes the middle in eval, and works in place', () => {
    const layer = new nn.RReLU({ lower: 0.2, upper: 0.6, inplace: true }).eval();
    const x = torch.tensor([-1, 2]).float();
    expect(layer(x)).toBe(x);
    expect(x.tolistSync()).toEqual([expect.closeTo(-0.4, 6), 2]);
    expect(() => F.rrelu(x, 0.5, 0.1)).toThrow('lower is at most upper');
  });
});

describe('hard activations', () => {
  it('round half floats once', () => {
    const x = torch.linspace(-4, 4, 101).half();
    for (const f of [F.hardswish, F.hardsigmoid]) {
      const rounded = f(x.double()).half();
      expect(f(x).tolistSync()).toEqual(rounded.tolistSync());
    }
  });

  it('have the derivatives of PyTorch at their corners', () => {
    const slopes = (f: (x: Tensor) => Tensor) => {
      const x = torch.tensor([-3, 3]).float().requiresGrad_();
      f(x).sum().backward();
      return x.grad?.tolistSync();
    };
    expect(slopes(F.hardswish)).toEqual([-0.5, 1.5]);
    expect(slopes(F.hardsigmoid)).toEqual([0, 0]);
    expect(slopes((x) => F.hardshrink(x, 3))).toEqual([0, 0]);
    expect(slopes((x) => F.softshrink(x, 3))).toEqual([0, 0]);
    expect(slopes((x) => F.threshold(x, 3, 1))).toEqual([0, 0]);
  });

  it('work in place', () => {
    const x = torch.tensor([-1, 1]).float();
    const layer = new nn.Threshold(0, 5, { inplace: true });
    expect(layer(x)).toBe(x);
    expect(x.tolistSync()).toEqual([5, 1]);
    expect(String(layer)).toBe('Threshold(threshold=0.0, value=5.0, inplace=True)');
  });
});

describe('layers', () => {
  it('pad all borders alike for one number', () => {
    const x = torch.arange(4).float().view(1, 1, 2, 2);
    expect(new nn.ZeroPad2d(1)(x).shape).toEqual([1, 1, 4, 4]);
    expect(new nn.ConstantPad2d([1, 0, 0, 0], 7)(x).tolistSync()).toEqual([
      [
        [
          [7, 0, 1],
          [7, 2, 3],
        ],
      ],
    ]);
    expect(String(new nn.ReplicationPad3d(1))).toBe('ReplicationPad3d((1, 1, 1, 1, 1, 1))');
    class Mirror extends nn.ReflectionPad1d {}
    expect(new Mirror(1)(x.view(1, 1, 4)).tolistSync()).toEqual([[[1, 0, 1, 2, 3, 2]]]);
    expect(() => new nn.ReflectionPad2d([1, 2])).toThrow(
      'ReflectionPad2d: padding is a number or 4 of them, got [1, 2]',
    );
  });

  it('take any distance for triplets', () => {
    const distanceFunction = (a: Tensor, b: Tensor) => a.sub(b).abs().sum(-1);
    const loss = new nn.TripletMarginWithDistanceLoss({ distanceFunction, margin: 2 });
    const [a, p, n] = [
      [0, 0],
      [1, 1],
      [3, 0],
    ].map((values) => torch.tensor([values]).float());
    expect(loss(a, p, n).itemSync()).toBe(1);
    expect(new nn.TripletMarginLoss({ p: 1, eps: 0, margin: 2 })(a, p, n).itemSync()).toBe(1);
  });

  it('reduce as asked, by the older flags too', () => {
    const x = torch.tensor([1, -1, 3]).float();
    const hinge = (options: object) => new nn.HingeEmbeddingLoss(options)(x, signs.float());
    expect(hinge({ reduction: 'none' }).tolistSync()).toEqual([1, 2, 3]);
    expect(hinge({ sizeAverage: false }).itemSync()).toBe(6);
    expect(hinge({}).itemSync()).toBe(2);
    expect(() => hinge({ reduction: 'all' })).toThrow("got 'all'");
    expect(() => hinge({ margn: 1 })).toThrow("Did you mean 'margin'?");
  });
});

describe('mistakes', () => {
  const x = torch.ones(2, 3);
  const trained = torch.ones(3).requiresGrad_();
  const mistakes: [name: string, run: () => unknown, message: string][] = [
    [
      'class weights that want gradients',
      () => F.crossEntropy(x, torch.tensor([0, 1]), trained),
      "crossEntropy: the loss has no derivative for 'weight'",
    ],
    [
      'class weights of nllLoss',
      () => new nn.NLLLoss({ weight: trained })(x, torch.tensor([0, 1])),
      "nllLoss: the loss has no derivative for 'weight'",
    ],
    [
      'a variance of another shape',
      () => F.gaussianNllLoss(x, x, torch.ones(3, 2)),
      'the variance of an input [2, 3]',
    ],
    [
      'a negative variance',
      () => F.gaussianNllLoss(x, x, x.neg()),
      'the variance has negative elements',
    ],
    [
      'pairs of other ranks',
      () => F.cosineEmbeddingLoss(x, x, x),
      'expected inputs [N, D] and a target [N]',
    ],
    ['other norms', () => F.multiMarginLoss(x, torch.tensor([0, 1]), 3), 'p is 1 or 2, got 3'],
    [
      'a target for other samples',
      () => F.multiMarginLoss(x, torch.tensor([0])),
      'a target [2], got [2, 3] and [1]',
    ],
    ['a negative lambda', () => F.softshrink(x, -1), 'lambd is not negative'],
    ['channels that do not divide', () => F.pixelShuffle(torch.ones(3, 2, 2), 2), 'C * 2^2'],
    ['softmax of channels of what has none', () => new nn.Softmax2d()(x), 'expected input [N, C'],
  ];
  for (const [name, run, message] of mistakes) {
    it(name, () => {
      expect(run).toThrow(message);
      expect(run).toThrow(torch.TorchError);
    });
  }

  it('shuffled pixels are a copy where nothing moves, too', () => {
    const image = torch.ones(1, 4, 1, 1);
    for (const shuffle of [F.pixelShuffle, F.pixelUnshuffle]) shuffle(image, 1).zero_();
    expect(image.sum().itemSync()).toBe(4);
  });

  it('class probabilities may have trained weights', () => {
    F.crossEntropy(x, x.div(3), trained).backward();
    expect(trained.grad?.shape).toEqual([3]);
  });
});
