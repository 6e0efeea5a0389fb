/** What goes wrong on a GPU: typed errors, nothing fabricated, and a way to go on. */

import { afterEach, describe, expect, test, vi } from 'vitest';
import { LaunchBlock } from '../../ts/device/device.js';
import { deviceOf } from '../../ts/device/registry.js';
import type { WebGpuDevice } from '../../ts/device/webgpu/device.js';
import type { GpuKernel } from '../../ts/device/webgpu/kernel.js';
import { gpuKernel } from '../../ts/device/webgpu/kernel.js';
import * as torch from '../../ts/index.js';
import { library } from '../../ts/ops/twins/index.js';
import type { Tensor } from '../../ts/tensor.js';
import { atEveryAllocation } from '../memory/failing.js';
import { withGpu } from './agree.js';

const { nn, optim, webgpu } = torch;
const F = nn.functional;
const device = () => deviceOf('webgpu') as unknown as WebGpuDevice;
const ones = (...shape: number[]) => torch.ones(shape, { device: 'webgpu' });

/** Starts a fresh device. */
async function restart(options: torch.webgpu.WebGpuOptions = {}): Promise<void> {
  webgpu.destroy();
  await webgpu.init(options);
}

/** How a promise ends, within two seconds. */
async function within<T>(promise: Promise<T>): Promise<T | Error> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<Error>((resolve) => {
    timer = setTimeout(() => resolve(new Error('it took more than two seconds')), 2000);
  });
  const ended = await Promise.race([promise.catch((error: Error) => error), late]);
  clearTimeout(timer);
  return ended;
}

async function works(): Promise<void> {
  expect(await ones(3, 3).matmul(ones(3, 3)).sum().item()).toBe(27);
}

/** Has `hear` called before each allocation on the GPU. */
function hearAllocations(hear: ((bytes: number) => void) | undefined): void {
  vi.restoreAllMocks();
  if (hear === undefined) return;
  const { allocate } = device();
  vi.spyOn(device(), 'allocate').mockImplementation((bytes) => {
    hear(bytes);
    return allocate.call(device(), bytes);
  });
}

const text = (error: unknown) => `${(error as Error).name}: ${(error as Error).message}`;

function caught(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return text(error);
  }
  return 'nothing was thrown';
}

await withGpu('faults on the GPU', () => {
  afterEach(async () => {
    vi.restoreAllMocks();
    await restart();
  });

  describe('memory', () => {
    test('beyond the limit: the operator, its shapes and the limit; then everything works', async () => {
      await restart({ memoryLimit: 2 ** 20 });
      const x = ones(1, 200000);
      const before = webgpu.info().bytes;
      const grown = caught(() => x.add(x));
      expect(grown).toMatch(
        /^OutOfMemoryError: add of \[1, 200000\] and \[1, 200000\]: out of memory on webgpu: 8\d{5} bytes .* limit is 1048576/,
      );
      expect(caught(() => x.t().matmul(x))).toMatch(/^OutOfMemoryError: matmul of .*200000/);
      expect(webgpu.info().bytes).toBe(before);
      expect(await x.sum().item()).toBe(200000);
      await works();
    });

    test('a training goes on after a batch that is too large', async () => {
      await restart({ memoryLimit: 2 ** 22 });
      const net = new nn.Linear(64, 64).to('webgpu');
      const optimizer = new optim.SGD(net.parameters(), { lr: 0.1 });
      const step = (rows: number) =>
        torch.scope(() => {
          optimizer.zeroGrad();
          const loss = net.forward(ones(rows, 64)).square().mean();
          loss.backward();
          optimizer.step();
          return loss.detach();
        });
      const first = (await step(16).item()) as number;
      expect(() => step(12000)).toThrow(torch.OutOfMemoryError);
      const second = (await step(16).item()) as number;
      expect(second).toBeLessThan(first);
    });

    test('in the middle of a state dict: nothing of it was loaded', async () => {
      const network = () => new nn.Sequential(new nn.Linear(8, 300), new nn.BatchNorm1d(300));
      const net = network().to('webgpu');
      const state = network().stateDict();
      state['1.num_batches_tracked'].fill_(3);
      state['0.weight'] = state['0.weight'].double();
      const valuesOf = async () => {
        const values = Object.values(net.stateDict()).map((x) => x.data());
        return (await Promise.all(values)).map((x) => [...x].map(Number));
      };
      const before = await valuesOf();
      const allocations = await atEveryAllocation(
        hearAllocations,
        () => net.loadStateDict(state),
        async () => expect(await valuesOf()).toEqual(before),
      );
      expect(allocations).toBeGreaterThanOrEqual(6);
      const given = Object.values(state).map((x) => [...x.dataSync()].map(Number));
      expect(await valuesOf()).toEqual(given);
    });

    test('in the middle of the state dict of an optimiser: nothing of it was loaded', async () => {
      const make = (target: 'cpu' | 'webgpu', factor: number) => {
        const weight = new nn.Parameter(torch.ones(300, { device: target }));
        const optimizer = new optim.Adam([weight], { lr: 0.1 });
        weight.mul(factor).sum().backward();
        optimizer.step();
        return optimizer;
      };
      const [optimizer, other] = [make('webgpu', 1), make('cpu', 2)];
      const [old] = optimizer.state.values();
      const state = other.stateDict();
      const allocations = await atEveryAllocation(
        hearAllocations,
        () => optimizer.loadStateDict(state),
        async () => {
          expect([...optimizer.state.values()]).toEqual([old]);
          expect((await (old.exp_avg as Tensor).sum().item()).toFixed(4)).toBe('30.0000');
        },
      );
      expect(allocations).toBe(2);
      const [loaded] = optimizer.state.values();
      expect((await (loaded.exp_avg as Tensor).sum().item()).toFixed(4)).toBe('60.0000');
    });

    test('a tensor larger than a binding', async () => {
      const { maxStorageBufferBindingSize: most } = webgpu.info().limits as {
        maxStorageBufferBindingSize: number;
      };
      const made = caught(() => torch.empty([most / 4 + 1], { device: 'webgpu' }));
      expect(made).toMatch(
        /^OutOfMemoryError: .*maxStorageBufferBindingSize.* bytes were requested/,
      );
      await works();
    });

    test('the GPU itself has none: the read says so, and a new device works', async () => {
      await restart({ heapBytes: 2 ** 20 });
      const x = ones(8);
      const { gpu } = device();
      const { createBuffer, popErrorScope, pushErrorScope } = gpu;
      const scopes: string[] = [];
      vi.spyOn(gpu, 'pushErrorScope').mockImplementation((filter) => {
        scopes.push(filter);
        return pushErrorScope.call(gpu, filter);
      });
      let refused = false;
      vi.spyOn(gpu, 'createBuffer').mockImplementation((descriptor) => {
        refused ||= descriptor.size > 2 ** 21;
        return createBuffer.call(gpu, { ...descriptor, size: Math.min(descriptor.size, 2 ** 21) });
      });
      vi.spyOn(gpu, 'popErrorScope').mockImplementation(async () => {
        const memory = scopes.pop() === 'out-of-memory' && refused;
        const error = await popErrorScope.call(gpu);
        return memory ? ({ message: 'no memory' } as GPUError) : error;
      });
      const large = ones(2 ** 20).add(1);
      expect(text(await within(large.sum().item()))).toMatch(
        /^OutOfMemoryError: out of memory on webgpu/,
      );
      expect(caught(() => x.add(1))).toMatch(/^OutOfMemoryError/);
      vi.restoreAllMocks();
      await webgpu.init();
      await works();
    });
  });

  describe('limits of a launch', () => {
    test('more workgroups than a grid has', async () => {
      const x = ones(4);
      const block = new LaunchBlock();
      block.begin('copy_b4');
      block.buffer(x.storage_, 0);
      block.buffer(x.storage_, 0);
      block.word(0);
      block.range = 65535 * 65535 * 1024 + 1;
      expect(caught(() => device().launch(block))).toMatch(
        /^DeviceError: webgpu: 'copy_b4' needs 4294836226 workgroups; .* 65535 by 65535/,
      );
      await works();
    });

    test('more parameters than a launch can see', async () => {
      const block = new LaunchBlock();
      block.begin('copy_b4');
      block.reserve(20000);
      for (let i = 0; i < 20000; i++) block.word(0);
      expect(caught(() => device().launch(block))).toMatch(
        /^DeviceError: webgpu: 'copy_b4' has 2\d{4} parameter words; a launch has at most 16384/,
      );
      await works();
    });

    test('a kernel that is not there', () => {
      const block = new LaunchBlock();
      block.begin('nonsense_f32');
      expect(caught(() => device().launch(block))).toMatch(/no kernel 'nonsense_f32'/);
    });
  });

  test('a shader that does not compile names its operator at the next read', async () => {
    const { kernel } = library;
    const spoilt = (good: GpuKernel): GpuKernel => {
      const { choose } = good;
      const source = good.source.replace('return', 'return nonsense +');
      return { ...good, source, choose: choose && ((...given) => spoilt(choose(...given))) };
    };
    vi.spyOn(library, 'kernel').mockImplementation((name) => {
      const good = kernel.call(library, name);
      return name === 'erfc_f32' && good !== undefined ? spoilt(good) : good;
    });
    const x = ones(4);
    const results = [x.erfc().sum().item(), x.add(1).sum().item(), webgpu.synchronize()];
    for (const ended of await Promise.all(results.map((p) => within(p as Promise<unknown>)))) {
      expect(text(ended)).toMatch(
        /^DeviceError: webgpu: kernel 'erfc_f32' does not compile: .*nonsense/s,
      );
    }
    expect(caught(() => x.add(1))).toMatch(/erfc_f32/);
    vi.restoreAllMocks();
    await webgpu.init();
    await works();
  });

  test('copies between devices are copies, and views of another device are refused', async () => {
    const target = ones(2, 3);
    target.copy_(torch.tensor([1, 2, 3]));
    target.at(0).copy_(torch.tensor([4, 5, 6], { dtype: torch.float64 }));
    expect(await target.tolist()).toEqual([
      [4, 5, 6],
      [1, 2, 3],
    ]);
    const net = new nn.Linear(3, 2).to('webgpu');
    net.loadStateDict({
      weight: torch.tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]),
      bias: torch.tensor([7, 8]),
    });
    expect(await net.forward(ones(1, 3)).tolist()).toEqual([[13, 23]]);
    expect(caught(() => torch.ones(2, 3).copy_(target))).toMatch(/^DeviceError.*await/s);
    expect(caught(() => torch.cat([target, torch.ones(2, 3)]))).toMatch(/^DeviceError/);
    expect(caught(() => torch.where(target.gt(2), torch.ones(2, 3), target))).toMatch(
      /^DeviceError/,
    );
    expect(caught(() => target.indexSelect(0, torch.tensor([5])))).toMatch(/^(DeviceError|Index)/);
    const places = torch.tensor([1, 2]).to('webgpu');
    expect(caught(() => ones(3).tensorSplit(places))).toMatch(
      /^DeviceError: tensorSplit: .*on the CPU.*'webgpu'.*await x\.cpu\(\)/,
    );
  });

  test('a kernel text without its function', () => {
    const broken = gpuKernel({ source: '', entry: 'gone', buffers: { x: 'S' }, params: {} });
    vi.spyOn(library, 'kernel').mockReturnValue(broken);
    expect(caught(() => ones(3).logicalNot())).toMatch(/TorchError: .*'gone' does not define it/);
  });

  describe('indices out of range', () => {
    const table = () => ones(4, 2);
    const pick = (index: number) =>
      table().indexSelect(0, torch.tensor([0, index], { dtype: torch.int32 }).to('webgpu'));
    const WRONG = /^IndexError: indexSelect: index at position 1 is out of range .*size 4/;

    test('reject every read of the turn, and then no more', async () => {
      const wrong = pick(7);
      const ended = await Promise.all([wrong.tolist(), ones(3).sum().item()].map(within<unknown>));
      for (const error of ended) expect(text(error)).toMatch(WRONG);
      expect(await pick(3).sum().item()).toBe(4);
      await works();
    });

    test('are told at the next read of anything, or at synchronize()', async () => {
      pick(9).dispose();
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(text(await within(ones(3).sum().item()))).toMatch(WRONG);
      await works();
      pick(-5).dispose();
      expect(text(await within(webgpu.synchronize()))).toMatch(WRONG);
      await works();
    });

    test('of two reads in one turn, each is told, and later ones are not', async () => {
      const first = pick(8).tolist();
      const second = pick(9).tolist();
      for (const ended of [first, second]) expect(text(await within(ended))).toMatch(WRONG);
      await works();
    });

    test('a good call after a bad one is not blamed for it', async () => {
      const bad = pick(8).tolist();
      const good = pick(2);
      expect(text(await within(bad))).toMatch(WRONG);
      expect(await good.sum().item()).toBe(4);
    });

    test('are not forgotten among more than a thousand good ones', async () => {
      pick(8).dispose();
      const index = torch.tensor([1], { dtype: torch.int32 }).to('webgpu');
      const rows = table();
      for (let k = 0; k < 1200; k++) rows.indexSelect(0, index).dispose();
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(text(await within(ones(1).item()))).toMatch(WRONG);
      await works();
    });
  });

  describe('a lost device', () => {
    const LOST = /^DeviceLostError: webgpu: the device was lost .*init\(\) again.*checkpoint/;

    test.each([
      ['torch.webgpu.destroy()', () => webgpu.destroy()],
      ['the GPU going away', () => device().gpu.destroy()],
    ])('%s: everything that waits is rejected, everything later throws', async (_, lose) => {
      const x = ones(64, 64);
      const y = x.matmul(x);
      const waiting: Promise<unknown>[] = [
        y.sum().item(),
        y.tolist(),
        y.data(),
        y.cpu(),
        webgpu.synchronize(),
        torch.save({ y }),
      ];
      lose();
      for (const ended of await Promise.all(waiting.map(within<unknown>))) {
        expect(text(ended)).toMatch(LOST);
      }
      expect(caught(() => y.add(1))).toMatch(LOST);
      expect(caught(() => ones(3))).toMatch(LOST);
      expect(caught(() => torch.randn([3]).to('webgpu'))).toMatch(LOST);
      expect(text(await within(y.tolist()))).toMatch(LOST);
      expect(text(await within(webgpu.synchronize()))).toMatch(LOST);
      expect(webgpu.deviceCount()).toBe(0);
      await webgpu.init();
      expect(webgpu.deviceCount()).toBe(1);
      await works();
      expect(caught(() => y.add(ones(64, 64)))).toMatch(LOST);
      expect(caught(() => ones(64, 64).mul(y))).toMatch(LOST);
      expect(text(await within(y.cpu()))).toMatch(LOST);
      y.dispose();
    });

    class Net extends nn.Module {
      fc1 = new nn.Linear(6, 16);
      fc2 = new nn.Linear(16, 3);
      forward(x: Tensor): Tensor {
        return this.fc2.forward(this.fc1.forward(x).tanh());
      }
    }
    const STEPS = 14;

    function start() {
      torch.manualSeed(1);
      const net = new Net();
      const data = torch.randn([STEPS, 8, 6]);
      const classes = torch.randint(0, 3, [STEPS, 8]).int();
      net.to('webgpu');
      return { net, optimizer: new optim.Adam(net.parameters(), { lr: 0.01 }), data, classes };
    }

    type Run = ReturnType<typeof start>;

    function step({ net, optimizer, data, classes }: Run, k: number): Tensor {
      optimizer.zeroGrad();
      const loss = F.crossEntropy(net.forward(data.at(k).to('webgpu')), classes.at(k).to('webgpu'));
      loss.backward();
      optimizer.step();
      return loss.detach();
    }

    async function losses(run: Run, from: number, to: number): Promise<number[]> {
      const list: Tensor[] = [];
      for (let k = from; k < to; k++) list.push(step(run, k));
      return (await Promise.all(list.map((x) => x.item()))) as number[];
    }

    test('at random points of a training: it goes on from the last checkpoint', {
      timeout: 180_000,
    }, async () => {
      const expected = await losses(start(), 0, STEPS);
      const cuts = Array.from({ length: 3 }, () => Math.floor(Math.random() * (STEPS - 1)));
      for (const [index, cut] of cuts.entries()) {
        const run = start();
        const found: number[] = [];
        let saved: { at: number; bytes: Uint8Array } | undefined;
        const checkpoint = async (at: number) => {
          const { net, optimizer } = run;
          const bytes = await torch.save({
            net: net.stateDict(),
            optimizer: optimizer.stateDict(),
          });
          saved = { at, bytes };
        };
        await checkpoint(0);
        for (let k = 0; k < cut; k++) {
          found.push((await step(run, k).item()) as number);
          if (k % 5 === 4) await checkpoint(k + 1);
        }
        const pending = step(run, cut);
        // Before the submit, with a read on its way, and in the middle of the GPU's work.
        const read = index % 3 === 0 ? undefined : pending.item();
        if (index % 3 === 2) await new Promise((resolve) => setImmediate(resolve));
        device().gpu.destroy();
        const ended = await within(
          (read ?? Promise.resolve().then(() => pending.item())) as Promise<number>,
        );
        if (ended instanceof Error) expect(text(ended)).toMatch(LOST);
        else expect(ended).toBeCloseTo(expected[cut] as number, 5);
        expect(text(await within(pending.item()))).toMatch(LOST);
        expect(() => step(run, cut)).toThrow(torch.DeviceLostError);

        await webgpu.init();
        const { at, bytes } = saved as { at: number; bytes: Uint8Array };
        const again = start();
        const state = (await torch.load(bytes)) as Record<'net' | 'optimizer', never>;
        again.net.loadStateDict(state.net);
        again.optimizer.loadStateDict(state.optimizer);
        const rest = await losses(again, at, STEPS);
        [...found.slice(0, at), ...rest].forEach((loss, k) => {
          expect(Math.abs(loss - (expected[k] as number)), `step ${k} after ${cut}`).toBeLessThan(
            1e-6,
          );
        });
      }
    });

    test('during init() of the next one, and twice', async () => {
      webgpu.destroy();
      webgpu.destroy();
      const starts = [webgpu.init(), webgpu.init()];
      await Promise.all(starts);
      await works();
    });
  });
});
