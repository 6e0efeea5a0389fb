/** What the library's own modules make on the way is freed at once; what users may see is not. */

import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';
import { collect } from './collect.js';

type Tensor = torch.Tensor;
const { nn } = torch;
const F = nn.functional;
const bytes = () => torch.memory().bytes;

const x = torch.randn(32, 64);

/** Keeps what it is given and what it gives. */
class Keeper extends nn.Module {
  seen: Tensor[] = [];
  forward(input: Tensor): Tensor {
    const output = input.mul(2).relu();
    this.seen.push(input, output);
    return output;
  }
}

/** The values of tensors that somebody kept, which must still be there. */
function read(tensors: readonly Tensor[]): number[] {
  return tensors.map((tensor) => tensor.sum().itemSync());
}

const layers = () => [new nn.Linear(64, 256), new nn.ReLU(), new nn.Linear(256, 64)];

describe('the own modules of the library', () => {
  test('a step of a Sequential leaves its output and the gradients', async () => {
    const net = new nn.Sequential(...layers(), new nn.Flatten(), ...layers());
    net(x).sum().backward();
    await collect();
    const before = bytes();
    const y = net(x);
    y.sum().backward();
    expect(bytes() - before).toBeLessThanOrEqual(y.numel() * 4 + 64);
  });

  test('so do recurrent layers and Transformers, in evaluation at once', async () => {
    const single = torch.randn(4, 8, 64);
    const modules = [
      new nn.GRU(64, 64, { numLayers: 2 }),
      new nn.TransformerEncoderLayer(64, 4, 128),
      new nn.MultiheadAttention(64, 4),
    ];
    for (const module of modules) {
      module.eval();
      const run = () => {
        const inputs =
          module instanceof nn.MultiheadAttention ? [single, single, single] : [single];
        const made = torch.noGrad(() => (module as (...args: Tensor[]) => unknown)(...inputs));
        return ([made].flat() as (Tensor | null)[]).reduce((n, t) => n + (t?.numel() ?? 0) * 4, 0);
      };
      run();
      await collect();
      const before = bytes();
      const given = run();
      expect(bytes() - before).toBeLessThanOrEqual(given + 64);
    }
  });

  test('results that are views are all that is left', () => {
    const sequence = torch.randn(4, 6, 64);
    const unflatten = new nn.Sequential(new nn.Linear(64, 8), new nn.Unflatten(1, [2, 4]));
    const flatten = new nn.Sequential(new nn.Conv1d(6, 6, 3), new nn.Flatten());
    const lstm = new nn.LSTM(64, 8, { batchFirst: true });
    const runs = [() => [unflatten(x)], () => [flatten(sequence)], () => lstm(sequence).flat()];
    for (const run of runs) {
      const once = () => {
        for (const tensor of run()) tensor.dispose();
        return bytes();
      };
      once();
      const before = once();
      expect(once()).toBe(before);
    }
  });

  test('results that are views can be written in place', () => {
    const net = new nn.Sequential(new nn.Linear(64, 8), new nn.Unflatten(1, [2, 4]));
    const y = net(x);
    y.mul_(3);
    y.sum().backward();
    const weight = (net.at(0) as InstanceType<typeof nn.Linear>).weight;
    const expected = x.sum(0).mul(3).expand(8, 64);
    expect(torch.allclose(weight.grad as Tensor, expected, { rtol: 1e-4 })).toBe(true);
  });
});

describe('what users saw', () => {
  const kept = (net: (input: Tensor) => Tensor, seen: readonly Tensor[]) => {
    net(x).sum().backward();
    expect(seen.length).toBeGreaterThan(0);
    expect(read(seen).every(Number.isFinite)).toBe(true);
  };

  test('a module of theirs among the own ones', () => {
    const keeper = new Keeper();
    kept(
      new nn.Sequential(...layers(), keeper, new nn.Sequential(keeper, ...layers())),
      keeper.seen,
    );
  });

  test('hooks', () => {
    const net = new nn.Sequential(...layers());
    const seen: Tensor[] = [];
    net.at(1).registerForwardHook((_module, args, output) => {
      seen.push(...(args as Tensor[]), output as Tensor);
    });
    net.at(2).registerForwardPreHook((_module, args) => {
      seen.push(...(args as Tensor[]));
    });
    net.at(0).registerFullBackwardHook((_module, gradInput, gradOutput) => {
      for (const grad of [...gradInput, ...gradOutput]) if (grad) seen.push(grad);
    });
    kept(net, seen);
  });

  test('an activation function, and a forward put in the place of the own one', () => {
    const seen: Tensor[] = [];
    const activation = (input: Tensor) => {
      seen.push(input);
      return F.silu(input);
    };
    const layer = new nn.TransformerEncoderLayer(64, 4, 32, { activation });
    const linear = new nn.Linear(64, 64);
    linear.forward = (input) => {
      const output = F.linear(input, linear.weight, linear.bias);
      seen.push(input, output);
      return output;
    };
    kept(new nn.Sequential(layer, linear, new nn.ReLU()), seen);
  });

  test('a class made of an own one, and a parametrization', () => {
    const keeper = new Keeper();
    class Mine extends nn.Linear {}
    const mine = new Mine(64, 64);
    nn.utils.parametrize.registerParametrization(mine, 'weight', keeper, { unsafe: true });
    kept(new nn.Sequential(mine, new nn.ReLU()), keeper.seen);
  });

  test('an error in between leaves the scopes as they were', () => {
    class Fails extends nn.Module {
      forward(): Tensor {
        throw new Error('on purpose');
      }
    }
    const net = new nn.Sequential(new nn.Linear(64, 64), new Fails());
    expect(() => net(x)).toThrow('on purpose');
    const y = torch.ones(3).add(1);
    expect(
      torch.scope(() => new nn.Sequential(new nn.ReLU(), new Keeper())(y)).tolistSync(),
    ).toEqual([4, 4, 4]);
    expect(y.tolistSync()).toEqual([2, 2, 2]);
  });

  test('what a rule of a module keeps lives until backward', () => {
    const layer = new nn.Embedding(4, 2, { scaleGradByFreq: true });
    const rows = layer(torch.tensor([1, 1, 2]));
    for (let i = 0; i < 20; i++) new nn.ReLU()(torch.randn(2, 3));
    rows.sum().backward();
    expect((layer.weight.grad as Tensor).tolistSync()).toEqual([
      [0, 0],
      [1, 1],
      [1, 1],
      [0, 0],
    ]);
  });
});
