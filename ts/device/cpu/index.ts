/** torch.cpu: what the CPU device is and does. */

import { pairVectors, vectorsPaired } from '#platform';
import { DeviceError, showValue, ValueError } from '../../core/errors.js';
import { checkOptions } from '../../core/options.js';
import { cpu, refusal } from './cpu.js';
import { MOST_THREADS } from './pool.js';
import { kernelBuilds } from './tiles.js';

/** Facts about the CPU device, for bug reports and tests. */
export interface CpuInfo {
  /** Threads that large kernels run on. */
  readonly threads: number;
  /** Why there are as many. */
  readonly reason: string;
  /** Workers that have started; they do at the first large kernel. */
  readonly workers: number;
  /** The build of the tiled kernels (products, convolutions, attention); 'auto' until chosen. */
  readonly kernels: string;
  /** What was measured to choose it. */
  readonly kernelsReason: string;
  /** Whether V8 was told to pair 128-bit operations into 256-bit ones. */
  readonly revectorize: boolean;
  /** Bytes the device may use at most. */
  readonly limit: number;
}

/** What kernels run on. */
export function info(): CpuInfo {
  const { threads, reason, choice } = cpu;
  return {
    threads,
    reason: reason ?? (threads === cpu.defaultThreads ? 'one per core' : 'set by setNumThreads'),
    workers: cpu.workers,
    kernels: choice?.name ?? 'auto',
    kernelsReason: choice?.reason ?? 'measured at the first large product',
    revectorize: vectorsPaired(),
    limit: cpu.limit,
  };
}

export interface CpuOptions {
  /**
   * The build of the tiled kernels: 'auto' (default; measured at the first large product),
   * 'plain-2x16', 'plain-4x16' (both with the same bits), 'relaxed-6x8' or 'relaxed-6x16' (both
   * with the same bits; products and sums are rounded once where the machine can). In Node the
   * environment variable ISOTORCH_KERNELS does the same.
   */
  kernels?: string;
  /**
   * Node 24 or newer: lets V8 pair 128-bit operations into 256-bit ones, so that products are about
   * twice as fast. The feature is experimental in V8, and set for the whole process. Default false.
   */
  revectorize?: boolean;
  /** Pages whose policy forbids workers from blob: URLs: where a copy of isotorch/worker is. */
  workerUrl?: string;
}

/**
 * Settings of the CPU device, to be made before its first operation; what a later call leaves out
 * stays. Throws DeviceError after the first operation, and ValueError for what this engine does not
 * have.
 */
export function configure(options: CpuOptions): void {
  checkOptions('torch.cpu.configure', options, ['kernels', 'revectorize', 'workerUrl']);
  if (cpu.started) {
    throw new DeviceError(
      'torch.cpu.configure: the kernels are compiled already; call it before the first operation',
    );
  }
  const {
    kernels = cpu.settings.kernels,
    revectorize,
    workerUrl = cpu.settings.workerUrl,
  } = options;
  if (kernels !== undefined && kernels !== 'auto' && !kernelBuilds().includes(kernels)) {
    throw new ValueError(`torch.cpu.configure: ${refusal(kernels)}`);
  }
  if (revectorize && !pairVectors()) {
    throw new ValueError(
      'torch.cpu.configure: revectorize needs Node 24 or newer; other engines cannot be told to ' +
        'pair vectors',
    );
  }
  // 'auto' leaves it to the environment, and then to a measurement.
  cpu.settings = { kernels: kernels === 'auto' ? undefined : kernels, workerUrl };
}

/**
 * Sets the most bytes tensors may use; a larger allocation throws OutOfMemoryError. Throws
 * ValueError for what is no number of bytes.
 */
export function setMemoryLimit(bytes: number): void {
  if (!(bytes >= 0)) throw new ValueError(`setMemoryLimit: expected bytes, got ${bytes}`);
  cpu.limit = bytes;
}

/** Threads that large kernels run on: 1 where there can be no more, see `torch.cpu.info()`. */
export function getNumThreads(): number {
  return cpu.threads;
}

/**
 * Sets the number of threads that large kernels run on, from 1 to 64; at first it is the number of
 * cores. Results are the same to the bit for every number. Throws ValueError.
 */
export function setNumThreads(count: number): void {
  if (!Number.isInteger(count) || count < 1 || count > MOST_THREADS) {
    throw new ValueError(
      `setNumThreads: expected a whole number from 1 to ${MOST_THREADS}, got ${showValue(count)}`,
    );
  }
  cpu.threads = count;
}
