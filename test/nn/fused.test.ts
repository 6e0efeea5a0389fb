/** Linear and the ReLU behind it in one kernel: the same bits, and nobody can tell. */

import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Tensor } from '../../ts/index.js';
import * as torch from '../../ts/index.js';
import { linearRelu } from '../../ts/ops/products.js';
import { withFeatures } from '../webgpu/agree.js';

const { nn } = torch;
const F = nn.functional;

/** The same function in a class of its own, which is called as every module of users' is. */
class PlainRelu extends nn.ReLU {}

/** Elements with the sign of 0, which is told from -0; a NaN as one. */
async function bits(x: Tensor): Promise<readonly unknown[]> {
  return [...(await x.data())].map((v) => (Object.is(v, -0) ? '-0' : v));
}

/** Rows that hold every hard case of sums and of relu, as [..., features]. */
function hard(shape: readonly number[], dtype = torch.float32): Tensor {
  const x = torch.randn(shape, { dtype });
  if (x.numel() > 12) {
    const flat = x.view(-1);
    flat.slice(0, 0, 6).copy_(torch.tensor([0, -0, Infinity, -Infinity, NaN, 1e-40]).to(dtype));
  }
  return x;
}

/** Result, and gradients of input and parameters, with a ReLU of either class. */
async function outcomes(linear: torch.nn.Linear, relu: torch.nn.Module, x: Tensor) {
  linear.zeroGrad();
  const input = x.detach().requiresGrad_();
  const out = new nn.Sequential(linear, relu)(input);
  out.backward(torch.arange(out.numel()).view(out.shape).mul(0.37).sin().to(out));
  const { weight, bias } = linear;
  const all = [out, input.grad, weight.grad, ...(bias ? [bias.grad] : [])];
  return Promise.all(all.map((tensor) => bits(tensor as Tensor)));
}

async function same(linear: torch.nn.Linear, x: Tensor, inplace = false): Promise<void> {
  const fused = await outcomes(linear, new nn.ReLU(inplace), x);
  expect(fused).toEqual(await outcomes(linear, new PlainRelu(inplace), x));
}

/** Calls that compute: how many launches. */
function launches(x: Tensor, compute: () => unknown): number {
  const launch = vi.spyOn(x.backend, 'launch');
  compute();
  const count = launch.mock.calls.length;
  launch.mockRestore();
  return count;
}

beforeEach(() => {
  torch.manualSeed(5);
});

/** Shapes of input, then features: dots, thin, in place, packed, deep, batches, nothing. */
const SHAPES: readonly (readonly [readonly number[], number])[] = [
  [[5], 3],
  [[1, 300], 65],
  [[3, 40], 9],
  [[7, 17], 1],
  [[64, 130], 70],
  [[33, 600], 80],
  [[200, 9], 12],
  [[2, 3, 4, 10], 6],
  [[0, 4], 3],
  [[3, 0], 4],
  [[4, 5], 0],
];

/** Tests of a device. */
function onDevice(
  device: 'cpu' | 'webgpu',
  dtypes: readonly torch.Dtype[],
  shapes: typeof SHAPES,
): void {
  it.each(shapes)('%s to %d features: the bits of two calls', async (shape, features) => {
    for (const dtype of dtypes) {
      for (const bias of [true, false]) {
        const linear = new nn.Linear(shape[shape.length - 1], features, { bias, dtype }).to(device);
        await same(linear, hard(shape, dtype).to(device));
      }
    }
  });

  it('where the result is -0, tiny, infinite or no number', async () => {
    const linear = new nn.Linear(1, 6).to(device);
    torch.noGrad(() => {
      linear.weight.copy_(torch.tensor([-0, 1e-30, -1e-30, -Infinity, NaN, 1]).view(6, 1));
      linear.bias?.copy_(torch.tensor([-0, 0, -0, 1, 1, -1]));
    });
    const x = torch.tensor([[1], [-1], [0], [1e-10], [NaN]]).to(device);
    await same(linear, x);
    await same(linear, x.half().float());
    await same(linear.half(), x.half());
  });

  it('of inputs that are not contiguous, and in place', async () => {
    const linear = new nn.Linear(24, 20).to(device);
    await same(linear, torch.randn(24, 33).to(device).t());
    await same(linear, torch.randn(33, 48).to(device).slice(1, 0, 48, 2));
    await same(linear, torch.randn(1, 24).to(device).expand(5, 24));
    await same(linear, torch.randn(9, 24).to(device), true);
  });

  it('is one launch less', () => {
    const linear = new nn.Linear(40, 30).to(device);
    const x = torch.randn(16, 40, { device });
    const count = (relu: torch.nn.Module) => {
      const net = new nn.Sequential(linear, relu);
      return launches(x, () => net(x));
    };
    expect(count(new nn.ReLU())).toBe(count(new PlainRelu()) - 1);
    expect(count(new nn.ReLU(true))).toBe(count(new nn.ReLU()));
  });

  it('trains to the same bits', async () => {
    const [a, b] = [nn.ReLU, PlainRelu].map((Relu) => {
      torch.manualSeed(1);
      const layers = [new nn.Linear(12, 50), new Relu(), new nn.Linear(50, 20), new Relu()];
      return new nn.Sequential(...layers, new nn.Linear(20, 3)).to(device);
    });
    const [x, y] = [torch.randn(9, 12, { device }), torch.tensor([0, 1, 2, 1, 0, 2, 2, 1, 0])];
    const target = y.to(device);
    for (const net of [a, b]) {
      const optimizer = new torch.optim.SGD(net.parameters(), { lr: 0.1, momentum: 0.9 });
      for (let step = 0; step < 8; step++) {
        optimizer.zeroGrad();
        F.crossEntropy(net(x), target).backward();
        optimizer.step();
      }
    }
    const trained = [...b.parameters()];
    for (const [i, p] of [...a.parameters()].entries()) {
      expect(await bits(p)).toEqual(await bits(trained[i]));
    }
  });
}

describe('Linear and ReLU', () => {
  onDevice('cpu', [torch.float32, torch.float64, torch.float16, torch.bfloat16], SHAPES);

  it('have the nodes of two calls', () => {
    const x = torch.randn(4, 3);
    const names = (relu: torch.nn.Module): unknown => {
      const out = new nn.Sequential(new nn.Linear(3, 2), relu)(x);
      return [out.gradFn?.name, ...(out.gradFn?.next ?? []).map((node) => node?.name)];
    };
    expect(names(new nn.ReLU())).toEqual(['ReluBackward0', 'AddmmBackward0']);
    expect(names(new PlainRelu())).toEqual(names(new nn.ReLU()));
  });

  it('have second derivatives', () => {
    const [x, w, b] = [[3, 4], [5, 4], [5]].map((shape) =>
      torch.randn(shape, { dtype: torch.float64 }).requiresGrad_(),
    );
    for (const inputs of [
      [x, w],
      [x, w, b],
      [torch.randn(4, { dtype: torch.float64 }).requiresGrad_(), w, b],
    ]) {
      expect(torch.autograd.gradcheck(linearRelu, inputs)).toBe(true);
      expect(torch.autograd.gradgradcheck(linearRelu, inputs)).toBe(true);
    }
  });

  it('keep no tensor between them', () => {
    const linear = new nn.Linear(4, 32);
    const x = torch.randn(2048, 4);
    const peak = (relu: torch.nn.Module) => {
      const net = new nn.Sequential(linear, relu);
      const before = torch.memory().bytes;
      torch.resetPeakMemory();
      net(x).dispose();
      return (torch.memory().peak - before) / (2048 * 32 * 4);
    };
    expect(peak(new PlainRelu())).toBeGreaterThanOrEqual(2);
    expect(peak(new nn.ReLU())).toBeLessThan(1.2);
  });
});

await withFeatures('Linear and ReLU on the GPU', () => {
  onDevice('webgpu', [torch.float32, torch.float16], [SHAPES[1], SHAPES[4], SHAPES[5], SHAPES[8]]);
});

describe('Linear and ReLU are two calls', () => {
  const x = torch.randn(6, 4);
  let linear: torch.nn.Linear;
  let relu: torch.nn.ReLU;
  const run = () => new nn.Sequential(linear, relu)(x);
  beforeEach(() => {
    linear = new nn.Linear(4, 3);
    relu = new nn.ReLU();
    expect(launches(x, run)).toBe(1);
  });

  it('where forward hooks see them, alone or as all modules', () => {
    const seen: unknown[] = [];
    const watch = (module: torch.nn.Module, _: unknown, out: unknown) => {
      seen.push([module.constructor.name, (out as Tensor).shape]);
    };
    for (const register of [
      () => linear.registerForwardHook(watch),
      () => relu.registerForwardHook(watch),
      () => nn.modules.module.registerModuleForwardHook(watch),
    ]) {
      const handle = register();
      expect(launches(x, run)).toBe(2);
      handle.remove();
      expect(launches(x, run)).toBe(1);
    }
    const [shape] = [[6, 3]];
    expect(seen).toEqual([
      ['Linear', shape],
      ['ReLU', shape],
      ['Linear', shape],
      ['ReLU', shape],
      ['Sequential', shape],
    ]);
  });

  it('where other hooks see them', () => {
    let calls = 0;
    const count = () => {
      calls++;
    };
    linear.registerForwardPreHook(count);
    relu.registerFullBackwardHook(count);
    run().sum().backward();
    expect(calls).toBe(2);
  });

  it('where forward is another', () => {
    linear.forward = (input) => F.linear(input, linear.weight).neg();
    expect(run().equal(F.relu(F.linear(x, linear.weight).neg()))).toBe(true);
    class Doubled extends nn.Linear {
      override forward(input: Tensor): Tensor {
        return super.forward(input).mul(2);
      }
    }
    linear = new Doubled(4, 3);
    expect(run().equal(linear(x).relu())).toBe(true);
    linear = new nn.Linear(4, 3);
    relu.forward = (input) => input.neg();
    expect(run().equal(linear(x).neg())).toBe(true);
  });

  it('where the weight is computed', () => {
    class Twice extends nn.Module {
      forward(w: Tensor): Tensor {
        return w.mul(2);
      }
    }
    const before = linear.weight.detach().clone();
    nn.utils.parametrize.registerParametrization(linear, 'weight', new Twice());
    expect(run().equal(F.relu(F.linear(x, before.mul(2), linear.bias)))).toBe(true);
  });

  it('with the errors of two', () => {
    const wrong = () => new nn.Sequential(linear, relu)(torch.ones(2, 5));
    expect(wrong).toThrow('the input ends with size 5, the weight takes 4');
    expect(() => new nn.Sequential(linear, relu)('x' as unknown as Tensor)).toThrow(
      "linear: expected tensors, got 'x'",
    );
  });
});

describe('feed-forward networks of transformers', () => {
  it.each([
    ['by name', 'relu'],
    ['as function', F.relu],
    ['as module', new nn.ReLU()],
  ] as const)('take one launch less: relu %s', (_, activation) => {
    const options = { dropout: 0, batchFirst: true } as const;
    const layer = new nn.TransformerEncoderLayer(8, 2, 16, { ...options, activation }).eval();
    const x = torch.randn(2, 5, 8);
    const separate = new nn.TransformerEncoderLayer(8, 2, 16, {
      ...options,
      activation: (y: Tensor) => F.relu(y),
    }).eval();
    separate.loadStateDict(layer.stateDict());
    const counts = [layer, separate].map((each) => launches(x, () => each(x)));
    expect(counts[0]).toBe(counts[1] - 1);
    expect(layer(x).equal(separate(x))).toBe(true);
  });
});
