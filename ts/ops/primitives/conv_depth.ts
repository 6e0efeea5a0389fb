/** Depthwise convolutions and their gradients: kernels/conv_depth.c says how. */

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
function extent(geo: Geometry, d: 0 | 1, input: boolean, near: boolean) {
  const stride = geo.stride[d];
  const pad = geo.padding[d];
  const size = d === 0 ? geo.height : geo.width;
  const outSize = d === 0 ? geo.outH : geo.outW;
  const phases = near && !input ? 1 : stride;
  const reach = Math.floor(((geo.kernel[d] - 1) * geo.dilation[d]) / phases);
  if (!input) {
    const count = ((outSize - 1) * stride) / phases + 1 + reach;
    return { phases, count, top: pad, places: outSize, out: 0 };
  }
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

function planeOf(geo: Geometry, input: boolean, near = false) {
  const [y, x] = [extent(geo, 0, input, near), extent(geo, 1, input, near)];
  const cols = pitch(x, input ? geo.outW : geo.width);
  return { y, x, cols, count: y.count * cols * y.phases * x.phases };
}

/** Whether every channel has one filter of its own, float32, and planes fit the cache. */
export function isDepthwise(geo: Geometry, { dtype }: Tensor, input = false): boolean {
  const { channels, filters, groups } = geo;
  return (
    dtype.name === 'float32' &&
    groups > 1 &&
    channels === 1 &&
    filters === 1 &&
    planeOf(geo, input).count <= MOST
  );
}

/** Whether 3 x 3 taps find their pixels in the tensors, with one of padding on each side. */
function isEdged({ padding, stride, height, width, outH, outW }: Geometry): boolean {
  const whole = height === stride[0] * outH && width === stride[1] * outW;
  return whole && padding[0] === 1 && padding[1] === 1 && outW > 4;
}

/** Which loops compute it: 0 any, 1 and 2 for 3 x 3 taps and strides, 3 for a stride's gradient. */
function formOf(geo: Geometry, gradient: Gradient, edged: boolean): number {
  const { kernel, stride, dilation, width, outW } = geo;
  const [step] = stride;
  const near =
    kernel[0] === 3 &&
    kernel[1] === 3 &&
    dilation[0] === 1 &&
    dilation[1] === 1 &&
    stride[1] === step;
  if (!near || step > 2 || Math.min(outW, width) < 4) return 0;
  if (gradient === 'input' && step === 2) return edged ? 3 : 0;
  return gradient === 'weight' && !edged ? 0 : step;
}

/** Rows of planes summed at once: few if memory is slow, unless sums are along rows. */
function bandOf(geo: Geometry, along: boolean): number {
  const { batch, groups, height, width, outH, outW } = geo;
  const blocks = Math.ceil((outH * outW) / 2048);
  const slow = !along && blocks > 1 && batch * groups * height * width > 1 << 20;
  return slow ? 8 : Math.ceil(outH / blocks);
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
  const inPlace = isEdged(geo);
  const form = formOf(geo, gradient, inPlace);
  const edged = inPlace && form > 0;
  const plane = planeOf(geo, input, form > 0);
  const { y, x: across } = plane;
  const cols = edged ? 0 : plane.cols;
  const apart = form === 2 ? 2 : 1;
  const reach = y.count - apart * y.places;
  const phases = y.phases * across.phases;
  const results = form > 0 ? 0 : input ? stride[1] : 1;
  const fit = (FIRST_CACHE / cols / (phases + results) - reach) / apart;
  const bands = Math.ceil(y.places / Math.max(reach, 4, Math.floor(fit)));
  const band = form < 3 ? bandOf(geo, form === 1) : y.places;
  const lines = edged ? band : Math.ceil(y.places / bands);
  const rows = apart * lines + reach;
  const step = edged ? 4 * width + 4 * SPAN : rows * cols * phases + cols + SPAN;
  const alone = edged || bands > 1 || weights;
  const together = alone ? 1 : Math.ceil(FIRST_CACHE / 2 / step);
  const size = (kernel[0] * kernel[1] + TAPS) * (weights ? SUMS + 2 : 3);
  const line = form > 0 ? 4 * Math.max(width, outW) + 2 * SPAN : results * (lines * cols + SPAN);
  const slice = together * step + line + size + stride[0] * stride[1];
  const { range, words: share } = shares(weights ? groups : batch * groups);
  const own = {
    form,
    input: input ? 1 : 0,
    batch: weights ? batch : 0,
    channels: groups,
    height: input ? outH : height,
    width: input ? outW : width,
    out_h: input ? height : outH,
    out_w: input ? width : outW,
    out_y: y.out,
    out_x: across.out,
    kernel_h: kernel[0],
    kernel_w: kernel[1],
    stride_h: stride[0],
    stride_w: stride[1],
    dilation_h: dilation[0],
    dilation_w: dilation[1],
    pad_h: padding[0],
    pad_w: padding[1],
    top: y.top,
    left: across.top,
    edged: edged ? 1 : 0,
    rows,
    cols,
    lines,
    places: y.places,
    together,
    step,
    biased: bias ? 1 : 0,
    slice,
  };
  const params = Object.assign(own, share);
  const buffers = [x, weight, bias ?? weight, out, launcher.scratch(range * slice, out.dtype)];
  launcher.launch('convDepth', depthKernel, 'f32', buffers, params, range, productsOf(geo));
}
