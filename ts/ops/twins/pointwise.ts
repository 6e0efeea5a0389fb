/**
 * The elementwise kernels of the GPU. Their bodies are the expressions of the rows, which C and
 * WGSL both understand: functions come from kernels/math.wgsl, under the names of simd_math.h.
 */

import type { GpuKernel } from '../../device/webgpu/kernel.js';
import type { KernelDtype } from '../kernel.js';
import { type PointwiseRow, pointwise } from '../pointwise.js';
import { copyKernel } from './copies.js';
import { elementwise, type Operand } from './pointwise_forms.js';

const NAMES = ['x', 'y', 'z'];

function rowKernel(name: string, row: PointwiseRow, halves: boolean): GpuKernel | undefined {
  if (halves && row.domain === 'int') return undefined;
  const inputs = NAMES.slice(0, row.inputs).map((operand, i): Operand => {
    const mask = row.masks?.includes(i);
    return { name: operand, element: mask ? 'u8' : 'S', type: mask ? 'bool' : 'S' };
  });
  const out: Operand =
    row.result === 'bool'
      ? { name: 'out', element: 'u8', type: 'bool' }
      : { name: 'out', element: 'S', type: 'S' };
  const words = ({ real: ['f32'], number: ['f32', 'i32'], int: ['i32'] } as const)[row.domain];
  const dtypes: readonly KernelDtype[] = halves ? ['f16'] : words;
  const scalars = row.scalars ?? [];
  return elementwise({
    name,
    inputs,
    out,
    scalars,
    expression: row.c,
    dtypes,
    bytes: halves ? 2 : 4,
  });
}

const made = new Map<string, GpuKernel>();

/** The elementwise kernel of a launch name such as 'exp_f32' or 'copy_b1', or undefined. */
export function pointwiseKernel(name: string): GpuKernel | undefined {
  const cut = name.lastIndexOf('_');
  const [op, suffix] = [name.slice(0, cut), name.slice(cut + 1) as KernelDtype];
  const halves = suffix === 'f16';
  const key = op === 'copy' || halves ? name : op;
  let kernel = made.get(key);
  if (kernel === undefined) {
    if (op === 'copy' && /^b[124]$/.test(suffix)) kernel = copyKernel(suffix as 'b1');
    else if (op in pointwise) {
      kernel = rowKernel(op, pointwise[op as keyof typeof pointwise], halves);
    }
    if (kernel === undefined) return undefined;
    made.set(key, kernel);
  }
  return kernel.dtypes.includes(suffix) ? kernel : undefined;
}
