/** Kernels that only move elements: bytes and halves are written one by one, atomically. */

import type { LaunchBlock } from '../../device/device.js';
import { type GpuKernel, gpuKernel } from '../../device/webgpu/kernel.js';
import type { ParamType } from '../kernel.js';

/** A kernel over elements of one, two and four bytes. */
export function moveKernel<const P extends Readonly<Record<string, ParamType>>>(
  options: Omit<Parameters<typeof gpuKernel<P>>[0], 'dtypes' | 'atomic' | 'choose'>,
): GpuKernel & { readonly params: P } {
  const parts = gpuKernel<P>({ ...options, dtypes: ['b1', 'b2'], atomic: true });
  const words = gpuKernel<P>({ ...options, dtypes: ['b4'] });
  const choose = (block: LaunchBlock) => (block.kernel.endsWith('b4') ? words : parts);
  return gpuKernel<P>({ ...options, dtypes: ['b1', 'b2', 'b4'], choose });
}
