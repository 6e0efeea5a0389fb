/** Modules on the GPU: seeds, hooks, state dicts, parametrisations, and clear words on mistakes. */

import { expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { withGpu } from '../webgpu/agree.js';

const { nn } = torch;
type Tensor = torch.Tensor;

const onGpu = { device: 'webgpu' } as const;
const listed = async (x: Tensor) => [...(await x.data())].map(Number);

/** Modules whose constructors draw numbers. */
const MODULES: Readonly<Record<string, (factory: object) => torch.nn.Module>> = {
  Linear: (factory) => new nn.Linear(20, 3, factory),
  Conv2d: (factory) => new nn.Conv2d(3, 5, 3, factory),
  Embedding: (factory) => new nn.Embedding(7, 4, factory),
  LSTM: (factory) => new nn.LSTM(3, 5, factory),
  GRUCell: (factory) => new nn.GRUCell(3, 5, factory),
  Bilinear: (factory) => new nn.Bilinear(2, 3, 4, factory),
  MultiheadAttention: (factory) => new nn.MultiheadAttention(8, 2, factory),
  TransformerEncoderLayer: (factory) => new nn.TransformerEncoderLayer(8, 2, 16, factory),
};

/** What draws numbers, by what it fills. */
const DRAWS: Readonly<Record<string, (device: 'cpu' | 'webgpu') => Tensor>> = {
  rand: (device) => torch.rand([37], { device }),
  randn: (device) => torch.randn([5, 7], { device }),
  'randn, few': (device) => torch.randn([5], { device }),
  randint: (device) => torch.randint(0, 1000, [37], { device }),
  randperm: (device) => torch.randperm(37, { device }),
  randLike: (device) => torch.randLike(torch.zeros([4, 4], { device })),
  normal: (device) => torch.normal(2, 3, [37], { device }),
  'normal, of tensors': (device) =>
    torch.normal(torch.zeros([20], { device }), torch.ones([20], { device })),
  uniform_: (device) => torch.empty([6, 6], { device }).t().uniform_(-1, 1),
  normal_: (device) => torch.empty([6, 6], { device }).normal_(1, 2),
  exponential_: (device) => torch.empty([37], { device }).exponential_(2),
  bernoulli: (device) => torch.bernoulli(torch.full([37], 0.3, { device })),
  bernoulli_: (device) => torch.empty([37], { device }).bernoulli_(0.3),
  multinomial: (device) => torch.multinomial(torch.ones([9], { device }), 5),
  'multinomial, with replacement': (device) =>
    torch.multinomial(torch.ones([2, 9], { device }), 12, true),
  xavierNormal_: (device) => nn.init.xavierNormal_(torch.empty([8, 8], { device })),
  kaimingUniform_: (device) => nn.init.kaimingUniform_(torch.empty([8, 8], { device })),
  truncNormal_: (device) => nn.init.truncNormal_(torch.empty([8, 8], { device })),
  orthogonal_: (device) => nn.init.orthogonal_(torch.empty([6, 4], { device })),
  sparse_: (device) => nn.init.sparse_(torch.empty([6, 4], { device }), 0.5),
};

await withGpu('seeds on the GPU', () => {
  it.each(Object.keys(MODULES))('%s starts as on the CPU', async (name) => {
    const [gpu, cpu] = [onGpu, {}].map((factory) => {
      torch.manualSeed(11);
      return MODULES[name](factory).stateDict();
    });
    for (const [key, tensor] of Object.entries(gpu)) {
      expect(tensor.device, key).toBe('webgpu');
      expect(await listed(tensor), key).toEqual(await listed(cpu[key]));
    }
  });

  it.each(Object.keys(DRAWS))('%s gives the numbers of the CPU', async (name) => {
    const [gpu, cpu] = (['webgpu', 'cpu'] as const).map((device) => {
      torch.manualSeed(12);
      return DRAWS[name](device);
    });
    expect(gpu.device).toBe('webgpu');
    const expected = await listed(cpu);
    (await listed(gpu)).forEach((value, i) => {
      expect(Math.abs(value - expected[i]), `${i}: ${value}`).toBeLessThan(2e-6);
    });
    expect(gpu.shape).toEqual(cpu.shape);
  });
});

await withGpu('modules on the GPU', () => {
  const network = (device: 'cpu' | 'webgpu') => {
    torch.manualSeed(2);
    const layers = [new nn.Linear(3, 4), new nn.Tanh(), new nn.Linear(4, 2)] as const;
    return new nn.Sequential(...layers).to(device);
  };

  it('hooks see and replace what goes through, both ways', async () => {
    const run = async (device: 'cpu' | 'webgpu') => {
      const net = network(device);
      const seen: Tensor[] = [];
      net.at(0).registerForwardPreHook((_module, [x]) => [(x as Tensor).mul(2)]);
      net.at(1).registerForwardHook((_module, _args, output) => (output as Tensor).add(1));
      net.at(2).registerFullBackwardPreHook((_module, [g]) => [(g as Tensor).mul(3)]);
      net.at(2).registerFullBackwardHook((_module, [input], [output]) => {
        seen.push(input as Tensor, output as Tensor);
        return [(input as Tensor).neg()];
      });
      const everywhere: string[] = [];
      const handle = nn.registerModuleForwardHook((module) => {
        everywhere.push(module.constructor.name);
      });
      const x = torch.ones([2, 3], { device, requiresGrad: true });
      const y = net(x);
      handle.remove();
      y.square().sum().backward();
      const grads = [...net.parameters(), x].map(({ grad }) => grad as Tensor);
      const tensors = [y, ...seen, ...grads];
      expect(tensors.every((tensor) => tensor.device === device)).toBe(true);
      expect(everywhere).toEqual(['Linear', 'Tanh', 'Linear', 'Sequential']);
      return (await Promise.all(tensors.map(listed))).flat();
    };
    const [gpu, cpu] = [await run('webgpu'), await run('cpu')];
    expect(gpu).toHaveLength(cpu.length);
    gpu.forEach((value, i) => {
      expect(Math.abs(value - cpu[i])).toBeLessThan(1e-4);
    });
  });

  it('state dicts come from the CPU, in any dtype, and are changed as a whole or not', async () => {
    const net = network('webgpu');
    torch.manualSeed(3);
    const other = new nn.Sequential(new nn.Linear(3, 4), new nn.Tanh(), new nn.Linear(4, 2));
    const wide = Object.entries(other.stateDict()).map(([name, x]) => [name, x.double()]);
    net.loadStateDict(Object.fromEntries(wide));
    const values = async () => (await Promise.all([...net.parameters()].map(listed))).flat();
    const before = await values();
    expect(before).toEqual((await Promise.all([...other.parameters()].map(listed))).flat());
    expect((net.at(0) as torch.nn.Linear).weight.dtype).toBe(torch.float32);
    const there = network('webgpu').stateDict();
    expect(() => other.loadStateDict(there)).toThrow(/'0.weight' .* await tensor.cpu\(\)/);
    there['2.bias'].dispose();
    expect(() => net.loadStateDict(there)).toThrow("'2.bias' of the state dict was disposed");
    expect(await values()).toEqual(before);
  });

  it('counts of batches that the GPU cannot hold are refused before anything changes', async () => {
    const net = new nn.BatchNorm1d(3).to('webgpu');
    const state = new nn.BatchNorm1d(3).stateDict();
    state.weight.fill_(7);
    state.num_batches_tracked.fill_(2 ** 40);
    expect(() => net.loadStateDict(state)).toThrow('does not fit');
    expect(await listed(net.weight as Tensor)).toEqual([1, 1, 1]);
    state.num_batches_tracked.fill_(5);
    net.loadStateDict(state);
    expect(await listed(net.weight as Tensor)).toEqual([7, 7, 7]);
    expect(await listed(net.num_batches_tracked as Tensor)).toEqual([5]);
  });

  it('weights are normalised, tied and put into one vector', async () => {
    for (const norm of [nn.utils.weightNorm, nn.utils.parametrizations.weightNorm]) {
      const [gpu, cpu] = (['webgpu', 'cpu'] as const).map((device) => {
        torch.manualSeed(4);
        const linear = norm(new nn.Linear(3, 2).to(device));
        const y = linear(torch.ones([1, 3], { device }));
        y.sum().backward();
        return [y, ...[...linear.parameters()].map(({ grad }) => grad as Tensor)];
      });
      for (const [i, tensor] of gpu.entries()) {
        const expected = await listed(cpu[i]);
        (await listed(tensor)).forEach((value, k) => {
          expect(Math.abs(value - expected[k])).toBeLessThan(1e-5);
        });
      }
    }
    const [first, second] = [new nn.Linear(3, 3), new nn.Linear(3, 3)];
    second.weight = first.weight;
    const tied = new nn.Sequential(first, second).to('webgpu');
    const vector = nn.utils.parametersToVector(tied.parameters());
    expect([vector.device, vector.numel()]).toEqual(['webgpu', 9 + 3 + 3]);
    nn.utils.vectorToParameters(vector.detach().mul(0), tied.parameters());
    expect(new Set(await listed(tied(torch.ones([1, 3], onGpu))))).toEqual(new Set([0]));
  });

  it('a tensor on the wrong device is named', () => {
    const net = network('webgpu');
    expect(() => net(torch.ones([1, 3]))).toThrow(torch.DeviceError);
  });
});
