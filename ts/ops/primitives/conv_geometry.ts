/** What a convolution is given, checked, and the sizes that follow. */

import { ShapeError, showShape, ValueError } from '../../core/errors.js';
import type { Tensor } from '../../tensor.js';

export type Pair = readonly [number, number];

/** Attributes of a convolution, each pair as [vertical, horizontal]. */
export interface ConvAttributes {
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
}

export interface ConvInputGradAttributes extends ConvAttributes {
  /** Height and width of the convolution's input. */
  readonly inputSize: Pair;
}

export interface ConvWeightGradAttributes extends ConvAttributes {
  /** Height and width of the convolution's weight. */
  readonly kernelSize: Pair;
}

/** Sizes of one convolution. */
export interface Geometry {
  readonly batch: number;
  readonly groups: number;
  /** Channels and filters of one group. */
  readonly channels: number;
  readonly filters: number;
  readonly height: number;
  readonly width: number;
  readonly outH: number;
  readonly outW: number;
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
}

/** Length of an output: floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1. */
export function convOutputSize(
  size: number,
  kernelSize: number,
  stride: number,
  padding: number,
  dilation: number,
): number {
  return Math.floor((size + 2 * padding - dilation * (kernelSize - 1) - 1) / stride) + 1;
}

function whole(values: Pair, least: number): boolean {
  if (values.length !== 2) return false;
  for (const v of values) if (!Number.isInteger(v) || v < least) return false;
  return true;
}

function checkAttributes(name: string, attributes: ConvAttributes): void {
  const { stride, padding, dilation, groups } = attributes;
  if (!whole(stride, 1))
    throw new ValueError(`${name}: stride must be positive, got ${showShape(stride)}`);
  if (!whole(padding, 0)) {
    throw new ValueError(`${name}: padding must not be negative, got ${showShape(padding)}`);
  }
  if (!whole(dilation, 1)) {
    throw new ValueError(`${name}: dilation must be positive, got ${showShape(dilation)}`);
  }
  if (!Number.isInteger(groups) || groups < 1) {
    throw new ValueError(`${name}: groups must be a positive integer, got ${groups}`);
  }
}

// Messages are written when they are thrown.
function given(input: readonly number[], weight: readonly number[], groups: number): string {
  return `for weight ${showShape(weight)} and groups ${groups}, got ${showShape(input)}`;
}

/** The sizes of a convolution; throws what is wrong with them. */
export function geometryOf(
  name: string,
  input: readonly number[],
  weight: readonly number[],
  attributes: ConvAttributes,
): Geometry {
  checkAttributes(name, attributes);
  const { stride, padding, dilation, groups } = attributes;
  if (weight.length !== 4) {
    throw new ShapeError(`${name}: expected a weight [O, C, kh, kw], got ${showShape(weight)}`);
  }
  const [all, channels, kh, kw] = weight;
  const [batch, inputs, height, width] = input;
  if (input.length !== 4 || inputs !== channels * groups) {
    const why =
      input.length === 4
        ? `: ${inputs} channels are not ${channels} x ${groups}`
        : '; a single image needs a batch dimension: x.unsqueeze(0)';
    const form = `[N, ${channels * groups}, H, W] ${given(input, weight, groups)}`;
    throw new ShapeError(`${name}: expected input ${form}${why}`);
  }
  if (all % groups !== 0 || all === 0 || channels === 0) {
    throw new ShapeError(
      `${name}: ${all} filters do not divide into ${groups} groups; ${given(input, weight, groups)}`,
    );
  }
  const outH = convOutputSize(height, kh, stride[0], padding[0], dilation[0]);
  const outW = convOutputSize(width, kw, stride[1], padding[1], dilation[1]);
  if (outH < 1 || outW < 1 || kh < 1 || kw < 1) {
    const padded = showShape([height + 2 * padding[0], width + 2 * padding[1]]);
    const spread = showShape([dilation[0] * (kh - 1) + 1, dilation[1] * (kw - 1) + 1]);
    throw new ShapeError(
      `${name}: the kernel, spread over ${spread}, is larger than the padded input ${padded}; ` +
        `${given(input, weight, groups)}. Add padding, or use a smaller kernel or dilation.`,
    );
  }
  const filters = all / groups;
  const kernel: Pair = [kh, kw];
  // Written out, since engines take microseconds to spread objects of many properties.
  return {
    batch,
    groups,
    channels,
    filters,
    height,
    width,
    outH,
    outW,
    kernel,
    stride,
    padding,
    dilation,
  };
}

export function checkGradient(name: string, g: Tensor, geometry: Geometry): void {
  const { batch, groups, filters, outH, outW } = geometry;
  const expected = [batch, groups * filters, outH, outW];
  if (g.shape.length !== 4 || g.shape.some((size, d) => size !== expected[d])) {
    throw new ShapeError(
      `${name}: expected a gradient ${showShape(expected)}, got ${showShape(g.shape)}`,
    );
  }
}

export function depthOf(geometry: Geometry): number {
  return geometry.channels * geometry.kernel[0] * geometry.kernel[1];
}

export function productsOf(geometry: Geometry): number {
  const { batch, groups, filters, outH, outW } = geometry;
  return batch * groups * filters * outH * outW * depthOf(geometry);
}

/** Whether the kernel covers the whole image: x, g and the weight are matrices, one row for each image or filter. */
export function coversImage(geometry: Geometry): boolean {
  const { batch, groups, height, width, outH, outW, kernel, padding } = geometry;
  const covers = kernel[0] * kernel[1] === height * width && padding[0] + padding[1] === 0;
  return covers && groups * outH * outW === 1 && batch > 0;
}
