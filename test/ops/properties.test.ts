/** Views, broadcasting and indexing against the naive arrays, on random shapes and layouts. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';
import { broadcast, type Item, Naive } from './naive.js';

type Tensor = torch.Tensor;

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });

function make(naive: Naive): Tensor {
  return torch.tensor(Float32Array.from(naive.data)).reshape([...naive.shape]);
}

async function expectSame(actual: Tensor, expected: Naive): Promise<void> {
  expect([...actual.shape]).toEqual([...expected.shape]);
  expect([...(await actual.data())].map(Number)).toEqual([...expected.data]);
}

interface Both {
  readonly tensor: Tensor;
  readonly naive: Naive;
}

/** One view, chosen by three numbers; shapes that do not allow it are left alone. */
function view({ tensor, naive }: Both, [kind, a, b]: readonly [number, number, number]): Both {
  const rank = naive.shape.length;
  if (rank === 0) return { tensor, naive };
  const dim = a % rank;
  const size = naive.shape[dim]!;
  if (kind === 0) {
    const other = b % rank;
    return { tensor: tensor.transpose(dim, other), naive: naive.transpose(dim, other) };
  }
  if (kind === 1) {
    const start = size === 0 ? 0 : b % size;
    const length = Math.min(size - start, 1 + (b % 3));
    const part = naive.narrow(dim, start, length);
    return { tensor: tensor.narrow(dim, start, length), naive: part };
  }
  if (kind === 2) {
    const step = 1 + (b % 3);
    const items = new Array<string>(dim).fill(':').concat(`::${step}`);
    return { tensor: tensor.at(...items), naive: naive.stride(dim, step) };
  }
  if (kind === 3) {
    const wide = [2, ...naive.shape.map((n) => (n === 1 ? 1 + (b % 3) : n))];
    return { tensor: tensor.expand(wide), naive: naive.expand(wide) };
  }
  return { tensor: tensor.flip([dim]), naive: naive.flip(dim) };
}

const steps = fc.array(
  fc.tuple(fc.integer({ min: 0, max: 4 }), fc.nat({ max: 20 }), fc.nat({ max: 20 })),
  { maxLength: 4 },
);

const laidOut = fc.tuple(shapes, steps).map(([shape, list]) => {
  const naive = Naive.range(shape);
  return { shape, list, naive };
});

function build({ list, naive }: { list: [number, number, number][]; naive: Naive }): Both {
  return list.reduce<Both>(view, { tensor: make(naive), naive });
}

describe('layouts', () => {
  test('a chain of views shows what the naive one shows', async () => {
    await fc.assert(
      fc.asyncProperty(laidOut, async (start) => {
        const { tensor, naive } = build(start);
        await expectSame(tensor, naive);
        await expectSame(tensor.contiguous(), naive);
        await expectSame(tensor.clone(), naive);
      }),
    );
  });

  test('elementwise operations and sums take any layout', async () => {
    await fc.assert(
      fc.asyncProperty(laidOut, async (start) => {
        const { tensor, naive } = build(start);
        await expectSame(
          tensor.mul(2),
          new Naive(
            naive.shape,
            naive.data.map((x) => x * 2),
          ),
        );
        const total = naive.data.reduce((a, b) => a + b, 0);
        expect(await tensor.sum().item()).toBe(total);
        if (naive.shape.length === 0) return;
        const columns = await tensor.sum(0).data();
        expect([...columns].reduce((a, b) => Number(a) + Number(b), 0)).toBe(total);
      }),
    );
  });

  test('writing through a view writes the base', async () => {
    await fc.assert(
      fc.asyncProperty(laidOut, async (start) => {
        const base = make(start.naive);
        const isView = start.list.filter(([kind]) => kind < 3);
        const { tensor } = isView.reduce<Both>(view, { tensor: base, naive: start.naive });
        const touched = tensor.numel();
        tensor.fill_(-1);
        const changed = [...(await base.data())].filter((x) => Number(x) === -1);
        expect(changed.length).toBe(touched);
      }),
    );
  });
});

describe('broadcasting', () => {
  test('adds as the naive one', async () => {
    const drop = fc.array(fc.boolean(), { minLength: 4, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(shapes, drop, drop, fc.nat({ max: 4 }), async (shape, ones, more, cut) => {
        const a = Naive.range(shape.map((n, i) => (ones[i] ? 1 : n)));
        const b = Naive.range(
          shape.map((n, i) => (more[i] ? 1 : n)).slice(Math.min(cut, shape.length)),
        );
        const to = broadcast(a.shape, b.shape);
        const left = a.expand(to);
        const right = b.expand(to);
        const sum = new Naive(
          to,
          left.data.map((x, i) => x + right.data[i]!),
        );
        await expectSame(make(a).add(make(b)), sum);
        await expectSame(make(b).add(make(a)), sum);
      }),
    );
  });

  test('refuses shapes that do not go together', () => {
    const add = () => torch.ones([2, 3]).add(torch.ones([2, 4]));
    expect(add).toThrow(/\[2, 3\].*\[2, 4\]/);
  });
});

const bound = fc.option(fc.integer({ min: -6, max: 6 }), { nil: null });
const slice = fc.record({ start: bound, stop: bound, step: fc.integer({ min: 1, max: 3 }) });

/** Index items that fit a shape: at most one array, so that its place in the result is plain. */
const indexing = fc
  .array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 })
  .chain((shape) => {
    const items = shape.map((size) =>
      fc.oneof(fc.integer({ min: -size, max: size - 1 }), slice as fc.Arbitrary<Item>),
    );
    return fc.record({
      shape: fc.constant(shape),
      items: fc.tuple(...items) as unknown as fc.Arbitrary<Item[]>,
      used: fc.integer({ min: 0, max: shape.length }),
      extra: fc.constantFrom<'none' | 'new' | 'rest'>('none', 'new', 'rest'),
      place: fc.nat({ max: 4 }),
    });
  })
  .map(({ shape, items, used, extra, place }) => {
    const index: Item[] = items.slice(0, used);
    if (extra === 'new') index.splice(place % (used + 1), 0, null);
    // What follows the rest belongs to the last dimensions: leave it at the end.
    if (extra === 'rest') index.push('...');
    return { shape, index };
  });

function written(item: Item): unknown {
  if (item === null || typeof item === 'number' || item === '...') return item;
  if ('list' in item) return torch.tensor([...item.list]);
  return `${item.start ?? ''}:${item.stop ?? ''}:${item.step}`;
}

type AtItem = Parameters<Tensor['at']>[number];

describe('indexing', () => {
  test('reads what the naive one reads', async () => {
    await fc.assert(
      fc.asyncProperty(indexing, async ({ shape, index }) => {
        const naive = Naive.range(shape);
        const actual = make(naive).at(...(index.map(written) as AtItem[]));
        await expectSame(actual, naive.at(index));
      }),
    );
  });

  test('writes where the naive one writes', async () => {
    await fc.assert(
      fc.asyncProperty(indexing, async ({ shape, index }) => {
        const naive = Naive.range(shape);
        const tensor = make(naive);
        tensor.setAt(index.map(written) as AtItem[], -5);
        await expectSame(tensor, naive.setAt(index, -5));
      }),
    );
  });

  test('takes an array of indices among slices', async () => {
    const cases = fc.tuple(
      fc.array(fc.integer({ min: -3, max: 2 }), { minLength: 1, maxLength: 5 }),
      slice,
      fc.boolean(),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([list, part, first]) => {
        const naive = Naive.range([3, 3, 2]);
        const index: Item[] = first ? [{ list }, part] : [part, { list }];
        const actual = make(naive).at(...(index.map(written) as AtItem[]));
        await expectSame(actual, naive.at(index));
      }),
    );
  });

  test('a mask picks what the naive one picks', async () => {
    const cases = fc.array(fc.boolean(), { minLength: 12, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(cases, async (flags) => {
        const naive = Naive.range([3, 4]);
        const mask = torch.tensor(flags, { dtype: torch.bool }).reshape([3, 4]);
        const picked = naive.data.filter((_, i) => flags[i]);
        const actual = await make(naive).at(mask);
        await expectSame(actual, new Naive([picked.length], picked));
      }),
    );
  });

  test('an index out of range is refused', () => {
    expect(() => torch.ones([2, 3]).at(2)).toThrow(/2/);
    expect(() => torch.ones([2, 3]).at(0, -4)).toThrow(/-4/);
  });
});
