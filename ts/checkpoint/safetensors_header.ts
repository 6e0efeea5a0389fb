/** The header of safetensors files, under all rules of the format. */

import { type Dtype, dtypes } from '../core/dtype.js';
import type { Input } from './file.js';
import { type Json, JsonNumber, parseJson } from './json.js';

/** Bytes a header may have. */
const LONGEST_HEADER = 100_000_000;

/** Dtypes there are: bits per element, and the dtype here, if there is one. */
const KINDS: ReadonlyMap<string, { readonly bits: number; readonly dtype?: Dtype }> = new Map(
  Object.entries({
    BOOL: { bits: 8, dtype: dtypes.bool },
    F4: { bits: 4 },
    F6_E2M3: { bits: 6 },
    F6_E3M2: { bits: 6 },
    U8: { bits: 8, dtype: dtypes.uint8 },
    I8: { bits: 8, dtype: dtypes.int8 },
    F8_E5M2: { bits: 8 },
    F8_E4M3: { bits: 8 },
    F8_E8M0: { bits: 8 },
    I16: { bits: 16, dtype: dtypes.int16 },
    U16: { bits: 16 },
    F16: { bits: 16, dtype: dtypes.float16 },
    BF16: { bits: 16, dtype: dtypes.bfloat16 },
    I32: { bits: 32, dtype: dtypes.int32 },
    U32: { bits: 32 },
    F32: { bits: 32, dtype: dtypes.float32 },
    C64: { bits: 64 },
    F64: { bits: 64, dtype: dtypes.float64 },
    I64: { bits: 64, dtype: dtypes.int64 },
    U64: { bits: 64 },
  }),
);

/** The format's names of our dtypes, the widest first, as files are laid out. */
export const layoutOrder: readonly (readonly [string, Dtype])[] = [...KINDS]
  .reverse()
  .flatMap(([name, { dtype }]) => (dtype === undefined ? [] : [[name, dtype] as const]));

/** A tensor in a file. */
export interface Entry {
  readonly name: string;
  readonly kind: string;
  /** undefined: there is no such dtype here. */
  readonly dtype: Dtype | undefined;
  readonly shape: readonly number[];
  /** Its bytes, from the start of the file. */
  readonly start: number;
  readonly end: number;
}

export interface Header {
  /** By name, in the order of their bytes. */
  readonly entries: ReadonlyMap<string, Entry>;
  readonly metadata: Readonly<Record<string, string>> | null;
}

/** Reads and checks the header: whatever it declares is then in the file. */
export async function readHeader({ file, fail }: Input): Promise<Header> {
  if (file.size < 8) fail('it is shorter than the size of a header', file.size);
  const lead = await file.read(0, 8);
  const size = Number(new DataView(lead.buffer, lead.byteOffset, 8).getBigUint64(0, true));
  if (lead[0] === 0x50 && lead[1] === 0x4b) {
    fail('it is a zip, as torch.load and torch.numpy.load read', 0);
  }
  if (size > LONGEST_HEADER) fail(`a header of ${size} bytes is above ${LONGEST_HEADER}`, 0);
  if (8 + size > file.size) fail(`a header of ${size} bytes ends past the end of the file`, 0);
  const text = await file.read(8, 8 + size);
  if (text[0] !== 0x7b) fail("the header does not start with '{'", 8);
  const json = parseJson(text, (message, at) => fail(`header: ${message}`, 8 + at));
  let metadata: Header['metadata'] = null;
  const entries: Entry[] = [];
  for (const [name, value] of json as ReadonlyMap<string, Json>) {
    if (name === '__metadata__') metadata = readMetadata(value, (what) => fail(what, 8, name));
    else if (name === '__proto__') fail('this name is refused', 8, name);
    else entries.push(readEntry(name, value, 8 + size, (what) => fail(what, 8, name)));
  }
  entries.sort((a, b) => a.start - b.start || a.end - b.end);
  let end = 8 + size;
  for (const entry of entries) {
    if (entry.start !== end) {
      const what = entry.start < end ? 'overlaps the tensor before it' : 'leaves a hole before it';
      fail(
        `it ${what}: it starts at byte ${entry.start} of the file, not at ${end}`,
        8,
        entry.name,
      );
    }
    end = entry.end;
    if (end > file.size) fail('it ends past the end of the file', entry.start, entry.name);
  }
  if (end !== file.size) fail(`${file.size - end} bytes follow the last tensor`, end);
  return { entries: new Map(entries.map((entry) => [entry.name, entry])), metadata };
}

function readMetadata(value: Json, fail: (what: string) => never): Record<string, string> {
  if (!(value instanceof Map)) return fail('it is no object of texts');
  const result: Record<string, string> = {};
  for (const [key, text] of value as ReadonlyMap<string, Json>) {
    if (typeof text !== 'string') return fail('it is no object of texts');
    if (key === '__proto__') return fail("the key '__proto__' is refused");
    result[key] = text;
  }
  return result;
}

/** `{"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}`. */
function readEntry(name: string, value: Json, base: number, fail: (what: string) => never): Entry {
  if (!(value instanceof Map)) return fail('it is described by no object');
  const kind = value.get('dtype');
  const known = typeof kind === 'string' ? KINDS.get(kind) : undefined;
  if (known === undefined) return fail('its dtype is none that the format has');
  const shape = readSizes(value.get('shape'));
  if (shape === undefined) return fail('its shape is no list of sizes');
  const offsets = readSizes(value.get('data_offsets'));
  if (offsets?.length !== 2) return fail('its data_offsets are no two offsets');
  const [start, end] = offsets;
  let bits: number = known.bits;
  // Beyond the integers that doubles hold, products would no longer be exact.
  for (const size of shape) {
    bits *= size;
    if (!Number.isSafeInteger(bits)) return fail('its shape has too many elements');
  }
  if (end < start || 8 * (end - start) !== bits) {
    fail(`${bits / 8} bytes are needed for its shape, its offsets give it ${end - start}`);
  }
  return {
    name,
    kind: kind as string,
    dtype: known.dtype,
    shape,
    start: base + start,
    end: base + end,
  };
}

const MOST_DIMENSIONS = 64;

/** Whole numbers from 0 on. */
function readSizes(value: Json | undefined): number[] | undefined {
  if (!Array.isArray(value) || value.length > MOST_DIMENSIONS) return undefined;
  const sizes = (value as readonly Json[]).map((item) =>
    item instanceof JsonNumber && /^\d+$/.test(item.text) ? Number(item.text) : Number.NaN,
  );
  return sizes.every((size) => Number.isSafeInteger(size)) ? sizes : undefined;
}
