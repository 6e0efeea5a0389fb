/** Two-dimensional pooling on the GPU, one invocation per result. */

import poolSource from '../../../kernels/pool.wgsl';
import averageSource from '../../../kernels/pool_average.wgsl';
import averageBackwardSource from '../../../kernels/pool_average_backward.wgsl';
import divisorSource from '../../../kernels/pool_divisor.wgsl';
import maxSource from '../../../kernels/pool_max.wgsl';
import maxBackwardSource from '../../../kernels/pool_max_backward.wgsl';
import { suffix } from '../../core/dtype.js';
import { gpuKernel } from '../../device/webgpu/kernel.js';
import type { Tensor } from '../../tensor.js';
import {
  type AvgPoolAttributes,
  averageParams,
  averageWindows,
  maxParams,
  maxWindows,
} from '../primitives/pool.js';
import type { Launcher } from '../row.js';
import type { Twins } from './twin.js';

const maxKernel = gpuKernel({
  source: `${poolSource}${maxSource}`,
  entry: 'pool_max',
  buffers: { x: 'S', out: 'S', indices: 'i32' },
  params: maxParams,
  perGroup: 256,
});
const maxBackwardKernel = gpuKernel({
  source: `${poolSource}${maxBackwardSource}`,
  entry: 'pool_max_back',
  buffers: { g: 'S', indices: 'i32', out: 'S' },
  params: maxParams,
  perGroup: 256,
});
const averageKernel = gpuKernel({
  source: `${poolSource}${divisorSource}${averageSource}`,
  entry: 'pool_average',
  buffers: { x: 'S', out: 'S' },
  params: averageParams,
  perGroup: 256,
});
const averageBackwardKernel = gpuKernel({
  source: `${poolSource}${divisorSource}${averageBackwardSource}`,
  entry: 'pool_average_back',
  buffers: { g: 'S', out: 'S' },
  params: averageParams,
  perGroup: 256,
});

function average(launcher: Launcher, x: Tensor, out: Tensor, a?: AvgPoolAttributes): void {
  const params = averageWindows(x.shape, out.shape, a);
  const [name, dtype] = ['avgPool2d', suffix(x.dtype)];
  launcher.launch(name, averageKernel, dtype, [x, out], params, out.numel());
}

function averageBackward(launcher: Launcher, g: Tensor, out: Tensor, a?: AvgPoolAttributes): void {
  const params = averageWindows(out.shape, g.shape, a);
  const [name, dtype] = ['avgPool2dBackward', suffix(g.dtype)];
  launcher.launch(name, averageBackwardKernel, dtype, [g, out], params, out.numel());
}

type PoolName =
  | 'maxPool2d'
  | 'maxPool2dBackward'
  | 'avgPool2d'
  | 'avgPool2dBackward'
  | 'adaptiveAvgPool2d'
  | 'adaptiveAvgPool2dBackward';

export const poolTwins: Twins<PoolName> = {
  maxPool2d: {
    kernels: { maxPool2d: maxKernel },
    run(launcher, [x], [out, indices], attributes) {
      const params = maxWindows(x.shape, out.shape, attributes);
      const buffers = [x, out, indices];
      launcher.launch('maxPool2d', maxKernel, suffix(x.dtype), buffers, params, out.numel());
    },
  },
  maxPool2dBackward: {
    kernels: { maxPool2dBackward: maxBackwardKernel },
    run(launcher, [g, indices], [out], attributes) {
      const params = maxWindows(out.shape, g.shape, attributes);
      const [name, dtype] = ['maxPool2dBackward', suffix(g.dtype)];
      const buffers = [g, indices, out];
      launcher.launch(name, maxBackwardKernel, dtype, buffers, params, out.numel());
    },
  },
  avgPool2d: {
    kernels: { avgPool2d: averageKernel },
    run: (launcher, [x], [out], attributes) => average(launcher, x, out, attributes),
  },
  avgPool2dBackward: {
    kernels: { avgPool2dBackward: averageBackwardKernel },
    run: (launcher, [g], [out], attributes) => averageBackward(launcher, g, out, attributes),
  },
  adaptiveAvgPool2d: {
    kernels: { avgPool2d: averageKernel },
    run: (launcher, [x], [out]) => average(launcher, x, out),
  },
  adaptiveAvgPool2dBackward: {
    kernels: { avgPool2dBackward: averageBackwardKernel },
    run: (launcher, [g], [out]) => averageBackward(launcher, g, out),
  },
};
