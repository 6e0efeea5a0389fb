/** Helpers of these tests: every launch on threads, however small. */

import { cpu } from '../../ts/device/cpu/cpu.js';
import * as torch from '../../ts/index.js';

/** Starts `count` - 1 workers and waits until they look for work. */
export async function startThreads(count: number): Promise<void> {
  cpu.worth = { awake: 0, asleep: 0 };
  torch.setNumThreads(count);
  torch.ones(1000).add(1);
  while (cpu.workers < count - 1) await new Promise((done) => setTimeout(done, 5));
}

/** The bytes of tensors, to the bit. */
export function bytesOf(tensors: readonly torch.Tensor[]): string {
  return tensors
    .map((x) => {
      const data = x.detach().contiguous().dataSync() as unknown as Float32Array;
      return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');
    })
    .join(' ');
}
