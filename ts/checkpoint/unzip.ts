/** Reads zip archives whose sizes and places are all checked before they are believed. */

import { inflatePieces } from '#platform';
import { TorchError } from '../core/errors.js';
import type { Source } from '../platform/source.js';
import { crc32 } from './crc32.js';
import type { Fail, Input } from './file.js';
import { type Pieces, piecesOf } from './pieces.js';

/** All entries together hold at most `ratio` times the bytes of the file, and this many more. */
const SLACK = 2 ** 20;
const MOST_ENTRIES = 2 ** 20;

export interface ArchiveOptions {
  /** How many times its packed size the content may have. */
  readonly ratio: number;
  /** Whether checksums are compared. */
  readonly checksums: boolean;
}

interface Entry {
  readonly name: string;
  /** Where its local header starts. */
  readonly offset: number;
  readonly packed: number;
  readonly size: number;
  readonly deflated: boolean;
  readonly checksum: number;
}

const viewOf = (bytes: Uint8Array) =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const textOf = (bytes: Uint8Array) => decoder.decode(bytes);

/** The entries of an archive by name, read one by one. */
export class Archive {
  private constructor(
    private readonly source: Source,
    private readonly entries: ReadonlyMap<string, Entry>,
    private readonly fail: Fail,
    private readonly checksums: boolean,
  ) {}

  /** Reads the directory. */
  static async open({ file, fail }: Input, options: ArchiveOptions): Promise<Archive> {
    const { start, end, count } = await findDirectory(file, fail);
    const entries = readDirectory(await file.read(start, end), start, fail);
    if (entries.size !== count) {
      fail(`the zip directory has ${entries.size} entries, ${count} are declared`, start);
    }
    checkPlaces([...entries.values()], start, fail);
    let size = 0;
    for (const entry of entries.values()) size += entry.size;
    if (size > options.ratio * file.size + SLACK) {
      fail(`it unpacks to ${size} bytes, more than ${options.ratio} times its size`, start);
    }
    return new Archive(file, entries, fail, options.checksums);
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

  /** The content of an entry that is there, at once. */
  async read(name: string): Promise<Uint8Array> {
    const content = new Uint8Array(this.size(name) ?? 0);
    let at = 0;
    for await (const piece of this.pieces(name)) {
      content.set(piece, at);
      at += piece.length;
    }
    return content;
  }

  /** The content of an entry. It has the declared size, or this throws. */
  async *pieces(name: string): Pieces {
    const { source } = this;
    const entry = this.entries.get(name);
    const fail = (message: string) => this.fail(message, entry?.offset ?? 0, name);
    if (entry === undefined) return fail('the entry is missing');
    const start = await this.start(entry, fail);
    const packed = piecesOf(source, start, start + entry.packed);
    let checksum = 0;
    for await (const piece of entry.deflated ? unpack(packed, entry.size, fail) : packed) {
      if (this.checksums) checksum = crc32(piece, checksum);
      yield piece;
    }
    if (this.checksums && checksum !== entry.checksum) fail('its checksum is wrong');
  }

  /** Where the bytes of an entry start, behind its local header. */
  private async start(entry: Entry, fail: (message: string) => never): Promise<number> {
    const { source } = this;
    const { offset, packed, size, deflated, name } = entry;
    if (offset + 30 > source.size) fail('its header lies past the end of the file');
    const header = viewOf(await source.read(offset, offset + 30));
    if (header.getUint32(0, true) !== 0x04034b50) fail('it has no header where it should start');
    const named = offset + 30 + header.getUint16(26, true);
    const start = named + header.getUint16(28, true);
    if (start + packed > source.size) fail('it ends past the end of the file');
    const sizes = [header.getUint32(18, true), header.getUint32(22, true)];
    // Sizes that come behind the content are 0 here, those of zip64 elsewhere.
    const streamed = (header.getUint16(6, true) & 8) !== 0;
    const fits = (given: number, real: number) =>
      given === real || given === 0xffffffff || (streamed && given === 0);
    if (!fits(sizes[0], packed) || !fits(sizes[1], size)) {
      fail(`its header declares ${sizes[1]} bytes, the directory ${size}`);
    }
    if (header.getUint16(8, true) !== (deflated ? 8 : 0)) {
      fail('its header declares another packing than the directory');
    }
    if (textOf(await source.read(offset + 30, named)) !== name) {
      fail('it has another name in its header than in the directory');
    }
    return start;
  }
}

/** What a deflate stream holds, which must be `size` bytes. */
async function* unpack(packed: Pieces, size: number, fail: (message: string) => never): Pieces {
  let total = 0;
  try {
    for await (const piece of inflatePieces(packed)) {
      total += piece.length;
      if (total > size) break;
      if (piece.length > 0) yield piece;
    }
  } catch (error) {
    if (error instanceof TorchError) throw error;
    fail(`it cannot be unpacked: ${(error as Error).message}`);
  }
  if (total !== size) fail(`it does not unpack to the ${size} bytes declared`);
}

/** Throws unless the entries lie one behind another, before the directory. */
function checkPlaces(entries: Entry[], directory: number, fail: Fail): void {
  entries.sort((a, b) => a.offset - b.offset);
  let end = 0;
  for (const { offset, packed, name } of entries) {
    if (offset < end) fail('it overlaps the entry before it', offset, name);
    end = offset + 30 + packed;
    if (end > directory) fail('it lies past the end of the entries', offset, name);
  }
}

interface Directory {
  readonly start: number;
  readonly end: number;
  /** The number of entries. */
  readonly count: number;
}

async function findDirectory(source: Source, fail: Fail): Promise<Directory> {
  const first = Math.max(0, source.size - 22 - 0xffff - 20);
  const tail = viewOf(await source.read(first, source.size));
  let at = tail.byteLength - 22;
  while (at >= 0 && tail.getUint32(at, true) !== 0x06054b50) at--;
  if (at < 0) fail('the zip directory at its end is missing: the file is cut off', source.size);
  let count = tail.getUint16(at + 10, true);
  let size = tail.getUint32(at + 12, true);
  let start = tail.getUint32(at + 16, true);
  let limit = first + at;
  if (at >= 20 && tail.getUint32(at - 20, true) === 0x07064b50) {
    const record = Number(tail.getBigUint64(at - 12, true));
    if (record + 56 > limit) fail('the zip64 record lies past the end of the file', limit);
    const view = viewOf(await source.read(record, record + 56));
    if (view.getUint32(0, true) !== 0x06064b50) fail('the zip64 record is missing', record);
    count = Number(view.getBigUint64(32, true));
    size = Number(view.getBigUint64(40, true));
    start = Number(view.getBigUint64(48, true));
    limit = record;
  }
  if (start + size > limit) fail('the zip directory lies past the end of the file', limit);
  return { start, end: start + size, count };
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
    const checksum = view.getUint32(at + 16, true);
    if ((view.getUint16(at + 8, true) & 1) !== 0) fail('it is encrypted', base + at, name);
    if (method !== 0 && method !== 8) {
      fail(`it is packed by method ${method}; only stored and deflated are read`, base + at, name);
    }
    if (method === 0 && packed !== size) fail('its two sizes differ', base + at, name);
    if (entries.has(name)) fail('there are two entries of this name', base + at, name);
    if (entries.size >= MOST_ENTRIES)
      fail(`there are more than ${MOST_ENTRIES} entries`, base + at);
    const deflated = method === 8;
    entries.set(name, { name, offset, packed, size, deflated, checksum });
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
