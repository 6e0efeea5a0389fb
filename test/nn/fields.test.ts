/** Fields of modules that hold parameters, buffers and modules take nothing else, as in PyTorch. */

import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';

const { nn } = torch;
const names = (entries: Iterable<readonly [string, unknown]>) => [...entries].map(([name]) => name);
/** A value as plain JavaScript assigns it, which the types would refuse. */
const loose = <T>(value: unknown): T => value as T;

class Net extends nn.Module {
  fc: torch.nn.Module = new nn.Linear(2, 2);
  scale = new nn.Parameter(torch.ones(1));

  forward(x: torch.Tensor): torch.Tensor {
    return (this.fc as torch.nn.Linear)(x).mul(this.scale);
  }
}

describe('a parameter', () => {
  test('is not replaced by a tensor, and stays', () => {
    const layer = new nn.Linear(2, 3);
    const { weight } = layer;
    const assign = () => {
      layer.weight = loose(torch.ones(3, 2));
    };
    expect(assign).toThrow(torch.ValueError);
    expect(assign).toThrow(
      /^Linear: cannot assign a tensor of shape \[3, 2\] as parameter 'weight'; .*new nn\.Parameter/,
    );
    expect(layer.weight).toBe(weight);
    expect(names(layer.namedParameters())).toEqual(['weight', 'bias']);
  });

  test('is replaced by another, or by nothing', () => {
    const layer = new nn.Linear(2, 3);
    layer.weight = new nn.Parameter(torch.zeros(3, 2));
    layer.bias = null;
    expect(layer(torch.ones(1, 2)).tolistSync()).toEqual([[0, 0, 0]]);
    expect(names(layer.namedParameters())).toEqual(['weight']);
    expect(Object.keys(layer.stateDict())).toEqual(['weight']);
  });

  test('that was left out is no tensor later', () => {
    const layer = new nn.Linear(2, 3, { bias: false });
    const assign = (bias: unknown) => {
      layer.bias = loose(bias);
    };
    expect(() => assign(torch.ones(3))).toThrow("as parameter 'bias'");
    expect(() => assign(3)).toThrow("cannot assign 3 as parameter 'bias'");
    assign(new nn.Parameter(torch.ones(3)));
    expect(names(layer.namedParameters())).toEqual(['weight', 'bias']);
  });

  test('of a field is known once it was listed', () => {
    const net = new Net();
    expect(names(net.namedParameters())).toEqual(['scale', 'fc.weight', 'fc.bias']);
    expect(() => {
      net.scale = loose(torch.ones(1));
    }).toThrow("Net: cannot assign a tensor of shape [1] as parameter 'scale'");
    expect(names(net.namedParameters())).toEqual(['scale', 'fc.weight', 'fc.bias']);
  });

  test('that is deleted leaves the name free', () => {
    const layer = new nn.Linear(2, 3);
    delete loose<{ weight?: unknown }>(layer).weight;
    layer.weight = loose(torch.ones(3, 2));
    expect(names(layer.namedParameters())).toEqual(['bias']);
  });
});

describe('a buffer', () => {
  const assign = (layer: torch.nn.BatchNorm1d, value: unknown) => {
    layer.running_mean = loose(value);
  };

  test('is a tensor or nothing', () => {
    const layer = new nn.BatchNorm1d(2);
    expect(() => assign(layer, 0)).toThrow("cannot assign 0 as buffer 'running_mean'");
    assign(layer, torch.ones(2));
    expect(layer.stateDict().running_mean.tolistSync()).toEqual([1, 1]);
    assign(layer, null);
    expect(names(layer.namedBuffers())).toEqual(['running_var', 'num_batches_tracked']);
  });

  test('becomes a parameter if it is given one', () => {
    const layer = new nn.BatchNorm1d(2);
    assign(layer, new nn.Parameter(torch.ones(2)));
    expect(names(layer.namedParameters())).toEqual(['weight', 'bias', 'running_mean']);
    expect(names(layer.namedBuffers())).toEqual(['running_var', 'num_batches_tracked']);
    expect(() => assign(layer, torch.ones(2))).toThrow("as parameter 'running_mean'");
  });
});

describe('a module', () => {
  test('is replaced by modules', () => {
    const net = new Net();
    net.train();
    net.fc = new nn.Identity();
    expect(names(net.namedParameters())).toEqual(['scale']);
    const assign = (value: unknown) => {
      net.fc = loose(value);
    };
    expect(() => assign(nn.ReLU)).toThrow(
      /^Net: cannot assign the function or class \w+ as module 'fc'/,
    );
    expect(() => assign(torch.ones(2))).toThrow("as module 'fc'; expected a module or null");
  });

  test('of a list is replaced by modules', () => {
    const net = new nn.Sequential(new nn.Linear(2, 2), new nn.ReLU());
    net[1] = new nn.Identity();
    expect(String(net)).toContain('(1): Identity()');
    net[1] = loose(nn.functional.relu);
    expect(() => net(torch.ones(1, 2))).toThrow(/^Sequential: cannot assign .* as module '1'/);
  });
});

test('copies hold their fields too', () => {
  const copy = torch.nn.deepcopy(new nn.Linear(2, 3, { bias: false }));
  expect(() => {
    copy.weight = loose(torch.ones(3, 2));
  }).toThrow("as parameter 'weight'");
  expect(() => {
    copy.bias = loose(torch.ones(3));
  }).toThrow("as parameter 'bias'");
});

test('what was deleted holds its name no longer, in copies neither', () => {
  const net = nn.utils.weightNorm(new nn.Linear(2, 3));
  const copy = nn.deepcopy(net);
  expect(copy(torch.ones(1, 2)).tolistSync()).toEqual(net(torch.ones(1, 2)).tolistSync());
  delete (net as { bias?: unknown }).bias;
  net.bias = loose(torch.ones(3));
  nn.deepcopy(net).bias = loose(torch.zeros(3));
  net.bias = new nn.Parameter(torch.ones(3));
  expect(names(net.namedParameters())).toContain('bias');
  expect(() => {
    net.bias = loose(torch.ones(3));
  }).toThrow("as parameter 'bias'");
});

test('a field of an accessor or a frozen one is left as it is', () => {
  const net = new Net();
  const inner = new nn.Linear(1, 1);
  Object.defineProperty(net, 'late', { get: () => inner, enumerable: true });
  Object.defineProperty(net, 'fixed', { value: inner, enumerable: true });
  expect(names(net.namedParameters())).toContain('late.weight');
  expect(Object.getOwnPropertyDescriptor(net, 'fixed')?.value).toBe(inner);
});
