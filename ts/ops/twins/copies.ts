/** Copies on the GPU: as elementwise kernels, and by tiles where a copy transposes. */

import turnedSource from '../../../kernels/copy_turned.wgsl';
import type { LaunchBlock } from '../../device/device.js';
import type { Uses } from '../../device/webgpu/features.js';
import { type Element, type GpuKernel, gpuKernel } from '../../device/webgpu/kernel.js';
import { elementwise, Launch } from './pointwise_forms.js';

/** Dimensions of copies that are done in tiles, at most, and the least size of their sides. */
const MOST_DIMENSIONS = 4;
const LEAST_SIDE = 16;

/** The copy of words of `ndim` dimensions from a source that is contiguous along one of them. */
function turnedKernel(ndim: number, turned: number): GpuKernel {
  const last = ndim - 1;
  const others = Array.from({ length: ndim }, (_, d) => d).filter((d) => d !== turned && d < last);
  const walk = others
    .reverse()
    .map((d) => {
      const index = `rest % p.dims[${d}u]`;
      const [from, to] = [ndim + d, 2 * ndim + d];
      return `from_x += ${index} * p.dims[${from}u]; to_out += ${index} * p.dims[${to}u];
    rest /= p.dims[${d}u];`;
    })
    .join('\n    ');
  const source = turnedSource
    .replace(/^ {4}WALK$/m, `    ${walk}`)
    .replace('p.dims[TURNED];', `p.dims[${turned}u];`)
    .replace('LAST', `${last}u`)
    .replace('SOURCE_STEP', `${ndim + last}u`)
    .replace('TARGET_STEP', `${2 * ndim + turned}u`);
  return gpuKernel({
    source,
    entry: 'run_copy',
    dtypes: ['b4'],
    buffers: { x: 'S', out: 'S' },
    params: { dims: 'u32[]' },
    workgroup: 64,
    perGroup: 1024,
  });
}

const turnedKernels = new Map<number, GpuKernel>();

/** The kernel of a launch whose source and result are contiguous along different dimensions. */
function turned(block: LaunchBlock): GpuKernel | undefined {
  const launch = new Launch(block, 2, 0);
  const { ndim } = launch;
  if (ndim < 2 || ndim > MOST_DIMENSIONS || block.storages[0] === undefined) return undefined;
  const last = ndim - 1;
  if (launch.stride(0, last) < 2 || launch.stride(1, last) !== 1) return undefined;
  if (launch.size(last) < LEAST_SIDE) return undefined;
  for (let d = 0; d < last; d++) {
    if (launch.stride(0, d) !== 1 || launch.size(d) < LEAST_SIDE) continue;
    const key = 8 * ndim + d;
    let kernel = turnedKernels.get(key);
    if (kernel === undefined) {
      kernel = turnedKernel(ndim, d);
      turnedKernels.set(key, kernel);
    }
    return kernel;
  }
  return undefined;
}

/** Copies of elements of one, two or four bytes. */
export function copyKernel(width: 'b1' | 'b2' | 'b4'): GpuKernel {
  const element: Element = width === 'b1' ? 'u8' : width === 'b2' ? 'u16' : 'S';
  const plain = elementwise({
    name: 'copy',
    inputs: [{ name: 'x', element, type: 'u32' }],
    out: { name: 'out', element, type: 'u32' },
    scalars: [],
    expression: 'x',
    dtypes: [width],
    bytes: Number(width[1]),
  });
  if (width !== 'b4') return plain;
  const choose = (block: LaunchBlock, uses: Uses) =>
    (uses.tiles ? turned(block) : undefined) ?? plain.choose?.(block, uses) ?? plain;
  return { ...plain, choose };
}
