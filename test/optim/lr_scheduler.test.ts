/** Schedules beyond the recorded rates: states, warnings, mistakes. */

import { expect, it, vi } from 'vitest';
import * as torch from '../../ts/index.js';

const { lrScheduler, SGD } = torch.optim;

function optimizer(groups = 1): InstanceType<typeof SGD> {
  const params = Array.from({ length: groups }, (_, i) => ({
    params: [torch.zeros(2, { requiresGrad: true })],
    lr: 0.1 * (i + 1),
  }));
  return new SGD(params, { lr: 1 });
}

function rates(
  schedule: torch.optim.lrScheduler.LRScheduler,
  sgd: torch.optim.SGD,
  epochs: number,
) {
  return Array.from({ length: epochs }, () => {
    const [rate] = schedule.getLastLr();
    sgd.step();
    schedule.step();
    return Number(rate.toFixed(6));
  });
}

it('StepLR takes its options by position and by name', () => {
  const [a, b] = [optimizer(), optimizer()];
  const expected = [0.1, 0.1, 0.05, 0.05, 0.025];
  expect(rates(new lrScheduler.StepLR(a, 2, 0.5), a, 5)).toEqual(expected);
  expect(rates(new lrScheduler.StepLR(b, { stepSize: 2, gamma: 0.5 }), b, 5)).toEqual(expected);
});

it('CosineAnnealingLR comes down to etaMin and up again', () => {
  const sgd = optimizer();
  const all = rates(new lrScheduler.CosineAnnealingLR(sgd, 4, 0.02), sgd, 9);
  expect(all[0]).toBe(0.1);
  expect(all[2]).toBeCloseTo(0.06, 6);
  expect(all[4]).toBeCloseTo(0.02, 6);
  expect(all[8]).toBeCloseTo(0.1, 6);
});

it('LambdaLR takes one function for all groups or one each', () => {
  const sgd = optimizer(2);
  const schedule = new lrScheduler.LambdaLR(sgd, [(epoch) => 0.5 ** epoch, () => 2]);
  sgd.step();
  schedule.step();
  expect(sgd.paramGroups.map((group) => Number(group.lr.toFixed(6)))).toEqual([0.05, 0.4]);
  expect(() => new lrScheduler.LambdaLR(sgd, [() => 1])).toThrow(/1 functions for 2 groups/);
});

it('a state dict brings a schedule back to where it was', () => {
  const [a, b] = [optimizer(), optimizer()];
  const first = new lrScheduler.LambdaLR(a, (epoch) => 1 / (1 + epoch));
  rates(first, a, 3);
  const second = new lrScheduler.LambdaLR(b, (epoch) => 1 / (1 + epoch));
  second.loadStateDict(first.stateDict());
  b.loadStateDict(a.stateDict());
  expect(second.lastEpoch).toBe(3);
  expect(rates(second, b, 2)).toEqual(rates(first, a, 2));
});

it('warns as PyTorch, once, when it is stepped before the optimiser', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  const sgd = optimizer();
  const schedule = new lrScheduler.StepLR(sgd, 1);
  schedule.step();
  schedule.step();
  new lrScheduler.StepLR(sgd, 1).step();
  expect(warn.mock.calls).toEqual([
    [
      'Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 and ' +
        'later, you should call them in the opposite order: `optimizer.step()` before ' +
        '`lr_scheduler.step()`.  Failure to do this will result in PyTorch skipping the first ' +
        'value of the learning rate schedule. See more details at ' +
        'https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate',
    ],
  ]);
  const other = optimizer();
  const after = new lrScheduler.StepLR(other, 1);
  other.step();
  after.step();
  expect(warn).toHaveBeenCalledTimes(1);
  warn.mockRestore();
});

it('prints each rate if it is verbose', () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  const sgd = optimizer();
  const schedule = new lrScheduler.ExponentialLR(sgd, 0.5, { verbose: true });
  sgd.step();
  schedule.step();
  expect(log.mock.calls.flat()).toEqual([
    'Adjusting learning rate of group 0 to 1.0000e-01.',
    'Adjusting learning rate of group 0 to 5.0000e-02.',
  ]);
  log.mockRestore();
});

it('an own schedule declares its fields and says its rates', () => {
  class Falling extends lrScheduler.LRScheduler {
    declare readonly by: number;

    constructor(sgd: torch.optim.SGD, by: number) {
      super(sgd, { by });
    }

    override getLr(): number[] {
      return this.baseLrs.map((base) => base - this.by * this.lastEpoch);
    }
  }
  const [a, b] = [optimizer(), optimizer()];
  const schedule = new Falling(a, 0.01);
  expect(rates(schedule, a, 3)).toEqual([0.1, 0.09, 0.08]);
  const other = new Falling(b, 0.5);
  other.loadStateDict(schedule.stateDict());
  expect(other.by).toBe(0.01);
});

it('a schedule goes on from an epoch, with the rates of a loaded optimiser', () => {
  const [a, b] = [optimizer(), optimizer()];
  const first = new lrScheduler.CosineAnnealingLR(a, 10);
  rates(first, a, 5);
  b.loadStateDict(a.stateDict());
  const second = new lrScheduler.CosineAnnealingLR(b, 10, { lastEpoch: 4 });
  expect(second.lastEpoch).toBe(5);
  expect(b.paramGroups[0].lr).toBeCloseTo(a.paramGroups[0].lr, 12);
});

it('a state that does not fit is refused whole', () => {
  const [a, b] = [optimizer(), optimizer(2)];
  const one = new lrScheduler.StepLR(a, 3);
  const two = new lrScheduler.StepLR(b, 3);
  for (const [state, message] of [
    [two.stateDict(), /_last_lr does not fit, got 0.1,0.2/],
    [{ ...one.stateDict(), gamma: '0.1' }, /gamma does not fit, got 0.1/],
    [{ ...one.stateDict(), last_epoch: Number.NaN }, /last_epoch does not fit, got NaN/],
    [a.stateDict(), /expected the state of a schedule/],
  ] as [Record<string, unknown>, RegExp][]) {
    const before = one.stateDict();
    expect(() => one.loadStateDict(state)).toThrow(torch.StateDictError);
    expect(() => one.loadStateDict(state)).toThrow(message);
    expect(one.stateDict()).toEqual(before);
  }
  const chained = new lrScheduler.ChainedScheduler([one, new lrScheduler.ExponentialLR(a, 0.9)]);
  const state = chained.stateDict() as { _schedulers: Record<string, unknown>[] };
  state._schedulers[0].last_epoch = 5;
  state._schedulers[1].gamma = null;
  expect(() => chained.loadStateDict(state)).toThrow(/ExponentialLR.loadStateDict: gamma/);
  expect(one.lastEpoch).toBe(0);
  expect(() => chained.loadStateDict(one.stateDict())).toThrow(/states of 2 schedules/);
});

it('a schedule whose rate cannot be told stays where it is', () => {
  const sgd = optimizer();
  const schedule = new lrScheduler.LambdaLR(sgd, (epoch) => {
    if (epoch === 1) throw new Error('no such epoch');
    return 1;
  });
  sgd.step();
  expect(() => schedule.step()).toThrow('no such epoch');
  expect(schedule.lastEpoch).toBe(0);
  const cycle = new lrScheduler.OneCycleLR(sgd, 1, 2);
  for (let step = 0; step < 2; step++) cycle.step();
  expect(() => cycle.step()).toThrow(/the cycle has 2 steps/);
  expect(cycle.lastEpoch).toBe(2);
});

it('mistakes are typed errors', () => {
  const sgd = optimizer();
  expect(() => new lrScheduler.StepLR(sgd, { stepsize: 2 } as never)).toThrow(
    /Did you mean 'stepSize'/,
  );
  expect(() => new lrScheduler.StepLR(sgd, 0)).toThrow(/StepLR: stepSize is a positive integer/);
  expect(() => new lrScheduler.CosineAnnealingLR(sgd, 2.5)).toThrow(torch.ValueError);
  expect(() => new lrScheduler.StepLR(sgd, 1, 0.1, 3)).toThrow(/no initialLr to resume from/);
  expect(() => new lrScheduler.StepLR({} as never, 1)).toThrow(/expected an optimiser/);
  expect(() => new lrScheduler.LambdaLR(sgd, 3 as never)).toThrow(/a function of the epoch/);
  expect(() => new lrScheduler.MultiStepLR(sgd, 3 as never)).toThrow(/a list of epochs/);
  expect(() => new lrScheduler.ConstantLR(sgd, 0)).toThrow(/factor is above 0 and at most 1/);
  expect(() => new lrScheduler.LinearLR(sgd, 0.5, 2)).toThrow(/endFactor is at least 0 and at/);
  expect(() => new lrScheduler.CosineAnnealingWarmRestarts(sgd, 0)).toThrow(/T0 is a positive/);
  expect(() => new lrScheduler.OneCycleLR(sgd, 1, { epochs: 3 })).toThrow(/both epochs and steps/);
  expect(() => new lrScheduler.OneCycleLR(sgd, 1, 5, { pctStart: 2 })).toThrow(/between 0 and 1/);
  expect(() => new lrScheduler.CyclicLR(sgd, 0, 1, { mode: 'sine' as never })).toThrow(
    /mode is tri/,
  );
  expect(() => new lrScheduler.ReduceLROnPlateau(sgd, 'low' as never)).toThrow(/'min' or 'max'/);
  expect(() => new lrScheduler.ReduceLROnPlateau(sgd, { factor: 1 })).toThrow(/factor is below 1/);
  const plateau = new lrScheduler.ReduceLROnPlateau(sgd);
  expect(() => plateau.step(undefined as never)).toThrow(/a number or a tensor/);
  expect(() => plateau.step(Promise.resolve(1) as never)).toThrow(/await loss.item/);
  const adagrad = new torch.optim.Adagrad([torch.zeros(2)]);
  expect(() => new lrScheduler.CyclicLR(adagrad, 0, 1)).toThrow(/no momentum and no betas/);
  const [one, other] = [new lrScheduler.StepLR(sgd, 1), new lrScheduler.StepLR(optimizer(), 1)];
  expect(() => new lrScheduler.SequentialLR(sgd, [one, other], [2])).toThrow(/index 1 belongs to/);
  expect(() => new lrScheduler.SequentialLR(sgd, [one], [2])).toThrow(/need 0 milestones, got 1/);
  expect(() => new lrScheduler.ChainedScheduler([])).toThrow(/expected a list of schedules/);
});
