/**
 * Random numbers into typed arrays, drawn in the order PyTorch 1.13's CPU kernels draw them, so
 * that a seed gives PyTorch's numbers. `out` is row-major; float16 and bfloat16 hold bit patterns.
 */

import type { DataArray, Dtype } from './dtype.js';
import {
  bfloat16,
  bool,
  decodeElement,
  encodeElement,
  float16,
  float32,
  float64,
  int8,
  int16,
  int32,
  int64,
  uint8,
} from './dtype.js';
import { ValueError } from './errors.js';
import { defaultGenerator, type Generator } from './random.js';

const chunk = 1024;
const scratchWords = new Int32Array(2 * chunk);
const scratchDoubles = new Float64Array(chunk);

/** Bits of a uniform number that come from the engine: the digits of the 16-bit formats. */
const digits = new Map<Dtype, number>([
  [float16, 11],
  [bfloat16, 8],
]);

function requireFloating(name: string, dtype: Dtype): void {
  if (!dtype.isFloatingPoint) {
    throw new ValueError(`${name}: only floating point tensors can be filled, got ${dtype}`);
  }
}

/** Writes numbers as the dtype stores them. */
function writer(out: DataArray, dtype: Dtype): (i: number, value: number) => void {
  if (out instanceof Float32Array || out instanceof Float64Array) {
    return (i, value) => {
      out[i] = value;
    };
  }
  const target: { [i: number]: number | bigint } = out;
  return (i, value) => {
    target[i] = encodeElement(dtype, value);
  };
}

function rounded(value: number, dtype: Dtype): number {
  return Number(decodeElement(dtype, encodeElement(dtype, value)));
}

/**
 * Calls `use` with `count` doubles of [0, 1), in blocks: (values, position of the first, how many).
 */
function eachBlock(
  generator: Generator,
  count: number,
  use: (values: Float64Array, start: number, length: number) => void,
): void {
  for (let start = 0; start < count; start += chunk) {
    const length = Math.min(chunk, count - start);
    generator.fillWords(scratchWords, 0, 2 * length);
    for (let i = 0; i < length; i++) {
      const high = scratchWords[2 * i] & 0x1fffff;
      scratchDoubles[i] = (high * 2 ** 32 + (scratchWords[2 * i + 1] >>> 0)) * 2 ** -53;
    }
    use(scratchDoubles, start, length);
  }
}

/**
 * Calls `use` with `count` integers of [0, range), the remainders of a word each, in the same blocks.
 * With `falling` the range is one less for each.
 */
function eachIntegers(
  generator: Generator,
  count: number,
  range: number,
  falling: boolean,
  use: (values: Float64Array, start: number, length: number) => void,
): void {
  let left = range;
  for (let start = 0; start < count; start += chunk) {
    const length = Math.min(chunk, count - start);
    generator.fillWords(scratchWords, 0, length);
    for (let i = 0; i < length; i++) {
      const word = scratchWords[i] >>> 0;
      // As %, which takes ten times as long past 2^31: quotients of 32 bits round to no other integer.
      scratchDoubles[i] = word - Math.floor(word / left) * left;
      if (falling) left--;
    }
    use(scratchDoubles, start, length);
  }
}

/** Fills by inverting a distribution function: one uniform double of [0, 1) per element. */
function fillByInversion(
  out: DataArray,
  dtype: Dtype,
  generator: Generator,
  invert: (u: number) => number,
): void {
  const write = writer(out, dtype);
  eachBlock(generator, out.length, (values, start, length) => {
    for (let i = 0; i < length; i++) write(start + i, invert(values[i]));
  });
}

/**
 * Fills with uniform numbers v of [0, 1), or normal ones of whole blocks of 16, as v * scale + shift. False if it
 * cannot: then nothing was drawn.
 */
type FloatKernel = (
  out: Float32Array,
  normal: boolean,
  scale: number,
  shift: number,
  generator: Generator,
) => boolean;

let drawFloats: FloatKernel = () => false;
/** Numbers from which uniform ones are worth a kernel. */
const MANY = 512;

/**
 * Has float32 numbers drawn by a kernel, and returns what drew them before. Uniform ones have the same bits; normal
 * ones may differ in the last two.
 */
export function useFloatKernel(draw: FloatKernel): FloatKernel {
  const before = drawFloats;
  drawFloats = draw;
  return before;
}

/** Uniform numbers of [from, to). */
export function fillUniform(
  out: DataArray,
  dtype: Dtype,
  from = 0,
  to = 1,
  generator: Generator = defaultGenerator,
): void {
  requireFloating('uniform_', dtype);
  if (!(from <= to)) {
    throw new ValueError(`uniform_: expected from <= to, got from=${from} and to=${to}`);
  }
  if (out instanceof Float32Array) {
    uniformFloats(out, from, to, generator);
    return;
  }
  if (out instanceof Float64Array) {
    const range = to - from;
    eachBlock(generator, out.length, (values, start, length) => {
      for (let i = 0; i < length; i++) out[start + i] = values[i] * range + from;
    });
    return;
  }
  const round = (value: number) => rounded(value, dtype);
  const low = round(from);
  const range = round(round(to) - low);
  const steps = 2 ** digits.get(dtype)!;
  const write = writer(out, dtype);
  for (let i = 0; i < out.length; i++) {
    write(i, ((generator.random() % steps) / steps) * range + low);
  }
}

/** 24 random bits per number, drawn into the very memory the floats will have. */
function uniformFloats(out: Float32Array, from: number, to: number, generator: Generator): void {
  const low = Math.fround(from);
  const range = Math.fround(Math.fround(to) - low);
  if (out.length >= MANY && drawFloats(out, false, range, low, generator)) return;
  const bits = new Int32Array(out.buffer, out.byteOffset, out.length);
  generator.fillWords(bits, 0, bits.length);
  for (let i = 0; i < out.length; i++) {
    out[i] = (bits[i] & 0xffffff) * 2 ** -24 * range + low;
  }
}

/**
 * Normal numbers. From 16 elements on, PyTorch transforms a contiguous tensor in blocks of 16; a
 * smaller or a non-contiguous one (`contiguous: false`) it fills one by one from pairs of doubles.
 */
export function fillNormal(
  out: DataArray,
  dtype: Dtype,
  mean = 0,
  std = 1,
  generator: Generator = defaultGenerator,
  contiguous = true,
): void {
  requireFloating('normal_', dtype);
  if (!(std >= 0)) throw new ValueError(`normal_: expected std >= 0.0, got std=${std}`);
  if (out.length < 16 || !contiguous) {
    const write = writer(out, dtype);
    for (let i = 0; i < out.length; i++) write(i, generator.normal() * std + mean);
    return;
  }
  const rest = out.length % 16;
  const tail = out.length - 16;
  if (out instanceof Float32Array) {
    const blocks = out.subarray(0, out.length - rest);
    if (drawFloats(blocks, true, std, mean, generator)) {
      generator.fillWords(scratchWords, 0, rest);
      if (rest > 0) drawFloats(out.subarray(tail), true, std, mean, generator);
      return;
    }
  }
  const transform =
    out instanceof Float32Array
      ? floatBlock
      : out instanceof Float64Array
        ? doubleBlock
        : halfBlock;
  fillUniform(out, dtype, 0, 1, generator);
  for (let start = 0; start <= tail; start += 16) transform(out, dtype, start, mean, std);
  if (rest !== 0) {
    // The last block overlaps the one before it and gets new numbers.
    fillUniform(out.subarray(tail), dtype, 0, 1, generator);
    transform(out, dtype, tail, mean, std);
  }
}

/** Box-Muller on 8 pairs: element i with element i + 8. */
function floatBlock(data: DataArray, _: Dtype, start: number, mean: number, std: number): void {
  const values = data as Float32Array;
  const { fround } = Math;
  for (let i = start; i < start + 8; i++) {
    // The angle and the radius are floats in PyTorch: their rounding shows where waves cross 0.
    const radius = fround(Math.sqrt(fround(-2 * fround(Math.log(1 - values[i])))));
    const angle = fround(TWO_PI * values[i + 8]);
    values[i] = fround(radius * fround(Math.cos(angle))) * std + mean;
    values[i + 8] = fround(radius * fround(Math.sin(angle))) * std + mean;
  }
}

/** 2 pi in float32. */
const TWO_PI = Math.fround(2 * Math.PI);

/** The same in float64. */
function doubleBlock(data: DataArray, _: Dtype, start: number, mean: number, std: number): void {
  const values = data as Float64Array;
  for (let i = start; i < start + 8; i++) {
    const radius = Math.sqrt(-2 * Math.log(1 - values[i])) * std;
    const angle = 2 * Math.PI * values[i + 8];
    values[i] = radius * Math.cos(angle) + mean;
    values[i + 8] = radius * Math.sin(angle) + mean;
  }
}

/** The same in 16 bits. PyTorch rounds every step to bfloat16, but only named values to float16. */
function halfBlock(data: DataArray, dtype: Dtype, start: number, mean: number, std: number): void {
  const bits = data as Uint16Array;
  const named = (value: number) => rounded(value, dtype);
  const step = dtype === float16 ? Math.fround : named;
  const read = (i: number) => Number(decodeElement(dtype, bits[i]));
  const write = writer(data, dtype);
  for (let i = start; i < start + 8; i++) {
    const radius = named(Math.sqrt(step(-2 * step(Math.log(named(1 - read(i)))))));
    const angle = named(2 * Math.PI * read(i + 8));
    const scale = (wave: number) => step(step(radius * step(wave)) * std) + mean;
    write(i, scale(Math.cos(angle)));
    write(i + 8, scale(Math.sin(angle)));
  }
}

/** Smallest and largest integer of the narrow dtypes. */
const integerLimits = new Map<Dtype, readonly [number, number]>([
  [bool, [0, 1]],
  [uint8, [0, 255]],
  [int8, [-128, 127]],
  [int16, [-(2 ** 15), 2 ** 15 - 1]],
  [int32, [-(2 ** 31), 2 ** 31 - 1]],
]);

/** Integers of [low, high), as `randint` and `random_(from, to)`. */
export function fillRandint(
  out: DataArray,
  dtype: Dtype,
  low: number | bigint,
  high: number | bigint,
  generator: Generator = defaultGenerator,
): void {
  if (!(low < high)) {
    throw new ValueError(`randint: expected low < high, got low=${low} and high=${high}`);
  }
  const limit = integerLimits.get(dtype);
  if (limit !== undefined && (low < limit[0] || high > limit[1] + 1)) {
    throw new ValueError(
      `randint: integers from ${low} to below ${high} do not all fit ${dtype}; pass a wider ` +
        'dtype, such as { dtype: torch.int64 } on the CPU',
    );
  }
  const first = BigInt(low);
  const range = BigInt(high) - first;
  const target: { [i: number]: number | bigint } = out;
  const wideDtype = dtype === int64 || dtype === float32 || dtype === float64;
  if (range >= 2n ** 32n && (wideDtype || dtype === bfloat16)) {
    for (let i = 0; i < out.length; i++) {
      target[i] = encodeElement(dtype, (generator.random64() % range) + first);
    }
    return;
  }
  const base = Number(low);
  eachIntegers(generator, out.length, Number(range), false, (values, start, length) => {
    if (out instanceof Int32Array || out instanceof Float32Array) {
      for (let i = 0; i < length; i++) out[start + i] = values[i] + base;
    } else {
      for (let i = 0; i < length; i++) {
        // Beyond 2^53 a sum of numbers would be rounded.
        const value = dtype === int64 ? BigInt(values[i]) + first : values[i] + base;
        target[start + i] = encodeElement(dtype, value);
      }
    }
  });
}

/** How many values `random_()` without bounds draws from, for the dtypes that take 32 bits. */
const randomRange = new Map<Dtype, number>([
  [bool, 2],
  [uint8, 2 ** 8],
  [int8, 2 ** 7],
  [int16, 2 ** 15],
  [int32, 2 ** 31],
  [float32, 2 ** 24 + 1],
  [float16, 2 ** 11 + 1],
  [bfloat16, 2 ** 8 + 1],
]);

/** Integers from 0 up to the largest the dtype holds exactly, as `random_()` without bounds. */
export function fillRandom(
  out: DataArray,
  dtype: Dtype,
  generator: Generator = defaultGenerator,
): void {
  const target: { [i: number]: number | bigint } = out;
  const range = randomRange.get(dtype);
  const wide = dtype === int64 ? 2n ** 63n : 2n ** 53n + 1n;
  for (let i = 0; i < out.length; i++) {
    const value = range === undefined ? generator.random64() % wide : generator.random() % range;
    target[i] = encodeElement(dtype, value);
  }
}

/** A random order of 0 ... out.length - 1. */
export function fillRandperm(
  out: DataArray,
  dtype: Dtype,
  generator: Generator = defaultGenerator,
): void {
  const n = out.length;
  const order = out instanceof Int32Array ? out : new Float64Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  eachIntegers(generator, n - 1, n, true, (ahead, start, length) => {
    for (let i = 0; i < length; i++) {
      const to = start + i;
      const from = to + ahead[i];
      const value = order[to];
      order[to] = order[from];
      order[from] = value;
    }
  });
  if (order === out) return;
  const write = writer(out, dtype);
  for (let i = 0; i < n; i++) write(i, order[i]);
}

/** Exponential numbers of rate lambda: -log(1 - u) / lambda. */
export function fillExponential(
  out: DataArray,
  dtype: Dtype,
  lambda = 1,
  generator: Generator = defaultGenerator,
): void {
  requireFloating('exponential_', dtype);
  if (!(lambda > 0)) {
    throw new ValueError(`exponential_: expected lambda > 0.0, got lambda=${lambda}`);
  }
  fillByInversion(out, dtype, generator, (u) => (-1 / lambda) * Math.log1p(-u));
}

/** Number of trials up to the first success of probability p: ceil(log u / log(1 - p)). */
export function fillGeometric(
  out: DataArray,
  dtype: Dtype,
  p: number,
  generator: Generator = defaultGenerator,
): void {
  if (!(p > 0 && p < 1)) throw new ValueError(`geometric_: expected 0 < p < 1, got p=${p}`);
  fillByInversion(out, dtype, generator, (u) => Math.ceil(Math.log(u) / Math.log1p(-p)));
}

/** Cauchy numbers: median + sigma tan(pi (u - 1/2)). */
export function fillCauchy(
  out: DataArray,
  dtype: Dtype,
  median = 0,
  sigma = 1,
  generator: Generator = defaultGenerator,
): void {
  requireFloating('cauchy_', dtype);
  if (!(sigma > 0)) throw new ValueError(`cauchy_: expected sigma > 0.0, got sigma=${sigma}`);
  const invert = (u: number) => median + sigma * Math.tan(Math.PI * (u - 0.5));
  fillByInversion(out, dtype, generator, invert);
}

/** exp of normal numbers. */
export function fillLogNormal(
  out: DataArray,
  dtype: Dtype,
  mean = 1,
  std = 2,
  generator: Generator = defaultGenerator,
): void {
  requireFloating('log_normal_', dtype);
  if (!(std > 0)) throw new ValueError(`log_normal_: expected std > 0.0, got std=${std}`);
  const write = writer(out, dtype);
  for (let i = 0; i < out.length; i++) write(i, Math.exp(generator.normal() * std + mean));
}
