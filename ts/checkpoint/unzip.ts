/** Reads zip archives whose sizes and places are all checked before they are believed. */

import { inflateSync } from 'fflate';
import type { Source } from '../platform/source.js';

/** How a broken file is reported: where in it, the entry or '' for the archive, and what is wrong. */
export type Fail = (message: string, at: number, entry?: string) => never;

/** All entries together hold at most this many times the bytes of the file, and `SLACK` more. */
const RATIO = 128;
const SLACK = 2 ** 20;

interface Entry {
  readonly name: string;
  /** Where its local header starts. */
  readonly offset: number;
  readonly packed: number;
  readonly size: number;
  readonly deflated: boolean;
}

const viewOf = (bytes: Uint8Array) =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** The entries of an archive by name, read one by one. */
export class Archive {
  private constructor(
    private readonly source: Source,
    private readonly entries: ReadonlyMap<string, Entry>,
    private readonly fail: Fail,
  ) {}

  /** Reads the directory. */
  static async open(source: Source, fail: Fail): Promise<Archive> {
    const [start, end] = await findDirectory(source, fail);
    const directory = await source.read(start, end);
    const entries = readDirectory(directory, start, fail);
    let packed = 0;
    let size = 0;
    for (const entry of entries.values()) {
      packed += entry.packed;
      size += entry.size;
    }
    if (packed > source.size) fail('the entries are larger together than the file', start);
    if (size > RATIO * source.size + SLACK) {
      fail(`it unpacks to ${size} bytes, more than ${RATIO} times its size`, start);
    }
    return new Archive(source, entries, fail);
  }

  get names(): string[] {
    return [...this.entries.keys()];
  }

  /** The size of an entry once unpacked, or undefined if there is none. */
  size(name: string): number | undefined {
    return this.entries.get(name)?.size;
  }

  /** Where the local header of an entry starts. */
  offset(name: string): number {
    return this.entries.get(name)?.offset ?? 0;
  }

  /** The content of an entry that is there. */
  async read(name: string): Promise<Uint8Array> {
    const { source } = this;
    const entry = this.entries.get(name);
    const fail = (message: string) => this.fail(message, entry?.offset ?? 0, name);
    if (entry === undefined) return fail('the entry is missing');
    const { offset, packed, size } = entry;
    if (offset + 30 > source.size) fail('its header lies past the end of the file');
    const header = viewOf(await source.read(offset, offset + 30));
    if (header.getUint32(0, true) !== 0x04034b50) fail('it has no header where it should start');
    const named = offset + 30 + header.getUint16(26, true);
    const start = named + header.getUint16(28, true);
    if (start + packed > source.size) fail('it ends past the end of the file');
    if (textOf(await source.read(offset + 30, named)) !== name) {
      fail('it has another name in its header than in the directory');
    }
    const bytes = await source.read(start, start + packed);
    if (!entry.deflated) return bytes;
    let content: Uint8Array;
    try {
      // One byte more than declared shows whether there is more.
      content = inflateSync(bytes, { out: new Uint8Array(size + 1) });
    } catch (error) {
      return fail(`it cannot be unpacked: ${(error as Error).message}`);
    }
    if (content.length !== size) {
      fail(`it does not unpack to the ${size} bytes declared`);
    }
    return content;
  }
}

/** Where the directory starts and ends. */
async function findDirectory(source: Source, fail: Fail): Promise<[number, number]> {
  const first = Math.max(0, source.size - 22 - 0xffff - 20);
  const tail = viewOf(await source.read(first, source.size));
  let at = tail.byteLength - 22;
  while (at >= 0 && tail.getUint32(at, true) !== 0x06054b50) at--;
  if (at < 0) fail('the zip directory at its end is missing: the file is cut off', source.size);
  let size = tail.getUint32(at + 12, true);
  let start = tail.getUint32(at + 16, true);
  let limit = first + at;
  if (at >= 20 && tail.getUint32(at - 20, true) === 0x07064b50) {
    const record = Number(tail.getBigUint64(at - 12, true));
    if (record + 56 > limit) fail('the zip64 record lies past the end of the file', limit);
    const view = viewOf(await source.read(record, record + 56));
    if (view.getUint32(0, true) !== 0x06064b50) fail('the zip64 record is missing', record);
    size = Number(view.getBigUint64(40, true));
    start = Number(view.getBigUint64(48, true));
    limit = record;
  }
  if (start + size > limit) fail('the zip directory lies past the end of the file', limit);
  return [start, start + size];
}

function readDirectory(bytes: Uint8Array, base: number, fail: Fail): Map<string, Entry> {
  const view = viewOf(bytes);
  const entries = new Map<string, Entry>();
  for (let at = 0; at < bytes.length; ) {
    const named = at + 46;
    if (named > bytes.length || view.getUint32(at, true) !== 0x02014b50) {
      fail('the zip directory is damaged', base + at);
    }
    const extra = named + view.getUint16(at + 28, true);
    const comment = extra + view.getUint16(at + 30, true);
    const next = comment + view.getUint16(at + 32, true);
    if (next > bytes.length) fail('the zip directory is damaged', base + at);
    const name = textOf(bytes.subarray(named, extra));
    const method = view.getUint16(at + 10, true);
    const [size, packed, offset] = wide(view, at, extra, comment);
    if ((view.getUint16(at + 8, true) & 1) !== 0) fail('it is encrypted', base + at, name);
    if (method !== 0 && method !== 8) {
      fail(`it is packed by method ${method}; only stored and deflated are read`, base + at, name);
    }
    if (method === 0 && packed !== size) fail('its two sizes differ', base + at, name);
    if (entries.has(name)) fail('there are two entries of this name', base + at, name);
    entries.set(name, { name, offset, packed, size, deflated: method === 8 });
    at = next;
  }
  return entries;
}

/** Size, packed size and offset of the entry at `at`; zip64 keeps large ones in an extra field. */
function wide(view: DataView, at: number, extra: number, end: number): number[] {
  const values = [24, 20, 42].map((field) => view.getUint32(at + field, true));
  for (let field = extra; field + 4 <= end; ) {
    const stop = Math.min(end, field + 4 + view.getUint16(field + 2, true));
    if (view.getUint16(field, true) === 1) {
      let from = field + 4;
      for (let i = 0; i < values.length; i++) {
        if (values[i] !== 0xffffffff || from + 8 > stop) continue;
        values[i] = Number(view.getBigUint64(from, true));
        from += 8;
      }
    }
    field = stop;
  }
  return values;
}
