/** torch.nn.utils.rnn: sequences of several lengths, padded to one length or packed. */

import { int32 } from '../core/dtype.js';
import { ShapeError, showShape, ValueError } from '../core/errors.js';
import { full, tensor } from '../ops/creation.js';
import { stack } from '../ops/joining.js';
import { pad } from '../ops/padding.js';
import { op } from '../ops/signature.js';
import { isTensor, type Tensor } from '../tensor.js';

/** Whole numbers in a list or in a tensor, which is read. */
type Counts = Tensor | readonly number[];

function numbersOf(counts: Counts): number[] {
  return isTensor(counts) ? (counts.tolistSync() as (number | bigint)[]).map(Number) : [...counts];
}

function indexTensor(values: readonly number[], like: Tensor): Tensor {
  return tensor([...values], { dtype: int32, device: like.device });
}

/** The permutation that undoes one. */
function inverse(order: readonly number[]): number[] {
  const result = new Array<number>(order.length);
  order.forEach((from, to) => {
    result[from] = to;
  });
  return result;
}

/**
 * Sequences of several lengths without padding, longest first: `data` [sum of lengths, ...] holds
 * all first elements, then all second ones, and so on; `batchSizes` says how many there are of
 * each. `sortedIndices` says where the sequences stood before they were sorted, `unsortedIndices`
 * where they stand now; both are null if they came sorted. Recurrent layers take it as input.
 */
export class PackedSequence {
  readonly batchSizes: Tensor;
  readonly sortedIndices: Tensor | null;
  readonly unsortedIndices: Tensor | null;
  /** @internal The batch sizes, and the order, as numbers. */
  readonly counts: readonly number[];
  /** @internal */
  readonly order: readonly number[] | null;

  constructor(
    readonly data: Tensor,
    batchSizes: Counts,
    sortedIndices: Counts | null = null,
    unsortedIndices: Tensor | null = null,
  ) {
    this.counts = numbersOf(batchSizes);
    this.order = sortedIndices && numbersOf(sortedIndices);
    const total = this.counts.reduce((a, b) => a + b, 0);
    const falling = this.counts.every((n, t) => n > 0 && n <= (this.counts[t - 1] ?? n));
    if (!falling || total !== data.shape[0]) {
      throw new ValueError(
        `PackedSequence: batchSizes [${this.counts}] are positive, do not rise, and add up to the ` +
          `rows of data ${showShape(data.shape)}; packPaddedSequence() makes them`,
      );
    }
    const asTensor = (counts: Counts) =>
      isTensor(counts) ? counts : tensor(counts, { dtype: int32 });
    this.batchSizes = asTensor(batchSizes);
    this.sortedIndices = this.order && indexTensor(this.order, data);
    this.unsortedIndices =
      unsortedIndices ?? (this.order && indexTensor(inverse(this.order), data));
  }

  /** The same sequences with other data of as many rows. */
  with(data: Tensor): PackedSequence {
    return new PackedSequence(data, this.batchSizes, this.order, this.unsortedIndices);
  }

  /** The same with `data` under another dtype or on another device, as Tensor.to. */
  to(...args: Parameters<Tensor['to']>): PackedSequence {
    const data = this.data.to(...args);
    return data === this.data ? this : new PackedSequence(data, this.batchSizes, this.order);
  }

  /** @internal Lengths in the order of the packed sequences, longest first. */
  get lengths(): number[] {
    return Array.from({ length: this.counts[0] }, (_, i) => {
      return this.counts.reduce((length, n) => length + Number(n > i), 0);
    });
  }

  /** @internal Where the rows of data lie in [T, N] (or [N, T]) flattened, by `order`. */
  places(steps: number, batchFirst: boolean, order: readonly number[] | null): Tensor {
    return indexTensor(placesOf(this.counts, this.counts[0], steps, batchFirst, order), this.data);
  }
}

function placesOf(
  counts: readonly number[],
  batch: number,
  steps: number,
  batchFirst: boolean,
  order: readonly number[] | null,
): number[] {
  return counts.flatMap((count, t) =>
    Array.from({ length: count }, (_, i) => {
      const n = order === null ? i : order[i];
      return batchFirst ? n * steps + t : t * batch + n;
    }),
  );
}

/**
 * Packs a padded batch [T, N, ...] (with `batchFirst` [N, T, ...]) of sequences with `lengths`
 * (numbers, or a tensor, which is read). They come longest first, or in any order without
 * `enforceSorted`.
 */
export const packPaddedSequence = op(
  'packPaddedSequence',
  'input, lengths, batchFirst, enforceSorted',
  (input: Tensor, lengths: Counts, batchFirst = false, enforceSorted = true): PackedSequence => {
    const all = numbersOf(lengths);
    const [steps, batch] = batchFirst ? [input.shape[1], input.shape[0]] : input.shape;
    const fits = (n: number) => Number.isInteger(n) && n > 0 && n <= steps;
    if (input.ndim < 2 || all.length !== batch || !all.every(fits)) {
      throw new ShapeError(
        `packPaddedSequence: expected a length from 1 to T for each of N sequences of an input ` +
          `${batchFirst ? '[N, T, ...]' : '[T, N, ...]'}, got ${showShape(input.shape)} and ` +
          `lengths [${all}]`,
      );
    }
    const order = all.map((_, i) => i).sort((a, b) => all[b] - all[a]);
    const sorted = order.every((from, to) => from === to);
    if (enforceSorted && !sorted) {
      throw new ValueError(
        `packPaddedSequence: lengths [${all}] are not sorted, longest first; sort the sequences, ` +
          'or give enforceSorted: false',
      );
    }
    const longest = all[order[0]] ?? 0;
    const counts = Array.from({ length: longest }, (_, t) => all.filter((n) => n > t).length);
    const places = placesOf(counts, batch, steps, batchFirst, order);
    const data = input.flatten(0, 1).indexSelect(0, indexTensor(places, input));
    return new PackedSequence(data, counts, enforceSorted ? null : order);
  },
);

/**
 * The padded batch [T, N, ...] (with `batchFirst` [N, T, ...]) of packed sequences, and their
 * lengths (int32), in the order before packing. T is the longest length, or `totalLength`.
 */
export const padPackedSequence = op(
  'padPackedSequence',
  'sequence, batchFirst, paddingValue, totalLength',
  (
    sequence: PackedSequence,
    batchFirst = false,
    paddingValue = 0,
    totalLength: number | null = null,
  ): [padded: Tensor, lengths: Tensor] => {
    const { data, counts, order, lengths } = sequence;
    const steps = totalLength ?? counts.length;
    if (steps < counts.length) {
      throw new ValueError(
        `padPackedSequence: totalLength ${steps} is less than the longest length, ${counts.length}`,
      );
    }
    const lead = batchFirst ? [counts[0], steps] : [steps, counts[0]];
    const rest = data.shape.slice(1);
    const { dtype, device } = data;
    const empty = full([steps * counts[0], ...rest], paddingValue, { dtype, device });
    const padded = empty.indexCopy(0, sequence.places(steps, batchFirst, order), data);
    const before = order === null ? lengths : inverse(order).map((i) => lengths[i]);
    return [padded.reshape([...lead, ...rest]), tensor(before, { dtype: int32 })];
  },
);

/**
 * Sequences [T_i, ...] in one tensor [T, N, ...] (with `batchFirst` [N, T, ...]), filled up with
 * `paddingValue` behind, or in front with `paddingSide` 'left'.
 */
export const padSequence = op(
  'padSequence',
  'sequences, batchFirst, paddingValue, paddingSide',
  (
    sequences: readonly Tensor[],
    batchFirst = false,
    paddingValue = 0,
    paddingSide: 'right' | 'left' = 'right',
  ): Tensor => {
    const most = Math.max(...sequences.map((x) => x.shape[0]));
    const padded = sequences.map((x) => {
      const sizes = new Array<number>(2 * x.ndim).fill(0);
      sizes[2 * x.ndim - (paddingSide === 'left' ? 2 : 1)] = most - x.shape[0];
      return pad(x, sizes, 'constant', paddingValue);
    });
    return stack(padded, batchFirst ? 0 : 1);
  },
);

/** The sequences of a padded batch [T, N, ...] (with `batchFirst` [N, T, ...]), as views. */
export const unpadSequence = op(
  'unpadSequence',
  'paddedSequences, lengths, batchFirst',
  (paddedSequences: Tensor, lengths: Counts, batchFirst = false): Tensor[] =>
    numbersOf(lengths).map((length, i) =>
      paddedSequences.select(batchFirst ? 0 : 1, i).narrow(0, 0, length),
    ),
);

/** Packs sequences [T_i, ...], which come longest first, or in any order without `enforceSorted`. */
export const packSequence = op(
  'packSequence',
  'sequences, enforceSorted',
  (sequences: readonly Tensor[], enforceSorted = true): PackedSequence => {
    const lengths = sequences.map((x) => x.shape[0]);
    return packPaddedSequence(padSequence(sequences), lengths, false, enforceSorted);
  },
);

/** The sequences [T_i, ...] of a packed one, in the order before packing. */
export const unpackSequence = op(
  'unpackSequence',
  'packedSequences',
  (packedSequences: PackedSequence): Tensor[] => {
    const [padded, lengths] = padPackedSequence(packedSequences, true);
    return unpadSequence(padded, lengths, true);
  },
);
