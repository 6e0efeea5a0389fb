/** Arrays of any rank, as plainly as possible: the judge of views, broadcasting and indexing. */

/** An index item: an integer, a slice, a new dimension, the rest, or an array of integers. */
export type Item =
  | number
  | { start: number | null; stop: number | null; step: number }
  | null
  | '...'
  | { list: readonly number[] };

export class Naive {
  constructor(
    readonly shape: readonly number[],
    readonly data: readonly number[],
  ) {}

  static range(shape: readonly number[]): Naive {
    const count = shape.reduce((a, b) => a * b, 1);
    return new Naive(
      shape,
      Array.from({ length: count }, (_, i) => i + 1),
    );
  }

  get(index: readonly number[]): number {
    return this.data[index.reduce((flat, i, dim) => flat * this.shape[dim]! + i, 0)]!;
  }

  /** An array of the given shape whose elements are found in this one. */
  gather(shape: readonly number[], source: (index: number[]) => number[]): Naive {
    return new Naive(
      shape,
      [...indices(shape)].map((index) => this.get(source(index))),
    );
  }

  transpose(a: number, b: number): Naive {
    const swap = <T>(list: readonly T[]): T[] => {
      const copy = [...list];
      [copy[a], copy[b]] = [copy[b]!, copy[a]!];
      return copy;
    };
    return this.gather(swap(this.shape), swap);
  }

  narrow(dim: number, start: number, length: number): Naive {
    const shape = this.shape.map((n, d) => (d === dim ? length : n));
    return this.gather(shape, (index) => index.map((i, d) => (d === dim ? i + start : i)));
  }

  flip(dim: number): Naive {
    const last = this.shape[dim]! - 1;
    return this.gather(this.shape, (index) => index.map((i, d) => (d === dim ? last - i : i)));
  }

  /** Every `step`th element along a dimension. */
  stride(dim: number, step: number): Naive {
    const shape = this.shape.map((n, d) => (d === dim ? Math.ceil(n / step) : n));
    return this.gather(shape, (index) => index.map((i, d) => (d === dim ? i * step : i)));
  }

  /** To a larger shape by repeating dimensions of size 1 and adding leading ones. */
  expand(shape: readonly number[]): Naive {
    const lead = shape.length - this.shape.length;
    return this.gather(shape, (index) =>
      this.shape.map((n, d) => (n === 1 ? 0 : index[d + lead]!)),
    );
  }

  /** Basic and array indexing, one item per dimension. */
  at(items: readonly Item[]): Naive {
    const places = this.places(items);
    return this.gather(places.shape, places.source);
  }

  /** The shape of an indexing result, and where its elements are. */
  places(items: readonly Item[]): { shape: number[]; source: (index: number[]) => number[] } {
    const consuming = items.filter((item) => item !== null && item !== '...').length;
    const rest = new Array<Item>(this.shape.length - consuming).fill(WHOLE);
    const at = items.indexOf('...');
    const full =
      at < 0 ? [...items, ...rest] : [...items.slice(0, at), ...rest, ...items.slice(at + 1)];
    const shape: number[] = [];
    const readers: ((index: number[]) => number)[] = [];
    for (const item of full) {
      const size = this.shape[readers.length] ?? 0;
      const out = shape.length;
      if (item === null) shape.push(1);
      else if (typeof item === 'number') readers.push(() => (item < 0 ? item + size : item));
      else if (item !== '...' && 'list' in item) {
        shape.push(item.list.length);
        readers.push((index) => wrap(item.list[index[out]!]!, size));
      } else if (item !== '...') {
        const [start, length] = range(item, size);
        shape.push(length);
        readers.push((index) => start + index[out]! * item.step);
      }
    }
    return { shape, source: (index) => readers.map((read) => read(index)) };
  }

  /** A copy with the indexed elements replaced by values, repeated from the front. */
  setAt(items: readonly Item[], value: number): Naive {
    const { shape, source } = this.places(items);
    const data = [...this.data];
    for (const index of indices(shape)) {
      const place = source(index);
      data[place.reduce((flat, i, dim) => flat * this.shape[dim]! + i, 0)] = value;
    }
    return new Naive(this.shape, data);
  }
}

const WHOLE: Item = { start: null, stop: null, step: 1 };

function wrap(index: number, size: number): number {
  return index < 0 ? index + size : index;
}

/** First index and number of elements of a Python slice with a positive step. */
function range(
  { start, stop, step }: { start: number | null; stop: number | null; step: number },
  size: number,
): [number, number] {
  const clamp = (i: number): number => Math.min(Math.max(wrap(i, size), 0), size);
  const first = start === null ? 0 : clamp(start);
  const last = stop === null ? size : clamp(stop);
  return [first, Math.max(0, Math.ceil((last - first) / step))];
}

/** All indices of a shape in row-major order. */
export function* indices(shape: readonly number[]): Generator<number[]> {
  if (shape.some((n) => n === 0)) return;
  const index = shape.map(() => 0);
  for (;;) {
    yield [...index];
    let dim = shape.length - 1;
    while (dim >= 0 && ++index[dim]! === shape[dim]) index[dim--] = 0;
    if (dim < 0) return;
  }
}

/** The shape two arrays broadcast to. */
export function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  const size = (shape: readonly number[], dim: number): number =>
    shape[dim - rank + shape.length] ?? 1;
  return Array.from({ length: rank }, (_, dim) => {
    return size(a, dim) === 1 ? size(b, dim) : size(a, dim);
  });
}
