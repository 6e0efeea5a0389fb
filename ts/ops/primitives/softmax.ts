/** Softmax and log-softmax of `[outer, n, inner]` over n, and their gradients. */

import { suffix } from '../../core/dtype.js';
import { ShapeError, showShape } from '../../core/errors.js';
import { sameShape } from '../../core/layout.js';
import type { Tensor } from '../../tensor.js';
import { kernel } from '../kernel.js';
import { type OutputSpec, outputsOf, primitive } from '../row.js';

/** Columns per unit of work where inner > 1. */
const COLUMNS = 32;
const params = { n: 'u32', inner: 'u32' } as const;
const forwardKernel = kernel({ dtypes: ['f32', 'f64'], buffers: ['x', 'out'], params });
const backwardKernel = kernel({ dtypes: ['f32', 'f64'], buffers: ['g', 'y', 'gx'], params });

function like(name: string, inputs: readonly Tensor[]): readonly OutputSpec[] {
  const [x] = inputs;
  let same = true;
  for (const t of inputs) same &&= sameShape(t.shape, x.shape);
  if (x.shape.length !== 3 || !same) {
    const shapes = inputs.map((t) => showShape(t.shape)).join(' and ');
    throw new ShapeError(`${name}: the kernel takes equal shapes [outer, n, inner], got ${shapes}`);
  }
  return outputsOf(x.dtype, x.shape);
}

function cut({ shape: [outer, n, inner] }: Tensor) {
  const range = inner === 1 ? outer : outer * Math.ceil(inner / COLUMNS);
  return { params: { n, inner }, range };
}

function forward(name: 'softmax' | 'logSoftmax') {
  return primitive<Record<never, never>>()({
    kernels: { [name]: forwardKernel },
    inputs: ['x'],
    dtypes: 'real',
    fixed: true,
    outputs: (inputs) => like(name, inputs),
    run(launcher, [x], [out]) {
      const { params, range } = cut(x);
      launcher.launch(name, forwardKernel, suffix(x.dtype), [x, out], params, range);
    },
  });
}

function backward(name: 'softmaxBackward' | 'logSoftmaxBackward') {
  return primitive<Record<never, never>>()({
    kernels: { [name]: backwardKernel },
    inputs: ['g', 'y'],
    dtypes: 'real',
    fixed: true,
    outputs: (inputs) => like(name, inputs),
    run(launcher, [g, y], [gx]) {
      const { params, range } = cut(g);
      launcher.launch(name, backwardKernel, suffix(g.dtype), [g, y, gx], params, range);
    },
  });
}

/** exp(x) / sum(exp(x)) over n; shape of x. */
export const softmax = forward('softmax');
/** x - log(sum(exp(x))) over n; shape of x. */
export const logSoftmax = forward('logSoftmax');
/** Gradient through y = softmax(x): y * (g - sum(g * y)). */
export const softmaxBackward = backward('softmaxBackward');
/** Gradient through y = logSoftmax(x): g - exp(y) * sum(g). */
export const logSoftmaxBackward = backward('logSoftmaxBackward');
