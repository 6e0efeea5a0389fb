/** Typical mistakes with graphs, modules and optimisers. */

import { expect, test } from 'vitest';
import * as torch from '../../ts/index.js';
import { images, loosely, type Mistake, testMistakes, x } from './mistake.js';

const { nn, optim } = torch;
const F = nn.functional;

declare class Bare {}

class Hidden extends nn.Module {
  layers = [new nn.Linear(1, 1)];

  forward(input: torch.Tensor): torch.Tensor {
    return this.layers[0](input);
  }
}

/** Calls as plain JavaScript makes them, which the types would refuse. */
const clip = loosely<(...args: unknown[]) => unknown>(nn.utils.clipGradNorm_);
const loader = loosely<new (...args: unknown[]) => unknown>(torch.data.DataLoader);

const autograd: Mistake[] = [
  {
    what: 'clipping without a norm, where nothing has a gradient yet',
    make: () => clip(new nn.Linear(2, 2).parameters()),
    type: torch.ValueError,
    says: [/^clipGradNorm_: maxNorm is a number, got undefined/],
  },
  {
    what: 'a loader of a number',
    make: () => new loader(5),
    type: torch.ValueError,
    says: [/^DataLoader: expected a data set with a length and at\(index\)/, 'got 5'],
  },
  {
    what: 'a dtype as a string',
    make: () => x.to(loosely('float64')),
    type: torch.DeviceError,
    says: ["no device 'float64'", 'torch.float64'],
  },
  {
    what: 'backward of a vector',
    make: () => torch.ones(3).requiresGrad_().mul(2).backward(),
    type: torch.AutogradError,
    says: [/^backward: /, '[3]', 'sum()', 'gradient'],
  },
  {
    what: 'backward twice',
    make: () => {
      const y = torch.ones(3).requiresGrad_().square().sum();
      y.backward();
      y.backward();
    },
    type: torch.AutogradError,
    says: ['PowBackward0', 'retainGraph'],
  },
  {
    what: 'backward without a graph',
    make: () => x.sum().backward(),
    type: torch.AutogradError,
    says: [/^backward: /, 'requiresGrad'],
  },
  {
    what: 'a leaf changed in place',
    make: () => torch.ones(3).requiresGrad_().zero_(),
    type: torch.AutogradError,
    says: [/^zero_: /, 'leaf', 'noGrad', '.data'],
  },
];

const modules: Mistake[] = [
  {
    what: 'a linear layer of other features',
    make: () => new nn.Linear(4, 2).forward(x),
    type: torch.ShapeError,
    says: [/^linear: /, '[2, 3]', '4'],
  },
  {
    what: 'channels that do not fit a convolution',
    make: () => new nn.Conv2d(1, 6, 3).forward(images),
    type: torch.ShapeError,
    says: [/^conv2d: /, '[1, 3, 8, 8]', '[6, 1, 3, 3]'],
  },
  {
    what: 'a kernel larger than the image',
    make: () => new nn.Conv2d(3, 6, 11).forward(images),
    type: torch.ShapeError,
    says: [/^conv2d: /, '[1, 3, 8, 8]', '11', 'padding'],
  },
  {
    what: 'a window larger than the image',
    make: () => F.maxPool2d(images, 9),
    type: torch.TorchError,
    says: [/^maxPool2d: /, '9'],
  },
  {
    what: 'other channels for batch norm',
    make: () => new nn.BatchNorm2d(4).forward(images),
    type: torch.TorchError,
    says: [/batchNorm|BatchNorm2d/, '4', '3'],
  },
  {
    what: 'an unknown option of a layer',
    make: () => new nn.Conv2d(3, 6, 3, loosely<Record<never, never>>({ paddding: 1 })),
    type: torch.ValueError,
    says: ['Conv2d', "'paddding'", "Did you mean 'padding'"],
  },
  {
    what: 'an unknown option of an optimiser',
    make: () => new optim.SGD(new nn.Linear(1, 1).parameters(), loosely({ learningRate: 1 })),
    type: torch.ValueError,
    says: ['SGD', "'learningRate'", 'lr'],
  },
  {
    what: 'a negative learning rate',
    make: () => new optim.Adam(new nn.Linear(1, 1).parameters(), { lr: -1 }),
    type: torch.ValueError,
    says: ['Adam', 'lr', '-1'],
  },
  {
    what: 'a module without forward()',
    make: () =>
      loosely<() => unknown>(new (class Empty extends loosely<typeof Bare>(nn.Module) {})())(),
    type: torch.ValueError,
    says: ['Empty has no forward()'],
  },
  {
    what: 'snake_case in zeroGrad()',
    make: () => new nn.Linear(1, 1).zeroGrad(loosely({ set_to_none: true })),
    type: torch.ValueError,
    says: [/^zeroGrad: /, "'set_to_none'", 'setToNone'],
  },
  {
    what: 'a typing error in loadStateDict()',
    make: () => new nn.Linear(1, 1).loadStateDict({}, loosely({ strct: false })),
    type: torch.ValueError,
    says: [/^loadStateDict: /, "'strct'", 'strict'],
  },
  {
    what: 'a module of integers',
    make: () => new nn.Linear(1, 1).to(torch.int32),
    type: torch.DtypeError,
    says: [/^to: /, 'floating point', 'torch.int32'],
  },
  {
    what: 'an optimiser of nothing',
    make: () => new optim.SGD([], { lr: 1 }),
    type: torch.ValueError,
    says: ['SGD', 'no parameters'],
  },
  {
    what: 'targets of another batch',
    make: () => F.crossEntropy(x, torch.tensor([0, 1, 2])),
    type: torch.ShapeError,
    says: [/^crossEntropy: /, '[2, 3]', '[3]'],
  },
  {
    what: 'a state dict of another model',
    make: () => new nn.Linear(2, 2).loadStateDict(new nn.Linear(3, 2).stateDict()),
    type: torch.StateDictError,
    says: ['weight', '[2, 3]', '[2, 2]'],
  },
  {
    what: 'a state dict with other names',
    make: () => new nn.Linear(2, 2).loadStateDict({}),
    type: torch.StateDictError,
    says: ['weight', 'bias', /missing/i],
  },
];

const functions: Mistake[] = [
  {
    what: 'a function without static forward()',
    make: () => {
      class Own extends loosely<new () => object>(torch.autograd.Function) {}
      return loosely<{ apply(x: unknown): unknown }>(Own).apply(x);
    },
    type: torch.ValueError,
    says: ['Own: there is no static forward(ctx, ...args)'],
  },
  {
    what: 'a function without static backward()',
    make: () => {
      class Own extends loosely<new () => object>(torch.autograd.Function) {
        static forward = (_: unknown, y: torch.Tensor) => y.mul(2);
      }
      return loosely<{ apply(x: unknown): unknown }>(Own).apply(torch.ones(1).requiresGrad_());
    },
    type: torch.ValueError,
    says: ['Own: there is no static backward(ctx, ...args)'],
  },
];

const containers: Mistake[] = [
  {
    what: 'a class among modules',
    make: () => new nn.Sequential(loosely<torch.nn.Module>(nn.ReLU)),
    type: torch.ValueError,
    says: [/^Sequential: expected a module, got the function or class \w+$/],
  },
  {
    what: 'a function among modules',
    make: () => new nn.Sequential(loosely<torch.nn.Module>(F.relu)),
    type: torch.ValueError,
    says: [/^Sequential: expected a module, got the function or class \w+$/],
  },
  {
    what: 'layers in an array',
    make: () => new optim.SGD(new Hidden().parameters(), { lr: 1 }),
    type: torch.ValueError,
    says: ['SGD: got no parameters', 'nn.ModuleList'],
  },
  {
    what: 'a causal mask that is not given',
    make: () => new nn.TransformerEncoderLayer(4, 2)(torch.ones(2, 1, 4), { isCausal: true }),
    type: torch.ValueError,
    says: [/^TransformerEncoderLayer: /, 'nn.Transformer.generateSquareSubsequentMask(size)'],
  },
  {
    what: 'a whole checkpoint for the state dict in it',
    make: () => {
      const net = new nn.Linear(1, 1);
      net.loadStateDict(loosely({ epoch: 3, model: net.stateDict() }));
    },
    type: torch.StateDictError,
    says: ["unexpected keys: 'epoch', 'model'", "is it 'model' in it that is meant?"],
  },
];

testMistakes({ autograd, modules, functions, containers });

test('what strict does not change is not said', () => {
  const load = () => new nn.Linear(2, 2).loadStateDict(new nn.Linear(3, 2).stateDict(), false);
  expect(load).toThrow(/size mismatch/);
  expect(load).not.toThrow(/strict/);
});

test('causal masks may be said to be so', () => {
  const layer = new nn.TransformerDecoderLayer(4, 2, { dropout: 0 });
  const tgt = torch.randn(3, 1, 4);
  const tgtMask = nn.Transformer.generateSquareSubsequentMask(3);
  const told = layer(tgt, tgt, { tgtMask, tgtIsCausal: true });
  expect(told.tolistSync()).toEqual(layer(tgt, tgt, { tgtMask }).tolistSync());
  const attention = new nn.MultiheadAttention(4, 2);
  const options = { attnMask: tgtMask, isCausal: true };
  expect(attention(tgt, tgt, tgt, options)[0].shape).toEqual([3, 1, 4]);
  expect(() => attention(tgt, tgt, tgt, { isCausal: true })).toThrow(torch.ValueError);
});
