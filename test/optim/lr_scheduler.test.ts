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

it('warns when it is stepped before the optimiser', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  new lrScheduler.StepLR(optimizer(), 1).step();
  expect(warn).toHaveBeenCalledTimes(1);
  expect(warn.mock.calls[0][0]).toMatch(/before `optimizer.step\(\)`/);
  warn.mockRestore();
});

it('mistakes are typed errors', () => {
  const sgd = optimizer();
  expect(() => new lrScheduler.StepLR(sgd, { stepsize: 2 } as never)).toThrow(
    /Did you mean 'stepSize'/,
  );
  expect(() => new lrScheduler.StepLR(sgd, 0)).toThrow(/StepLR: stepSize is a positive integer/);
  expect(() => new lrScheduler.CosineAnnealingLR(sgd, 2.5)).toThrow(torch.ValueError);
  expect(() => new lrScheduler.StepLR(sgd, 1, 0.1, 3)).toThrow(/no initialLr to resume from/);
});
