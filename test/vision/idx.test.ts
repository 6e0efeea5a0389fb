import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { FileFormatError } from '../../ts/core/errors.js';
import { parseIdx, parseIdxBytes } from '../../ts/vision/idx.js';

/** An idx file: magic number, sizes, elements. */
function idx(type: number, shape: number[], elements: number[]): Uint8Array {
  const sizes = shape.flatMap((size) => [
    size >>> 24,
    (size >> 16) & 255,
    (size >> 8) & 255,
    size & 255,
  ]);
  return Uint8Array.from([0, 0, type, shape.length, ...sizes, ...elements]);
}

const images = idx(
  8,
  [2, 2, 3],
  Array.from({ length: 12 }, (_, i) => i),
);

function refusal(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(FileFormatError);
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
}

describe('parseIdx', () => {
  it('reads bytes, gzipped or not, from any view', () => {
    const expected = { shape: [2, 2, 3], data: images.slice(16) };
    expect(parseIdx(images)).toEqual(expected);
    expect(parseIdx(gzipSync(images))).toEqual(expected);
    expect(parseIdx(images.buffer as ArrayBuffer)).toEqual(expected);
    const inside = new Uint8Array([9, 9, ...images, 9]).subarray(2, 2 + images.length);
    expect(parseIdx(inside)).toEqual(expected);
  });

  it('reads the other element types, big-endian', () => {
    expect(parseIdx(idx(9, [2], [255, 1])).data).toEqual(Int8Array.of(-1, 1));
    expect(parseIdx(idx(11, [2], [255, 254, 1, 0])).data).toEqual(Int16Array.of(-2, 256));
    expect(parseIdx(idx(12, [1], [0, 1, 0, 2])).data).toEqual(Int32Array.of(65538));
    expect(parseIdx(idx(13, [1], [0x3f, 0xc0, 0, 0])).data).toEqual(Float32Array.of(1.5));
    const one = [0x3f, 0xf0, 0, 0, 0, 0, 0, 0];
    expect(parseIdx(idx(14, [1], one)).data).toEqual(Float64Array.of(1));
  });

  it('names the file and the bytes of a truncated one', () => {
    const message = refusal(() => parseIdx(images.subarray(0, 20), 'train-images-idx3-ubyte'));
    expect(message).toContain('train-images-idx3-ubyte: expected 28 bytes');
    expect(message).toContain('shape [2, 2, 3], got 20; the file is truncated');
    expect(refusal(() => parseIdx(images.subarray(0, 10), 'f'))).toContain('need 16 bytes, got 10');
    expect(refusal(() => parseIdx(images.subarray(0, 3), 'f'))).toContain('4 bytes, got 3');
    expect(refusal(() => parseIdx(new Uint8Array([...images, 0]), 'f'))).toContain('left over');
    const zipped = gzipSync(new Uint8Array([...images, ...images]));
    expect(refusal(() => parseIdx(zipped.subarray(0, 30), 'f.gz'))).toContain(
      'f.gz: the gzip data cannot be unpacked',
    );
  });

  it('refuses what is no idx file, and labels for images', () => {
    const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 0);
    expect(refusal(() => parseIdx(png, 'f'))).toContain('the magic number is 0x89504e47');
    const labels = idx(8, [2], [1, 2]);
    const message = refusal(() => parseIdxBytes(labels, 3, 'f'));
    expect(message).toContain('images has the magic number 0x00000803');
    expect(message).toContain('swapped');
    expect(parseIdxBytes(labels, 1, 'f').data).toEqual(Uint8Array.of(1, 2));
  });
});
