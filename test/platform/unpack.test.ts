import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { length, packed, unpackerSize } from '#module';
import { unpack as bytesInPage } from '../../ts/platform/browser.js';
import { unpack } from '../../ts/platform/node.js';
import { MAIN, moduleBytes, tileBuilds } from '../../wasm/loader.js';
import { lzma } from '../../wasm/pack.mjs';
import { split } from '../../wasm/split.mjs';
import { Unpacker } from '../../wasm/unpack.js';

const bytes = unpack(packed);
const start = () => new Unpacker(bytes.slice(0, unpackerSize));

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

describe('LZMA', () => {
  it.each([1, 2, 300, 5000, 300_000])('gives back what was packed: %i bytes', async (length) => {
    const bytes = sample(length);
    expect(Buffer.compare(start().lzma(await lzma(bytes), length), bytes)).toBe(0);
  });

  it('gives a page the very streams that Node unpacks', async () => {
    const streams = bytes.subarray(unpackerSize);
    expect(streams.length).toBe(length);
    const text = Buffer.from(await lzma(streams)).toString('base64');
    expect(Buffer.compare(start().lzma(bytesInPage(text), length), streams)).toBe(0);
  });
});

const HEAD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1];

/** A module of one function, with what is exported and the code given. */
function moduleWith(exported: number[], body: number[]): Uint8Array {
  const code = [1, body.length, ...body];
  return Uint8Array.from([
    ...[...HEAD, 7, exported.length, ...exported],
    ...[10, code.length, ...code, 0, 3, 1, 120, 7],
  ]);
}

/** A module of one function, with the declarations of locals and the instructions given. */
const moduleOf = (...body: number[]) => moduleWith([1, 1, 102, 0, 0], body);

/** What becomes of modules that were split. */
function rejoined(...modules: Uint8Array[]): Uint8Array[] {
  const unpacker = start();
  unpacker.begin(split(modules), Math.max(...modules.map(({ length }) => length)));
  return modules.map(({ length }) => unpacker.next(length));
}

describe('modules as streams', () => {
  it('come back byte by byte, one after the other', () => {
    const modules = [MAIN, ...tileBuilds()].map((name) => moduleBytes(name, true));
    expect(modules.length).toBeGreaterThan(1);
    rejoined(...modules).forEach((bytes, i) => {
      expect(Buffer.compare(bytes, modules[i])).toBe(0);
    });
  });

  it('are what was linked, but for how addresses are said to be aligned', () => {
    const linked = readFileSync('build/kernels.wasm');
    const joined = moduleBytes(MAIN, true);
    const differ = linked.filter((byte, i) => byte !== joined[i]);
    expect(joined.length).toBe(linked.length);
    expect(differ.every((alignment) => alignment > 0 && alignment < 5)).toBe(true);
    expect(WebAssembly.validate(joined)).toBe(true);
  });

  it.each<[string, number[]]>([
    ['nothing', [0, 0x0b]],
    ['negative and padded numbers', [0, 0x41, 0xff, 0, 0x1a, 0x42, 0x80, 0x7f, 0x1a, 0x0b]],
    ['tables', [0, 2, 64, 2, 64, 0x41, 0, 0x0e, 2, 0, 1, 0, 0x0b, 0x0b, 0x0b]],
    ['locals in any order', [1, 9, 127, 0x20, 8, 0x21, 2, 0x20, 5, 0x22, 8, 0x21, 5, 0x0b]],
    [
      'copies and fills',
      [0, 65, 0, 65, 0, 65, 0, 0xfc, 10, 0, 0, 65, 0, 65, 0, 65, 0, 0xfc, 11, 0, 11],
    ],
    ['lanes', [0, 65, 0, 65, 0, 0xfd, 0, 0, 16, 0xfd, 0x57, 0, 2, 15, 0xfd, 0x1b, 3, 0x1a, 0x0b]],
    ['atomics, which need their alignment', [0, 65, 0, 0xfe, 0x10, 2, 4, 0x1a, 0xfe, 3, 0, 0x0b]],
  ])('hold %s', (_what, body) => {
    const bytes = moduleOf(...body);
    expect(Buffer.compare(rejoined(bytes)[0], bytes)).toBe(0);
  });

  it.each<[string, number[]]>([
    ['no exports', [0]],
    ['exports in any order', [4, 1, 97, 0, 5, 2, 98, 98, 0, 0xe8, 7, 1, 99, 3, 1, 0, 0, 2]],
    ['the last index there is', [2, 1, 97, 0, 0xff, 0xff, 0xff, 0xff, 15, 1, 98, 0, 0]],
  ])('hold %s', (_what, exported) => {
    const bytes = moduleWith(exported, [0, 0x0b]);
    expect(Buffer.compare(rejoined(bytes)[0], bytes)).toBe(0);
  });

  it('hold exports, or are not split', () => {
    const bytes = Uint8Array.from([...HEAD, 10, 4, 1, 2, 0, 0x0b]);
    expect(() => split([bytes])).toThrow(/without a section 7/);
  });

  it('hold no instruction that the splitter does not know', () => {
    expect(() => split([moduleOf(0, 0xd2, 0, 0x0b)])).toThrow(/instruction 210/);
  });
});
