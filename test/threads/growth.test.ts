import { expect, it, vi } from 'vitest';
import { cpu } from '../../ts/device/cpu/cpu.js';
import * as torch from '../../ts/index.js';

// A long message keeps the worker busy between learning how large the memory is and being told of its growth.
vi.mock('#platform', async (original) => {
  const platform = await original<typeof import('#platform')>();
  const startWorker: typeof platform.startWorker = (url, source, start, fail) =>
    platform.startWorker(url, source, { before: new Uint8Array(2 ** 28), ...start }, fail);
  return { ...platform, startWorker };
});

it('has workers that see memory which grew while they started', async () => {
  cpu.worth = { awake: 0, asleep: 0 };
  torch.setNumThreads(2);
  const row = torch.ones(2 ** 16);
  await new Promise((done) => setTimeout(done, 100));
  const large = torch.empty(512, 2 ** 16);
  while (cpu.workers < 1) await new Promise((done) => setTimeout(done, 5));
  const before = cpu.helped;
  while (cpu.helped === before) large.copy_(row);
  expect(large.sum().itemSync()).toBe(2 ** 25);
});
