/** Packing and unpacking in pieces, as Node has it and as pages do. */

import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import * as browser from '../../ts/platform/browser.js';
import * as node from '../../ts/platform/node.js';

/** Pieces in one buffer, which is overwritten when the next one is asked for. */
async function* inOneBuffer(bytes: Uint8Array, length: number, ended = () => {}) {
  const buffer = new Uint8Array(length);
  try {
    for (let at = 0; at < bytes.length; at += length) {
      const piece = buffer.subarray(0, Math.min(length, bytes.length - at));
      piece.set(bytes.subarray(at, at + length));
      yield piece;
      buffer.fill(0xaa);
    }
  } finally {
    ended();
  }
}

async function join(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Uint8Array[] = [];
  for await (const piece of pieces) copies.push(piece.slice());
  return Buffer.concat(copies);
}

function noise(length: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state >>> 24;
  });
}

const contents: Record<string, Uint8Array> = {
  nothing: new Uint8Array(0),
  'one byte': Uint8Array.of(7),
  'what packs well': new Uint8Array(5_000_000).fill(3),
  'what does not': noise(2_000_000),
};

describe.each(Object.entries({ node, browser }))(
  '%s',
  (_name, { deflatePieces, inflatePieces }) => {
    it.each(Object.entries(contents))('packs and unpacks %s', async (_content, bytes) => {
      for (const length of [1000, 2 ** 18, 2 ** 20]) {
        if (length === 1000 && bytes.length > 2_000_000) continue;
        const packed = await join(deflatePieces(inOneBuffer(bytes, length)));
        expect(inflateRawSync(packed).equals(bytes)).toBe(true);
        const unpacked = await join(inflatePieces(inOneBuffer(packed, length)));
        expect(unpacked.equals(bytes)).toBe(true);
      }
    });

    it.each([1, 2, 3])('unpacks what ends where %i of its pieces do', async (count) => {
      const bytes = noise(count * 2 ** 18);
      const packed = deflateRawSync(bytes);
      expect((await join(inflatePieces(inOneBuffer(packed, 5000)))).equals(bytes)).toBe(true);
    });

    it('refuses what is cut off or damaged', async () => {
      const packed = deflateRawSync(noise(10_000));
      const damaged = packed.map((byte, i) => (i < 100 ? 0xff : byte));
      for (const bytes of [packed.subarray(0, 9000), damaged]) {
        await expect(join(inflatePieces(inOneBuffer(bytes, 1000)))).rejects.toThrow();
      }
    });

    it('passes on what goes wrong at its source, which it ends', async () => {
      for (const through of [deflatePieces, inflatePieces]) {
        async function* broken() {
          yield* inOneBuffer(deflateRawSync(noise(10_000)).subarray(0, 5000), 1000);
          throw new Error('the disk is gone');
        }
        await expect(join(through(broken()))).rejects.toThrow('the disk is gone');
      }
    });

    it('ends its source when no more is wanted', async () => {
      const bytes = noise(3_000_000);
      for (const [through, given] of [
        [deflatePieces, bytes],
        [inflatePieces, deflateRawSync(bytes)],
      ] as const) {
        let ended = 0;
        const ending = () => {
          ended++;
        };
        for await (const piece of through(inOneBuffer(given, 1000, ending))) {
          expect(piece.length).toBeGreaterThan(0);
          break;
        }
        expect(ended).toBe(1);
      }
    });
  },
);

it('Node frees what it unpacked without the collector', async () => {
  const packed = deflateRawSync(new Uint8Array(64 * 2 ** 20));
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  for await (const _ of node.inflatePieces(inOneBuffer(packed, 2 ** 20))) {
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  }
  expect(most).toBeLessThan(6 * 2 ** 20);
});
