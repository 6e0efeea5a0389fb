/** torch.nn.utils: gradients of many parameters at once, and parameters as one vector. */

import { noGrad } from '../autograd/mode.js';
import { float32 } from '../core/dtype.js';
import { DeviceError, ShapeError, showShape, ValueError } from '../core/errors.js';
import { scope } from '../core/memory.js';
import { tensor } from '../ops/creation.js';
import { cat, stack } from '../ops/joining.js';
import { op } from '../ops/signature.js';
import { isTensor, type Tensor } from '../tensor.js';

export * as rnn from './packed.js';
export * as parametrize from './parametrize.js';
export { parametrizations, removeWeightNorm, weightNorm } from './weight_norm.js';

type Parameters = Tensor | Iterable<Tensor>;

function listOf(parameters: Parameters): Tensor[] {
  return isTensor(parameters) ? [parameters] : [...parameters];
}

/** The gradients there are. Not read through `grad`: what users saw is not freed at once. */
function gradsOf(parameters: Parameters): Tensor[] {
  return listOf(parameters).flatMap(({ meta }) => meta?.grad?.detach() ?? []);
}

/**
 * Scales the gradients in place so that their common norm is at most `maxNorm`; returns the norm
 * they had, as a 0-d tensor. `normType` (default 2) is any order, Infinity for the largest element.
 * Reads nothing but with `errorIfNonfinite`, which throws ValueError before anything is scaled.
 */
export const clipGradNorm_ = op(
  'clipGradNorm_',
  'parameters, maxNorm, normType, errorIfNonfinite',
  (
    parameters: Parameters,
    maxNorm: number,
    normType: number | 'inf' | '-inf' = 2,
    errorIfNonfinite = false,
  ): Tensor =>
    scope(() =>
      noGrad(() => clipNorm(gradsOf(parameters), maxNorm, order(normType), errorIfNonfinite)),
    ),
);

const order = (type: number | 'inf' | '-inf'): number =>
  typeof type === 'number'
    ? type
    : type === 'inf'
      ? Number.POSITIVE_INFINITY
      : Number.NEGATIVE_INFINITY;

function clipNorm(grads: Tensor[], maxNorm: number, type: number, check: boolean): Tensor {
  if (typeof maxNorm !== 'number' || Number.isNaN(maxNorm)) {
    throw new ValueError(`clipGradNorm_: maxNorm is a number, got ${maxNorm}`);
  }
  if (grads.length === 0) return tensor(0, { dtype: float32 });
  const { device } = grads[0];
  const total = stack(grads.map((grad) => grad.norm(type).to(device))).norm(type);
  if (check) checkFinite(total, type);
  const scale = total.add(1e-6).reciprocal().mul(maxNorm).clampMax(1);
  for (const grad of grads) grad.mul_(scale.to(grad.device));
  return total;
}

function checkFinite(total: Tensor, type: number): void {
  if (!total.backend.synchronous) {
    throw new DeviceError(
      'clipGradNorm_: errorIfNonfinite would wait for the device; look at the norm it returns, ' +
        'with `await norm.item()`',
    );
  }
  if (Number.isFinite(total.itemSync())) return;
  throw new ValueError(
    `clipGradNorm_: the total norm of order ${type} of the gradients is ${total.itemSync()}, so ` +
      'they cannot be clipped; leave errorIfNonfinite out to scale them by it anyway',
  );
}

/** Holds every element of the gradients in place between -clipValue and clipValue. */
export const clipGradValue_ = op(
  'clipGradValue_',
  'parameters, clipValue',
  (parameters: Parameters, clipValue: number): void => {
    if (!(clipValue >= 0)) {
      throw new ValueError(`clipGradValue_: expected a clipValue of at least 0, got ${clipValue}`);
    }
    noGrad(() => {
      for (const grad of gradsOf(parameters)) grad.clamp_(-clipValue, clipValue);
    });
  },
);

/** All elements of all parameters, in order, as one vector. */
export const parametersToVector = (parameters: Iterable<Tensor>): Tensor =>
  cat([...parameters].map((parameter) => parameter.reshape([-1])));

/** Copies the elements of a vector back into the parameters, in order. */
export const vectorToParameters = (vector: Tensor, parameters: Iterable<Tensor>): void => {
  const list = [...parameters];
  const count = list.reduce((sum, parameter) => sum + parameter.numel(), 0);
  if (vector.ndim !== 1 || vector.numel() !== count) {
    throw new ShapeError(
      `vectorToParameters: expected a vector of ${count} elements, as many as the parameters ` +
        `have, got shape ${showShape(vector.shape)}`,
    );
  }
  noGrad(() => {
    let start = 0;
    for (const parameter of list) {
      const part = vector.detach().narrow(0, start, parameter.numel());
      parameter.detach().copy_(part.view(parameter.shape));
      start += parameter.numel();
    }
  });
};
