/** Two-dimensional convolution and its gradients. */

import { ShapeError, showShape } from '../../core/errors.js';
import { batchedForm, sized, turnedForm } from '../../core/layout.js';
import type { Tensor } from '../../tensor.js';
import { outputsOf, primitive } from '../row.js';
import { depthwise, isDepthwise } from './conv_depth.js';
import {
  type ConvAttributes,
  type ConvInputGradAttributes,
  type ConvWeightGradAttributes,
  checkGradient,
  coversImage,
  depthOf,
  type Geometry,
  geometryOf,
} from './conv_geometry.js';
import { correlate, isNear, scatter, scatterNear, scatters, turn, turns } from './conv_input.js';
import {
  convFlip,
  convPad,
  depthKernel,
  mergeKernel,
  productKernel,
  scatterKernel,
  turnedKernel,
  weightsKernel,
} from './conv_kernels.js';
import { convolve, zeroFill } from './conv_launch.js';
import { weightGradient } from './conv_weight.js';
import { matmulKernel, matmulPack, multiply } from './matmul.js';

/** The matrices of a convolution whose kernel covers the image: rows for images of x and g, for filters of w. */
function matrices(geometry: Geometry) {
  const { batch, filters } = geometry;
  const depth = depthOf(geometry);
  return { x: sized(batch, depth), w: sized(filters, depth), g: sized(batch, filters) };
}

/** Convolution of [N, C, H, W] with a weight [O, C / groups, kh, kw], and a bias [O] or none. */
export const conv2d = primitive<ConvAttributes>()({
  kernels: {
    convPad,
    convDepth: depthKernel,
    convProduct: productKernel,
    matmulPack,
    matmul: matmulKernel,
  },
  inputs: ['x', 'weight', 'bias?'],
  dtypes: 'real',
  fixed: true,
  outputs([x, weight, bias], attributes) {
    const { batch, groups, filters, outH, outW } = geometryOf(
      'conv2d',
      x.shape,
      weight.shape,
      attributes,
    );
    const all = groups * filters;
    if (bias && (bias.shape.length !== 1 || bias.shape[0] !== all)) {
      throw new ShapeError(
        `conv2d: expected a bias [${all}] for weight ${showShape(weight.shape)}, got ` +
          showShape(bias.shape),
      );
    }
    return outputsOf(x.dtype, sized(batch, all, outH, outW).shape);
  },
  run(launcher, [x, weight, bias], [out], attributes) {
    const geometry = geometryOf('conv2d', x.shape, weight.shape, attributes);
    if (coversImage(geometry)) {
      const { x: images, w } = matrices(geometry);
      const [a, b] = [batchedForm(images).geometry, turnedForm(w).geometry];
      multiply(launcher, x, a, weight, b, bias, out);
    } else if (isDepthwise(geometry, x)) {
      depthwise(launcher, undefined, x, weight, bias, out, geometry);
    } else convolve(launcher, x, weight, bias, out, geometry);
  },
});

function inputShape(g: Tensor, weight: Tensor, attributes: ConvInputGradAttributes): number[] {
  return [g.shape[0], weight.shape[1] * attributes.groups, ...attributes.inputSize];
}

/** Gradient of conv2d for its input, from its output; also the transposed convolution. */
export const conv2dInputGrad = primitive<ConvInputGradAttributes>()({
  kernels: {
    convPad,
    convDepth: depthKernel,
    convFlip,
    convProduct: productKernel,
    convScatter: scatterKernel,
    convTurned: turnedKernel,
    matmulPack,
    matmul: matmulKernel,
  },
  inputs: ['g', 'weight'],
  dtypes: 'real',
  fixed: true,
  outputs([g, weight], attributes) {
    const shape = inputShape(g, weight, attributes);
    const geometry = geometryOf('conv2dInputGrad', shape, weight.shape, attributes);
    checkGradient('conv2dInputGrad', g, geometry);
    return [{ shape, dtype: g.dtype }];
  },
  run(launcher, [g, weight], [out], attributes) {
    const geometry = geometryOf('conv2dInputGrad', out.shape, weight.shape, attributes);
    if (coversImage(geometry)) {
      const { g: rows, w } = matrices(geometry);
      const [a, b] = [batchedForm(rows).geometry, batchedForm(w).geometry];
      multiply(launcher, g, a, weight, b, undefined, out);
    } else if (isDepthwise(geometry, g, true)) {
      depthwise(launcher, 'input', g, weight, undefined, out, geometry);
    } else if (turns(geometry)) turn(launcher, g, weight, out, geometry);
    else if (g.dtype.name === 'float32' && isNear(geometry)) {
      scatterNear(launcher, g, weight, out, geometry);
    } else if (scatters(geometry)) scatter(launcher, g, weight, out, geometry);
    else correlate(launcher, g, weight, out, geometry);
  },
});

function weightShape(x: Tensor, g: Tensor, attributes: ConvWeightGradAttributes): number[] {
  const { groups, kernelSize } = attributes;
  const channels = x.shape[1] / groups;
  if (!Number.isInteger(channels)) {
    throw new ShapeError(
      `conv2dWeightGrad: the channels of ${showShape(x.shape)} do not divide into ${groups} groups`,
    );
  }
  return [g.shape[1], channels, ...kernelSize];
}

/** Gradient of conv2d for its weight, from its input and the gradient of its output. */
export const conv2dWeightGrad = primitive<ConvWeightGradAttributes>()({
  kernels: {
    convPad,
    convDepth: depthKernel,
    convWeights: weightsKernel,
    convMerge: mergeKernel,
    matmulPack,
    matmul: matmulKernel,
  },
  inputs: ['x', 'g'],
  dtypes: 'real',
  fixed: true,
  outputs([x, g], attributes) {
    const shape = weightShape(x, g, attributes);
    const geometry = geometryOf('conv2dWeightGrad', x.shape, shape, attributes);
    checkGradient('conv2dWeightGrad', g, geometry);
    return [{ shape, dtype: x.dtype }];
  },
  run(launcher, [x, g], [out], attributes) {
    const geometry = geometryOf('conv2dWeightGrad', x.shape, out.shape, attributes);
    if (geometry.batch === 0) zeroFill(launcher, out);
    else if (coversImage(geometry)) {
      const { x: images, g: rows } = matrices(geometry);
      const [a, b] = [turnedForm(rows).geometry, batchedForm(images).geometry];
      multiply(launcher, g, a, x, b, undefined, out);
    } else if (isDepthwise(geometry, x)) {
      depthwise(launcher, 'weight', x, g, undefined, out, geometry);
    } else weightGradient(launcher, x, g, out, geometry);
  },
});
