import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Joiner } from '../../wasm/join.js';
import { MAIN, moduleBytes, tileBuilds } from '../../wasm/loader.js';
import { split } from '../../wasm/split.mjs';

/** A module of one function, with the declarations of locals and the instructions given. */
function moduleOf(...body: number[]): Uint8Array {
  const code = [1, body.length, ...body];
  return Uint8Array.from([
    ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1],
    ...[10, code.length, ...code, 0, 3, 1, 120, 7],
  ]);
}

const rejoined = (bytes: Uint8Array) => new Joiner(split([bytes])).module(bytes.length);

describe('modules as streams', () => {
  it('come back byte by byte, one after the other', () => {
    const modules = [MAIN, ...tileBuilds()].map((name) => moduleBytes(name, true));
    expect(modules.length).toBeGreaterThan(1);
    const joiner = new Joiner(split(modules));
    for (const bytes of modules) {
      expect(Buffer.compare(joiner.module(bytes.length), bytes)).toBe(0);
    }
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
    expect(Buffer.compare(rejoined(bytes), bytes)).toBe(0);
  });

  it('hold no instruction that the splitter does not know', () => {
    expect(() => split([moduleOf(0, 0xd2, 0, 0x0b)])).toThrow(/instruction 210/);
  });
});
