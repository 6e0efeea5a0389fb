/** Depthwise convolutions and their input gradients: kernels/conv_depth.c says how. */

import { suffix } from '../../core/dtype.js';
import type { Tensor } from '../../tensor.js';
import type { Launcher } from '../row.js';
import { type Geometry, productsOf } from './conv_geometry.js';
import { depthKernel } from './conv_kernels.js';
import { shares } from './conv_launch.js';

/** Pixels a loop computes at once, and elements of a plane that the cache holds. */
const SPAN = 32;
const MOST = 1 << 16;

/** The plane in padding, for the input gradient or not. */
function planeOf(geo: Geometry, input: boolean) {
  const { height, width, outH, outW, kernel, stride, dilation } = geo;
  const reach = (d: 0 | 1) => (kernel[d] - 1) * dilation[d];
  const [rows, cols] = input
    ? [height + reach(0), width + reach(1)]
    : [outH + Math.floor(reach(0) / stride[0]), outW + Math.floor(reach(1) / stride[1])];
  return { rows, cols, count: rows * cols * (input ? 1 : stride[0] * stride[1]) };
}

/** Whether every channel has one filter of its own, and planes fit the cache. */
export function isDepthwise(geo: Geometry, input: boolean): boolean {
  const { channels, filters, groups } = geo;
  return groups > 1 && channels === 1 && filters === 1 && planeOf(geo, input).count <= MOST;
}

/** The convolution of x, or its input gradient from g in its place. */
export function depthwise(
  launcher: Launcher,
  input: boolean,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  out: Tensor,
  geo: Geometry,
): void {
  const { batch, groups, height, width, outH, outW, kernel, stride, dilation, padding } = geo;
  const { rows, cols, count } = planeOf(geo, input);
  const lines = (input ? height : outH) * cols;
  const slice = count + cols + lines + 2 * (SPAN + kernel[0] * kernel[1]);
  const { range, words } = shares(batch * groups);
  const params = {
    ...{ input: input ? 1 : 0, channels: groups },
    ...{ height, width, out_h: outH, out_w: outW, kernel_h: kernel[0], kernel_w: kernel[1] },
    ...{ stride_h: stride[0], stride_w: stride[1] },
    ...{ dilation_h: dilation[0], dilation_w: dilation[1] },
    ...{ pad_h: padding[0], pad_w: padding[1], rows, cols },
    ...{ biased: bias ? 1 : 0, ...words, slice },
  };
  const buffers = [x, weight, bias ?? weight, out, launcher.scratch(range * slice, out.dtype)];
  const dtype = suffix(out.dtype);
  launcher.launch('convDepth', depthKernel, dtype, buffers, params, range, productsOf(geo));
}
