/** at() and setAt() with tensors, masks, slices and numbers against coordinates found by hand. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';

type Tensor = torch.Tensor;
type AtItem = Parameters<Tensor['at']>[number];

/** One index item as the naive side sees it. */
type Item =
  | { kind: 'number'; at: number }
  | { kind: 'slice'; start: number | null; stop: number | null; step: number }
  | { kind: 'new' }
  | { kind: 'list'; shape: readonly number[]; values: readonly number[] }
  | { kind: 'mask'; shape: readonly number[]; values: readonly boolean[] };

const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** All coordinates of a shape in row-major order. */
function coordinates(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (all, size) => all.flatMap((c) => Array.from({ length: size }, (_, i) => [...c, i])),
    [[]],
  );
}

/** Where an axis of the indexed tensor comes from, given the coordinate in the result. */
type Source = (own: readonly number[]) => number;

/** A result axis, or the block of axes that index tensors make together. */
interface Axis {
  readonly advanced: boolean;
  readonly size: number;
}

function positionsOf(item: Item & { kind: 'slice' }, size: number): number[] {
  const all = Array.from({ length: size }, (_, i) => i);
  return all.slice(item.start ?? 0, item.stop ?? size).filter((_, i) => i % item.step === 0);
}

/** What each item makes of its dimension: an axis of the result, a position, or index vectors. */
function layOut(shape: readonly number[], items: readonly Item[]) {
  const axes: Axis[] = [];
  const sources: { axis: number; source: (i: number) => number }[] = [];
  const lists: { dim: number; shape: readonly number[]; values: readonly number[] }[] = [];
  const chosen: (Source | undefined)[] = [];
  let dim = 0;
  const addList = (own: readonly number[], values: readonly number[]) => {
    axes.push({ advanced: true, size: 0 });
    lists.push({ dim, shape: own, values });
    dim++;
  };
  const addAxis = (positions: readonly number[]) => {
    const axis = axes.length;
    axes.push({ advanced: false, size: positions.length });
    sources[dim] = { axis, source: (i) => positions[i]! };
    dim++;
  };
  const whole = (size: number) => Array.from({ length: size }, (_, i) => i);
  const fill: Item[] = Array.from({ length: shape.length }, () => ({
    kind: 'slice',
    start: null,
    stop: null,
    step: 1,
  }));
  for (const item of [...items, ...fill]) {
    if (item.kind === 'new') axes.push({ advanced: false, size: 1 });
    else if (dim >= shape.length) break;
    else if (item.kind === 'number') {
      const at = item.at < 0 ? item.at + shape[dim]! : item.at;
      chosen[dim++] = () => at;
    } else if (item.kind === 'slice') {
      const picked = positionsOf(item, shape[dim]!);
      addAxis(
        item.start === null && item.stop === null && item.step === 1 ? whole(shape[dim]!) : picked,
      );
    } else if (item.kind === 'list') addList(item.shape, item.values);
    else {
      const hits = coordinates(item.shape).filter((_, i) => item.values[i]);
      item.shape.forEach((_, d) => {
        addList(
          [hits.length],
          hits.map((hit) => hit[d]!),
        );
      });
    }
  }
  return { axes, sources, lists, chosen };
}

/** The flat positions that an index names, and the shape of the result. */
function naive(shape: readonly number[], items: readonly Item[]) {
  const { axes, sources, lists, chosen } = layOut(shape, items);
  const rank = Math.max(0, ...lists.map((list) => list.shape.length));
  const block = Array.from({ length: rank }, (_, d) => {
    const sizes = lists.map((list) => list.shape[list.shape.length - rank + d] ?? 1);
    return sizes.find((size) => size !== 1) ?? 1;
  });
  const places = axes.map((_, i) => i).filter((i) => axes[i]!.advanced);
  const together = places.every((place, i) => i === 0 || place === places[i - 1]! + 1);
  const at = together ? (places[0] ?? 0) : 0;
  const plain = axes.map((_, i) => i).filter((i) => !axes[i]!.advanced);
  const before = plain.filter((axis) => together && axis < at);
  const after = plain.filter((axis) => !before.includes(axis));
  const result = [
    ...before.map((axis) => axes[axis]!.size),
    ...block,
    ...after.map((axis) => axes[axis]!.size),
  ];
  const flat = coordinates(result).map((own) => {
    const ofAxis = new Map<number, number>();
    for (const [i, axis] of before.entries()) ofAxis.set(axis, own[i]!);
    for (const [i, axis] of after.entries()) ofAxis.set(axis, own[before.length + rank + i]!);
    const inBlock = own.slice(before.length, before.length + rank);
    const source = shape.map((size, d) => {
      const list = lists.find((l) => l.dim === d);
      if (list !== undefined) {
        const mine = list.shape.map((n, i) =>
          n === 1 ? 0 : inBlock[rank - list.shape.length + i]!,
        );
        const value = list.values[mine.reduce((sum, i, k) => sum * list.shape[k]! + i, 0)]!;
        return value < 0 ? value + size : value;
      }
      const axis = sources[d];
      return axis === undefined ? chosen[d]!(own) : axis.source(ofAxis.get(axis.axis)!);
    });
    return source.reduce((sum, i, d) => sum * shape[d]! + i, 0);
  });
  return { result, flat };
}

function written(item: Item): AtItem {
  if (item.kind === 'new') return null;
  if (item.kind === 'number') return item.at;
  if (item.kind === 'slice') return `${item.start ?? ''}:${item.stop ?? ''}:${item.step}`;
  const data = item.kind === 'mask' ? item.values.map(Number) : [...item.values];
  const made = torch.tensor(Int32Array.from(data)).reshape([...item.shape]);
  return item.kind === 'mask' ? made.bool() : made;
}

/** Random indices that fit a random shape; all index tensors broadcast to one of two shapes. */
const cases = fc
  .record({
    shape: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
    block: fc.constantFrom<number[]>([2], [3], [2, 3]),
    seed: fc.infiniteStream(fc.nat({ max: 999 })),
  })
  .map(({ shape, block, seed }) => {
    const next = (below: number) => (seed.next().value as number) % below;
    const items: Item[] = [];
    const hits = count(block.slice(-1));
    for (let dim = 0; dim < shape.length; ) {
      const size = shape[dim]!;
      const kind = next(6);
      if (kind === 0) items.push({ kind: 'number', at: next(2 * size) - size });
      else if (kind === 1) {
        const bound = () => (next(3) === 0 ? null : next(9) - 4);
        items.push({ kind: 'slice', start: bound(), stop: bound(), step: 1 + next(2) });
      } else if (kind === 2) {
        items.push({ kind: 'new' });
        continue;
      } else if (kind === 3 && size >= hits) {
        // As many true elements as the other index tensors have in their last dimension.
        const values = Array.from({ length: size }, (_, i) => i < hits);
        items.push({ kind: 'mask', shape: [size], values: next(2) ? values : values.reverse() });
      } else {
        const own = next(3) === 0 ? block.slice(-1) : block;
        const values = Array.from({ length: count(own) }, () => next(2 * size) - size);
        items.push({ kind: 'list', shape: own, values });
      }
      dim++;
      if (next(8) === 0) break;
    }
    return { shape, items };
  });

const make = (shape: readonly number[]): Tensor =>
  torch.arange(count(shape), { dtype: torch.float32 }).reshape([...shape]);

describe('indexing by tensors, masks, slices and numbers', () => {
  test('at() reads what the coordinates say, and its gradient goes back there', () => {
    fc.assert(
      fc.property(cases, ({ shape, items }) => {
        const { result, flat } = naive(shape, items);
        const x = make(shape).requiresGrad_();
        const read = x.at(...items.map(written));
        expect([...read.shape]).toEqual(result);
        expect(Array.from(read.dataSync(), Number)).toEqual(flat);
        const weights = torch.arange(flat.length, { dtype: torch.float32 }).add(1);
        read.reshape([-1]).mul(weights).sum().backward();
        const expected = new Array<number>(count(shape)).fill(0);
        flat.forEach((place, i) => {
          expected[place]! += i + 1;
        });
        expect(Array.from((x.grad as Tensor).dataSync(), Number)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  test('setAt() writes there, through views too', () => {
    fc.assert(
      fc.property(cases, fc.boolean(), ({ shape, items }, turned) => {
        const { result, flat } = naive(shape, items);
        const values = torch.arange(flat.length, { dtype: torch.float32 }).neg().sub(1);
        const expected = Array.from({ length: count(shape) }, (_, i) => i);
        flat.forEach((place, i) => {
          expected[place] = -1 - i;
        });
        const order = shape.map((_, d) => shape.length - 1 - d);
        const base = turned ? make(shape).permute(order).contiguous() : make(shape);
        const x = turned ? base.permute(order) : base;
        x.setAt(items.map(written), values.reshape(result));
        expect(Array.from(x.dataSync(), Number)).toEqual(expected);
        expect(x.storage_).toBe(base.storage_);
      }),
      { numRuns: 300 },
    );
  });

  test('indexPut() with accumulate adds every value', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: -3, max: 2 }), fc.integer({ min: 0, max: 3 })), {
          minLength: 1,
          maxLength: 9,
        }),
        (pairs) => {
          const [rows, columns] = [0, 1].map((k) => torch.tensor(pairs.map((pair) => pair[k]!)));
          const sum = torch.zeros(3, 4).indexPut([rows!, columns!], torch.ones(pairs.length), true);
          const expected = new Array<number>(12).fill(0);
          for (const [r, c] of pairs) expected[(r < 0 ? r + 3 : r) * 4 + c]! += 1;
          expect(Array.from(sum.dataSync(), Number)).toEqual(expected);
        },
      ),
    );
  });
});
