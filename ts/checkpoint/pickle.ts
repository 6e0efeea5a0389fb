/** Writes values as Python's pickle, protocol 2, the way PyTorch's checkpoints use it. */

import { showValue, ValueError } from '../core/errors.js';
import { isOptions as isPlain } from '../core/options.js';

/** A global name of Python: `collections OrderedDict`. */
export class Global {
  constructor(
    readonly module: string,
    readonly name: string,
  ) {}
}

/** A Python tuple. */
export class Tuple {
  constructor(readonly items: readonly unknown[]) {}
}

/** A call: `callable(*args)`. */
export class Reduce {
  constructor(
    readonly callable: Global,
    readonly args: Tuple,
  ) {}
}

/** A reference to something stored beside the pickle. */
export class Persistent {
  constructor(readonly id: Tuple) {}
}

const op = {
  proto: 0x80,
  stop: 0x2e,
  mark: 0x28,
  none: 0x4e,
  true: 0x88,
  false: 0x89,
  binInt: 0x4a,
  long: 0x8a,
  longLong: 0x8b,
  binFloat: 0x47,
  unicode: 0x58,
  list: 0x5d,
  appends: 0x65,
  dict: 0x7d,
  setItems: 0x75,
  emptyTuple: 0x29,
  tuple: 0x74,
  global: 0x63,
  reduce: 0x52,
  persistent: 0x51,
  put: 0x71,
  putFar: 0x72,
  get: 0x68,
  getFar: 0x6a,
} as const;

class Writer {
  private bytes = new Uint8Array(1024);
  private length = 0;

  byte(value: number): void {
    this.room(1)[0] = value;
  }

  raw(values: Uint8Array): void {
    this.room(values.length).set(values);
  }

  /** The next `count` bytes, to be written. */
  room(count: number): Uint8Array {
    if (this.length + count > this.bytes.length) {
      const larger = new Uint8Array(2 * (this.length + count));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.length += count;
    return this.bytes.subarray(this.length - count, this.length);
  }

  view(count: number): DataView {
    const { buffer, byteOffset } = this.room(count);
    return new DataView(buffer, byteOffset, count);
  }

  finish(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  /** Numbers of what was written and kept: objects, texts, and names of globals. */
  private readonly memo = new Map<unknown, number>();

  /** Refers to what was kept, if it was. */
  recall(key: unknown): boolean {
    const index = this.memo.get(key);
    if (index !== undefined) this.index(op.get, op.getFar, index);
    return index !== undefined;
  }

  /** Keeps the value that was written last. */
  keep(key: unknown): void {
    this.index(op.put, op.putFar, this.memo.size);
    this.memo.set(key, this.memo.size);
  }

  private index(near: number, far: number, index: number): void {
    this.byte(index < 256 ? near : far);
    if (index < 256) this.byte(index);
    else this.view(4).setUint32(0, index, true);
  }
}

/** Turns a value of the caller's into what is written: itself, a Reduce, a plain object... */
export type Replace = (value: object) => unknown;

/**
 * Pickles numbers (whole ones as int, others as float), bigints, strings, booleans, null, arrays,
 * Maps (as OrderedDict) and plain objects (as dict; keys that number plain objects become ints);
 * `replace` sees every other object first. An object that is there twice is one in Python too.
 * Throws ValueError for what has no counterpart there.
 */
export function pickle(value: unknown, replace: Replace): Uint8Array {
  const writer = new Writer();
  writer.byte(op.proto);
  writer.byte(2);
  write(writer, value, replace, new Set());
  writer.byte(op.stop);
  return writer.finish();
}

function write(w: Writer, value: unknown, replace: Replace, open: Set<object>): void {
  if (value === null || value === undefined) w.byte(op.none);
  else if (typeof value === 'boolean') w.byte(value ? op.true : op.false);
  else if (typeof value === 'number') writeNumber(w, value);
  else if (typeof value === 'bigint') writeLong(w, value);
  else if (typeof value === 'string') writeString(w, value);
  else if (typeof value === 'object') {
    if (open.has(value)) {
      throw new ValueError('save: the value contains itself, which a checkpoint cannot hold');
    }
    if (w.recall(value)) return;
    open.add(value);
    writeObject(w, value, replace, open);
    open.delete(value);
  } else {
    throw new ValueError(
      `save: ${showValue(value)} cannot be saved; give data, such as the stateDict() of a module`,
    );
  }
}

function writeNumber(w: Writer, value: number): void {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
    w.byte(op.binFloat);
    w.view(8).setFloat64(0, value);
  } else if (value >= -(2 ** 31) && value < 2 ** 31) {
    w.byte(op.binInt);
    w.view(4).setInt32(0, value, true);
  } else writeLong(w, BigInt(value));
}

/** Two's complement, little-endian, as short as it goes. */
function writeLong(w: Writer, value: bigint): void {
  const bytes: number[] = [];
  let rest = value;
  while (bytes.length === 0 || rest !== ((bytes[bytes.length - 1] & 0x80) === 0 ? 0n : -1n)) {
    bytes.push(Number(BigInt.asUintN(8, rest)));
    rest >>= 8n;
  }
  w.byte(bytes.length < 256 ? op.long : op.longLong);
  if (bytes.length < 256) w.byte(bytes.length);
  else w.view(4).setUint32(0, bytes.length, true);
  w.raw(Uint8Array.from(bytes));
}

function writeString(w: Writer, text: string): void {
  if (w.recall(text)) return;
  const bytes = new TextEncoder().encode(text);
  w.byte(op.unicode);
  w.view(4).setUint32(0, bytes.length, true);
  w.raw(bytes);
  w.keep(text);
}

function writeObject(w: Writer, value: object, replace: Replace, open: Set<object>): void {
  const inner = (item: unknown) => write(w, item, replace, open);
  if (value instanceof Global) {
    const name = `${value.module}\n${value.name}\n`;
    if (w.recall(name)) return;
    w.byte(op.global);
    w.raw(new TextEncoder().encode(name));
    w.keep(name);
  } else if (value instanceof Tuple) {
    w.byte(value.items.length === 0 ? op.emptyTuple : op.mark);
    for (const item of value.items) inner(item);
    if (value.items.length > 0) w.byte(op.tuple);
  } else if (value instanceof Reduce) {
    inner(value.callable);
    inner(value.args);
    w.byte(op.reduce);
  } else if (value instanceof Persistent) {
    inner(value.id);
    w.byte(op.persistent);
  } else writeData(w, value, inner, replace);
}

/** Lists, dicts and sets, and what stands for other objects. */
function writeData(
  w: Writer,
  value: object,
  inner: (item: unknown) => void,
  replace: Replace,
): void {
  if (Array.isArray(value)) {
    w.byte(op.list);
    w.keep(value);
    writeItems(w, op.appends, value, inner);
  } else if (value instanceof Map) {
    inner(orderedDict);
    w.keep(value);
    writeItems(w, op.setItems, [...value].flat(1), inner);
  } else if (value instanceof Set) {
    inner(new Reduce(new Global('__builtin__', 'set'), new Tuple([[...value]])));
    w.keep(value);
  } else if (value instanceof Uint8Array) {
    const text = Array.from(value, (byte) => String.fromCharCode(byte)).join('');
    inner(new Reduce(new Global('_codecs', 'encode'), new Tuple([text, 'latin1'])));
    w.keep(value);
  } else if (isPlain(value)) {
    w.byte(op.dict);
    w.keep(value);
    writeItems(w, op.setItems, entriesOf(value).flat(1), inner);
  } else {
    const replaced = replace(value);
    if (replaced === value || replaced === undefined) {
      throw new ValueError(
        `save: an object of class ${value.constructor?.name} cannot be saved; save its stateDict()`,
      );
    }
    inner(replaced);
    w.keep(value);
  }
}

/**
 * Entries of a plain object. JavaScript turns integer keys into strings; records by number, such
 * as the state of an optimiser by parameter, get their integers back.
 */
function entriesOf(value: object): [string | number, unknown][] {
  const entries = Object.entries(value);
  const numbered = entries.every(([key, item]) => /^(0|[1-9]\d{0,14})$/.test(key) && isPlain(item));
  return numbered ? entries.map(([key, item]) => [Number(key), item]) : entries;
}

/** `collections.OrderedDict()`, empty: a new one each time. */
export const orderedDict = new Reduce(new Global('collections', 'OrderedDict'), new Tuple([]));

function writeItems(
  w: Writer,
  opcode: number,
  items: readonly unknown[],
  inner: (item: unknown) => void,
): void {
  if (items.length === 0) return;
  w.byte(op.mark);
  for (const item of items) inner(item);
  w.byte(opcode);
}
