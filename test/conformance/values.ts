/** Recorded values to the library's values, in several memory layouts, and tensors back to data. */

import {
  dtypeName,
  dtypeOf,
  isTensorValue,
  type LooseTensor,
  lookup,
  Missing,
  requireFunction,
} from './adapter.js';
import { NotApplicable, storedDtype } from './device.js';
import {
  type Encoded,
  type EncodedTensor,
  elements,
  fieldsOf,
  isTensor,
  toNumber,
} from './format.js';
import { camelCase } from './names.js';

/** How an input lies in memory. Every layout holds the same values. */
export const LAYOUTS = ['contiguous', 'transposed', 'strided', 'offset'] as const;
export type Layout = (typeof LAYOUTS)[number];

export interface DecodeOptions {
  readonly device: string;
  readonly layout: Layout;
  /** Called for every tensor that is made, with its path. */
  readonly onTensor?: (tensor: LooseTensor, path: string, encoded: EncodedTensor) => LooseTensor;
}

/** Elements as a typed array (or plain numbers for dtypes that have none). */
function flatData(encoded: EncodedTensor): unknown {
  switch (encoded.tensor) {
    case 'float32':
      return Float32Array.from(encoded.data, toNumber);
    case 'float64':
      return Float64Array.from(encoded.data, toNumber);
    case 'int32':
      return Int32Array.from(encoded.data, toNumber);
    case 'int64':
      return BigInt64Array.from(encoded.data, (x) => BigInt(toNumber(x)));
    case 'bool':
      return encoded.data.map(Boolean);
    default:
      return encoded.data.map(toNumber);
  }
}

function dense(encoded: EncodedTensor, device: string): LooseTensor {
  requireRange(encoded, storedDtype(encoded.tensor, device), device);
  const make = requireFunction('tensor');
  const flat = make(flatData(encoded), { dtype: dtypeOf(encoded.tensor) }) as LooseTensor;
  const shaped = flat.reshape(encoded.shape);
  return device === 'cpu' ? shaped : shaped.to(device);
}

/** Throws NotApplicable if integers do not fit the narrower ones of the device. */
function requireRange(encoded: EncodedTensor, stored: string, device: string): void {
  if (stored === encoded.tensor || stored !== 'int32') return;
  const fits = encoded.data.every((x) => Number(x) === (Number(x) | 0));
  if (!fits) throw new NotApplicable(`${device} has no ${encoded.tensor}`);
}

/** What lies between the elements of a strided or offset tensor: reading it must show. */
function filler(dtype: string): JsonFiller {
  if (dtype.includes('float')) return 'NaN';
  return dtype === 'bool' ? true : 99;
}
type JsonFiller = 'NaN' | number | boolean;

function transposedData(encoded: EncodedTensor): EncodedTensor {
  const rank = encoded.shape.length;
  const shape = [...encoded.shape];
  [shape[0], shape[rank - 1]] = [shape[rank - 1]!, shape[0]!];
  const first = encoded.shape[0]!;
  const last = encoded.shape[rank - 1]!;
  const middle = encoded.shape.slice(1, -1).reduce((a, b) => a * b, 1);
  const data = new Array<EncodedTensor['data'][number]>(encoded.data.length);
  for (let i = 0; i < first; i++) {
    for (let m = 0; m < middle; m++) {
      for (let j = 0; j < last; j++) {
        data[(j * middle + m) * first + i] = encoded.data[(i * middle + m) * last + j]!;
      }
    }
  }
  return { tensor: encoded.tensor, shape, data };
}

function strided(encoded: EncodedTensor, device: string): LooseTensor {
  const gap = filler(encoded.tensor);
  const data = encoded.data.flatMap((x) => [x, gap]);
  if (encoded.shape.length === 0) {
    return dense({ tensor: encoded.tensor, shape: [2], data }, device).select(0, 0);
  }
  const shape = [...encoded.shape];
  shape[shape.length - 1]! *= 2;
  return dense({ tensor: encoded.tensor, shape, data }, device).at('...', '::2');
}

function offset(encoded: EncodedTensor, device: string): LooseTensor {
  const gap = filler(encoded.tensor);
  const [rows, ...rest] = encoded.shape;
  const lead = new Array<JsonFiller>(rest.reduce((a, b) => a * b, 1)).fill(gap);
  const data = [...lead, ...encoded.data];
  if (rows === undefined) {
    return dense({ tensor: encoded.tensor, shape: [2], data }, device).select(0, 1);
  }
  const shape = [rows + 1, ...rest];
  return dense({ tensor: encoded.tensor, shape, data }, device).narrow(0, 1, rows);
}

/** A tensor with the recorded values in the given layout. */
export function makeTensor(
  encoded: EncodedTensor,
  device: string,
  layout: Layout = 'contiguous',
): LooseTensor {
  if (layout === 'strided') return strided(encoded, device);
  if (layout === 'offset') return offset(encoded, device);
  const rank = encoded.shape.length;
  if (layout === 'contiguous' || rank < 2) return dense(encoded, device);
  return dense(transposedData(encoded), device).transpose(0, rank - 1);
}

/** A slice as the library writes it: `1:5:2`. */
function sliceText(slice: readonly (number | null)[]): string {
  const [start, stop, step] = slice.map((x) => (x === null ? '' : String(x)));
  return step === undefined || step === '' ? `${start}:${stop}` : `${start}:${stop}:${step}`;
}

/** A recorded value as the library takes it. */
export function decode(value: Encoded, options: DecodeOptions, path = ''): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (isTensor(value)) {
    const tensor = makeTensor(value, options.device, options.layout);
    return options.onTensor?.(tensor, path, value) ?? tensor;
  }
  const prefix = path === '' ? '' : `${path}/`;
  const list = elements(value);
  if (list) return list.map((item, index) => decode(item, options, `${prefix}${index}`));
  const tagged = value as Record<string, Encoded>;
  if ('float' in tagged) return toNumber(tagged.float as number | string);
  if ('dtype' in tagged) return dtypeOf(storedDtype(tagged.dtype as string, options.device));
  if ('slice' in tagged) return sliceText(tagged.slice as (number | null)[]);
  if ('ellipsis' in tagged) return '...';
  if ('device' in tagged) return options.device;
  if ('layout' in tagged) return constant(tagged.layout as string);
  return decodeMap(tagged, options, path);
}

/** A named constant of PyTorch such as `torch.preserve_format`. */
function constant(name: string): unknown {
  const value = lookup(name.replace(/^torch\./, ''));
  if (value === undefined) throw new Missing(name);
  return value;
}

/** Arguments about memory that a library without such formats has nothing to do for. */
const MEMORY_ONLY = new Set(['memory_format', 'layout', 'pin_memory']);

/** Keyword arguments as one object with camelCase keys. */
export function decodeMap(
  map: Readonly<Record<string, Encoded>>,
  options: DecodeOptions,
  path = '',
): Record<string, unknown> {
  const prefix = path === '' ? '' : `${path}/`;
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(map)) {
    if (MEMORY_ONLY.has(key) && !knownConstant(value)) continue;
    const device = key === 'device' && typeof value === 'string';
    result[camelCase(key)] = device ? options.device : decode(value, options, `${prefix}${key}`);
  }
  return result;
}

function knownConstant(value: Encoded): boolean {
  const layout = fieldsOf(value)?.layout;
  return typeof layout === 'string' && lookup(layout.replace(/^torch\./, '')) !== undefined;
}

/** A tensor's contents, read back. */
export interface Contents {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Float64Array;
  /** Where it was computed; default: the CPU. */
  readonly device?: string;
}

/** Reads a tensor in row-major order. */
export async function read(tensor: LooseTensor): Promise<Contents> {
  const dtype = dtypeName(tensor.dtype);
  let source = tensor.detach();
  if (dtype === 'float16' || dtype === 'bfloat16') source = source.to(dtypeOf('float32'));
  const raw = await source.data();
  const data = new Float64Array(raw.length);
  for (let i = 0; i < raw.length; i++) data[i] = Number(raw[i]);
  return { dtype, shape: [...tensor.shape], data, device: tensor.device };
}

/** Flattens results (arrays, named objects, single values) into a list. */
export function flattenResult(value: unknown): unknown[] {
  if (isTensorValue(value)) return [value];
  if (Array.isArray(value)) return value.flatMap(flattenResult);
  if (value !== null && typeof value === 'object') {
    return Object.values(value).flatMap(flattenResult);
  }
  return [value];
}

/** Flattens a recorded output the same way. */
export function flattenEncoded(value: Encoded): Encoded[] {
  const list = elements(value);
  return list ? list.flatMap(flattenEncoded) : [value];
}
