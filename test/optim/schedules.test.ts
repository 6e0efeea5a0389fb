/** Every schedule against PyTorch's rates, momentums and states. */

import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { type Cases, camel, cases, decode, expectClose } from './recorded.js';

const { lrScheduler } = torch.optim;
type Case = Cases['schedules'][number];
interface AnySchedule {
  step(metric?: number): unknown;
  getLastLr(): number[];
  stateDict(): Record<string, unknown>;
  loadStateDict(state: Record<string, unknown>): void;
}
type Maker = new (...args: unknown[]) => AnySchedule;
type AnyOptimizer = torch.optim.SGD | torch.optim.Adam;

const LAMBDAS: Record<string, (epoch: number) => number> = {
  slower: (epoch) => 0.95 ** epoch,
  wave: (epoch) => 1 + 0.1 * Math.cos(epoch),
};

function lambdas(value: unknown): unknown {
  return Array.isArray(value) ? value.map(lambdas) : LAMBDAS[value as string];
}

function schedule(
  name: string,
  kwargs: Record<string, unknown>,
  optimizer: AnyOptimizer,
): AnySchedule {
  const options = camel(kwargs);
  for (const key of ['lrLambda', 'scaleFn']) {
    if (key in options) options[key] = lambdas(options[key]);
  }
  const Class = (lrScheduler as unknown as Record<string, Maker>)[name];
  const { schedulers, ...rest } = options;
  if (schedulers === undefined) return new Class(optimizer, rest);
  const list = (schedulers as [string, Record<string, unknown>][]).map(([kind, own]) =>
    schedule(kind, own, optimizer),
  );
  if (name === 'ChainedScheduler') return new Class(list);
  return new Class(optimizer, list, rest);
}

function make(one: Case) {
  const groups = [0.5, 0.1].map((lr) => ({
    params: [torch.zeros(1, { requiresGrad: true })],
    lr,
  }));
  const optimizer: AnyOptimizer =
    one.optimizer === 'Adam'
      ? new torch.optim.Adam(groups)
      : new torch.optim.SGD(groups, { lr: 0.5, momentum: 0.9 });
  return { optimizer, rates: schedule(one.schedule, one.kwargs, optimizer) };
}

function momentums({ paramGroups }: AnyOptimizer): number[] {
  return paramGroups.map((group) => ('betas' in group ? group.betas[0] : group.momentum));
}

/** Checks the rates from a step on, and moves on, to the end of the recording or before `to`. */
function follow({ optimizer, rates }: ReturnType<typeof make>, one: Case, from: number, to = 20) {
  for (let step = from; step < to; step++) {
    const lrs = optimizer.paramGroups.map((group) => group.lr);
    expectClose(lrs, one.rates[step], `rates at ${step}`);
    expectClose(momentums(optimizer), one.momentums[step], `momentums at ${step}`);
    optimizer.step();
    rates.step(
      ...(one.schedule === 'ReduceLROnPlateau' ? [Math.sin(step) / (1 + 0.1 * step)] : []),
    );
  }
}

const named = cases.schedules.map(
  (one) => [`${one.schedule} ${JSON.stringify(one.kwargs)}`, one] as const,
);

describe.each(named)('%s', (_, one) => {
  it('gives the rates of PyTorch', () => {
    const made = make(one);
    follow(made, one, 0);
    expect(made.rates.getLastLr()).toEqual(made.optimizer.paramGroups.map((group) => group.lr));
    expect(Object.keys(made.rates.stateDict())).toEqual(
      expect.arrayContaining(Object.keys(one.state)),
    );
  });

  it('has the state of PyTorch', () => {
    const made = make(one);
    follow(made, one, 0, 11);
    expectClose(made.rates.stateDict(), decode(one.state), 'state');
  });

  it('goes on from the state PyTorch had, and from its own', () => {
    const [first, second] = [make(one), make(one)];
    for (const { optimizer, rates } of [first, second]) {
      optimizer.paramGroups.forEach((group, i) => {
        Object.assign(group, camel(one.groups[i]));
      });
      const own = first.rates.stateDict();
      rates.loadStateDict(rates === first.rates ? (decode(one.state) as typeof own) : own);
    }
    for (const made of [first, second]) follow(made, one, 11);
  });
});

it('warm restarts can be stepped to a fraction of an epoch', () => {
  const optimizer = new torch.optim.SGD([torch.zeros(1, { requiresGrad: true })], { lr: 0.5 });
  for (const mult of [1, 2]) {
    const rates = new lrScheduler.CosineAnnealingWarmRestarts(optimizer, 3, mult);
    for (const [, epoch, rate] of cases.restarts.filter(([each]) => each === mult)) {
      rates.step(epoch);
      expectClose(rates.getLastLr(), [rate], `epoch ${epoch}`);
    }
  }
});
