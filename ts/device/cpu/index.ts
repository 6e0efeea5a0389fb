/** torch.cpu: what the CPU device is and does. */

import { ValueError } from '../../core/errors.js';
import { cpu } from './cpu.js';

/** Facts about the CPU device, for bug reports and tests. */
export interface CpuInfo {
  /** Threads that kernels run on. */
  readonly threads: number;
  /** Why there are not more. */
  readonly reason: string;
  /** Bytes the device may use at most. */
  readonly limit: number;
}

/** What kernels run on. */
export function info(): CpuInfo {
  return {
    threads: 1,
    reason: 'kernels run on the calling thread',
    limit: cpu.limit,
  };
}

/** Sets the most bytes tensors may use; a larger allocation throws OutOfMemoryError. */
export function setMemoryLimit(bytes: number): void {
  cpu.limit = bytes;
}

/** Threads that kernels run on. */
export function getNumThreads(): number {
  return 1;
}

/**
 * Sets the number of threads kernels run on. They run on the calling thread: only 1 is accepted.
 */
export function setNumThreads(count: number): void {
  if (count !== 1) {
    throw new ValueError(
      `setNumThreads: kernels run on the calling thread, so the number of threads is 1, got ` +
        `${count}`,
    );
  }
}
