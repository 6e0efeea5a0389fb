/** Training loops stay flat, and go on after every allocation that can fail. */

import { afterEach, describe, expect, test } from 'vitest';
import { cpu } from '../../ts/device/cpu/cpu.js';
import * as torch from '../../ts/index.js';
import { collect } from './collect.js';

type Tensor = torch.Tensor;
const { nn, optim } = torch;
const F = nn.functional;

class Net extends nn.Module {
  fc1 = new nn.Linear(64, 128);
  fc2 = new nn.Linear(128, 10);

  forward(x: Tensor): Tensor {
    return this.fc2.forward(F.relu(this.fc1.forward(x)));
  }
}

function samples(count: number): torch.data.TensorDataset {
  torch.manualSeed(0);
  return new torch.data.TensorDataset(torch.randn(count, 64), torch.randint(0, 10, [count]));
}

/** Bytes of the heap that the CPU took from the machine. */
function heapBytes(): number {
  const heap = (cpu as unknown as { heap: { module: { memory: WebAssembly.Memory } } }).heap;
  return heap.module.memory.buffer.byteLength;
}

interface Seen {
  readonly bytes: number;
  readonly heap: number;
}

/** The largest bytes and heap of a part of a run. */
function most(list: readonly Seen[]): Seen {
  return {
    bytes: Math.max(...list.map((s) => s.bytes)),
    heap: Math.max(...list.map((s) => s.heap)),
  };
}

describe('3000 steps', () => {
  const watch = (): Seen => ({ bytes: torch.memory().bytes, heap: heapBytes() });

  // What is dropped waits for the collector, which is called for after 32 MB of new blocks, and for
  // finalisers: peaks swing with the machine's load, what is left after them does not.
  const expectFlat = (seen: readonly Seen[]) => {
    expect(seen).toHaveLength(3000);
    const least = (list: readonly Seen[]) => Math.min(...list.map((s) => s.bytes));
    expect(least(seen.slice(2000))).toBeLessThan(least(seen.slice(500, 1500)) + (8 << 20));
    const late = most(seen.slice(2000));
    expect(late.bytes).toBeLessThan(96 << 20);
    expect(late.heap).toBeLessThan(160 << 20);
  };

  test('a plain `for await` loop, without any care', async () => {
    const loader = new torch.data.DataLoader(samples(6000), { batchSize: 32, shuffle: true });
    const net = new Net();
    const optimizer = new optim.Adam(net.parameters(), { lr: 1e-3 });
    const seen: Seen[] = [];
    while (seen.length < 3000) {
      for await (const [x, y] of loader) {
        optimizer.zeroGrad();
        const loss = F.crossEntropy(net.forward(x), y);
        loss.backward();
        optimizer.step();
        seen.push(watch());
        if (seen.length === 3000) break;
      }
    }
    expectFlat(seen);
  });

  test('a loop that reads its loss with `await loss.item()`', async () => {
    const net = new Net();
    const optimizer = new optim.SGD(net.parameters(), { lr: 1e-2 });
    const [x, y] = [torch.randn(32, 64), torch.randint(0, 10, [32])];
    const seen: Seen[] = [];
    for (let step = 0; step < 3000; step++) {
      optimizer.zeroGrad();
      const loss = F.crossEntropy(net.forward(x), y);
      loss.backward();
      optimizer.step();
      await loss.item();
      seen.push(watch());
    }
    expectFlat(seen);
  });

  test('a synchronous loop inside torch.scope is flat to the byte', () => {
    const net = new Net();
    const optimizer = new optim.Adam(net.parameters(), { lr: 1e-3 });
    const [x, y] = [torch.randn(32, 64), torch.randint(0, 10, [32])];
    const seen: Seen[] = [];
    let first = 0;
    let last = 0;
    for (let step = 0; step < 3000; step++) {
      const value = torch.scope(() => {
        optimizer.zeroGrad({ setToNone: false });
        const loss = F.crossEntropy(net.forward(x), y);
        loss.backward();
        optimizer.step();
        return loss.itemSync();
      });
      if (step === 0) first = value;
      last = value;
      seen.push(watch());
    }
    expect(last).toBeLessThan(first / 10);
    expect(most(seen.slice(10))).toEqual(seen[10]);
    expect(new Set(seen.slice(10).map((s) => s.bytes)).size).toBe(1);
  });
});

describe('out of memory in a training step', () => {
  afterEach(() => {
    cpu.beforeAllocate = undefined;
  });

  /** Makes the k-th allocation from now on fail. Returns how many there were. */
  function failAt(k: number): { count: number } {
    const state = { count: 0 };
    cpu.beforeAllocate = (bytes) => {
      if (state.count++ === k) throw new torch.OutOfMemoryError(bytes, 0, 0, 'cpu');
    };
    return state;
  }

  const values = (list: readonly Tensor[]): number[][] =>
    list.map((x) => [...(x.dataSync() as Float32Array)]);

  /** A net whose tensors are all too large to share slabs: each is an allocation of its own. */
  function setup() {
    torch.manualSeed(1);
    const net = new Net();
    const optimizer = new optim.Adam(net.parameters(), { lr: 1e-2 });
    const [x, y] = [torch.randn(32, 64), torch.randint(0, 10, [32])];
    const step = (): number =>
      torch.scope(() => {
        optimizer.zeroGrad();
        const loss = F.crossEntropy(net.forward(x), y);
        loss.backward();
        optimizer.step();
        return loss.itemSync();
      });
    return { net, step, parameters: [...net.parameters()] };
  }

  test('every allocation in turn: nothing is corrupted, nothing leaks, the step can be repeated', async () => {
    const reference = setup();
    const losses = [reference.step(), reference.step(), reference.step()];
    const counted = failAt(-1);
    reference.step();
    const allocations = counted.count;
    cpu.beforeAllocate = undefined;
    expect(allocations).toBeGreaterThan(5);
    let failures = 0;
    for (let k = 0; k < allocations; k++) {
      const { step, parameters } = setup();
      expect(step()).toBe(losses[0]);
      await collect();
      const bytes = torch.memory().bytes;
      const before = values(parameters);
      const state = failAt(k);
      let failed = false;
      try {
        step();
      } catch (error) {
        failed = true;
        expect(error).toBeInstanceOf(torch.OutOfMemoryError);
      }
      cpu.beforeAllocate = undefined;
      if (!failed) {
        // The slab that small tensors share may have had room this time.
        expect(state.count).toBeLessThanOrEqual(k);
        continue;
      }
      failures++;
      expect(torch.isGradEnabled()).toBe(true);
      expect(values(parameters)).toEqual(before);
      for (const p of parameters) p.grad = null;
      await collect();
      expect(torch.memory().bytes).toBeLessThanOrEqual(bytes);
      expect([step(), step()]).toEqual([losses[1], losses[2]]);
    }
    expect(failures).toBeGreaterThan(allocations / 2);
  }, 120_000);

  test('in-place operations change all or nothing', () => {
    const ops: Record<string, (x: Tensor) => unknown> = {
      add_: (x) => x.add_(torch.ones(600).double().float()),
      'add_ of another dtype': (x) => x.add_(torch.arange(600)),
      'mul_ of float16': (x) => x.mul_(x.half()),
      exp_: (x) => x.exp_(),
      clamp_: (x) => x.clamp_(2, 3),
      setAt: (x) => x.setAt(['::2'], torch.arange(300).float()),
      copy_: (x) => x.copy_(torch.arange(600)),
      maskedFill_: (x) => x.maskedFill_(x.gt(2), 5),
    };
    for (const [name, change] of Object.entries(ops)) {
      for (let k = 0; k < 30; k++) {
        const x = torch.full([600], 1.5);
        const version = x.storage_.version;
        const before = values([x]);
        const state = failAt(k);
        try {
          change(x);
        } catch (error) {
          cpu.beforeAllocate = undefined;
          expect(error, name).toBeInstanceOf(torch.OutOfMemoryError);
          expect(values([x]), `${name}, allocation ${k}`).toEqual(before);
          expect(x.storage_.version).toBe(version);
          continue;
        }
        cpu.beforeAllocate = undefined;
        expect(state.count).toBeLessThanOrEqual(k);
        break;
      }
    }
  });

  test('operators give their temporaries back at once', () => {
    const h = torch.randn(40, 50).to(torch.float16);
    const y = torch.randn(40, 50).t();
    const uses: Record<string, () => Tensor> = {
      'cast, compute, cast back': () => h.add(h),
      'a strided operand copied': () => y.softmax(1),
      'a strided cast': () => y.to(torch.float64),
      matmul: () => h.matmul(h.t()),
      'values and positions': () => y.sort(0).values,
    };
    for (const [name, use] of Object.entries(uses)) {
      for (let k = 0; k < 20; k++) {
        const before = torch.memory().bytes;
        const state = failAt(k);
        let out: Tensor | undefined;
        try {
          out = torch.scope(use);
        } catch (error) {
          expect(error, name).toBeInstanceOf(torch.OutOfMemoryError);
        }
        cpu.beforeAllocate = undefined;
        if (out !== undefined) {
          expect(state.count).toBeLessThanOrEqual(k);
          out.dispose();
          break;
        }
        expect(torch.memory().bytes, `${name}, allocation ${k}`).toBe(before);
      }
    }
  });
});
