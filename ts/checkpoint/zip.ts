/** Writes zip archives, entry by entry. */

import { deflatePieces } from '#platform';
import type { Sink } from '../platform/source.js';
import { crc32 } from './crc32.js';
import type { Pieces } from './pieces.js';

/** PyTorch maps files into memory and wants each storage to start at a multiple of this. */
const ALIGNMENT = 64;
/** From here on sizes and places stand in fields of 64 bits. */
const WIDE = 0xffffffff;
const LOCAL = 30;
const PADDING_FIELD = 0x4246;
/** 1 January 1980, midnight: all entries carry it, so that equal values give equal files. */
const DATE = 0x00210000;
const UTF8 = 0x800;

/** What is to be written. */
export interface ZipEntry {
  readonly name: string;
  /** Bytes before packing. */
  readonly size: number;
  readonly pieces: () => Pieces;
  /** Whether 64 bits are used for sizes that need none. */
  readonly wide?: boolean;
}

interface Written extends ZipEntry {
  readonly offset: number;
  readonly packed: number;
  readonly checksum: number;
}

/** Bytes that come at once. */
export function zipEntry(name: string, bytes: Uint8Array): ZipEntry {
  async function* pieces() {
    yield bytes;
  }
  return { name, size: bytes.length, pieces };
}

const encoder = new TextEncoder();
const nameOf = (entry: ZipEntry) => encoder.encode(entry.name);
const isWide = (entry: ZipEntry) => entry.wide || entry.size >= WIDE;

/** The size of the extra field that lets the bytes of an entry start at the alignment. */
function paddingOf(entry: ZipEntry, offset: number): number {
  const start = offset + LOCAL + nameOf(entry).length + (isWide(entry) ? 20 : 0) + 4;
  return (ALIGNMENT - (start % ALIGNMENT)) % ALIGNMENT;
}

/** How many bytes an archive of stored entries has. */
export function zipSize(entries: readonly ZipEntry[]): number {
  let offset = 0;
  let directory = 0;
  const written = entries.map((entry) => {
    const result = { ...entry, offset, packed: entry.size, checksum: 0 };
    offset += localHeader(entry, offset, 0, false).length + entry.size;
    directory += directoryEntry(result, false).length;
    return result;
  });
  return offset + directory + directoryEnd(written.length, offset, directory).length;
}

/** Writes an archive; entries are stored, or deflated. */
export async function writeZip(
  sink: Sink,
  entries: readonly ZipEntry[],
  deflated = false,
): Promise<void> {
  const written: Written[] = [];
  let offset = 0;
  for (const entry of entries) {
    const header = localHeader(entry, offset, entry.size, deflated);
    await sink.write(header);
    let checksum = 0;
    let packed = 0;
    const plain = async function* () {
      for await (const piece of entry.pieces()) {
        checksum = crc32(piece, checksum);
        yield piece;
      }
    };
    for await (const piece of deflated ? deflatePieces(plain()) : plain()) {
      packed += piece.length;
      await sink.write(piece);
    }
    const view = new DataView(new ArrayBuffer(8));
    view.setUint32(0, checksum, true);
    view.setUint32(4, isWide(entry) ? WIDE : packed, true);
    await sink.patch(offset + 14, new Uint8Array(view.buffer));
    if (isWide(entry)) {
      view.setBigUint64(0, BigInt(packed), true);
      await sink.patch(offset + LOCAL + nameOf(entry).length + 12, new Uint8Array(view.buffer));
    }
    written.push({ ...entry, offset, packed, checksum });
    offset += header.length + packed;
  }
  const directory = written.map((entry) => directoryEntry(entry, deflated));
  const size = directory.reduce((sum, { length }) => sum + length, 0);
  for (const bytes of directory) await sink.write(bytes);
  await sink.write(directoryEnd(written.length, offset, size));
}

/** The header before an entry, without its checksum. */
function localHeader(
  entry: ZipEntry,
  offset: number,
  packed: number,
  deflated: boolean,
): Uint8Array {
  const name = nameOf(entry);
  const padding = paddingOf(entry, offset);
  const wide = isWide(entry) ? 20 : 0;
  const bytes = new Uint8Array(LOCAL + name.length + wide + 4 + padding);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x04034b50, true);
  writeCommon(view, 4, entry, deflated);
  view.setUint32(18, isWide(entry) ? WIDE : packed, true);
  view.setUint16(28, wide + 4 + padding, true);
  bytes.set(name, LOCAL);
  let at = LOCAL + name.length;
  if (wide > 0) {
    writeWide(view, at, [entry.size, packed]);
    at += wide;
  }
  view.setUint16(at, PADDING_FIELD, true);
  view.setUint16(at + 2, padding, true);
  bytes.fill(0x5a, at + 4);
  return bytes;
}

/** Version, flags, packing, date, size and length of name; not checksum and packed size. */
function writeCommon(view: DataView, at: number, entry: ZipEntry, deflated: boolean): void {
  view.setUint16(at, isWide(entry) ? 45 : 20, true);
  view.setUint16(at + 2, UTF8, true);
  view.setUint16(at + 4, deflated ? 8 : 0, true);
  view.setUint32(at + 6, DATE, true);
  view.setUint32(at + 18, isWide(entry) ? WIDE : entry.size, true);
  view.setUint16(at + 22, nameOf(entry).length, true);
}

/** The extra field of zip64. */
function writeWide(view: DataView, at: number, values: readonly number[]): void {
  view.setUint16(at, 1, true);
  view.setUint16(at + 2, 8 * values.length, true);
  values.forEach((value, i) => {
    view.setBigUint64(at + 4 + 8 * i, BigInt(value), true);
  });
}

function directoryEntry(entry: Written, deflated: boolean): Uint8Array {
  const { size, packed, offset, checksum } = entry;
  const name = nameOf(entry);
  const far = entry.wide || offset >= WIDE;
  const wide = [...(isWide(entry) ? [size, packed] : []), ...(far ? [offset] : [])];
  const extra = wide.length > 0 ? 4 + 8 * wide.length : 0;
  const bytes = new Uint8Array(46 + name.length + extra);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x02014b50, true);
  view.setUint16(4, 45, true);
  writeCommon(view, 6, entry, deflated);
  view.setUint32(16, checksum, true);
  view.setUint32(20, isWide(entry) ? WIDE : packed, true);
  view.setUint16(30, extra, true);
  view.setUint32(42, far ? WIDE : offset, true);
  bytes.set(name, 46);
  if (extra > 0) writeWide(view, 46 + name.length, wide);
  return bytes;
}

function directoryEnd(count: number, start: number, size: number): Uint8Array {
  const wide = count >= 0xffff || start >= WIDE || size >= WIDE ? 76 : 0;
  const view = new DataView(new ArrayBuffer(wide + 22));
  if (wide > 0) {
    view.setUint32(0, 0x06064b50, true);
    view.setBigUint64(4, 44n, true);
    view.setUint16(12, 45, true);
    view.setUint16(14, 45, true);
    [count, count, size, start].forEach((value, i) => {
      view.setBigUint64(24 + 8 * i, BigInt(value), true);
    });
    view.setUint32(56, 0x07064b50, true);
    view.setBigUint64(64, BigInt(start + size), true);
    view.setUint32(72, 1, true);
  }
  view.setUint32(wide, 0x06054b50, true);
  view.setUint16(wide + 8, Math.min(count, 0xffff), true);
  view.setUint16(wide + 10, Math.min(count, 0xffff), true);
  view.setUint32(wide + 12, Math.min(size, WIDE), true);
  view.setUint32(wide + 16, Math.min(start, WIDE), true);
  return new Uint8Array(view.buffer);
}
