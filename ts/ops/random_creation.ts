/** New random tensors, and the default generator: functions of `torch` without a method. */

import { fillNormal, fillRandint, fillRandperm, fillUniform } from '../core/distributions.js';
import { type DataArray, type Dtype, getDefaultDtype, int32, uint8 } from '../core/dtype.js';
import { DtypeError, ValueError } from '../core/errors.js';
import { broadcastShapes, checkSizes, type Shape } from '../core/layout.js';
import { checkOptions, isOptions } from '../core/options.js';
import { defaultGenerator, Generator } from '../core/random.js';
import { deviceOf } from '../device/registry.js';
import { emptyTensor, stridesLike, type Tensor } from '../tensor.js';
import { tensor } from './creation.js';
import { isTensor } from './promote.js';
import { drawInto } from './random_fill.js';
import { expand } from './shape.js';
import { listOf } from './signature.js';
import type { TensorOptions } from './tensor_options.js';

export { defaultGenerator, Generator, manualSeed } from '../core/random.js';

/** Keyword arguments of functions that make a random tensor. */
export interface RandomOptions extends TensorOptions {
  /** Where the numbers come from; default: the generator that manualSeed() seeds. */
  generator?: Generator | null;
}

const OPTIONS = [
  'dtype',
  'device',
  'requiresGrad',
  'generator',
  'layout',
  'pinMemory',
  'memoryFormat',
];

type Draw = (
  out: DataArray,
  dtype: Dtype,
  generator: Generator | undefined,
  contiguous: boolean,
) => void;

/** A new tensor of drawn numbers, drawn in the order of memory. */
function make(
  shape: Shape,
  dtype: Dtype,
  options: RandomOptions,
  draw: Draw,
  strides?: readonly number[],
): Tensor {
  checkSizes(shape);
  const result = emptyTensor(shape, dtype, deviceOf(options.device ?? 'cpu'), strides);
  drawInto(result, (out, contiguous) =>
    draw(out, result.dtype, options.generator ?? undefined, contiguous),
  );
  return options.requiresGrad ? result.requiresGrad_() : result;
}

type Args = readonly unknown[];

/** The positional arguments and the options behind them. */
function withOptions(
  name: string,
  args: Args,
  more: readonly string[] = [],
): [Args, RandomOptions & Record<string, unknown>] {
  const last = args[args.length - 1];
  if (!isOptions(last)) return [args, {}];
  checkOptions(name, last, [...more, ...OPTIONS]);
  return [args.slice(0, -1), last];
}

type SizeArgs = (number | readonly number[] | (RandomOptions & { size?: readonly number[] }))[];

function sized(name: string, draw: Draw): (...args: SizeArgs) => Tensor {
  return (...args) => {
    const [sizes, options] = withOptions(name, args, ['size']);
    const shape = (options.size as Shape) ?? listOf(sizes as (number | readonly number[])[]);
    return make(shape, options.dtype ?? getDefaultDtype(), options, draw);
  };
}

const uniform: Draw = (out, dtype, generator) => fillUniform(out, dtype, 0, 1, generator);
const standardNormal: Draw = (out, dtype, generator, contiguous) =>
  fillNormal(out, dtype, 0, 1, generator, contiguous);

/** Uniform numbers of [0, 1): `rand(2, 3)` or `rand([2, 3], { dtype, generator })`. */
export const rand = sized('rand', uniform);

/** Standard normal numbers. */
export const randn = sized('randn', standardNormal);

/** Integers of [low, high): `randint(high, size)` or `randint(low, high, size)`; int32. */
export const randint = (
  ...args: (
    | number
    | readonly number[]
    | (RandomOptions & { low?: number; high?: number; size?: readonly number[] })
  )[]
): Tensor => {
  const [given, options] = withOptions('randint', args, ['low', 'high', 'size']);
  const numbers = given.filter((arg): arg is number => typeof arg === 'number');
  const size = (options.size ?? given.find((arg) => Array.isArray(arg))) as Shape | undefined;
  const [low, high] = bounds(numbers, options);
  if (size === undefined || high === undefined) {
    throw new ValueError('randint: expected randint(high, size) or randint(low, high, size)');
  }
  return make(size, options.dtype ?? int32, options, (out, dtype, generator) =>
    fillRandint(out, dtype, low, high, generator),
  );
};

/** Low and high from what was given by position and by name. */
function bounds(
  numbers: readonly number[],
  options: Record<string, unknown>,
): readonly [number, number | undefined] {
  const low = options.low as number | undefined;
  const high = options.high as number | undefined;
  if (numbers.length > 1) return [numbers[0], numbers[1]];
  if (numbers.length === 0) return [low ?? 0, high];
  return high === undefined ? [low ?? 0, numbers[0]] : [numbers[0], high];
}

/** 0 to n - 1 in random order; int32. */
export const randperm = (n: number, options: RandomOptions = {}): Tensor => {
  checkOptions('randperm', options, OPTIONS);
  if (!Number.isInteger(n) || n < 0)
    throw new ValueError(`randperm: n is an integer >= 0, got ${n}`);
  return make([n], options.dtype ?? int32, options, fillRandperm);
};

function like(name: string, draw: Draw) {
  return (input: Tensor, options: RandomOptions = {}): Tensor => {
    checkOptions(name, options, OPTIONS);
    const settings = { ...options, device: options.device ?? input.device };
    const strides = stridesLike(input, options.memoryFormat);
    return make(input.shape, options.dtype ?? input.dtype, settings, draw, strides);
  };
}

/** Uniform numbers of [0, 1) in the shape, dtype and device of a tensor. */
export const randLike = like('randLike', uniform);

/** Standard normal numbers in the shape, dtype and device of a tensor. */
export const randnLike = like('randnLike', standardNormal);

/** Integers of [low, high) like a tensor: `randintLike(x, high)`, `randintLike(x, low, high)`. */
export const randintLike = (
  input: Tensor,
  ...args: (number | (RandomOptions & { low?: number; high?: number }))[]
): Tensor => {
  const [given, options] = withOptions('randintLike', args, ['low', 'high']);
  const [low, high] = bounds(given as number[], options);
  if (high === undefined) throw new ValueError('randintLike: give high');
  const { low: _low, high: _high, ...rest } = options;
  return like('randintLike', (out, dtype, generator) =>
    fillRandint(out, dtype, low, high, generator),
  )(input, rest);
};

/**
 * Normal numbers: `normal(mean, std, size)` with numbers, or with a tensor for `mean`, `std` or
 * both, whose (broadcast) shape the result takes.
 */
export const normal = (
  ...args: (
    | number
    | Tensor
    | readonly number[]
    | (RandomOptions & { mean?: number | Tensor; std?: number | Tensor; size?: readonly number[] })
  )[]
): Tensor => {
  const [given, options] = withOptions('normal', args, ['mean', 'std', 'size']);
  const mean = (given[0] ?? options.mean ?? 0) as number | Tensor;
  const std = (given[1] ?? options.std ?? 1) as number | Tensor;
  const size = (given[2] ?? options.size) as Shape | undefined;
  if (!isTensor(mean) && !isTensor(std)) {
    if (size === undefined) throw new ValueError('normal: give a size, or mean or std as tensors');
    return make(size, options.dtype ?? getDefaultDtype(), options, (out, dtype, generator) =>
      fillNormal(out, dtype, mean, std, generator),
    );
  }
  const [a, b] = [mean, std].map((x) => (isTensor(x) ? x : undefined));
  const model = (a ?? b) as Tensor;
  const shape = broadcastShapes(a?.shape ?? [], b?.shape ?? [], 'normal');
  if (b?.backend.synchronous && b.detach().lt(0).any().itemSync()) {
    throw new ValueError('normal: all elements of std must be >= 0');
  }
  const scale = isTensor(std) ? 1 : std;
  const settings = { ...options, device: model.device, requiresGrad: false };
  const noise = make(shape, model.dtype, settings, (out, dtype, generator) =>
    fillNormal(out, dtype, 0, scale, generator),
  );
  const spread = b === undefined ? noise : noise.mul(expand(b.detach(), shape));
  return isTensor(mean) || mean !== 0 ? spread.add(isTensor(mean) ? mean.detach() : mean) : spread;
};

/** Seeds the default generator from the system's entropy; returns the seed. */
export const seed = (): number => defaultGenerator.seed();

/** The seed the default generator was started with. */
export const initialSeed = (): number | bigint => defaultGenerator.initialSeed();

declare module '../core/random.js' {
  interface Generator {
    /** The state as a tensor of 5056 bytes (uint8, CPU): the one PyTorch's generator has. */
    getState(): Tensor;
    /** Continues from a state of getState(), or from PyTorch's. Throws ValueError for others. */
    setState(state: Tensor | Uint8Array): this;
  }
}

Generator.prototype.getState = function (): Tensor {
  return tensor(this.stateBytes(), { dtype: uint8 });
};

Generator.prototype.setState = function (state: Tensor | Uint8Array): Generator {
  if (!isTensor(state)) return this.setStateBytes(state);
  if (state.dtype !== uint8) {
    throw new DtypeError(`setState: a state is a uint8 tensor, got ${state.dtype}`);
  }
  return this.setStateBytes(state.dataSync() as Uint8Array);
};

/** The state of the default generator: a tensor of 5056 bytes, as PyTorch's. */
export const getRngState = (): Tensor => defaultGenerator.getState();

/** Continues from a state of getRngState(), or of PyTorch's. */
export const setRngState = (state: Tensor | Uint8Array): void => {
  defaultGenerator.setState(state);
};
