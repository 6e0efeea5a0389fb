/** Every optimiser against PyTorch's steps and states, in float64. */

import { describe, expect, it } from 'vitest';
import { camel, cases, decode, expectClose, HALF } from './recorded.js';
import { makeOptimizer, makeSearch, restore, type Saved, steps } from './runs.js';

const named = cases.optimizers.map(
  (one) => [`${one.optimizer} ${JSON.stringify(one.kwargs)}`, one] as const,
);

describe.each(named)('%s', (_, { optimizer: name, kwargs, state, half, final }) => {
  it('steps as PyTorch, with the same state', () => {
    const made = makeOptimizer(name, kwargs);
    steps(made, 0, HALF);
    expectClose(made.params, half, 'parameters');
    const own = made.optimizer.stateDict();
    const options = Object.entries(state.param_groups[0]).filter(
      ([key]) => !/foreach|capturable|differentiable|fused/.test(key),
    );
    expectClose(own.param_groups[0], Object.fromEntries(options), 'options');
    expectClose(own.state, state.state, 'state');
    expect(Object.keys(own.state[0]).sort()).toEqual(Object.keys(state.state[0]).sort());
    steps(made, HALF, 2 * HALF);
    expectClose(made.params, final, 'parameters');
  });

  it('goes on from the state PyTorch had', () => {
    const made = makeOptimizer(name, { lr: 1 });
    restore(made.params, half);
    made.optimizer.loadStateDict(decode(state) as Saved);
    steps(made, HALF, 2 * HALF);
    expectClose(made.params, final, 'parameters');
  });
});

const searches = cases.lbfgs.map((one) => [JSON.stringify(one.kwargs), one] as const);

describe.each(searches)('LBFGS %s', (_, one) => {
  it('takes the steps PyTorch takes', () => {
    const { params, optimizer, step } = makeSearch(camel(one.kwargs));
    expectClose([step(), step(), step(), step()], one.losses, 'losses', 1e-7);
    expectClose(params, one.final, 'parameters', 1e-7);
    const state = optimizer.state.get(params[0]);
    expect([state?.func_evals, state?.n_iter]).toEqual([one.evals, one.iterations]);
  });

  it('goes on from the state PyTorch had, and from its own', () => {
    const first = makeSearch({});
    const second = makeSearch({});
    first.optimizer.loadStateDict(decode(one.state) as Saved);
    second.optimizer.loadStateDict(first.optimizer.stateDict());
    for (const { params, step } of [first, second]) {
      restore(params, one.half);
      expectClose([step(), step()], one.losses.slice(2), 'losses', 1e-7);
      expectClose(params, one.final, 'parameters', 1e-7);
    }
  });
});
