/** What hooks see, in which order, is what PyTorch 1.13 shows them in the same program. */

import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Tensor } from '../../ts/index.js';
import * as torch from '../../ts/index.js';

const { nn } = torch;

class Net extends nn.Module {
  a = new nn.Linear(2, 2);
  b = new nn.Linear(2, 1);

  constructor() {
    super();
    for (const parameter of this.parameters()) nn.init.constant_(parameter, 0.5);
  }

  forward(x: Tensor): Tensor {
    return this.b(this.a(x));
  }
}

/** x k, 2 z and no tensor. */
class Two extends nn.Module {
  forward(x: Tensor, k: number, z: Tensor): [Tensor, Tensor, string] {
    return [x.mul(k), z.mul(2), 'text'];
  }
}

type Values = readonly unknown[];

function shown(value: unknown): unknown {
  if (value instanceof torch.Tensor) return value.tolistSync();
  return Array.isArray(value) ? value.map(shown) : value;
}

/** A hook that writes down what it is given. */
function note(log: unknown[][], ...label: unknown[]) {
  return (_module: unknown, ...values: Values) => {
    log.push([...label, ...values.map(shown)]);
  };
}

const x = () => torch.tensor([[1, 2]]).float();

describe('hooks around forward and backward', () => {
  it('run global ones first, then those of the module, with what the ones before gave', () => {
    const net = new Net();
    const log: unknown[][] = [];
    const name = (module: unknown) => (module === net ? 'net' : module === net.a ? 'a' : 'b');
    const noted =
      (kind: string, at: readonly number[]) =>
      (module: unknown, ...values: Values) => {
        log.push([kind, name(module), ...at.map((i) => shown(values[i]))]);
      };
    const { module } = nn.modules;
    const handles = [
      module.registerModuleForwardPreHook(noted('gpre', [0])),
      module.registerModuleForwardHook(noted('gfwd', [1])),
      module.registerModuleFullBackwardHook(noted('gbwd', [0, 1])),
    ];
    net.a.registerForwardPreHook((_m: unknown, [input]: [Tensor]) => [input.mul(2)]);
    net.a.registerForwardPreHook(note(log, 'pre2', 'a'));
    net.a.registerForwardHook((_m: unknown, _a: unknown, output: Tensor) => output.add(1));
    net.a.registerForwardHook(note(log, 'fwd2', 'a'));
    net.b.registerFullBackwardHook((_m: unknown, [g]: [Tensor]) => [g.mul(10)]);
    net.b.registerFullBackwardHook(note(log, 'bwd2', 'b'));
    const y = net(x());
    y.sum().backward();
    expect(log).toEqual([
      ['gpre', 'net', [[[1, 2]]]],
      ['gpre', 'a', [[[1, 2]]]],
      ['pre2', 'a', [[[2, 4]]]],
      ['gfwd', 'a', [[3.5, 3.5]]],
      ['fwd2', 'a', [[[2, 4]]], [[4.5, 4.5]]],
      ['gpre', 'b', [[[4.5, 4.5]]]],
      ['gfwd', 'b', [[5]]],
      ['gfwd', 'net', [[5]]],
      ['gbwd', 'net', [null], [[[1]]]],
      ['gbwd', 'b', [[[0.5, 0.5]]], [[[1]]]],
      ['bwd2', 'b', [[[5, 5]]], [[[1]]]],
      ['gbwd', 'a', [null], [[[5, 5]]]],
    ]);
    expect(shown(net.a.weight.grad)).toEqual([
      [10, 20],
      [10, 20],
    ]);
    expect(shown(net.b.weight.grad)).toEqual([[4.5, 4.5]]);
    log.length = 0;
    const input = x().requiresGrad_();
    net(input).sum().backward();
    expect(log.filter(([kind]) => kind === 'gbwd')).toEqual([
      ['gbwd', 'b', [[[0.5, 0.5]]], [[[1]]]],
      ['gbwd', 'a', [[[5, 5]]], [[[5, 5]]]],
      ['gbwd', 'net', [[[10, 10]]], [[[1]]]],
    ]);
    expect(shown(input.grad)).toEqual([[10, 10]]);
    for (const handle of handles) handle.remove();
    log.length = 0;
    net(x());
    expect(log.map(([kind]) => kind)).toEqual(['pre2', 'fwd2']);
  });

  it('show null for what is no tensor or has no gradient, zeros for unused inputs', () => {
    const two = new Two();
    const log: unknown[][] = [];
    two.registerFullBackwardHook(note(log));
    const a = torch.ones(1).requiresGrad_();
    two(a, 3, torch.ones(1))[0].sum().backward();
    const b = torch.ones(1).requiresGrad_();
    two(a, 3, b)[0].sum().backward();
    const seen = [
      [[3], null, [0]],
      [[1], null, null],
    ];
    expect(log).toEqual([seen, seen]);
    expect(shown(b.grad)).toEqual([0]);
  });

  it('see every call of a module', () => {
    const layer = new nn.Linear(1, 1, { bias: false });
    nn.init.constant_(layer.weight, 3);
    const log: unknown[][] = [];
    layer.registerFullBackwardHook(note(log));
    layer(layer(torch.ones(1, 1).requiresGrad_()))
      .sum()
      .backward();
    expect(log).toEqual([
      [[[[3]]], [[[1]]]],
      [[[[9]]], [[[3]]]],
    ]);
  });

  it('keep what a hook was shown after backward', () => {
    const layer = new nn.Linear(2, 1);
    const kept: Tensor[] = [];
    layer.registerFullBackwardHook((_m: unknown, [g]: [Tensor], [h]: [Tensor]) => {
      kept.push(g, h);
    });
    layer(x().requiresGrad_()).sum().backward();
    expect(kept.map((g) => g.shape)).toEqual([
      [1, 2],
      [1, 1],
    ]);
    expect(kept[1].tolistSync()).toEqual([[1]]);
  });

  it('replace the gradient of the output before the module uses it', () => {
    const layer = new nn.Linear(2, 1);
    const log: unknown[][] = [];
    layer.registerFullBackwardHook(note(log, 'after'));
    layer.registerFullBackwardPreHook((_m: unknown, [g]: [Tensor]) => [g.mul(3)]);
    const first = note(log, 'first');
    layer.registerFullBackwardPreHook(first, { prepend: true });
    const all = nn.modules.module.registerModuleFullBackwardPreHook(note(log, 'global'));
    layer(x()).sum().backward();
    all.remove();
    expect(log).toEqual([
      ['global', [[[1]]]],
      ['first', [[[1]]]],
      ['after', [null], [[[3]]]],
    ]);
    expect(shown(layer.weight.grad)).toEqual([[3, 6]]);
  });

  it('refuse gradients that do not fit', () => {
    const two = new Two();
    two.registerFullBackwardHook((_m: unknown, grads: Tensor[]) => [grads[0]]);
    const a = torch.ones(1).requiresGrad_();
    expect(() => two(a, 3, a)[0].sum().backward()).toThrow(
      'as many gradients as there are, of the same shapes, or nothing; expected ([1], null, [1])',
    );
    const layer = new nn.Linear(1, 1);
    const handle = layer.registerFullBackwardHook(() => [torch.ones(1, 1)]);
    expect(() => layer(torch.ones(1, 1)).sum().backward()).toThrow('no input of Linear requires');
    handle.remove();
    layer.registerFullBackwardPreHook(() => [torch.ones(2)]);
    expect(() => layer(torch.ones(1, 1)).sum().backward()).toThrow('expected ([1, 1]), got ([2])');
    expect(() => layer.registerForwardHook(3 as never)).toThrow('a hook is a function, got 3');
  });

  it('see named arguments where they ask for them', () => {
    class Scale extends nn.Module {
      forward(input: Tensor, options: { by?: number } = {}): Tensor {
        return input.mul(options.by ?? 1);
      }
    }
    const net = new Scale();
    const log: unknown[][] = [];
    const twice = (_m: unknown, args: Tensor[], { by }: { by: number }) => [args, { by: by * 2 }];
    net.registerForwardPreHook(twice, { withKwargs: true });
    net.registerForwardHook(note(log), { withKwargs: true });
    expect(shown(net(x(), { by: 2 }))).toEqual([[4, 8]]);
    expect(log).toEqual([[[[[1, 2]]], { by: 4 }, [[4, 8]]]]);
    net.registerForwardPreHook((() => [1]) as never, { withKwargs: true });
    expect(() => net(x(), { by: 2 })).toThrow('returns [args, kwargs] or nothing');
    // Layers with named arguments: a plain hook sees them in their positions.
    const layer = new nn.Linear(2, 1);
    layer.registerForwardPreHook(note(log, 'plain'));
    (layer as unknown as (options: object) => Tensor)({ input: x() });
    expect(log.at(-1)).toEqual(['plain', [[[1, 2]]]]);
  });

  it('know what the module takes and gives', () => {
    const layer = new nn.Linear(2, 1);
    const seen: number[][] = [];
    layer.registerForwardPreHook((module, [input]) => {
      expectTypeOf(module).toEqualTypeOf<typeof layer>();
      expectTypeOf(input).toEqualTypeOf<Tensor>();
      return [input.mul(2)];
    });
    layer.registerForwardHook((_module, [input], output) => {
      expectTypeOf(output).toEqualTypeOf<Tensor>();
      seen.push([...input.shape], [...output.shape]);
    });
    layer.registerFullBackwardHook((_module, gradInput, [gradOutput]) => {
      expectTypeOf(gradInput).toEqualTypeOf<(Tensor | null)[]>();
      seen.push([...(gradOutput as Tensor).shape]);
    });
    layer(x()).sum().backward();
    expect(seen).toEqual([
      [1, 2],
      [1, 1],
      [1, 1],
    ]);
  });

  it('run none in backward where nothing is recorded', () => {
    const layer = new nn.Linear(2, 1);
    const log: unknown[][] = [];
    layer.registerFullBackwardHook(note(log));
    expect(torch.noGrad(() => layer(x())).requiresGrad).toBe(false);
    expect(log).toEqual([]);
  });

  it('give second derivatives', () => {
    const layer = new nn.Sequential(new nn.Linear(2, 3), new nn.Tanh()).double();
    layer.registerFullBackwardHook((_m: unknown, [g]: [Tensor]) => [g.mul(2)]);
    const input = torch.randn(2, 2, { dtype: torch.float64 }).requiresGrad_();
    const [g] = torch.grad(layer(input).sum(), input, { createGraph: true }) as [Tensor];
    const [second] = torch.grad(g.sum(), input) as [Tensor];
    expect(second.shape).toEqual([2, 2]);
    expect(second.abs().sum().itemSync()).toBeGreaterThan(0);
  });
});

describe('hooks of state dicts', () => {
  it('run below first when saving, above first before loading, below first after', () => {
    const net = new Net();
    const log: unknown[][] = [];
    for (const [name, module] of Object.entries({ net, a: net.a, b: net.b })) {
      module.registerStateDictPreHook((_m: unknown, prefix: string, keepVars: boolean) => {
        log.push(['pre', name, prefix, keepVars]);
      });
      module.registerStateDictHook((_m: unknown, state: object, prefix: string) => {
        log.push([name, prefix, Object.keys(state)]);
      });
      module.registerLoadStateDictPreHook(
        (_m: unknown, _state: object, prefix: string, _meta: object, strict: boolean) => {
          log.push(['before', prefix, strict]);
        },
      );
      module.registerLoadStateDictPostHook((_m: unknown, keys: object) => {
        log.push(['after', name, keys]);
      });
    }
    const state = net.stateDict();
    const ofA = ['a.weight', 'a.bias'];
    const all = [...ofA, 'b.weight', 'b.bias'];
    expect(log).toEqual([
      ['pre', 'net', '', false],
      ['pre', 'a', 'a.', false],
      ['a', 'a.', ofA],
      ['pre', 'b', 'b.', false],
      ['b', 'b.', all],
      ['net', '', all],
    ]);
    log.length = 0;
    net.loadStateDict(state);
    const none = { missingKeys: [], unexpectedKeys: [] };
    expect(log).toEqual([
      ['before', '', true],
      ['before', 'a.', true],
      ['before', 'b.', true],
      ['after', 'a', none],
      ['after', 'b', none],
      ['after', 'net', none],
    ]);
  });

  it('rename on the way in, on a copy, and on the way out', () => {
    const net = new Net();
    const renamed = (state: Record<string, Tensor>, from: string, to: string) => {
      const old = Object.entries(state);
      return Object.fromEntries(old.map(([key, value]) => [key.replace(from, to), value]));
    };
    net.registerStateDictHook((_m: unknown, state: Record<string, Tensor>) =>
      renamed(state, 'b.', 'head.'),
    );
    const state = net.stateDict();
    expect(Object.keys(state)).toEqual(['a.weight', 'a.bias', 'head.weight', 'head.bias']);
    const before = Object.keys(state);
    expect(() => net.loadStateDict(state)).toThrow("missing keys: 'b.weight', 'b.bias'");
    net.registerLoadStateDictPreHook((_m: unknown, given: Record<string, Tensor>) => {
      for (const key of ['weight', 'bias']) {
        given[`b.${key}`] = given[`head.${key}`];
        delete given[`head.${key}`];
      }
    });
    expect(net.loadStateDict(state)).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(Object.keys(state)).toEqual(before);
  });

  it('may forgive missing keys; else nothing is changed', () => {
    const [net, other] = [new Net(), new Net()];
    nn.init.constant_(other.a.weight, 7);
    const { 'b.bias': _, ...state } = other.stateDict();
    const handle = net.registerLoadStateDictPostHook(() => {});
    expect(() => net.loadStateDict(state)).toThrow("missing keys: 'b.bias'");
    expect(net.a.weight.tolistSync()).toEqual([
      [0.5, 0.5],
      [0.5, 0.5],
    ]);
    handle.remove();
    net.registerLoadStateDictPostHook((_m: unknown, keys: { missingKeys: string[] }) => {
      keys.missingKeys.length = 0;
    });
    expect(net.loadStateDict(state)).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(net.a.weight.sum().itemSync()).toBe(28);
  });

  it('may say what is wrong', () => {
    const net = new Net();
    net.registerLoadStateDictPreHook((...values: Values) => {
      (values[7] as string[]).push('this file is too old');
    });
    expect(() => net.loadStateDict(net.stateDict(), { strict: false })).toThrow('too old');
  });
});
