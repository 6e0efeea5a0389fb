/** One tensor as several, and repetitions of one. Parts are views. */

import {
  DeviceError,
  IndexError,
  ShapeError,
  showShape,
  showValue,
  ValueError,
} from '../core/errors.js';
import { normalizeDim } from '../core/layout.js';
import type { DeviceType } from '../device/device.js';
import type { Tensor } from '../tensor.js';
import { tensor } from './creation.js';
import { indexSelect } from './gathering.js';
import { cat, stack } from './joining.js';
import { afterReading } from './later.js';
import { recordParts } from './linear_node.js';
import { isTensor } from './promote.js';
import {
  clone,
  expand,
  narrow,
  reshape,
  type Sizes,
  select,
  slice,
  unsqueeze,
  view,
} from './shape.js';
import { listOf, op } from './signature.js';

function dimOf(name: string, input: Tensor, dim: number): number {
  if (input.ndim === 0) throw new ShapeError(`${name}: a 0-d tensor cannot be split`);
  return normalizeDim(dim, input.ndim, name);
}

/** Parts of the sizes given along `dim`; together they make the whole dimension. */
export const splitWithSizes = op(
  'splitWithSizes',
  'input, splitSizes, dim',
  (input: Tensor, splitSizes: readonly number[], dim = 0): Tensor[] => {
    const along = dimOf('splitWithSizes', input, dim);
    const total = splitSizes.reduce((a, b) => a + b, 0);
    if (splitSizes.some((size) => !(size >= 0)) || total !== input.shape[along]) {
      throw new ShapeError(
        `split: sizes ${showShape(splitSizes)} must be >= 0 and add up to ${input.shape[along]}, ` +
          `the size of dimension ${dim} of shape ${showShape(input.shape)}`,
      );
    }
    let start = 0;
    const parts = splitSizes.map((size) => {
      start += size;
      return narrow(input, along, start - size, size);
    });
    return recordParts('SplitWithSizesBackward0', input, parts, (grads) => cat(grads, along));
  },
);

/** Parts of one size (the last may be smaller), or of the sizes in a list, along `dim`. */
export const split = op(
  'split',
  'input, splitSizeOrSections, dim',
  (input: Tensor, splitSizeOrSections: number | readonly number[], dim = 0): Tensor[] => {
    if (Array.isArray(splitSizeOrSections)) return splitWithSizes(input, splitSizeOrSections, dim);
    const size = splitSizeOrSections as number;
    const along = dimOf('split', input, dim);
    const whole = input.shape[along];
    if (!Number.isInteger(size) || size < 0 || (size === 0 && whole > 0)) {
      throw new ValueError(
        `split: the size of a part is a positive integer or a list of them, got ${showValue(size)}`,
      );
    }
    const count = size === 0 ? 1 : Math.max(1, Math.ceil(whole / size));
    const parts = Array.from({ length: count }, (_, i) =>
      narrow(input, along, i * size, Math.min(size, whole - i * size)),
    );
    return recordParts('SplitBackward0', input, parts, (grads) => cat(grads, along));
  },
);

/** At most `chunks` parts of equal size along `dim`; the last may be smaller. */
export const chunk = op(
  'chunk',
  'input, chunks, dim',
  (input: Tensor, chunks: number, dim = 0): Tensor[] => {
    const along = dimOf('chunk', input, dim);
    if (!Number.isInteger(chunks) || chunks < 1) {
      throw new ValueError(
        `chunk: the number of chunks is a positive integer, got ${showValue(chunks)}`,
      );
    }
    const size = input.shape[along];
    if (size === 0) return splitWithSizes(input, new Array<number>(chunks).fill(0), along);
    return split(input, Math.ceil(size / chunks), along);
  },
);

type Sections = number | readonly number[] | Tensor;

/** Positions to split at, from a number of parts or as given. */
function positions(name: string, sections: Sections, size: number): number[] {
  if (isTensor(sections) && !sections.backend.synchronous) {
    throw new DeviceError(
      `${name}: the positions are read at once, so they are on the CPU; those on ` +
        `'${sections.device}' come with await x.cpu()`,
    );
  }
  const given = isTensor(sections) ? Array.from(sections.dataSync(), Number) : sections;
  if (isTensor(sections) && sections.ndim > 1) {
    throw new ShapeError(`${name}: indices are a vector, got shape ${showShape(sections.shape)}`);
  }
  if (Array.isArray(given) && !(isTensor(sections) && sections.ndim === 0)) return [...given];
  const count = Array.isArray(given) ? given[0] : (given as number);
  if (!Number.isInteger(count) || count < 1) {
    throw new ValueError(
      `${name}: the number of parts is a positive integer, got ${showValue(count)}`,
    );
  }
  const small = Math.floor(size / count);
  const larger = size % count;
  return Array.from({ length: count - 1 }, (_, i) => (i + 1) * small + Math.min(i + 1, larger));
}

function splitAt(name: string, input: Tensor, sections: Sections, along: number): Tensor[] {
  const at = positions(name, sections, input.shape[along]);
  const ends = [...at, null];
  return ends.map((end, i) => slice(input, along, i === 0 ? 0 : at[i - 1], end));
}

/** A number of nearly equal parts, or parts that end at the positions in a list, along `dim`. */
export const tensorSplit = op(
  'tensorSplit',
  'input, indicesOrSections, dim',
  (input: Tensor, indicesOrSections: Sections, dim = 0): Tensor[] =>
    splitAt('tensorSplit', input, indicesOrSections, dimOf('tensorSplit', input, dim)),
);

/** Splits along one dimension, which a number of parts must divide. */
function evenly(name: string, input: Tensor, sections: Sections, along: number, least: number) {
  if (input.ndim < least) {
    throw new ShapeError(
      `${name}: expected at least ${least} dimensions, got shape ${showShape(input.shape)}`,
    );
  }
  if (typeof sections === 'number' && input.shape[along] % sections !== 0) {
    throw new ShapeError(
      `${name}: dimension ${along} of shape ${showShape(input.shape)} cannot be divided into ` +
        `${sections} equal parts; tensorSplit() makes nearly equal ones`,
    );
  }
  return splitAt(name, input, sections, along);
}

/** Splits along dimension 1, or 0 for vectors. */
export const hsplit = op(
  'hsplit',
  'input, indicesOrSections',
  (input: Tensor, indicesOrSections: Sections): Tensor[] =>
    evenly('hsplit', input, indicesOrSections, input.ndim === 1 ? 0 : 1, 1),
);

/** Splits along dimension 0. */
export const vsplit = op(
  'vsplit',
  'input, indicesOrSections',
  (input: Tensor, indicesOrSections: Sections): Tensor[] =>
    evenly('vsplit', input, indicesOrSections, 0, 2),
);

/** Splits along dimension 2. */
export const dsplit = op(
  'dsplit',
  'input, indicesOrSections',
  (input: Tensor, indicesOrSections: Sections): Tensor[] =>
    evenly('dsplit', input, indicesOrSections, 2, 3),
);

/** The slices along `dim`, which goes. */
export const unbind = op('unbind', 'input, dim', (input: Tensor, dim = 0): Tensor[] => {
  const along = dimOf('unbind', input, dim);
  const parts = Array.from({ length: input.shape[along] }, (_, i) => select(input, along, i));
  return recordParts('UnbindBackward0', input, parts, (grads) => stack(grads, along));
});

/** The whole tensor repeated `sizes[d]` times along each dimension; new ones come in front. */
export const repeat = (input: Tensor, ...sizes: Sizes): Tensor => {
  const times = listOf(sizes);
  if (times.length < input.ndim || times.some((count) => !Number.isInteger(count) || count < 0)) {
    throw new ShapeError(
      `repeat: expected a count >= 0 for each dimension of shape ${showShape(input.shape)}, got ` +
        showShape(times),
    );
  }
  const lead = times.length - input.ndim;
  const own = times.map((_, d) => (d < lead ? 1 : input.shape[d - lead]));
  const spaced = view(
    input,
    own.flatMap((size) => [1, size]),
  );
  const tiled = expand(
    spaced,
    own.flatMap((size, d) => [times[d], size]),
  );
  return view(
    clone(tiled, 'contiguousFormat'),
    own.map((size, d) => size * times[d]),
  );
};

/** As repeat(), but missing counts in front are 1. */
export const tile = (input: Tensor, ...dims: Sizes): Tensor => {
  const times = listOf(dims);
  const missing = Math.max(0, input.ndim - times.length);
  return repeat(input, [...new Array<number>(missing).fill(1), ...times]);
};

/** Calls `use` with an index: position i of the result's dimension as often as repeats[i] says. */
function repeatedPositions<R>(repeats: Tensor, device: DeviceType, use: (index: Tensor) => R): R {
  if (repeats.dtype.isFloatingPoint || repeats.ndim > 1) {
    throw new ShapeError(
      `repeatInterleave: repeats are an integer vector, got ${repeats.dtype} of shape ` +
        showShape(repeats.shape),
    );
  }
  return afterReading('repeatInterleave', repeats, (values) => {
    const counts = Array.from(values, Number);
    if (counts.some((count) => count < 0)) {
      throw new ValueError('repeatInterleave: repeats are not negative');
    }
    const result = new Int32Array(counts.reduce((a, b) => a + b, 0));
    let end = 0;
    counts.forEach((count, i) => {
      result.fill(i, end, end + count);
      end += count;
    });
    return use(tensor(result, { device }));
  });
}

/**
 * Each slice along `dim` repeated: all `repeats` times, or slice i repeats[i] times. Without `dim`
 * the tensor is flattened first. With a tensor alone, the indices that do this.
 */
export const repeatInterleave = op(
  'repeatInterleave',
  'input, repeats, dim, outputSize',
  (
    input: Tensor,
    repeats?: number | readonly number[] | Tensor,
    dim: number | null = null,
    _outputSize?: number | null,
  ): Tensor => {
    if (repeats === undefined) {
      return repeatedPositions(input, input.device, (index) => index);
    }
    const source = dim === null ? reshape(input, [-1]) : input;
    const along = dimOf('repeatInterleave', source, dim ?? 0);
    const size = source.shape[along];
    const counts = Array.isArray(repeats)
      ? tensor(repeats as number[])
      : (repeats as number | Tensor);
    if (isTensor(counts) && counts.numel() !== 1) {
      if (counts.numel() !== size) {
        throw new IndexError(
          `repeatInterleave: ${counts.numel()} repeats for dimension ${dim ?? 0} of size ` +
            `${size}; give one number, or one for each position`,
        );
      }
      return repeatedPositions(counts, input.device, (index) => indexSelect(source, along, index));
    }
    const spread = (count: number): Tensor => {
      if (!Number.isInteger(count) || count < 0) {
        throw new ValueError(`repeatInterleave: repeats is an integer >= 0, got ${count}`);
      }
      const shape = source.shape.toSpliced(along, 1, size, count);
      const wide = expand(unsqueeze(source, along + 1), shape);
      return view(clone(wide, 'contiguousFormat'), source.shape.with(along, size * count));
    };
    if (!isTensor(counts)) return spread(counts);
    return afterReading('repeatInterleave', counts, ([count]) => spread(Number(count)));
  },
);
