import { beforeAll, describe, expect, it } from 'vitest';
import { cpu } from '../../ts/device/cpu/cpu.js';
import { LaunchBlock } from '../../ts/device/device.js';
import * as torch from '../../ts/index.js';
import { startThreads } from './threads.js';

beforeAll(() => startThreads(3));

/** An addition of `count` floats that lie at an address. */
function launchAt(address: number, count: number): void {
  const block = new LaunchBlock();
  const { storage_ } = torch.zeros(1);
  block.begin('exp_f32');
  block.buffer(storage_, address - storage_.handle);
  block.buffer(storage_, address - storage_.handle);
  block.word(0);
  block.range = count;
  cpu.launch(block);
}

describe('the pool of threads', () => {
  it('hands the error of a kernel to the caller, on whichever thread it was', () => {
    // From inside the heap to its end and past it: some thread traps.
    expect(() => launchAt(2 ** 32 - 65536, 2 ** 20)).toThrow(/memory access out of bounds/);
    expect(() => launchAt(2 ** 32 - 65536, 2 ** 20)).toThrow(/memory access out of bounds/);
    expect(torch.ones(1000).add(1).sum().itemSync()).toBe(2000);
  });

  it('computes what one thread computes, thousands of times in a row', () => {
    const x = torch.arange(5000).float();
    const expected = Float32Array.from({ length: 5000 }, (_, i) => i + 3);
    for (let i = 0; i < 3000; i++) {
      torch.scope(() => {
        const y = x.add(3);
        if (i % 100 === 0) expect(y.dataSync()).toEqual(expected);
      });
    }
    expect(cpu.helped).toBeGreaterThan(0);
  });

  it('wakes when it has slept', async () => {
    const before = cpu.helped;
    for (let i = 0; i < 20; i++) {
      await new Promise((done) => setTimeout(done, 5));
      expect(torch.ones(300_000).mul(2).sum().itemSync()).toBe(600_000);
    }
    expect(cpu.helped).toBeGreaterThan(before);
  });

  it('sees memory that has grown since', () => {
    const large = torch.ones(40_000_000);
    expect(large.mul(2).sum().itemSync()).toBe(80_000_000);
  });

  it('takes fewer threads and more again', () => {
    for (const threads of [1, 2, 4, 2, 3]) {
      torch.setNumThreads(threads);
      expect(torch.getNumThreads()).toBe(threads);
      expect(torch.ones(100_000).add(1).sum().itemSync()).toBe(200_000);
    }
  });

  it('says what it is', () => {
    const { threads, reason, workers } = torch.cpu.info();
    expect(threads).toBe(3);
    expect(reason).toBe('set by setNumThreads');
    expect(workers).toBeGreaterThanOrEqual(2);
  });

  it.each([0, 65, 1.5, Number.NaN])('refuses %d threads', (count) => {
    expect(() => torch.setNumThreads(count)).toThrow(torch.ValueError);
    expect(() => torch.setNumThreads(count)).toThrow(/whole number from 1 to 64/);
  });
});
