/** Sampling as methods of tensors: in place, and from probabilities. PyTorch's numbers. */

import {
  fillCauchy,
  fillExponential,
  fillGeometric,
  fillLogNormal,
  fillNormal,
  fillRandint,
  fillRandom,
  fillUniform,
} from '../core/distributions.js';
import {
  type DataArray,
  type Dtype,
  encodeElement,
  float32,
  float64,
  int32,
} from '../core/dtype.js';
import { DeviceError, DtypeError, ShapeError, showShape, ValueError } from '../core/errors.js';
import { scope } from '../core/memory.js';
import { checkSamples, checkWeights, sampleByInversion } from '../core/multinomial.js';
import { samplePoisson } from '../core/poisson.js';
import type { Generator } from '../core/random.js';
import { emptyTensor, type Tensor } from '../tensor.js';
import { to } from './convert.js';
import { copyInto } from './launch.js';
import { recordLinear } from './linear_node.js';
import { overwrite } from './overwrite.js';
import { isTensor } from './promote.js';
import { drawBernoulli, drawInto, memoryOrder, sampleThere } from './random_fill.js';
import { expand } from './shape.js';
import { op } from './signature.js';

type MaybeGenerator = Generator | null;

/** Fills the tensor in place by one of the distributions. */
function drawn(
  name: string,
  input: Tensor,
  draw: (out: DataArray, dtype: Dtype, contiguous: boolean) => void,
): Tensor {
  return overwrite(name, input, () => {
    drawInto(input, (out, contiguous) => draw(out, input.dtype, contiguous));
  });
}

/** Fills with uniform numbers of [from, to). */
export const uniform_ = op(
  'uniform_',
  'input, from, to, generator',
  (input: Tensor, from = 0, end = 1, generator: MaybeGenerator = null): Tensor =>
    drawn('uniform_', input, (out, dtype) =>
      fillUniform(out, dtype, from, end, generator ?? undefined),
    ),
);

/** Fills with normal numbers. */
export const normal_ = op(
  'normal_',
  'input, mean, std, generator',
  (input: Tensor, mean = 0, std = 1, generator: MaybeGenerator = null): Tensor =>
    drawn('normal_', input, (out, dtype, contiguous) =>
      fillNormal(out, dtype, mean, std, generator ?? undefined, contiguous),
    ),
);

/** Fills with exponential numbers of rate `lambd`. */
export const exponential_ = op(
  'exponential_',
  'input, lambd, generator',
  (input: Tensor, lambd = 1, generator: MaybeGenerator = null): Tensor =>
    drawn('exponential_', input, (out, dtype) =>
      fillExponential(out, dtype, lambd, generator ?? undefined),
    ),
);

/** Fills with numbers of trials up to the first success of probability `p`. */
export const geometric_ = op(
  'geometric_',
  'input, p, generator',
  (input: Tensor, p: number, generator: MaybeGenerator = null): Tensor =>
    drawn('geometric_', input, (out, dtype) =>
      fillGeometric(out, dtype, p, generator ?? undefined),
    ),
);

/** Fills with Cauchy numbers. */
export const cauchy_ = op(
  'cauchy_',
  'input, median, sigma, generator',
  (input: Tensor, median = 0, sigma = 1, generator: MaybeGenerator = null): Tensor =>
    drawn('cauchy_', input, (out, dtype) =>
      fillCauchy(out, dtype, median, sigma, generator ?? undefined),
    ),
);

/** Fills with exponentials of normal numbers of this mean and standard deviation. */
export const logNormal_ = op(
  'logNormal_',
  'input, mean, std, generator',
  (input: Tensor, mean = 1, std = 2, generator: MaybeGenerator = null): Tensor =>
    drawn('logNormal_', input, (out, dtype) =>
      fillLogNormal(out, dtype, mean, std, generator ?? undefined),
    ),
);

/**
 * Fills with integers of [from, to): `random_(to)`, `random_(from, to)`; without bounds up to the
 * largest the dtype holds exactly.
 */
export const random_ = op(
  'random_',
  'input, from, to, generator',
  (
    input: Tensor,
    from: number | null = null,
    end: number | null = null,
    generator: MaybeGenerator = null,
  ): Tensor => {
    const source = generator ?? undefined;
    if (from === null && end === null) {
      return drawn('random_', input, (out, dtype) => fillRandom(out, dtype, source));
    }
    const low = end === null ? 0 : (from ?? 0);
    const high = end ?? (from as number);
    return drawn('random_', input, (out, dtype) => fillRandint(out, dtype, low, high, source));
  },
);

/**
 * Draws ones with the probability `p` into `target`, or with those of a tensor that broadcasts: a
 * uniform number for each element, of 53 bits, or of 24 for tensors that are not float64. Tensors
 * are compared where they are.
 */
function drawOnes(
  target: Tensor,
  p: number | Tensor,
  order: readonly number[],
  generator: MaybeGenerator,
): void {
  if (!isTensor(p)) {
    drawBernoulli(target, p, order, generator ?? undefined);
    return;
  }
  const dtype = p.dtype === float64 ? float64 : float32;
  const probabilities = expand(to(p.detach(), dtype), target.shape);
  if (p.backend.synchronous && !probabilities.sub(0.5).abs().le(0.5).all().itemSync()) {
    throw new ValueError('bernoulli: expected probabilities with 0 <= p <= 1');
  }
  const noise = emptyTensor(target.shape, dtype, target.backend);
  drawInto(noise, (out) => fillUniform(out, dtype, 0, 1, generator ?? undefined), order);
  const chosen = noise.lt(probabilities);
  copyInto(target, chosen);
  noise.dispose();
  chosen.dispose();
}

/** Fills with ones of probability `p`, a number or a tensor that broadcasts; else zeros. */
export const bernoulli_ = op(
  'bernoulli_',
  'input, p, generator',
  (input: Tensor, p: number | Tensor = 0.5, generator: MaybeGenerator = null): Tensor => {
    const order = memoryOrder(input);
    return overwrite('bernoulli_', input, () => drawOnes(input, p, order, generator));
  },
);

/** Ones with the probabilities in `input` (or `p` for all), else zeros; no gradient flows. */
export const bernoulli = op(
  'bernoulli',
  'input, p, generator',
  (input: Tensor, p: number | null = null, generator: MaybeGenerator = null): Tensor => {
    input.assertLive('bernoulli');
    if (!input.dtype.isFloatingPoint && p === null) {
      throw new DtypeError(`bernoulli: probabilities are floating point, got ${input.dtype}`);
    }
    const result = emptyTensor(input.shape, input.dtype, input.backend);
    const order = input.shape.map((_, d) => d);
    drawOnes(result, p ?? input, order, generator);
    return recordLinear('BernoulliBackward0', [input], result, (g) => g.zerosLike());
  },
);

function encodeInto(out: DataArray, dtype: Dtype, values: Float64Array): void {
  for (let i = 0; i < out.length; i++) out[i] = encodeElement(dtype, values[i]);
}

/** Poisson counts with the rates in `input`; no gradient flows. */
export const poisson = op(
  'poisson',
  'input, generator',
  (input: Tensor, generator: MaybeGenerator = null): Tensor => {
    if (!input.dtype.isFloatingPoint) {
      throw new DtypeError(`poisson: rates are floating point, got ${input.dtype}`);
    }
    if (!input.backend.synchronous) {
      throw new DeviceError(
        'poisson: the rates say how many numbers are drawn, and cannot be read at once on ' +
          `'${input.device}'; use torch.poisson(await rates.cpu())`,
      );
    }
    const result = emptyTensor(input.shape, input.dtype, input.backend);
    const rates = to(input.detach(), float64).dataSync() as Float64Array;
    for (const rate of rates) {
      if (!(rate >= 0)) throw new ValueError(`poisson: rates are not negative, got ${rate}`);
    }
    const counts = samplePoisson(rates, generator ?? undefined);
    drawInto(
      result,
      (out) => encodeInto(out, input.dtype, counts),
      input.shape.map((_, d) => d),
    );
    return recordLinear('PoissonBackward0', [input], result, (g) => g.zerosLike());
  },
);

/** Whether all weights are finite and not negative, and some of every row are not zero. */
function drawable(weights: Tensor): boolean {
  return scope(() => {
    const most = weights.amax(-1);
    const numbers = [weights.amin(), most.amin(), most.amax()].map((x) => x.itemSync());
    const [least, leastOfRows, greatest] = numbers;
    return least >= 0 && leastOfRows > 0 && greatest < Number.POSITIVE_INFINITY;
  });
}

/**
 * `numSamples` category numbers per row (int32) with probabilities proportional to the weights in
 * `input`, a vector or the rows of a matrix.
 */
export const multinomial = op(
  'multinomial',
  'input, numSamples, replacement, generator',
  (
    input: Tensor,
    numSamples: number,
    replacement = false,
    generator: MaybeGenerator = null,
  ): Tensor => {
    if (input.ndim < 1 || input.ndim > 2) {
      throw new ShapeError(
        `multinomial: weights are a vector or a matrix, got shape ${showShape(input.shape)}`,
      );
    }
    if (!input.dtype.isFloatingPoint) {
      throw new DtypeError(`multinomial: weights are floating point, got ${input.dtype}`);
    }
    const weights = to(input.detach(), input.dtype === float64 ? float64 : float32);
    const rows = input.ndim === 2 ? input.shape[0] : 1;
    const categories = input.shape[input.ndim - 1];
    checkSamples(numSamples, categories, replacement);
    const task = { rows, categories, samples: numSamples };
    if (input.backend.synchronous && weights.numel() > 0 && !drawable(weights)) {
      checkWeights({ ...task, weights: weights.dataSync() as Float32Array });
    }
    if (!input.backend.synchronous || !replacement) {
      return sampleThere(weights, numSamples, replacement, generator ?? undefined);
    }
    const shape = input.ndim === 2 ? [rows, numSamples] : [numSamples];
    const chosen = new Int32Array(rows * numSamples);
    const values = weights.dataSync() as Float32Array;
    sampleByInversion(chosen, { ...task, weights: values }, generator ?? undefined);
    const result = emptyTensor(shape, int32, input.backend);
    drawInto(result, (out) => (out as Int32Array).set(chosen));
    return result;
  },
);
