/** torch.cpu: what the CPU device is and does. */

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
