/** torch.nn.utils: gradients of many parameters at once, and parameters as one vector. */

import { noGrad } from '../autograd/mode.js';
import { ShapeError, showShape, ValueError } from '../core/errors.js';
import { tensor } from '../ops/creation.js';
import { cat, stack } from '../ops/joining.js';
import { op } from '../ops/signature.js';
import type { Tensor } from '../tensor.js';

export * as parametrize from './parametrize.js';
export { parametrizations, removeWeightNorm, weightNorm } from './weight_norm.js';

type Parameters = Tensor | Iterable<Tensor>;

function listOf(parameters: Parameters): Tensor[] {
  return Symbol.iterator in parameters ? [...(parameters as Iterable<Tensor>)] : [parameters];
}

/** The gradients there are. Not read through `grad`: what users saw is not freed at once. */
function gradsOf(parameters: Parameters): Tensor[] {
  return listOf(parameters).flatMap(({ meta }) => meta?.grad?.detach() ?? []);
}

/**
 * Scales the gradients in place so that their common norm is at most `maxNorm`; returns the norm
 * they had, as a 0-d tensor.
 */
export const clipGradNorm_ = op(
  'clipGradNorm_',
  'parameters, maxNorm, normType, errorIfNonfinite',
  (parameters: Parameters, maxNorm: number, normType = 2, errorIfNonfinite = false): Tensor =>
    noGrad(() => {
      const grads = gradsOf(parameters);
      if (grads.length === 0) return tensor(0, { dtype: null }).float();
      const norms = stack(grads.map((grad) => grad.norm(normType)));
      const total = norms.norm(normType);
      if (errorIfNonfinite && !Number.isFinite(total.itemSync())) {
        throw new ValueError(
          `clipGradNorm_: the norm of the gradients is ${total.itemSync()}; they cannot be scaled`,
        );
      }
      const scale = total.add(1e-6).reciprocal().mul(maxNorm).clampMax(1);
      for (const grad of grads) grad.mul_(scale);
      return total;
    }),
);

/** Holds every element of the gradients in place between -clipValue and clipValue. */
export const clipGradValue_ = op(
  'clipGradValue_',
  'parameters, clipValue',
  (parameters: Parameters, clipValue: number): void => {
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
