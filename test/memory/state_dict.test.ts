/** Loading state dicts when memory runs out: everything is loaded, or nothing was. */

import { afterEach, describe, expect, test } from 'vitest';
import { deviceOf } from '../../ts/device/registry.js';
import * as torch from '../../ts/index.js';
import { atEveryAllocation } from './failing.js';

const { nn, optim } = torch;
const cpu = deviceOf('cpu') as unknown as { beforeAllocate?: (bytes: number) => void };

afterEach(() => {
  cpu.beforeAllocate = undefined;
});

const hear = (each: ((bytes: number) => void) | undefined) => {
  cpu.beforeAllocate = each;
};
const valuesOf = (state: torch.nn.StateDict) =>
  Object.values(state).map((x) => [...x.dataSync()].map(Number));
/** All tensors are too large to share slabs, so that each is an allocation of its own. */
const network = () => new nn.Sequential(new nn.Linear(32, 150), new nn.BatchNorm1d(150));
const changed = (net: torch.nn.Module, change: (x: torch.Tensor) => torch.Tensor) =>
  Object.fromEntries(Object.entries(net.stateDict()).map(([name, x]) => [name, change(x)]));

describe('a state dict of a module', () => {
  test('of other dtypes is loaded whole or not at all, and nothing stays allocated', async () => {
    const net = network();
    const state = changed(network(), (x) =>
      x.dtype.isFloatingPoint ? x.add(1).double() : x.add(1).int(),
    );
    const before = valuesOf(net.stateDict());
    const count = await atEveryAllocation(
      hear,
      () => net.loadStateDict(state),
      async () => expect(valuesOf(net.stateDict())).toEqual(before),
    );
    expect(count).toBeGreaterThanOrEqual(6);
    expect(valuesOf(net.stateDict())).toEqual(valuesOf(state));
  });

  test('that a hook could have forgiven comes back without more memory', async () => {
    const net = network();
    net.registerLoadStateDictPostHook(() => {});
    const { '1.bias': _, ...state } = changed(network(), (x) => x.add(1));
    const before = valuesOf(net.stateDict());
    let refused = '';
    const load = () => {
      try {
        net.loadStateDict(state);
      } catch (error) {
        if (error instanceof torch.OutOfMemoryError) throw error;
        refused = (error as Error).message;
      }
    };
    const count = await atEveryAllocation(hear, load, async () =>
      expect(valuesOf(net.stateDict())).toEqual(before),
    );
    expect(count).toBeGreaterThanOrEqual(5);
    expect(refused).toContain("missing keys: '1.bias'");
    expect(valuesOf(net.stateDict())).toEqual(before);
  });

  test('that a hook refuses comes back', () => {
    const net = network();
    const before = valuesOf(net.stateDict());
    const state = changed(network(), (x) => x.add(1));
    const refusals: Parameters<typeof net.registerLoadStateDictPostHook>[0][] = [
      () => {
        throw new torch.ValueError('not this one');
      },
      (_module, keys) => (keys as torch.nn.IncompatibleKeys).missingKeys.push('not this one'),
    ];
    for (const refuse of refusals) {
      const handle = net.registerLoadStateDictPostHook(refuse);
      expect(() => net.loadStateDict(state)).toThrow('not this one');
      expect(valuesOf(net.stateDict())).toEqual(before);
      handle.remove();
    }
    net.loadStateDict(state);
    expect(valuesOf(net.stateDict())).toEqual(valuesOf(state));
  });

  test('of the same dtypes is copied without memory', () => {
    const [net, other] = [network(), network()];
    const state = other.stateDict();
    let count = 0;
    cpu.beforeAllocate = () => {
      count++;
    };
    net.loadStateDict(state);
    expect(count).toBe(0);
    expect(valuesOf(net.stateDict())).toEqual(valuesOf(state));
  });

  test('that overlaps what it is written to', async () => {
    const net = new nn.Linear(40, 39, { bias: false });
    const all = torch.randn(40, 40);
    net.weight.data = all.narrow(0, 0, 39);
    const state = { weight: all.narrow(0, 1, 39) };
    const [before, after] = [valuesOf(net.stateDict()), valuesOf(state)];
    const count = await atEveryAllocation(
      hear,
      () => net.loadStateDict(state),
      async () => expect(valuesOf(net.stateDict())).toEqual(before),
    );
    expect(count).toBe(1);
    expect(valuesOf(net.stateDict())).toEqual(after);
  });

  test('is refused before anything changes if a buffer cannot be written', () => {
    const net = new nn.Sequential();
    net.registerBuffer('first', torch.zeros(3));
    net.registerBuffer('wide', torch.zeros(1).expand(3));
    const state = { first: torch.ones(3), wide: torch.ones(3) };
    expect(() => net.loadStateDict(state)).toThrow("elements of 'wide' of the module share one");
    expect(valuesOf(net.stateDict())).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
  });
});

test('a state dict of an optimiser is loaded whole or not at all', async () => {
  const make = (factor: number) => {
    const weight = new nn.Parameter(torch.ones(300));
    const optimizer = new optim.Adam([weight], { lr: factor });
    weight.mul(factor).sum().backward();
    optimizer.step();
    return { optimizer, state: optimizer.state.get(weight) as Record<string, torch.Tensor> };
  };
  const [one, other] = [make(1), make(2)];
  const { step, ...moments } = one.state;
  const before = valuesOf(moments);
  const saved = other.optimizer.stateDict();
  saved.state[0].exp_avg = other.state.exp_avg.double();
  const count = await atEveryAllocation(
    hear,
    () => one.optimizer.loadStateDict(saved),
    async () => {
      expect(valuesOf(moments)).toEqual(before);
      expect(one.optimizer.state.get(one.optimizer.paramGroups[0].params[0])).toBe(one.state);
      expect(one.optimizer.paramGroups[0].lr).toBe(1);
    },
  );
  expect(count).toBeGreaterThanOrEqual(2);
  const [loaded] = one.optimizer.state.values() as Iterable<Record<string, torch.Tensor>>;
  expect(valuesOf({ a: loaded.exp_avg, b: loaded.exp_avg_sq })).toEqual(
    valuesOf({ a: other.state.exp_avg, b: other.state.exp_avg_sq }),
  );
  expect(one.optimizer.paramGroups[0].lr).toBe(2);
});
