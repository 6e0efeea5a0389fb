/**
 * Nothing reads memory that nobody wrote, or that was given back: with NaN there, on either device,
 * every row and its derivatives have the same bits.
 */

import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Device } from '../../ts/device/device.js';
import { deviceOf } from '../../ts/device/registry.js';
import * as torch from '../../ts/index.js';
import { gradients } from '../../ts/ops/gradients.js';
import { type OpName, table } from '../../ts/ops/table.js';
import { emptyTensor } from '../../ts/tensor.js';
import { type Call, callsOf, names, type Tensor } from '../ops/samples.js';
import { withGpu } from './agree.js';

/** Has all memory hold NaN, -1 or true when it is handed out and when it comes back. */
function poison(device: Device): void {
  const { allocate, free } = device;
  const spoil = (handle: number, bytes: number) =>
    device.write(handle, 0, new Uint8Array(Math.ceil(bytes / 16) * 16).fill(0xff));
  vi.spyOn(device, 'allocate').mockImplementation((bytes) => {
    const handle = allocate.call(device, bytes);
    spoil(handle, bytes);
    return handle;
  });
  vi.spyOn(device, 'free').mockImplementation((handle, bytes) => {
    if (device.failure === undefined) spoil(handle, bytes);
    free.call(device, handle, bytes);
  });
}

/** Outputs, and the first and second derivatives of their sums where there are such. */
function outcomes(op: OpName, call: Call, inputs: readonly Tensor[]): Tensor[] {
  const leaves = inputs.map((x, i) =>
    x.detach().requiresGrad_(call.wanted[i] === true && x.isFloatingPoint()),
  );
  const results = call.run(leaves);
  const taken = leaves.filter((x) => x.requiresGrad);
  const found = [...results];
  let sums = results.filter((x) => x.requiresGrad);
  for (const createGraph of [true, false]) {
    if (gradients[op].kind === 'none' || sums.length === 0) break;
    const ones = sums.map((x) => x.detach().cos());
    const made = torch.autograd.grad(sums, taken, {
      gradOutputs: ones,
      createGraph,
      allowUnused: true,
    });
    const there = made.filter((x) => x !== null);
    found.push(...there);
    sums = there.filter((x) => x.requiresGrad);
  }
  return found;
}

/** The bits of all outcomes, in memory that is clean or poisoned. */
async function bits(op: OpName, call: Call, device: 'cpu' | 'webgpu', spoilt: boolean) {
  // Then every storage has a block of its own.
  torch.debugMemory(true);
  if (spoilt) poison(deviceOf(device));
  const inputs = call.inputs.map((x) => x.to(device, { copy: true }));
  const found = outcomes(op, call, inputs);
  const read = await Promise.all(found.map((x) => x.cpu()));
  vi.restoreAllMocks();
  torch.debugMemory(false);
  const asBits = (x: Tensor) => (x.dtype === torch.float32 ? x.contiguous().view(torch.int32) : x);
  return read.map((x) => asBits(x).flatten().tolistSync());
}

const unaffected = (device: 'cpu' | 'webgpu') => async (op: OpName) => {
  const { domain } = table[op] as { domain?: string };
  for (const call of callsOf(op, domain === 'int' ? torch.int32 : torch.float32)) {
    const clean = await bits(op, call, device, false);
    expect(await bits(op, call, device, true), call.name).toEqual(clean);
  }
};

afterEach(() => {
  vi.restoreAllMocks();
  torch.debugMemory(false);
});

async function spoils(device: 'cpu' | 'webgpu'): Promise<void> {
  torch.debugMemory(true);
  poison(deviceOf(device));
  const x = emptyTensor([300], torch.float32, deviceOf(device));
  expect(await x.isnan().all().item()).toBe(true);
  x.fill_(1);
  const { handle } = x.storage_;
  x.dispose();
  expect(await deviceOf(device).read(handle, 0, 4)).toEqual(Uint8Array.of(255, 255, 255, 255));
}

describe('memory of the CPU that nobody wrote', () => {
  test('is NaN here', () => spoils('cpu'));
  test.each(names)('%s', unaffected('cpu'));
});

await withGpu('memory of the GPU that nobody wrote', () => {
  test('is NaN here', () => spoils('webgpu'));
  test.each(names)('%s', unaffected('webgpu'));
});
