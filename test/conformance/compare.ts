/** Compares the library's results with recorded ones. Every function returns why they differ. */

import { isTensorValue, type LooseTensor } from './adapter.js';
import { widening } from './device.js';
import { type Encoded, type EncodedTensor, fieldsOf, isTensor, toNumber } from './format.js';
import { type Contents, flattenEncoded, flattenResult, read } from './values.js';

export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

/** PyTorch's own tolerances for float32, for values that need no long sum. */
export const EXACTING: Tolerance = { relative: 1.3e-6, absolute: 1e-5 };
/** Long reductions, factorisations, and gradients through them. */
export const ACCUMULATED: Tolerance = { relative: 1e-4, absolute: 1e-5 };

/** PyTorch rounds to the small floats also between the steps of a computation. */
const OTHER_DTYPES: Readonly<Record<string, Tolerance>> = {
  float64: { relative: 1e-7, absolute: 1e-7 },
  float16: { relative: 1e-3, absolute: 4e-3 },
  bfloat16: { relative: 1.6e-2, absolute: 3e-2 },
};

export interface CompareOptions {
  readonly tolerance: Tolerance;
  /** Whether int64 may stay int64 here (an input was int64); otherwise it must be int32. */
  readonly int64: boolean;
  /** Whether float64 may stand where float32 is recorded: recordings are made in float64. */
  readonly float64?: boolean;
  /** Whether int32 may stand where float32 is recorded: modules' outputs were all cast to floats. */
  readonly indices?: boolean;
  /** For recordings with all digits of float64. */
  readonly doubles?: Tolerance;
}

function dtypeDifference(
  actual: string,
  expected: string,
  { int64, float64, indices }: CompareOptions,
): string | undefined {
  if (expected === 'int64') {
    if (actual === 'int32' || (actual === 'int64' && int64)) return undefined;
    return `dtype ${actual}, expected ${int64 ? 'int64 or int32' : 'int32'}`;
  }
  if (float64 && expected === 'float32' && actual === 'float64') return undefined;
  if (indices && expected === 'float32' && actual === 'int32') return undefined;
  return actual === expected ? undefined : `dtype ${actual}, expected ${expected}`;
}

function isClose(actual: number, expected: number, tolerance: Tolerance, factor = 1): boolean {
  if (Number.isNaN(expected)) return Number.isNaN(actual);
  if (actual === expected) return true;
  if (!Number.isFinite(expected)) return false;
  const bound = tolerance.absolute + tolerance.relative * Math.abs(expected);
  return Math.abs(actual - expected) <= factor * bound;
}

function position(index: number, shape: readonly number[]): string {
  const place: number[] = [];
  let rest = index;
  for (let dim = shape.length - 1; dim >= 0; dim--) {
    place.unshift(rest % shape[dim]!);
    rest = Math.floor(rest / shape[dim]!);
  }
  return `[${place.join(', ')}]`;
}

/** The first difference between data and a recorded tensor, with how many elements differ. */
export function compareContents(
  actual: Contents,
  expected: EncodedTensor,
  options: CompareOptions,
): string | undefined {
  const { shape } = expected;
  if (actual.shape.length !== shape.length || actual.shape.some((n, i) => n !== shape[i])) {
    return `shape [${actual.shape.join(', ')}], expected [${shape.join(', ')}]`;
  }
  const wrongDtype = dtypeDifference(actual.dtype, expected.tensor, options);
  if (wrongDtype) return wrongDtype;
  if (actual.data.length !== expected.data.length) {
    return `${actual.data.length} elements, expected ${expected.data.length}`;
  }
  return compareData(actual, expected, options);
}

function compareData(
  { data: actual, device = 'cpu' }: Contents,
  expected: EncodedTensor,
  { tolerance, doubles }: CompareOptions,
): string | undefined {
  const dtype = expected.tensor;
  const own = (dtype === 'float64' && doubles) || OTHER_DTYPES[dtype];
  const bound = dtype.includes('float') ? (own ?? tolerance) : { relative: 0, absolute: 0 };
  const factor = widening(device);
  let wrong = 0;
  let first = -1;
  for (let i = 0; i < actual.length; i++) {
    const want = rounded(toNumber(expected.data[i]!), dtype);
    if (isClose(actual[i]!, want, bound, factor)) continue;
    if (wrong++ === 0) first = i;
  }
  if (wrong === 0) return undefined;
  const want = toNumber(expected.data[first]!);
  const where = position(first, expected.shape);
  return `${actual[first]} at ${where}, expected ${want} (${wrong} of ${actual.length} differ)`;
}

/** Recorded in float64: what overflows float32 is an infinity there. */
function rounded(value: number, dtype: string): number {
  return dtype === 'float32' ? Math.fround(value) : value;
}

/** Compares a tensor with a recorded one. */
export async function compareTensor(
  actual: unknown,
  expected: EncodedTensor,
  options: CompareOptions,
): Promise<string | undefined> {
  if (!isTensorValue(actual)) return `${describe(actual)}, expected a tensor`;
  return compareContents(await read(actual as LooseTensor), expected, options);
}

/** Compares a result of any structure; several results are compared in order. */
export async function compareResult(
  actual: unknown,
  expected: Encoded,
  options: CompareOptions,
): Promise<string | undefined> {
  const results = flattenResult(actual);
  const wanted = flattenEncoded(expected);
  if (results.length !== wanted.length) {
    return `${results.length} results, expected ${wanted.length}`;
  }
  for (let i = 0; i < wanted.length; i++) {
    const difference = await compareOne(results[i], wanted[i]!, options);
    if (difference) return wanted.length === 1 ? difference : `result ${i}: ${difference}`;
  }
  return undefined;
}

async function compareOne(
  actual: unknown,
  expected: Encoded,
  options: CompareOptions,
): Promise<string | undefined> {
  if (isTensor(expected)) return compareTensor(actual, expected, options);
  const fields = fieldsOf(expected);
  if (fields && 'dtype' in fields) return undefined;
  const wanted = fields ? (fields.float as number | string) : expected;
  if (typeof wanted === 'boolean' || wanted === null) {
    return actual === wanted ? undefined : `${describe(actual)}, expected ${wanted}`;
  }
  const close = isClose(Number(actual), Number(wanted), options.tolerance);
  if (close && (typeof actual === 'number' || typeof actual === 'bigint')) return undefined;
  return `${describe(actual)}, expected ${wanted}`;
}

/** Compares a gradient; `null` means that there is none. */
export async function compareGradient(
  actual: LooseTensor | null | undefined,
  expected: EncodedTensor | null,
  options: CompareOptions,
): Promise<string | undefined> {
  if (expected !== null) {
    if (!actual) return 'no gradient, expected one';
    return compareTensor(actual, expected, options);
  }
  if (!actual) return undefined;
  const { data } = await read(actual);
  return data.every((x) => x === 0) ? undefined : 'a gradient, expected none';
}

export function describe(value: unknown): string {
  if (isTensorValue(value)) return `a tensor of shape [${value.shape.join(', ')}]`;
  if (value === undefined || value === null) return String(value);
  return typeof value === 'object' ? `an object (${Object.keys(value).join(', ')})` : String(value);
}
