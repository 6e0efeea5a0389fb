/** New tensors of random numbers, and the state of the generator. */

import { fillRandperm } from '../core/distributions.js';
import { getDefaultDtype, int32, int64, uint8 } from '../core/dtype.js';
import { DtypeError, ValueError } from '../core/errors.js';
import { broadcastShapes } from '../core/layout.js';
import { defaultGenerator, Generator, manualSeed } from '../core/random.js';
import type { Tensor } from '../tensor.js';
import { empty, emptyLike, type TensorOptions, tensor } from './creation.js';
import { isTensor } from './promote.js';
import { normal_, random_, uniform_ } from './random.js';
import { checkOptions, isOptions, listOf } from './signature.js';

export { defaultGenerator, Generator, manualSeed };

/** Options of the functions that make random tensors. */
export interface RandomOptions extends TensorOptions {
  /** Where the numbers come from; default: the generator that manualSeed() seeds. */
  generator?: Generator | null;
}

type Sizes = (number | readonly number[] | RandomOptions)[];

const OPTIONS = ['dtype', 'device', 'requiresGrad', 'generator', 'layout', 'pinMemory'];

/** Takes the options off the end of an argument list. */
function parse<Arg>(
  name: string,
  args: readonly Arg[],
  names: readonly string[],
): { rest: Arg[]; options: RandomOptions & Named } {
  const last = args[args.length - 1];
  if (!isOptions(last)) return { rest: [...args], options: {} };
  checkOptions(name, last, [...names, ...OPTIONS]);
  return { rest: args.slice(0, -1), options: last as RandomOptions & Named };
}

/** Arguments that may also be given by name. */
interface Named {
  size?: readonly number[];
  low?: number | bigint;
  high?: number | bigint;
  mean?: number | Tensor;
  std?: number | Tensor;
}

/** An unset tensor, to be filled before it asks for gradients. */
function make(shape: readonly number[], { dtype, device }: TensorOptions): Tensor {
  return empty(shape, { dtype: dtype ?? getDefaultDtype(), device: device ?? 'cpu' });
}

function finish(result: Tensor, options: RandomOptions): Tensor {
  return options.requiresGrad ? result.requiresGrad_() : result;
}

function sized(name: string, fill: (out: Tensor, generator: Generator | null) => Tensor) {
  return (...args: Sizes): Tensor => {
    const { rest, options } = parse(name, args, ['size']);
    const shape = options.size ?? listOf(rest as (number | readonly number[])[]);
    const out = make(shape, options);
    return finish(fill(out, options.generator ?? null), options);
  };
}

/** Uniform numbers of [0, 1) in a shape: `rand(2, 3)` or `rand([2, 3], { generator })`. */
export const rand = sized('rand', (out, generator) => uniform_(out, 0, 1, generator));

/** Standard normal numbers in a shape. */
export const randn = sized('randn', (out, generator) => normal_(out, 0, 1, generator));

function alike(name: string, fill: (out: Tensor, generator: Generator | null) => Tensor) {
  return (input: Tensor, options: RandomOptions = {}): Tensor => {
    checkOptions(name, options, OPTIONS);
    const { dtype, device, generator = null } = options;
    const out = emptyLike(input, { dtype: dtype ?? input.dtype, device: device ?? input.device });
    return finish(fill(out, generator), options);
  };
}

/** Uniform numbers of [0, 1), or standard normal ones, like another tensor. */
export const randLike = alike('randLike', (out, generator) => uniform_(out, 0, 1, generator));
export const randnLike = alike('randnLike', (out, generator) => normal_(out, 0, 1, generator));

/** The bounds of an argument list, and whether the dtype holds them. */
function bounds(
  name: string,
  numbers: readonly (number | bigint)[],
  options: RandomOptions & Named,
): [number | bigint, number | bigint] {
  const [first, second] = numbers;
  const high = options.high ?? (numbers.length > 1 ? second : first);
  const low = options.low ?? (numbers.length > 1 || options.high !== undefined ? first : 0) ?? 0;
  if (high === undefined) throw new ValueError(`${name}: give the bound \`high\``);
  if ((options.dtype ?? int32) === int32 && (high > 2 ** 31 || low < -(2 ** 31))) {
    throw new ValueError(
      `${name}: the bounds ${low} and ${high} do not fit int32; pass { dtype: torch.int64 }`,
    );
  }
  return [low, high];
}

/** Whole numbers of [low, high): `randint(high, size)` or `randint(low, high, size)`; int32. */
export const randint = (
  ...args: (number | bigint | readonly number[] | (RandomOptions & Named))[]
): Tensor => {
  const { rest, options } = parse('randint', args, ['low', 'high', 'size']);
  const lists = rest.filter(Array.isArray) as readonly number[][];
  const numbers = rest.filter((arg) => !Array.isArray(arg)) as (number | bigint)[];
  const shape = options.size ?? lists[0];
  if (shape === undefined) throw new ValueError('randint: give the size: randint(0, 10, [2, 3])');
  const [low, high] = bounds('randint', numbers, options);
  const out = make(shape, { ...options, dtype: options.dtype ?? int32 });
  return finish(random_(out, low, high, options.generator ?? null), options);
};

/** Whole numbers of [low, high) like another tensor. */
export const randintLike = (
  input: Tensor,
  ...args: (number | bigint | (RandomOptions & Named))[]
): Tensor => {
  const { rest, options } = parse('randintLike', args, ['low', 'high']);
  const dtype = options.dtype ?? input.dtype;
  const [low, high] = bounds('randintLike', rest as number[], { ...options, dtype });
  const device = options.device ?? input.device;
  const out = make(input.shape, { ...options, dtype, device });
  return finish(random_(out, low, high, options.generator ?? null), options);
};

/** A random order of 0 ... n - 1; int32. */
export const randperm = (n: number, options: RandomOptions = {}): Tensor => {
  if (!Number.isInteger(n) || n < 0) {
    throw new ValueError(`randperm: n must be an integer >= 0, got ${n}`);
  }
  checkOptions('randperm', options, OPTIONS);
  const { generator, device, requiresGrad, dtype: wanted } = options;
  const dtype = wanted ?? int32;
  const values = dtype === int64 ? new BigInt64Array(n) : new Int32Array(n);
  fillRandperm(values, dtype === int64 ? int64 : int32, generator ?? defaultGenerator);
  return tensor(values, { dtype, device: device ?? 'cpu', requiresGrad: requiresGrad ?? false });
};

/**
 * Normal numbers with the mean and the deviation of each element, given as tensors or numbers;
 * with two numbers a size is needed: `normal(0, 2, [3, 4])`.
 */
export const normal = (
  ...args: (number | Tensor | readonly number[] | (RandomOptions & Named))[]
): Tensor => {
  const { rest, options } = parse('normal', args, ['mean', 'std', 'size']);
  const mean = options.mean ?? (rest[0] as number | Tensor | undefined) ?? 0;
  const std = options.std ?? (rest[1] as number | Tensor | undefined) ?? 1;
  const generator = options.generator ?? null;
  if (!isTensor(mean) && !isTensor(std)) {
    const size = options.size ?? (rest[2] as readonly number[] | undefined);
    if (size === undefined) throw new ValueError('normal: give the size: normal(0, 1, [2, 3])');
    return finish(normal_(make(size, options), mean, std, generator), options);
  }
  const parts = [mean, std].filter(isTensor);
  if (parts.some((part) => !part.dtype.isFloatingPoint)) {
    throw new DtypeError('normal: mean and std must be floating point tensors; use float()');
  }
  const shape = parts.map((part) => part.shape).reduce((a, b) => broadcastShapes(a, b, 'normal'));
  const { dtype, device } = parts[0];
  const out = make(shape, { dtype, device });
  if (!isTensor(std)) return normal_(out, 0, std, generator).add_(mean);
  if ((std.detach().lt(0).any() as Tensor).itemSync()) {
    throw new ValueError('normal: expected all elements of std to be >= 0.0');
  }
  return normal_(out, 0, 1, generator)
    .mul_(std.detach())
    .add_(isTensor(mean) ? mean.detach() : mean);
};

/** Seeds the default generator from the system's entropy and returns the seed. */
export const seed = (): number => defaultGenerator.seed();

/** The seed the default generator was started with. */
export const initialSeed = (): number | bigint => defaultGenerator.initialSeed();

/** The state of the default generator as a uint8 tensor of 5056 bytes, PyTorch's own layout. */
export const getRngState = (): Tensor => tensor(defaultGenerator.getState());

/** Goes on from a state of getRngState(), or of PyTorch. */
export const setRngState = (state: Tensor): void => {
  if (state.dtype !== uint8) {
    throw new DtypeError(`setRngState: a state is a uint8 tensor, got ${state.dtype}`);
  }
  defaultGenerator.setState(state.dataSync() as Uint8Array);
};
