/** Optimisers beyond the recorded steps: groups, states, closures, layouts, mistakes. */

import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';

const { optim } = torch;

function parameter(...values: number[]): torch.Tensor {
  return torch.tensor(values, { requiresGrad: true });
}

/** A gradient of 1 for every element of every parameter. */
function setGrads(...params: torch.Tensor[]): void {
  for (const param of params) param.grad = torch.onesLike(param);
}

const kinds = [
  'SGD',
  'Adam',
  'AdamW',
  'RMSprop',
  'Adagrad',
  'Adadelta',
  'Adamax',
  'NAdam',
] as const;
const more = ['RAdam', 'Rprop', 'ASGD'] as const;

describe.each([...kinds, ...more])('%s', (name) => {
  const make = (params: torch.Tensor[]) => new optim[name](params, { lr: 0.1 });

  it('takes the learning rate by its place, too', () => {
    expect(new optim[name]([parameter(1)], 0.25).paramGroups[0].lr).toBe(0.25);
  });

  it('leaves parameters without a gradient alone', () => {
    const [moved, left] = [parameter(1, 2, 3), parameter(4)];
    setGrads(moved);
    make([moved, left]).step();
    expect(left.tolistSync()).toEqual([4]);
    expect(moved.tolistSync()).not.toEqual([1, 2, 3]);
    expect(moved.grad?.tolistSync()).toEqual([1, 1, 1]);
  });

  it('goes on from a state dict as if it had not stopped', () => {
    const [a, b] = [parameter(1, -2, 3), parameter(1, -2, 3)];
    const [first, second] = [make([a]), make([b])];
    for (let i = 0; i < 3; i++) {
      setGrads(a);
      first.step();
    }
    b.data.copy_(a.detach());
    second.loadStateDict(first.stateDict());
    setGrads(a, b);
    first.step();
    second.step();
    expect(b.tolistSync()).toEqual(a.tolistSync());
    expect(Object.keys(second.stateDict())).toEqual(['state', 'param_groups']);
  });

  it('changes a transposed parameter as a contiguous one', () => {
    const values = torch.arange(6).float().view(2, 3);
    const plain = values.clone().requiresGrad_();
    const turned = values.t().contiguous().t().requiresGrad_();
    plain.grad = values.add(1);
    turned.grad = values.add(1);
    make([plain]).step();
    make([turned]).step();
    expect(turned.tolistSync()).toEqual(plain.tolistSync());
  });
});

describe('groups', () => {
  it('have options of their own, and the defaults for the rest', () => {
    const [a, b] = [parameter(1), parameter(1)];
    const sgd = new optim.SGD([{ params: [a], lr: 1 }, { params: b }], { lr: 0.25 });
    setGrads(a, b);
    sgd.step();
    expect([a.itemSync(), b.itemSync()]).toEqual([0, 0.75]);
    sgd.addParamGroup({ params: [parameter(5)], momentum: 0.9 });
    expect(sgd.paramGroups.map((group) => group.momentum)).toEqual([0, 0, 0.9]);
  });

  it('maximize climbs, weightDecay shrinks', () => {
    const a = parameter(2);
    setGrads(a);
    new optim.SGD([a], { lr: 0.5, maximize: true }).step();
    expect(a.itemSync()).toBe(2.5);
    const b = parameter(2);
    b.grad = torch.zerosLike(b);
    new optim.SGD([b], { lr: 0.5, weightDecay: 0.5 }).step();
    expect(b.itemSync()).toBe(1.5);
  });

  it('zeroGrad forgets gradients, or fills them with zeros', () => {
    const a = parameter(1, 2);
    const sgd = new optim.SGD([a], { lr: 1 });
    setGrads(a);
    sgd.zeroGrad({ setToNone: false });
    expect(a.grad?.tolistSync()).toEqual([0, 0]);
    setGrads(a);
    sgd.zeroGrad(false);
    expect(a.grad?.tolistSync()).toEqual([0, 0]);
    sgd.zeroGrad();
    expect(a.grad).toBe(null);
  });

  it('a closure runs with recording on, and its result is returned', () => {
    const a = parameter(3);
    const sgd = new optim.SGD([a], { lr: 0.1 });
    const loss = torch.noGrad(() =>
      sgd.step(() => {
        const value = a.square().sum();
        value.backward();
        return value;
      }),
    );
    expect(loss?.itemSync()).toBe(9);
    expect(a.itemSync()).toBeCloseTo(2.4, 6);
  });

  it('a graph that needs the old parameters notices the step', () => {
    const a = parameter(3);
    const loss = a.square().sum();
    loss.backward({ retainGraph: true });
    new optim.SGD([a], { lr: 0.1 }).step();
    expect(() => loss.backward()).toThrow(/changed in place by SGD.step/);
  });
});

describe('mistakes', () => {
  it.each([
    [() => new optim.Adam([], {}), /Adam: got no parameters/],
    [() => new optim.SGD([parameter(1)], {} as never), /SGD: lr has no default/],
    [() => new optim.Adam([parameter(1)], { learningRate: 1 } as never), /unknown option/],
    [() => new optim.Adam([parameter(1)], { wieghtDecay: 1 } as never), /mean 'weightDecay'/],
    [() => new optim.Adam([parameter(1)], { lr: -1 }), /Adam: lr must be at least 0/],
    [() => new optim.Adam([parameter(1)], { betas: [0.9, 1] }), /betas must be in \[0, 1\)/],
    [() => new optim.SGD([parameter(1)], { lr: 1, nesterov: true }), /nesterov needs a momentum/],
    [() => new optim.SGD([parameter(1).mul(2)], { lr: 1 }), /only leaves can be optimised/],
    [() => new optim.SGD([3 as never], { lr: 1 }), /SGD: expected an iterable/],
    [() => new optim.SGD(new torch.nn.Linear(1, 1) as never, { lr: 1 }), /net.parameters\(\)/],
    [() => new optim.Adam([parameter(1)], { betas: [0.9] as never }), /betas is a list of 2/],
    [() => new optim.Adam([parameter(1)], { amsgrad: 1 as never }), /amsgrad is a boolean/],
    [() => new optim.Adadelta([parameter(1)], { rho: 1.5 }), /rho is at most 1, got 1.5/],
    [() => new optim.Rprop([parameter(1)], { etas: [0.5, 1] }), /etas are in \(0, 1\) and above 1/],
    [() => new optim.Adam([parameter(1)], { differentiable: true } as never), /not supported/],
    [() => new optim.NAdam([parameter(1)], { decoupledWeightDecay: true } as never), /use AdamW/],
    [() => new optim.LBFGS([parameter(1)], { lineSearchFn: 'wolfe' as never }), /'strong_wolfe'/],
    [() => new optim.LBFGS([parameter(1)], { historySize: 0 }), /some history is kept/],
    [() => new optim.LBFGS([{ params: [parameter(1)] }, { params: [parameter(2)] }]), /one group/],
    [() => new optim.LBFGS([parameter(1)]).step(undefined as never), /takes a closure/],
    [() => new optim.LBFGS([parameter(1)]).step((() => {}) as never), /returns the loss/],
  ])('%#', (make, message) => {
    expect(make).toThrow(torch.TorchError);
    expect(make).toThrow(message);
  });

  it('a parameter in two groups, a state dict that does not fit, a half parameter', () => {
    const a = parameter(1);
    const sgd = new optim.SGD([a], { lr: 1 });
    expect(() => sgd.addParamGroup({ params: [a] })).toThrow(/appears in two groups/);
    const other = new optim.SGD([parameter(1), parameter(2)], { lr: 1 });
    expect(() => sgd.loadStateDict(other.stateDict())).toThrow(torch.StateDictError);
    const half = torch.ones(2, { dtype: torch.float16, requiresGrad: true });
    setGrads(half);
    expect(() => new optim.SGD([half], { lr: 1 }).step()).toThrow(/float32 or float64/);
  });
});

describe('options', () => {
  it('that only say how PyTorch computes are taken and change nothing', () => {
    const how = { foreach: true, fused: false, capturable: false };
    const [a, b] = [parameter(1, 2), parameter(1, 2)];
    setGrads(a, b);
    new optim.AdamW([a], { ...how, lr: 0.1 }).step();
    new optim.AdamW([b], { lr: 0.1 }).step();
    expect(a.tolistSync()).toEqual(b.tolistSync());
  });

  it('every group can have a rate of its own where there is no default', () => {
    const a = parameter(2);
    setGrads(a);
    new optim.SGD([{ params: [a], lr: 0.5 }]).step();
    expect(a.itemSync()).toBe(1.5);
  });

  it('are printed as PyTorch prints them', () => {
    const text = String(new optim.Rprop([parameter(1)], { maximize: true }));
    expect(text).toBe(
      'Rprop (\nParameter Group 0\n    etas: (0.5, 1.2)\n    lr: 0.01\n    maximize: True\n' +
        '    step_sizes: (0.000001, 50)\n)',
    );
  });
});

describe('state dicts', () => {
  const adam = () => {
    const params = [parameter(1, 2), parameter(3)];
    const optimizer = new optim.Adam(params, { lr: 0.1 });
    setGrads(...params);
    optimizer.step();
    return { params, optimizer };
  };

  it.each([
    ['lr', (group: Record<string, unknown>) => (group.lr = -1), /lr must be at least 0/],
    ['a list too short', (group) => (group.betas = [0.9]), /betas is a list of 2/],
    ['a flag', (group) => (group.differentiable = true), /differentiable is not supported/],
    ['no parameters', (group) => (group.params = null), /expected a dict of an optimiser/],
    [
      'another count',
      (group) => (group.params = [0]),
      /groups have 1 parameters, the optimiser's 2/,
    ],
  ] as [string, (group: Record<string, unknown>) => void, RegExp][])(
    'are refused whole for a group with %s',
    (_, spoil, message) => {
      const { optimizer, params } = adam();
      const saved = adam().optimizer.stateDict();
      spoil(saved.param_groups[0]);
      const before = optimizer.state.get(params[0]);
      expect(() => optimizer.loadStateDict(saved)).toThrow(torch.TorchError);
      expect(() => optimizer.loadStateDict(saved)).toThrow(message);
      expect(optimizer.state.get(params[0])).toBe(before);
      expect(optimizer.paramGroups[0].lr).toBe(0.1);
    },
  );

  it.each([
    ['a shape', { exp_avg: torch.ones(3) }, /'exp_avg' of parameter 1 has shape \[3\]/],
    ['a count', { step: -1 }, /'step' is -1/],
    ['what SGD keeps', { momentum_buffer: torch.ones(2) }, /'momentum_buffer' belongs to another/],
    ['an object', { exp_avg: { a: 1 } }, /'exp_avg' of parameter 1 wants a tensor, got: object/],
  ])('are refused whole for a state with %s', (_, spoiled, message) => {
    const { optimizer, params } = adam();
    const saved = adam().optimizer.stateDict();
    saved.param_groups[0].lr = 7;
    Object.assign(saved.state[1], spoiled);
    const before = optimizer.state.get(params[0]);
    expect(() => optimizer.loadStateDict(saved)).toThrow(message);
    expect(optimizer.state.get(params[0])).toBe(before);
    expect(optimizer.paramGroups[0].lr).toBe(0.1);
  });

  it('keep what PyTorch has in a group besides, and are copies', () => {
    const { optimizer } = adam();
    const other = adam();
    const saved = other.optimizer.stateDict();
    Object.assign(saved.param_groups[0], { foreach: null, initial_lr: 0.3 });
    optimizer.loadStateDict(saved);
    expect(optimizer.stateDict().param_groups[0]).toMatchObject({ foreach: null, initial_lr: 0.3 });
    const mine = optimizer.state.get(optimizer.paramGroups[0].params[0])?.exp_avg as torch.Tensor;
    (saved.state[0].exp_avg as torch.Tensor).zero_();
    expect(mine.tolistSync()).not.toEqual([0, 0]);
  });

  it('of Adam with decoupled decay are for AdamW', () => {
    const saved = adam().optimizer.stateDict();
    saved.param_groups[0].decoupled_weight_decay = true;
    expect(() => adam().optimizer.loadStateDict(saved)).toThrow(/use AdamW/);
    const decoupled = new optim.AdamW([parameter(1, 2), parameter(3)]);
    decoupled.loadStateDict(saved);
    expect(decoupled.paramGroups[0].lr).toBe(0.1);
  });
});

it('an own optimiser has groups, states and schedules', () => {
  class Lion extends optim.Optimizer<{ lr: number; beta: number }> {
    constructor(params: Iterable<torch.Tensor>, options: { lr?: number; beta?: number } = {}) {
      super(params, { lr: 0.1, beta: 0.9 }, options);
    }

    step(): void {
      torch.noGrad(() => {
        for (const { params, lr, beta } of this.paramGroups) {
          for (const param of params) {
            if (param.grad === null) continue;
            const state = this.state.get(param) ?? { average: torch.zerosLike(param) };
            this.state.set(param, state);
            const average = state.average as torch.Tensor;
            average.mul_(beta).add_(param.grad, { alpha: 1 - beta });
            param.sub_(average.sign().mul(lr));
          }
        }
      });
    }
  }
  const a = parameter(1, -1);
  const lion = new Lion([a], { lr: 0.5 });
  const rates = new optim.lrScheduler.ExponentialLR(lion, 0.5);
  for (let step = 0; step < 2; step++) {
    setGrads(a);
    lion.step();
    rates.step();
  }
  expect(a.tolistSync()).toEqual([0.25, -1.75]);
  const other = new Lion([parameter(0, 0)]);
  other.loadStateDict(lion.stateDict());
  expect(other.paramGroups[0]).toMatchObject({ lr: 0.125, initialLr: 0.5 });
  expect(() => new Lion([parameter(0)], { leraning: 1 } as never)).toThrow(/unknown option/);
});

it('Adagrad starts the sums of all groups from its own option, as PyTorch does', () => {
  const [a, b] = [parameter(1), parameter(2)];
  const groups = [{ params: [a] }, { params: [b], initialAccumulatorValue: 4 }];
  const optimizer = new optim.Adagrad(groups, { initialAccumulatorValue: 0.5 });
  const sums = [a, b].map((param) => optimizer.state.get(param)?.sum as torch.Tensor);
  expect(sums.map((sum) => sum.tolistSync())).toEqual([[0.5], [0.5]]);
});
