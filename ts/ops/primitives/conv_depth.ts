/** Depthwise convolutions and their gradients: kernels/conv_depth.c says how. */

import { suffix } from '../../core/dtype.js';
import type { Tensor } from '../../tensor.js';
import type { Launcher } from '../row.js';
import { type Geometry, productsOf } from './conv_geometry.js';
import { depthKernel } from './conv_kernels.js';
import { shares } from './conv_launch.js';

/** Pixels a loop computes at once, sums and taps of another, and elements that the caches hold. */
const SPAN = 32;
const SUMS = 8;
const TAPS = 3;
const FIRST_CACHE = 6000;
const MOST = 1 << 16;

type Gradient = 'input' | 'weight' | undefined;

/**
 * One dimension of a plane in padding: its phases, elements of each and how many of these are
 * padding, places of results, and how far the first is before the result.
 */
function extent(geo: Geometry, d: 0 | 1, input: boolean) {
  const stride = geo.stride[d];
  const pad = geo.padding[d];
  const size = d === 0 ? geo.height : geo.width;
  const outSize = d === 0 ? geo.outH : geo.outW;
  const reach = Math.floor(((geo.kernel[d] - 1) * geo.dilation[d]) / stride);
  if (!input) return { phases: stride, count: outSize + reach, top: pad, places: outSize, out: 0 };
  const first = Math.floor(pad / stride);
  const places = Math.floor((size - 1 + pad) / stride) + 1 - first;
  return { phases: 1, count: places + reach, top: reach - first, places, out: pad % stride };
}

/** How far rows are apart: the padding after one may be that before the next. */
function pitch({ phases, count, top, places }: ReturnType<typeof extent>, width: number): number {
  let [first, last] = [count, places];
  for (let f = 0; f < phases; f++) {
    first = Math.min(first, Math.max(0, Math.ceil((top - f) / phases)));
    last = Math.max(last, Math.min(count, Math.floor((width - 1 + top - f) / phases) + 1));
  }
  return Math.max(count - first, last);
}

function planeOf(geo: Geometry, input: boolean) {
  const [y, x] = [extent(geo, 0, input), extent(geo, 1, input)];
  const cols = pitch(x, input ? geo.outW : geo.width);
  return { y, x, cols, count: y.count * cols * y.phases * x.phases };
}

/** Whether every channel has one filter of its own, and planes fit the cache. */
export function isDepthwise(geo: Geometry, input = false): boolean {
  const { channels, filters, groups } = geo;
  return groups > 1 && channels === 1 && filters === 1 && planeOf(geo, input).count <= MOST;
}

/** Which loops compute it: 0 any, 1 and 2 for 3 x 3 taps and strides, 3 for a stride's gradient. */
function formOf(geo: Geometry, gradient: Gradient, float: boolean): number {
  const { kernel, stride, dilation, padding, height, width, outH, outW } = geo;
  const [step] = stride;
  const near =
    kernel[0] === 3 &&
    kernel[1] === 3 &&
    dilation[0] === 1 &&
    dilation[1] === 1 &&
    stride[1] === step;
  const narrow = Math.min(outW, width) < 4;
  if (!float || !near || step > 2 || gradient === 'weight' || narrow) return 0;
  if (gradient === undefined || step === 1) return step;
  const even = height === 2 * outH && width === 2 * outW;
  return even && padding[0] === 1 && padding[1] === 1 ? 3 : 0;
}

/** The convolution of x, its input gradient from g as `x`, or its weight's from g as `weight`. */
export function depthwise(
  launcher: Launcher,
  gradient: Gradient,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  out: Tensor,
  geo: Geometry,
): void {
  const { batch, groups, height, width, outH, outW, kernel, stride, padding, dilation } = geo;
  const input = gradient === 'input';
  const weights = gradient === 'weight';
  const form = formOf(geo, gradient, out.dtype.name === 'float32');
  const { y, x: across, cols } = planeOf(geo, input);
  const reach = y.count - y.places;
  const phases = y.phases * across.phases;
  const results = form > 0 ? 0 : input ? stride[1] : 1;
  const fit = Math.floor(FIRST_CACHE / cols / (phases + results)) - reach;
  const bands = form === 3 ? 1 : Math.ceil(y.places / Math.max(reach, 4, fit));
  const lines = Math.ceil(y.places / bands);
  const step = (lines + reach) * cols * phases + cols + SPAN;
  const together = bands > 1 || weights || form === 3 ? 1 : Math.ceil(FIRST_CACHE / 2 / step);
  const size = (kernel[0] * kernel[1] + TAPS) * (weights ? SUMS + 2 : 3);
  const line = form > 0 ? 2 * (cols + SPAN) : Math.max(1, results) * (lines * cols + SPAN);
  const slice = together * step + line + size + stride[0] * stride[1];
  const { range, words: share } = shares(weights ? groups : batch * groups);
  const params = {
    ...{ form, input: input ? 1 : 0, batch: weights ? batch : 0, channels: groups },
    ...(input
      ? { height: outH, width: outW, out_h: height, out_w: width }
      : { height, width, out_h: outH, out_w: outW }),
    ...{ out_y: y.out, out_x: across.out, kernel_h: kernel[0], kernel_w: kernel[1] },
    ...{ stride_h: stride[0], stride_w: stride[1] },
    ...{ dilation_h: dilation[0], dilation_w: dilation[1] },
    ...{ pad_h: padding[0], pad_w: padding[1], top: y.top, left: across.top },
    ...{ rows: lines + reach, cols, lines, places: y.places, together, step },
    ...{ biased: bias ? 1 : 0, ...share, slice },
  };
  const buffers = [x, weight, bias ?? weight, out, launcher.scratch(range * slice, out.dtype)];
  const dtype = suffix(out.dtype);
  launcher.launch('convDepth', depthKernel, dtype, buffers, params, range, productsOf(geo));
}
