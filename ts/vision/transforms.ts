/** What is done to an image before it reaches the network. */

import { ShapeError, showShape, ValueError } from '../core/errors.js';
import { tensor } from '../ops/creation.js';
import type { Tensor } from '../tensor.js';

/** A function of one sample. */
export interface Transform<In = Tensor, Out = Tensor> {
  (x: In): Out;
  /** The same for a whole batch (one dimension more in front), where that can be done at once. */
  readonly batch?: (x: Tensor) => Tensor;
}

/** Makes a transform with or without `new`, as Python does: `ToTensor()`, `new ToTensor()`. */
export interface TransformFactory<Args extends unknown[]> {
  new (...args: Args): Transform;
  (...args: Args): Transform;
}

function factory<Args extends unknown[]>(
  make: (...args: Args) => Transform,
): TransformFactory<Args> {
  // biome-ignore lint/complexity/useArrowFunction: an arrow function cannot be called with `new`.
  const made = function (...args: Args): Transform {
    return make(...args);
  };
  return made as typeof made & TransformFactory<Args>;
}

function describe(transform: Transform, text: string): Transform {
  return Object.assign(transform, { toString: () => text });
}

/**
 * Image bytes to a float image: uint8 [H, W] or [H, W, C] in 0 ... 255 becomes float [C, H, W] in
 * 0 ... 1. Floats are only brought into that shape.
 */
export const ToTensor: TransformFactory<[]> = factory(() => {
  const scale = (x: Tensor) => (x.dtype.isFloatingPoint ? x : x.float().div(255));
  const one = (x: Tensor): Tensor => {
    if (x.ndim === 2) return scale(x.unsqueeze(0));
    if (x.ndim === 3) return scale(x.permute(2, 0, 1));
    throw new ShapeError(`ToTensor: expected [H, W] or [H, W, C], got ${showShape(x.shape)}`);
  };
  const batch = (x: Tensor) =>
    x.ndim === 3 ? scale(x.unsqueeze(1)) : scale(x.permute(0, 3, 1, 2));
  return describe(Object.assign(one, { batch }), 'ToTensor()');
});

/**
 * (x - mean) / std for each channel of float images [..., C, H, W]. One mean and one std may
 * serve all channels. Throws ValueError for a zero std.
 */
export const Normalize: TransformFactory<[mean: number | number[], std: number | number[]]> =
  factory((mean, std) => {
    const means = typeof mean === 'number' ? [mean] : mean;
    const stds = typeof std === 'number' ? [std] : std;
    if (stds.some((value) => value === 0)) {
      throw new ValueError(`Normalize: std [${stds}] has a zero; the division has no result`);
    }
    const spread = (values: number[], x: Tensor) =>
      values.length === 1
        ? values[0]
        : tensor(values, { dtype: x.dtype, device: x.device }).reshape([values.length, 1, 1]);
    const normalize = (x: Tensor): Tensor => {
      const channels = x.shape[x.ndim - 3];
      const fits = (values: number[]) => values.length === 1 || values.length === channels;
      if (x.ndim < 3 || !x.dtype.isFloatingPoint || !fits(means) || !fits(stds)) {
        throw new ShapeError(
          `Normalize: expected a float tensor [..., ${means.length}, H, W] for mean [${means}] ` +
            `and std [${stds}], got ${x.dtype} ${showShape(x.shape)}; apply ToTensor() first`,
        );
      }
      return x.sub(spread(means, x)).div(spread(stds, x));
    };
    const transform = Object.assign((x: Tensor) => normalize(x), { batch: normalize });
    return describe(transform, `Normalize(mean=[${means.join(', ')}], std=[${stds.join(', ')}])`);
  });

/** One transform after the other. Works on whole batches if all of them do. */
export const Compose: TransformFactory<[transforms: readonly Transform[]]> = factory(
  (transforms) => {
    const one = (x: Tensor): Tensor => transforms.reduce((value, next) => next(value), x);
    const text = `Compose(\n${transforms.map((t) => `    ${t}\n`).join('')})`;
    if (transforms.some((t) => t.batch === undefined)) return describe(one, text);
    const batch = (x: Tensor): Tensor =>
      transforms.reduce((value, next) => next.batch?.(value) ?? value, x);
    return describe(Object.assign(one, { batch }), text);
  },
);

/** A function of your own. It sees single samples, so it turns off work on whole batches. */
export const Lambda: TransformFactory<[f: (x: Tensor) => Tensor]> = factory((f) =>
  describe((x) => f(x), 'Lambda()'),
);
