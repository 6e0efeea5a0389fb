/** The heap's allocator: never two blocks in one place, and nothing lost. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Allocator } from '../../ts/device/allocator.js';

interface Block {
  readonly address: number;
  readonly bytes: number;
}

const sizes = fc.oneof(
  fc.integer({ min: 1, max: 300 }),
  fc.integer({ min: 1, max: 70_000 }),
  fc.integer({ min: 60_000, max: 1_000_000 }),
);
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('allocate' as const), bytes: sizes }),
    fc.record({ kind: fc.constant('free' as const), bytes: fc.nat() }),
  ),
  { maxLength: 200 },
);

describe('any order of allocations', () => {
  test('no two live blocks overlap; all are aligned and within the heap', () => {
    fc.assert(
      fc.property(steps, (list) => {
        let end = 0;
        const allocator = new Allocator(1000, (to) => {
          end = Math.max(end, to);
          return true;
        });
        const live: Block[] = [];
        for (const { kind, bytes } of list) {
          if (kind === 'free') {
            if (live.length === 0) continue;
            const [gone] = live.splice(bytes % live.length, 1);
            allocator.free(gone.address, gone.bytes);
            continue;
          }
          const address = allocator.allocate(bytes);
          expect(address % 64).toBe(0);
          expect(address).toBeGreaterThanOrEqual(1000);
          expect(address + bytes).toBeLessThanOrEqual(end);
          live.push({ address, bytes });
        }
        live.sort((a, b) => a.address - b.address);
        for (let i = 1; i < live.length; i++) {
          expect(live[i].address).toBeGreaterThanOrEqual(live[i - 1].address + live[i - 1].bytes);
        }
      }),
    );
  });

  test('the same work again and again needs no more than twice its memory', () => {
    fc.assert(
      fc.property(fc.array(sizes, { minLength: 1, maxLength: 60 }), (list) => {
        let end = 0;
        const allocator = new Allocator(0, (to) => {
          end = Math.max(end, to);
          return true;
        });
        const round = () => {
          const blocks = list.map((bytes) => ({ address: allocator.allocate(bytes), bytes }));
          for (const { address, bytes } of blocks.reverse()) allocator.free(address, bytes);
        };
        for (let i = 0; i < 20; i++) round();
        // Slabs of 256 kB stay for the small sizes; the holes between large blocks are bounded.
        const total = list.reduce((sum, bytes) => sum + Math.ceil(bytes / 64) * 64, 0);
        const slabs = new Set(list.filter((bytes) => bytes <= 65536)).size * (1 << 18);
        expect(end).toBeLessThanOrEqual(2 * total + slabs);
      }),
      { numRuns: 300 },
    );
  });
});

describe('large blocks', () => {
  const heap = () => {
    const state = { end: 0 };
    const allocator = new Allocator(0, (to) => {
      state.end = Math.max(state.end, to);
      return true;
    });
    return { allocator, state };
  };
  const MB = 1 << 20;

  test('neighbours join when freed, in any order', () => {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 0, 2],
      [0, 2, 1],
      [1, 2, 0],
      [2, 0, 1],
    ]) {
      const { allocator, state } = heap();
      const blocks = [0, 1, 2].map(() => allocator.allocate(MB));
      const guard = allocator.allocate(MB);
      for (const i of order) allocator.free(blocks[i], MB);
      expect(allocator.allocate(3 * MB)).toBe(blocks[0]);
      expect(state.end).toBe(guard + MB);
    }
  });

  test('the smallest range that fits is taken', () => {
    const { allocator } = heap();
    const wide = allocator.allocate(4 * MB);
    allocator.allocate(MB);
    const narrow = allocator.allocate(2 * MB);
    allocator.allocate(MB);
    allocator.free(wide, 4 * MB);
    allocator.free(narrow, 2 * MB);
    expect(allocator.allocate(2 * MB)).toBe(narrow);
    expect(allocator.allocate(MB)).toBe(wide);
  });

  test('a free range at the end grows instead of being left behind', () => {
    const { allocator, state } = heap();
    const block = allocator.allocate(MB);
    allocator.free(block, MB);
    expect(allocator.allocate(2 * MB)).toBe(block);
    expect(state.end).toBe(block + 2 * MB);
  });

  test('-1 where the heap cannot grow, and all still works', () => {
    const allocator = new Allocator(0, (to) => to <= 4 * MB);
    const block = allocator.allocate(3 * MB);
    expect(allocator.allocate(2 * MB)).toBe(-1);
    const small = allocator.allocate(100);
    expect(small).toBeGreaterThanOrEqual(block + 3 * MB);
    allocator.free(block, 3 * MB);
    expect(allocator.allocate(2 * MB)).toBe(block);
  });
});
