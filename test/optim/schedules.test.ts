/** Every schedule against PyTorch's rates, momentums and states. */

import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { camel, cases, decode, expectClose } from './recorded.js';
import { follow, makeSchedule, STATE_AT } from './runs.js';

const named = cases.schedules.map(
  (one) => [`${one.schedule} ${JSON.stringify(one.kwargs)}`, one] as const,
);

describe.each(named)('%s', (_, one) => {
  it('gives the rates of PyTorch', () => {
    const made = makeSchedule(one);
    follow(made, one, 0);
    expect(made.rates.getLastLr()).toEqual(made.optimizer.paramGroups.map((group) => group.lr));
    expect(Object.keys(made.rates.stateDict())).toEqual(
      expect.arrayContaining(Object.keys(one.state)),
    );
  });

  it('has the state of PyTorch', () => {
    const made = makeSchedule(one);
    follow(made, one, 0, STATE_AT);
    expectClose(made.rates.stateDict(), decode(one.state), 'state');
  });

  it('goes on from the state PyTorch had, and from its own', () => {
    const [first, second] = [makeSchedule(one), makeSchedule(one)];
    for (const { optimizer, rates } of [first, second]) {
      optimizer.paramGroups.forEach((group, i) => {
        Object.assign(group, camel(one.groups[i]));
      });
      const own = first.rates.stateDict();
      rates.loadStateDict(rates === first.rates ? (decode(one.state) as typeof own) : own);
    }
    for (const made of [first, second]) follow(made, one, STATE_AT);
  });
});

it('warm restarts can be stepped to a fraction of an epoch', () => {
  const optimizer = new torch.optim.SGD([torch.zeros(1, { requiresGrad: true })], { lr: 0.5 });
  for (const mult of [1, 2]) {
    const rates = new torch.optim.lrScheduler.CosineAnnealingWarmRestarts(optimizer, 3, mult);
    for (const [, epoch, rate] of cases.restarts.filter(([each]) => each === mult)) {
      rates.step(epoch);
      expectClose(rates.getLastLr(), [rate], `epoch ${epoch}`);
    }
  }
});
