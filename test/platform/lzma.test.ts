import { describe, expect, it } from 'vitest';
import { length, packed } from '#module';
import { unpack } from '../../ts/platform/browser.js';
import { unpackLzma } from '../../ts/platform/lzma.js';
import { unpack as unpackInNode } from '../../ts/platform/node.js';
import { lzma } from '../../wasm/pack.mjs';

/** Bytes with runs, repeats at many distances and noise, always the same. */
function sample(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let seed = 1;
  const next = (limit: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * limit);
  };
  for (let at = 0; at < length; ) {
    const run = Math.min(1 + next(600), length - at);
    const back = 1 + next(at);
    const kind = next(3);
    for (let i = 0; i < run; i++, at++) {
      bytes[at] = kind === 0 ? next(256) : kind === 1 ? 7 : (bytes[at - back] ?? 0);
    }
  }
  return bytes;
}

describe('the unpacker of pages', () => {
  it.each([1, 2, 300, 5000, 300_000])('gives back what was packed: %i bytes', async (length) => {
    const bytes = sample(length);
    expect(Buffer.compare(unpackLzma(await lzma(bytes), length), bytes)).toBe(0);
  });

  it('gives the very kernels that Node unpacks', async () => {
    const bytes = unpackInNode(packed, length);
    expect(bytes.length).toBe(length);
    const text = Buffer.from(await lzma(bytes)).toString('base64');
    expect(Buffer.compare(unpack(text, length), bytes)).toBe(0);
  });
});
