/** How long the GPU works: by its own clock where it has one, else by waiting for it. */

import { BufferUsage, MAP_MODE_READ } from './flags.js';

const QUERY_RESOLVE = 0x200;

/** A device that can be told to hand over what was recorded, and waited for. */
interface Recorder {
  readonly gpu: GPUDevice;
  submit(): void;
  synchronize(): Promise<void>;
}

/** Writes the time at which the queue comes to this place. */
function mark(gpu: GPUDevice, querySet: GPUQuerySet, which: 0 | 1): GPUCommandEncoder {
  const encoder = gpu.createCommandEncoder();
  const at = which === 0 ? { beginningOfPassWriteIndex: 0 } : { endOfPassWriteIndex: 1 };
  encoder.beginComputePass({ timestampWrites: { querySet, ...at } }).end();
  return encoder;
}

async function byTimestamps(device: Recorder, body: () => void): Promise<number> {
  const { gpu } = device;
  const querySet = gpu.createQuerySet({ type: 'timestamp', count: 2 });
  const resolved = gpu.createBuffer({ size: 16, usage: QUERY_RESOLVE | BufferUsage.COPY_SRC });
  const read = gpu.createBuffer({ size: 16, usage: BufferUsage.MAP_READ | BufferUsage.COPY_DST });
  try {
    device.submit();
    gpu.queue.submit([mark(gpu, querySet, 0).finish()]);
    body();
    device.submit();
    const encoder = mark(gpu, querySet, 1);
    encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, read, 0, 16);
    gpu.queue.submit([encoder.finish()]);
    await device.synchronize();
    await read.mapAsync(MAP_MODE_READ);
    const [start, end] = new BigUint64Array(read.getMappedRange());
    return Number(end - start) / 1e6;
  } finally {
    querySet.destroy();
    resolved.destroy();
    read.destroy();
  }
}

/** Milliseconds the GPU takes for what `body` asks of it. */
export async function measure(device: Recorder, body: () => void): Promise<number> {
  await device.synchronize();
  if (device.gpu.features.has('timestamp-query')) return byTimestamps(device, body);
  const start = performance.now();
  body();
  await device.synchronize();
  return performance.now() - start;
}
