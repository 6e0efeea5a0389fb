/** What a steady state costs on the GPU: nothing is made, nothing waits, recording is cheap. */

import { describe, expect, test, vi } from 'vitest';
import { deviceOf } from '../../ts/device/registry.js';
import type { WebGpuDevice } from '../../ts/device/webgpu/device.js';
import * as torch from '../../ts/index.js';
import type { Tensor } from '../../ts/tensor.js';
import { withGpu } from './agree.js';

const { nn, optim, webgpu } = torch;
const F = nn.functional;
const device = () => deviceOf('webgpu') as unknown as WebGpuDevice;
const gpu = () => device().gpu;
/** Watches the mappings of every buffer. */
const watchMaps = () =>
  vi.spyOn(Object.getPrototypeOf(device().heaps.list[0]?.buffer) as GPUBuffer, 'mapAsync');

const mlp = () =>
  new nn.Sequential(new nn.Flatten(), new nn.Linear(64, 32), new nn.ReLU(), new nn.Linear(32, 10));
const cnn = () =>
  new nn.Sequential(
    new nn.Conv2d(1, 4, 3),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Linear(36, 10),
  );
class Sequence extends nn.Module {
  gru = new nn.GRU(8, 12, { batchFirst: true });
  layer = new nn.TransformerEncoderLayer(12, 2, 16, { batchFirst: true });
  fc = new nn.Linear(12, 10);
  forward(x: Tensor): Tensor {
    const [h] = this.gru(x.flatten(1, 2)) as [Tensor, Tensor];
    return this.fc(this.layer(h).mean(1));
  }
}

/** What was made so far. */
function made() {
  const { pipelines, bindGroups, buffers } = webgpu.info();
  return { pipelines, bindGroups, buffers };
}

await withGpu('the steady state on the GPU', () => {
  describe.each([
    ['an MLP', mlp],
    ['a CNN', cnn],
    ['a GRU before a Transformer layer', () => new Sequence()],
  ])('training %s with Adam', (_, build) => {
    test('makes no buffer, bind group or pipeline, and waits for nothing', async () => {
      const net = build().to('webgpu');
      const optimizer = new optim.Adam(net.parameters(), { lr: 1e-3 });
      const x = torch.randn([8, 1, 8, 8]);
      const y = torch.randint(0, 10, [8]).int();
      const step = () =>
        torch.scope(() => {
          optimizer.zeroGrad();
          const loss = F.crossEntropy(net.forward(x.to('webgpu')), y.to('webgpu'));
          loss.backward();
          optimizer.step();
          return loss.detach();
        });
      const turn = () => new Promise((resolve) => setImmediate(resolve));
      for (let k = 0; k < 5; k++) await step().item();
      const before = made();
      const { bytes } = webgpu.info();
      const names = [
        'createBuffer',
        'createBindGroup',
        'createComputePipeline',
        'createShaderModule',
      ] as const;
      const spies = names.map((name) => vi.spyOn(gpu(), name));
      const waits = [vi.spyOn(gpu().queue, 'onSubmittedWorkDone'), watchMaps()];
      for (let k = 0; k < 20; k++) {
        step().dispose();
        await turn();
      }
      for (const wait of waits) expect(wait).not.toHaveBeenCalled();
      for (let k = 0; k < 5; k++) await step().item();
      for (const spy of spies) expect(spy, spy.getMockName()).not.toHaveBeenCalled();
      vi.restoreAllMocks();
      expect(made()).toEqual(before);
      expect(webgpu.info().bytes).toBeLessThanOrEqual(bytes + 2 ** 16);
    });
  });

  test('loaders, metrics, clipping and schedules wait for nothing', async () => {
    const x = torch.randn([48, 1, 8, 8]);
    const set = new torch.data.TensorDataset(x, torch.randint(0, 10, [48]));
    const loader = new torch.data.DataLoader(set, { batchSize: 8, shuffle: true });
    const net = cnn().to('webgpu');
    const optimizer = new optim.SGD(net.parameters(), { lr: 0.1 });
    const schedule = new optim.lrScheduler.StepLR(optimizer, { stepSize: 1, gamma: 0.9 });
    const epoch = async () => {
      const [total, right] = [0, 0].map((v) => torch.full([], v, { device: 'webgpu' }).float());
      for await (const [images, labels] of loader) {
        const [input, target] = [images.to('webgpu'), labels.to('webgpu')];
        optimizer.zeroGrad();
        const output = net(input) as Tensor;
        const loss = F.crossEntropy(output, target);
        loss.backward();
        nn.utils.clipGradNorm_(net.parameters(), 1);
        optimizer.step();
        total?.add_(loss.detach());
        right?.add_(output.detach().argmax(1).eq(target).sum());
      }
      schedule.step();
      return [total, right] as Tensor[];
    };
    await Promise.all((await epoch()).map((sum) => sum.item()));
    const waits = [vi.spyOn(gpu().queue, 'onSubmittedWorkDone'), watchMaps()];
    const sums = [await epoch(), await epoch()].flat();
    for (const wait of waits) expect(wait).not.toHaveBeenCalled();
    vi.restoreAllMocks();
    const [loss, right] = (await Promise.all(sums.map((sum) => sum.item()))) as number[];
    expect(loss).toBeGreaterThan(0);
    expect(right).toBeLessThanOrEqual(48);
  });

  test('200 shapes through many operators: pipelines do not grow with them', {
    timeout: 240_000,
  }, async () => {
    let seed = 7;
    const random = (most: number) => {
      seed = (seed * 48271) % 2147483647;
      return 1 + (seed % most);
    };
    const through = ([a, b, c]: readonly number[]) =>
      torch.scope(() => {
        const x = torch.ones([a as number, b as number], { device: 'webgpu' }).requiresGrad_();
        const y = torch.ones([b as number, c as number], { device: 'webgpu' });
        const z = x.matmul(y).tanh().add(y.sum(0));
        const parts = [
          F.layerNorm(z, [c as number]).logSoftmax(1),
          z.cumsum(0),
          torch.cat([z, z], 1),
        ];
        const sums = parts.map((part) => part.square().mean());
        (sums.reduce((p, q) => p.add(q)) as Tensor).backward();
        z.detach().sort(1);
        z.t().gt(0).sum().add(z.detach().amax(0).max());
      });
    // Sizes at which kernels change their form, once each.
    const sizes = [1, 2, 4, 5, 64, 67, 128, 130];
    for (const a of [1, 4, 33])
      for (const b of [1, 8, 130]) for (const c of sizes) through([a, b, c]);
    await webgpu.synchronize();
    const before = made();
    for (let k = 0; k < 200; k++) {
      through([random(40), random(130), random(130)]);
      if (k % 20 === 19) await webgpu.synchronize();
    }
    const after = made();
    // A kernel may have one form more, for sizes that none of the first had.
    expect(after.pipelines - before.pipelines).toBeLessThanOrEqual(2);
    expect(after.bindGroups).toBe(before.bindGroups);
  });

  test('recording a small operation takes microseconds', { timeout: 240_000 }, async () => {
    const x = torch.ones([8], { device: 'webgpu' });
    const record = (count: number) => {
      const start = performance.now();
      for (let k = 0; k < count; k++) x.add(1).dispose();
      return ((performance.now() - start) / count) * 1000;
    };
    for (let k = 0; k < 20; k++) {
      record(200);
      await webgpu.synchronize();
    }
    const costs: number[] = [];
    for (let k = 0; k < 20; k++) {
      costs.push(record(200));
      await webgpu.synchronize();
    }
    costs.sort((a, b) => a - b);
    console.info(`recording x.add(1) on the GPU: ${(costs[0] as number).toFixed(1)} us`);
    // Ten on an idle machine; tests share theirs.
    expect(costs[0]).toBeLessThan(50);
  });

  test('reads of one turn share one staging copy and one mapping', async () => {
    const x = torch.arange(64, { device: 'webgpu', dtype: torch.float32 });
    await x.sum().item();
    const { buffers, submits } = webgpu.info();
    const map = watchMaps();
    const sums = Array.from({ length: 20 }, (_, k) => x.mul(k).sum().item());
    const values = await Promise.all([...sums, x.tolist(), x.at(3).item()]);
    expect(map).toHaveBeenCalledTimes(1);
    map.mockRestore();
    expect(values.slice(0, 3)).toEqual([0, 2016, 4032]);
    expect(values.at(-1)).toBe(3);
    expect(webgpu.info().buffers).toBe(buffers);
    expect(webgpu.info().submits - submits).toBeLessThanOrEqual(2);
  });
});
