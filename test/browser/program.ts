/** What the page of these tests offers to the test in Node, as globalThis.tests. */

import * as torch from '../../ts/index.js';
import { runMatrix } from './matrix.js';
import type { GpuReport } from './report.js';
import { train } from './trainings.js';

const messageOf = (error: unknown) => `${(error as Error).name}: ${(error as Error).message}`;

/** What starting the GPU says here; 'started' where it starts. */
function start(features?: string[]): Promise<string> {
  return torch.webgpu.init({ features }).then(() => 'started', messageOf);
}

/** Whether a GPU is said to be there, what asking for it says if not, and a sum on the CPU. */
async function look(): Promise<{ available: boolean; message: string; sum: number }> {
  const available = await torch.webgpu.isAvailable();
  const message = available ? 'available' : await start();
  return { available, message, sum: torch.tensor([1, 2, 3]).sum().itemSync() };
}

function thrown(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return messageOf(error);
  }
  return 'nothing';
}

const cubes = async () =>
  [...(await torch.arange(5, { device: 'webgpu' }).float().pow(3).data())].map(Number);

/** The life of the device: not yet, started, lost, started again. */
async function lifeOfGpu(): Promise<GpuReport> {
  const { webgpu } = torch;
  const before = [() => torch.zeros([2], { device: 'webgpu' }), webgpu.deviceName, webgpu.info];
  const early = before.map(thrown);
  const counts = [webgpu.deviceCount()];
  const available = await webgpu.isAvailable();
  await Promise.all([webgpu.init(), webgpu.init()]);
  const values = await cubes();
  const { features, limits, vendor, ...rest } = webgpu.info();
  counts.push(webgpu.deviceCount());
  const orphan = torch.ones([3], { device: 'webgpu' });
  const reading = orphan.add(1).data();
  webgpu.destroy();
  const lost = [
    await reading.then(() => 'nothing', messageOf),
    thrown(() => orphan.add(1)),
    thrown(() => torch.ones([3], { device: 'webgpu' })),
  ];
  counts.push(webgpu.deviceCount());
  const name = webgpu.deviceName();
  await webgpu.init();
  counts.push(webgpu.deviceCount());
  const info = { ...rest, vendor, limits: Object.keys(limits).length, features: [...features] };
  return { available, early, counts, name, info, values, lost, again: await cubes() };
}

export const tests = {
  runMatrix,
  train,
  start,
  look,
  lifeOfGpu,
  setNumThreads: torch.setNumThreads,
};
Object.assign(globalThis, { tests });
