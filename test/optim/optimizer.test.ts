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
