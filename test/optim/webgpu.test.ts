/** Optimisers on the GPU: one launch for each group, and the numbers of the CPU. */

import { expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { withGpu } from '../webgpu/agree.js';

const { nn, optim } = torch;
const F = nn.functional;

const OPTIONS = {
  SGD: { lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.01 },
  Adam: { lr: 0.05, amsgrad: true, weightDecay: 0.01 },
  AdamW: { lr: 0.05 },
  Adamax: { lr: 0.05 },
  NAdam: { lr: 0.05 },
  RAdam: { lr: 0.05 },
  RMSprop: { lr: 0.02, momentum: 0.5, centered: true },
  Adagrad: { lr: 0.1, lrDecay: 0.01 },
  Adadelta: { lr: 1, rho: 0.8 },
  ASGD: { lr: 0.1, t0: 2 },
  Rprop: { lr: 0.05 },
} as const;
type Name = keyof typeof OPTIONS;
type Optimizer = torch.optim.Optimizer<object> & { step(): unknown };

const SHAPES = [[5, 3], [7], [], [2, 2, 2]];

function begin(name: Name, device: 'cpu' | 'webgpu') {
  torch.manualSeed(5);
  const params = SHAPES.map((shape) => torch.randn(shape).to(device).requiresGrad_());
  const groups = [{ params: params.slice(0, 3) }, { params: params.slice(3) }];
  const Class = optim[name] as unknown as new (params: unknown, options: object) => Optimizer;
  return { params, optimizer: new Class(groups, OPTIONS[name]) };
}

/** Sets gradients that depend on the parameters, and steps. */
function step({ params, optimizer }: ReturnType<typeof begin>): void {
  for (const param of params) param.grad = param.detach().sin().add(0.1);
  optimizer.step();
}

const listed = async (x: torch.Tensor) => [...(await x.data())].map(Number);

async function expectSame(found: readonly torch.Tensor[], wanted: readonly torch.Tensor[]) {
  for (const [i, tensor] of found.entries()) {
    const [values, expected] = [await listed(tensor), await listed(wanted[i])];
    values.forEach((value, k) => {
      const allowed = 1e-5 + 1e-5 * Math.abs(expected[k]);
      expect(Math.abs(value - expected[k]), `${i}, ${k}: ${value}`).toBeLessThan(allowed);
    });
  }
}

/** A network with gradients, of the same numbers on either device. */
function network(device: 'cpu' | 'webgpu') {
  torch.manualSeed(1);
  const net = new nn.Sequential(new nn.Linear(4, 8), new nn.ReLU(), new nn.Linear(8, 3));
  const x = torch.randn(16, 4).to(device);
  const y = torch.randint(0, 3, [16]).to(device);
  net.to(device);
  return { net, loss: () => F.crossEntropy(net(x), y) };
}

await withGpu('optimisers on the GPU', () => {
  it.each(Object.keys(OPTIONS) as Name[])('%s: the numbers of the CPU', async (name) => {
    const [cpu, gpu] = [begin(name, 'cpu'), begin(name, 'webgpu')];
    for (let i = 0; i < 4; i++) for (const one of [cpu, gpu]) step(one);
    await expectSame(gpu.params, cpu.params);
  });

  it.each(Object.keys(OPTIONS) as Name[])('%s: one launch for each group', (name) => {
    const gpu = begin(name, 'webgpu');
    step(gpu);
    for (const param of gpu.params) param.grad = param.detach().sin();
    const before = torch.webgpu.info().launches;
    gpu.optimizer.step();
    expect(torch.webgpu.info().launches - before).toBe(2);
  });

  it.each(Object.keys(OPTIONS) as Name[])('%s: goes on from a file of the CPU', async (name) => {
    const cpu = begin(name, 'cpu');
    for (let i = 0; i < 3; i++) step(cpu);
    const bytes = await torch.save({
      params: cpu.params.map((param) => param.detach()),
      optimizer: cpu.optimizer.stateDict(),
    });
    interface File {
      params: torch.Tensor[];
      optimizer: ReturnType<Optimizer['stateDict']>;
    }
    for (const mapLocation of ['cpu', 'webgpu'] as const) {
      const file = await torch.load<File>(bytes, { mapLocation });
      const gpu = begin(name, 'webgpu');
      gpu.params.forEach((param, i) => {
        param.detach().copy_(file.params[i].to('webgpu'));
      });
      await gpu.optimizer.loadStateDict(file.optimizer);
      const on = begin(name, 'cpu');
      on.params.forEach((param, i) => {
        param.detach().copy_(cpu.params[i].detach());
      });
      on.optimizer.loadStateDict(cpu.optimizer.stateDict());
      for (const one of [on, gpu]) step(one);
      await expectSame(gpu.params, on.params);
    }
  });

  it('LBFGS gives a promise', async () => {
    const [cpu, gpu] = [network('cpu'), network('webgpu')];
    for (const { net, loss } of [cpu, gpu]) {
      const lbfgs = new optim.LBFGS(net.parameters(), { maxIter: 5 });
      await lbfgs.step(() => {
        lbfgs.zeroGrad();
        const value = loss();
        value.backward();
        return value;
      });
    }
    const values = await Promise.all(
      [cpu, gpu].map(async ({ loss }) => Number(await loss().item())),
    );
    expect(Math.abs(values[0] - values[1])).toBeLessThan(1e-3 * values[0]);
  });
});

await withGpu('gradients on the GPU', () => {
  const grads = ({ net }: ReturnType<typeof network>) =>
    [...net.parameters()].map((param) => param.grad as torch.Tensor);
  const both = () => {
    const pair = [network('webgpu'), network('cpu')] as const;
    for (const { loss } of pair) loss().backward();
    return pair;
  };

  it('are clipped as on the CPU', async () => {
    for (const normType of [2, 1, Number.POSITIVE_INFINITY]) {
      const [gpu, cpu] = both();
      const norms = [gpu, cpu].map(({ net }) =>
        nn.utils.clipGradNorm_(net.parameters(), 0.01, { normType }),
      );
      await expectSame(norms.slice(0, 1), norms.slice(1));
      await expectSame(grads(gpu), grads(cpu));
    }
    const [gpu, cpu] = both();
    for (const { net } of [gpu, cpu]) nn.utils.clipGradValue_(net.parameters(), 0.02);
    await expectSame(grads(gpu), grads(cpu));
  });

  it('are scaled, and steps that are not finite are left out', async () => {
    const { net, loss } = network('webgpu');
    const adam = new optim.Adam(net.parameters(), { lr: 0.1 });
    const scaler = new torch.amp.GradScaler({ initScale: 8, growthInterval: 2 });
    const weights = async () => await listed(torch.nn.utils.parametersToVector(net.parameters()));
    const iterate = async (factor: number) => {
      adam.zeroGrad();
      scaler.scale(loss().mul(factor)).backward();
      await scaler.step(adam);
      await scaler.update();
    };
    const start = await weights();
    await iterate(Number.POSITIVE_INFINITY);
    expect(await weights()).toEqual(start);
    expect(scaler.getScale()).toBe(4);
    const before = Number(await loss().item());
    for (let i = 0; i < 4; i++) await iterate(1);
    expect(scaler.getScale()).toBe(16);
    expect(Number(await loss().item())).toBeLessThan(before);
  });

  it('parameters that are parts of a storage leave their neighbours alone', async () => {
    const parts = [
      [4, 8],
      [4, 5],
      [3, 4],
      [16, 7],
    ] as const;
    for (const [start, count] of parts) {
      const all = torch.ones([23], { device: 'webgpu' });
      const part = all.narrow(0, start, count).requiresGrad_();
      part.grad = torch.ones([count], { device: 'webgpu' });
      new optim.SGD([part], { lr: 1 }).step();
      const expected = Array.from({ length: 23 }, (_, i) =>
        i >= start && i < start + count ? 0 : 1,
      );
      expect(await all.tolist()).toEqual(expected);
    }
  });

  it('a scaler says that it waits', async () => {
    const { net, loss } = network('webgpu');
    const sgd = new optim.SGD(net.parameters(), { lr: 0.1 });
    const scaler = new torch.amp.GradScaler({ initScale: 8 });
    scaler.scale(loss()).backward();
    const step = scaler.step(sgd);
    const update = scaler.update();
    expect(() => scaler.scale(loss())).toThrow('await scaler.step(optimizer)');
    await Promise.all([step, update]);
    expect(scaler.scale(loss()).requiresGrad).toBe(true);
  });
});
