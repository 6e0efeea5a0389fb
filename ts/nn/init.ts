/** torch.nn.init: filling tensors in place, outside autograd. PyTorch's numbers under a seed. */

import { noGrad } from '../autograd/mode.js';
import { ShapeError, showShape, ValueError } from '../core/errors.js';
import { numelOf } from '../core/layout.js';
import type { Generator } from '../core/random.js';
import { empty, emptyLike, tensor as makeTensor } from '../ops/creation.js';
import { randperm } from '../ops/random_creation.js';
import { op } from '../ops/signature.js';
import type { Tensor } from '../tensor.js';

export type Nonlinearity =
  | 'linear'
  | 'conv1d'
  | 'conv2d'
  | 'conv3d'
  | 'convTranspose1d'
  | 'convTranspose2d'
  | 'convTranspose3d'
  | 'sigmoid'
  | 'tanh'
  | 'relu'
  | 'leakyRelu'
  | 'selu'
  // As PyTorch spells them.
  | 'conv_transpose1d'
  | 'conv_transpose2d'
  | 'conv_transpose3d'
  | 'leaky_relu';

export type FanMode = 'fanIn' | 'fanOut' | 'fan_in' | 'fan_out';

type MaybeGenerator = Generator | null;

/** Runs `fill` on the tensor outside autograd, and returns the tensor. */
function filled(tensor: Tensor, fill: (target: Tensor) => void): Tensor {
  noGrad(() => {
    fill(tensor);
  });
  return tensor;
}

/** The standard deviation that keeps signals level behind a nonlinearity. */
export const calculateGain = op(
  'calculateGain',
  'nonlinearity, param',
  (nonlinearity: Nonlinearity, param: number | null = null): number => {
    const name = nonlinearity.replace('_', '').toLowerCase();
    if (/^(linear|sigmoid|conv(transpose)?[123]d)$/.test(name)) return 1;
    if (name === 'tanh') return 5 / 3;
    if (name === 'relu') return Math.sqrt(2);
    if (name === 'leakyrelu') return Math.sqrt(2 / (1 + (param ?? 0.01) ** 2));
    if (name === 'selu') return 0.75;
    throw new ValueError(`calculateGain: unknown nonlinearity '${String(nonlinearity)}'`);
  },
);

/** Uniform numbers of [a, b). */
export const uniform_ = op(
  'uniform_',
  'tensor, a, b, generator',
  (tensor: Tensor, a = 0, b = 1, generator: MaybeGenerator = null): Tensor =>
    filled(tensor, (t) => t.uniform_(a, b, generator)),
);

/** Normal numbers. */
export const normal_ = op(
  'normal_',
  'tensor, mean, std, generator',
  (tensor: Tensor, mean = 0, std = 1, generator: MaybeGenerator = null): Tensor =>
    filled(tensor, (t) => t.normal_(mean, std, generator)),
);

/** One value everywhere. */
export const constant_ = op(
  'constant_',
  'tensor, val',
  (tensor: Tensor, val: number): Tensor => filled(tensor, (t) => t.fill_(val)),
);

/** Ones. */
export const ones_ = (tensor: Tensor): Tensor => constant_(tensor, 1);
/** Zeros. */
export const zeros_ = (tensor: Tensor): Tensor => constant_(tensor, 0);

/** Ones on the diagonal of a matrix, zeros elsewhere. */
export const eye_ = (tensor: Tensor): Tensor => {
  if (tensor.ndim !== 2) {
    throw new ShapeError(`eye_: expected a matrix, got shape ${showShape(tensor.shape)}`);
  }
  return filled(tensor, (t) => t.zero_().fillDiagonal_(1));
};

/** A convolution weight that passes channels on unchanged, for each of `groups`. */
export const dirac_ = op('dirac_', 'tensor, groups', (tensor: Tensor, groups = 1): Tensor => {
  if (tensor.ndim < 3 || tensor.ndim > 5) {
    throw new ShapeError(
      `dirac_: expected a convolution weight of 3 to 5 dimensions, got ${showShape(tensor.shape)}`,
    );
  }
  const [out, channels, ...sizes] = tensor.shape;
  if (out % groups !== 0) {
    throw new ShapeError(`dirac_: ${out} filters do not divide into ${groups} groups`);
  }
  const perGroup = out / groups;
  return filled(tensor, (t) => {
    t.zero_();
    const centre = sizes.map((size) => Math.floor(size / 2));
    for (let group = 0; group < groups; group++) {
      for (let d = 0; d < Math.min(perGroup, channels); d++) {
        t.setAt([group * perGroup + d, d, ...centre], 1);
      }
    }
  });
});

/** Numbers of inputs and outputs that meet in one element. */
function fans(name: string, tensor: Tensor): { fanIn: number; fanOut: number } {
  if (tensor.ndim < 2) {
    throw new ShapeError(
      `${name}: fan in and fan out need at least 2 dimensions, got ${showShape(tensor.shape)}`,
    );
  }
  const field = numelOf(tensor.shape.slice(2));
  return { fanIn: tensor.shape[1] * field, fanOut: tensor.shape[0] * field };
}

/** Uniform in +-gain sqrt(6 / (fanIn + fanOut)). */
export const xavierUniform_ = op(
  'xavierUniform_',
  'tensor, gain, generator',
  (tensor: Tensor, gain = 1, generator: MaybeGenerator = null): Tensor => {
    const { fanIn, fanOut } = fans('xavierUniform_', tensor);
    const bound = Math.sqrt(3) * gain * Math.sqrt(2 / (fanIn + fanOut));
    return uniform_(tensor, -bound, bound, generator);
  },
);

/** Normal with standard deviation gain sqrt(2 / (fanIn + fanOut)). */
export const xavierNormal_ = op(
  'xavierNormal_',
  'tensor, gain, generator',
  (tensor: Tensor, gain = 1, generator: MaybeGenerator = null): Tensor => {
    const { fanIn, fanOut } = fans('xavierNormal_', tensor);
    return normal_(tensor, 0, gain * Math.sqrt(2 / (fanIn + fanOut)), generator);
  },
);

function kaimingStd(
  name: string,
  tensor: Tensor,
  a: number,
  mode: FanMode,
  nonlinearity: Nonlinearity,
): number {
  const { fanIn, fanOut } = fans(name, tensor);
  const side = mode.replace('_', '').toLowerCase();
  if (side !== 'fanin' && side !== 'fanout') {
    throw new ValueError(`${name}: mode is 'fanIn' or 'fanOut', got '${String(mode)}'`);
  }
  return calculateGain(nonlinearity, a) / Math.sqrt(side === 'fanin' ? fanIn : fanOut);
}

/** Uniform in +-gain sqrt(3 / fan). */
export const kaimingUniform_ = op(
  'kaimingUniform_',
  'tensor, a, mode, nonlinearity, generator',
  (
    tensor: Tensor,
    a = 0,
    mode: FanMode = 'fanIn',
    nonlinearity: Nonlinearity = 'leakyRelu',
    generator: MaybeGenerator = null,
  ): Tensor => {
    if (tensor.shape.includes(0)) return tensor;
    const std = kaimingStd('kaimingUniform_', tensor, a, mode, nonlinearity);
    const bound = Math.sqrt(3) * std;
    return uniform_(tensor, -bound, bound, generator);
  },
);

/** Normal with standard deviation gain / sqrt(fan). */
export const kaimingNormal_ = op(
  'kaimingNormal_',
  'tensor, a, mode, nonlinearity, generator',
  (
    tensor: Tensor,
    a = 0,
    mode: FanMode = 'fanIn',
    nonlinearity: Nonlinearity = 'leakyRelu',
    generator: MaybeGenerator = null,
  ): Tensor => {
    if (tensor.shape.includes(0)) return tensor;
    const std = kaimingStd('kaimingNormal_', tensor, a, mode, nonlinearity);
    return normal_(tensor, 0, std, generator);
  },
);

/** erf to double precision: Taylor's series near 0, a continued fraction beyond. */
function erf(x: number): number {
  const size = Math.abs(x);
  if (size > 6) return Math.sign(x);
  if (size < 3) {
    let [term, sum] = [size, size];
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum) && n < 200; n++) {
      term *= (-size * size) / n;
      sum += term / (2 * n + 1);
    }
    return Math.sign(x) * sum * (2 / Math.sqrt(Math.PI));
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (size + fraction);
  return Math.sign(x) * (1 - Math.exp(-size * size) / (Math.sqrt(Math.PI) * (size + fraction)));
}

/** The inverse of erf: Winitzki's approximation, then three steps of Newton. */
function erfinv(y: number): number {
  if (y <= -1 || y >= 1) return y * Number.POSITIVE_INFINITY;
  const w = Math.log(1 - y * y);
  const t = 2 / (Math.PI * 0.147) + w / 2;
  let x = Math.sign(y) * Math.sqrt(Math.sqrt(t * t - w / 0.147) - t);
  for (let step = 0; step < 3; step++) {
    x -= (erf(x) - y) / ((2 / Math.sqrt(Math.PI)) * Math.exp(-x * x));
  }
  return x;
}

/** Normal numbers, those outside of [a, b] drawn anew (by inverting the distribution). */
export const truncNormal_ = op(
  'truncNormal_',
  'tensor, mean, std, a, b, generator',
  (tensor: Tensor, mean = 0, std = 1, a = -2, b = 2, generator: MaybeGenerator = null): Tensor => {
    const below = (x: number) => (1 + erf(x / Math.SQRT2)) / 2;
    const low = below((a - mean) / std);
    const high = below((b - mean) / std);
    return filled(tensor, (t) => {
      const drawn = t.backend.synchronous ? t : emptyLike(t, { device: 'cpu' });
      drawn.uniform_(2 * low - 1, 2 * high - 1, generator);
      const values = Float64Array.from(drawn.dataSync() as Float32Array, erfinv);
      const normal = makeTensor(values, { dtype: t.dtype, device: t.device }).view(t.shape);
      t.copy_(normal)
        .mul_(std * Math.SQRT2)
        .add_(mean)
        .clamp_(a, b);
    });
  },
);

/** Orthonormal columns that span those of `a` [rows, columns], rows >= columns: Gram-Schmidt. */
function orthonormal(a: Float64Array, rows: number, columns: number): void {
  const dot = (p: number, q: number) => {
    let sum = 0;
    for (let i = 0; i < rows; i++) sum += a[i * columns + p] * a[i * columns + q];
    return sum;
  };
  for (let column = 0; column < columns; column++) {
    // A second pass takes out what rounding left of the first.
    for (let pass = 0; pass < 2; pass++) {
      for (let before = 0; before < column; before++) {
        const part = dot(before, column);
        for (let i = 0; i < rows; i++) a[i * columns + column] -= part * a[i * columns + before];
      }
    }
    const norm = Math.sqrt(dot(column, column));
    for (let i = 0; i < rows; i++) a[i * columns + column] /= norm;
  }
}

/** A (half) orthogonal matrix times `gain`; dimensions after the first count as one. */
export const orthogonal_ = op(
  'orthogonal_',
  'tensor, gain, generator',
  (tensor: Tensor, gain = 1, generator: MaybeGenerator = null): Tensor => {
    if (tensor.ndim < 2) {
      throw new ShapeError(
        `orthogonal_: expected at least 2 dimensions, got shape ${showShape(tensor.shape)}`,
      );
    }
    if (tensor.numel() === 0) return tensor;
    const rows = tensor.shape[0];
    const columns = tensor.numel() / rows;
    return filled(tensor, (t) => {
      const drawn = empty(rows, columns, { dtype: t.dtype }).normal_(0, 1, generator);
      const upright = rows < columns ? drawn.t() : drawn;
      const values = Float64Array.from(upright.dataSync() as Float32Array);
      orthonormal(values, Math.max(rows, columns), Math.min(rows, columns));
      const { dtype, device } = t;
      const made = makeTensor(values, { dtype, device }).view(upright.shape);
      t.copy_((rows < columns ? made.t() : made).reshape(t.shape)).mul_(gain);
    });
  },
);

/** Normal numbers with a fraction `sparsity` of each column set to 0. */
export const sparse_ = op(
  'sparse_',
  'tensor, sparsity, std, generator',
  (tensor: Tensor, sparsity: number, std = 0.01, generator: MaybeGenerator = null): Tensor => {
    if (tensor.ndim !== 2) {
      throw new ShapeError(`sparse_: expected a matrix, got shape ${showShape(tensor.shape)}`);
    }
    const [rows, columns] = tensor.shape;
    const zeros = Math.ceil(sparsity * rows);
    return filled(tensor, (t) => {
      t.normal_(0, std, generator);
      for (let column = 0; column < columns; column++) {
        if (zeros === 0) continue;
        const order = randperm(rows, { device: t.device, generator });
        t.select(1, column).indexFill_(0, order.narrow(0, 0, zeros), 0);
      }
    });
  },
);
