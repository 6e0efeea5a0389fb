/** The idx format of MNIST: a magic number, the sizes, then the elements, all big-endian. */

import { gunzip as unpack } from '#platform';
import { FileFormatError, showShape } from '../core/errors.js';

/** An array of an idx file. */
export interface IdxArray {
  shape: number[];
  data: Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;
}

interface ElementType {
  name: string;
  size: number;
  read: (view: DataView, start: number, count: number) => IdxArray['data'];
}

const wide = (
  name: string,
  size: number,
  make: (count: number) => IdxArray['data'],
  get: (view: DataView, offset: number) => number,
): ElementType => ({
  name,
  size,
  read: (view, start, count) => {
    const data = make(count);
    for (let i = 0; i < count; i++) data[i] = get(view, start + i * size);
    return data;
  },
});

const elementTypes: Readonly<Record<number, ElementType>> = {
  8: {
    name: 'unsigned byte',
    size: 1,
    read: (view, start, count) => new Uint8Array(view.buffer, view.byteOffset + start, count),
  },
  9: {
    name: 'signed byte',
    size: 1,
    read: (view, start, count) => new Int8Array(view.buffer, view.byteOffset + start, count),
  },
  11: wide(
    'short',
    2,
    (n) => new Int16Array(n),
    (view, at) => view.getInt16(at),
  ),
  12: wide(
    'int',
    4,
    (n) => new Int32Array(n),
    (view, at) => view.getInt32(at),
  ),
  13: wide(
    'float',
    4,
    (n) => new Float32Array(n),
    (view, at) => view.getFloat32(at),
  ),
  14: wide(
    'double',
    8,
    (n) => new Float64Array(n),
    (view, at) => view.getFloat64(at),
  ),
};

/** Unpacks gzip; other bytes are returned as they are. `file` is named in errors. */
export function gunzip(bytes: Uint8Array, file: string): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return unpack(bytes);
  } catch (cause) {
    throw new FileFormatError(
      `${file}: the gzip data cannot be unpacked (${(cause as Error).message}) from ` +
        `${bytes.length} bytes; the file is truncated or damaged, get it again`,
      { cause },
    );
  }
}

/**
 * Reads an idx file, gzipped or not. Throws FileFormatError, naming the file and the bytes
 * expected and found, for a wrong magic number, a truncated file or bytes left over.
 */
export function parseIdx(content: Uint8Array | ArrayBuffer, file = 'idx data'): IdxArray {
  const given = content instanceof Uint8Array ? content : new Uint8Array(content);
  const bytes = gunzip(given, file);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4) {
    throw new FileFormatError(`${file}: an idx file has at least 4 bytes, got ${bytes.length}`);
  }
  const type = elementTypes[bytes[2]];
  if (bytes[0] !== 0 || bytes[1] !== 0 || type === undefined) {
    throw new FileFormatError(
      `${file}: not an idx file: the magic number is ${hex(view.getUint32(0))}, expected ` +
        '0x00000801 for labels or 0x00000803 for images',
    );
  }
  const dims = bytes[3];
  const start = 4 + 4 * dims;
  if (bytes.length < start) {
    throw new FileFormatError(
      `${file}: the sizes of ${dims} dimensions need ${start} bytes, got ${bytes.length}; ` +
        'the file is truncated, get it again',
    );
  }
  const shape = Array.from({ length: dims }, (_, i) => view.getUint32(4 + 4 * i));
  const count = shape.reduce((product, size) => product * size, 1);
  const expected = start + count * type.size;
  if (bytes.length !== expected) {
    const reason = bytes.length < expected ? 'the file is truncated' : 'bytes are left over';
    throw new FileFormatError(
      `${file}: expected ${expected} bytes for ${type.name}s of shape ${showShape(shape)}, got ` +
        `${bytes.length}; ${reason}, get it again`,
    );
  }
  return { shape, data: type.read(view, start, count) };
}

function hex(magic: number): string {
  return `0x${magic.toString(16).padStart(8, '0')}`;
}

/** Reads an idx file of unsigned bytes with `dims` dimensions (3 for images, 1 for labels). */
export function parseIdxBytes(
  content: Uint8Array | ArrayBuffer,
  dims: number,
  file: string,
): { shape: number[]; data: Uint8Array } {
  const { shape, data } = parseIdx(content, file);
  if (!(data instanceof Uint8Array) || shape.length !== dims) {
    const what = dims === 1 ? 'labels' : 'images';
    throw new FileFormatError(
      `${file}: an idx file of ${what} has the magic number ${hex(0x800 + dims)}, got ` +
        `${data.constructor.name.replace('Array', '')} elements of shape ${showShape(shape)}; ` +
        'are images and labels swapped?',
    );
  }
  return { shape, data };
}
