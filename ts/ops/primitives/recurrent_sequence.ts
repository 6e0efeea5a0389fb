/**
 * Recurrent networks over whole sequences: one direction of one layer in one launch. gi
 * `[T, N, gates * H]` are the products of all inputs with their weight, biases included; weight
 * `[gates * H, H]` is that of the hidden state. `reverse` runs from the last time to the first.
 * First states that are absent are zero. `lengths` [N] serve sequences of several lengths: at times
 * t >= lengths[n] row n keeps its state, which is its output too.
 */

import { suffix } from '../../core/dtype.js';
import { ShapeError, showShape } from '../../core/errors.js';
import type { Tensor } from '../../tensor.js';
import { kernel, REALS } from '../kernel.js';
import { type BufferRef, type Launcher, type OutputSpec, primitive } from '../row.js';

/** The right operand of the steps, in panels as wide as a tile. */
const packKernel = kernel({
  dtypes: REALS,
  buffers: ['x', 'out'],
  params: { width: 'u32', depth: 'u32', x_width: 'u32', x_depth: 'u32' },
});
const common = {
  steps: 'u32',
  batch: 'u32',
  size: 'u32',
  mode: 'u32',
  reverse: 'u32',
  step: 'u32',
  rows: 'u32',
  hasH: 'u32',
  hasC: 'u32',
  hasLengths: 'u32',
} as const;
const forwardKernel = kernel({
  dtypes: REALS,
  buffers: [
    'gi',
    'weight',
    'bias',
    'h0',
    'c0',
    'lengths',
    'out',
    'last',
    'lastCell',
    'gates',
    'cells',
    'scratch',
  ],
  params: { ...common, hasBias: 'u32' },
});
const backwardKernel = kernel({
  dtypes: REALS,
  buffers: [
    'g',
    'glast',
    'gcell',
    'weight',
    'gates',
    'out',
    'cells',
    'h0',
    'c0',
    'lengths',
    'ggi',
    'ggh',
    'gh0',
    'gc0',
    'scratch',
  ],
  params: { ...common, hasG: 'u32', hasLast: 'u32', hasCell: 'u32' },
});

/** As kernels/recurrent.c numbers them. */
enum Mode {
  Tanh = 0,
  Relu = 1,
  Gru = 2,
  Lstm = 3,
}

/** Columns of a unit of packing, a multiple of every tile. */
const COLUMNS = 16;
/** Rows of the batch that are worth a unit, and multiplications that are worth a thread. */
const ROWS = 4;
const UNIT = 500_000;

export interface Direction {
  readonly reverse: boolean;
}

type Optional = Tensor | undefined;

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/** Checks a weight [gates * H, H], tensors [T, N, ...] and states [N, H] beside each other. */
function check(
  name: string,
  gates: number,
  weight: Tensor,
  wide: readonly (readonly [Optional, number])[],
  states: readonly Optional[],
  lengths: Optional,
): void {
  const size = weight.shape[1];
  const [steps, batch] = (wide[0][0] as Tensor).shape;
  const has = (t: Optional, ...shape: number[]) =>
    t === undefined || (t.shape.length === shape.length && shape.every((n, i) => n === t.shape[i]));
  const fits =
    has(weight, gates * size, size) &&
    wide.every(([t, n]) => has(t, steps, batch, n * size)) &&
    states.every((t) => has(t, batch, size)) &&
    has(lengths, batch);
  if (fits) return;
  const all = [weight, ...wide.map(([t]) => t), ...states, lengths];
  const given = all.flatMap((t) => (t === undefined ? [] : [showShape(t.shape)])).join(', ');
  throw new ShapeError(
    `${name}: expected a weight [${gates} * H, H], products and outputs [T, N, ...], ` +
      `states [N, H] and lengths [N], got ${given}`,
  );
}

/** Packs `x` [depth, width] with the given strides, and says how the batch is cut. */
function begin(
  launcher: Launcher,
  x: Tensor,
  [width, depth]: readonly [number, number],
  [x_width, x_depth]: readonly [number, number],
  [steps, batch]: readonly number[],
) {
  const packed = launcher.scratch(roundUp(width, COLUMNS) * depth, x.dtype);
  const params = { width, depth, x_width, x_depth };
  const range = Math.ceil(width / COLUMNS);
  const products = steps * batch * width * depth;
  const dtype = suffix(x.dtype);
  launcher.launch('recurrentPack', packKernel, dtype, [x, packed], params, range, products);
  const worth = Math.floor(products / UNIT);
  const units = Math.max(1, Math.min(Math.ceil(batch / ROWS), worth));
  const rows = roundUp(Math.ceil(batch / units), ROWS);
  const step = roundUp(width, COLUMNS);
  return { packed, rows, range: Math.ceil(batch / rows), step, products };
}

interface Forward {
  readonly gi: Tensor;
  readonly weight: Tensor;
  readonly bias?: Optional;
  readonly h0: Optional;
  readonly c0?: Optional;
  readonly lengths: Optional;
}

function sweep(
  launcher: Launcher,
  mode: Mode,
  { reverse }: Direction,
  { gi, weight, bias, h0, c0, lengths }: Forward,
  [out, last, gates, lastCell, cells]: readonly Optional[],
): void {
  const [steps, batch] = gi.shape;
  const [wide, size] = weight.shape;
  const cut = begin(launcher, weight, [wide, size], [size, 1], gi.shape);
  const { packed, rows, range, step, products } = cut;
  const scratch = launcher.scratch(roundUp(batch, rows) * step, gi.dtype);
  const params = {
    ...{ steps, batch, size, mode, reverse: Number(reverse), step, rows },
    ...{ hasH: Number(h0 !== undefined), hasC: Number(c0 !== undefined) },
    ...{ hasLengths: Number(lengths !== undefined), hasBias: Number(bias !== undefined) },
  };
  const given = [gi, packed, bias, h0, c0, lengths, out, last, lastCell, gates, cells, scratch];
  const buffers = given.map((t): Tensor | BufferRef => t ?? gi);
  const dtype = suffix(gi.dtype);
  launcher.launch('recurrentSequence', forwardKernel, dtype, buffers, params, range, products);
}

interface Backward {
  readonly g: Optional;
  readonly glast: Optional;
  readonly gcell?: Optional;
  readonly weight: Tensor;
  readonly gates?: Tensor;
  readonly out?: Tensor;
  readonly cells?: Tensor;
  readonly h0?: Optional;
  readonly c0?: Optional;
  readonly lengths: Optional;
}

function sweepBack(
  launcher: Launcher,
  mode: Mode,
  { reverse }: Direction,
  { g, glast, gcell, weight, gates, out, cells, h0, c0, lengths }: Backward,
  [ggi, gh0, ggh, gc0]: readonly Tensor[],
): void {
  const [steps, batch] = ggi.shape;
  const [wide, size] = weight.shape;
  const cut = begin(launcher, weight, [size, wide], [1, size], ggi.shape);
  const { packed, rows, range, step, products } = cut;
  const scratch = launcher.scratch(2 * roundUp(batch, rows) * step, ggi.dtype);
  const params = {
    ...{ steps, batch, size, mode, reverse: Number(reverse), step, rows },
    ...{ hasH: Number(h0 !== undefined), hasC: Number(c0 !== undefined) },
    ...{ hasG: Number(g !== undefined), hasLast: Number(glast !== undefined) },
    ...{ hasLengths: Number(lengths !== undefined), hasCell: Number(gcell !== undefined) },
  };
  const given = [
    g,
    glast,
    gcell,
    packed,
    gates,
    out,
    cells,
    h0,
    c0,
    lengths,
    ggi,
    ggh,
    gh0,
    gc0,
    scratch,
  ];
  const buffers = given.map((t): Tensor | BufferRef => t ?? weight);
  const dtype = suffix(ggi.dtype);
  launcher.launch('recurrentBackward', backwardKernel, dtype, buffers, params, range, products);
}

function spec(x: Tensor, ...shape: number[]): OutputSpec {
  return { shape, dtype: x.dtype };
}

const forwardKernels = { recurrentPack: packKernel, recurrentSequence: forwardKernel };
const backwardKernels = { recurrentPack: packKernel, recurrentBackward: backwardKernel };

/**
 * gi [T, N, H], weight [H, H], h0? [N, H], lengths? -> out [T, N, H], last [N, H].
 * h_t = tanh(gi_t + weight h_(t-1)), or relu.
 */
export const rnnSequence = primitive<Direction & { relu: boolean }>()({
  kernels: forwardKernels,
  inputs: ['gi', 'weight', 'h0?', 'lengths?'],
  dtypes: 'real',
  index: [3],
  outputs([gi, weight, h0, lengths]) {
    check('rnnSequence', 1, weight, [[gi, 1]], [h0], lengths);
    const [steps, batch, size] = gi.shape;
    return [spec(gi, steps, batch, size), spec(gi, batch, size)];
  },
  run(launcher, [gi, weight, h0, lengths]: readonly Tensor[], outputs, attributes) {
    const mode = attributes.relu ? Mode.Relu : Mode.Tanh;
    sweep(launcher, mode, attributes, { gi, weight, h0, lengths }, outputs);
  },
});

/**
 * out [T, N, H], weight, g? (of out), glast?, lengths? -> gradients of gi [T, N, H], h0 [N, H].
 * Gradients of rnnSequence with respect to gi and h0.
 */
export const rnnSequenceBackward = primitive<Direction & { relu: boolean }>()({
  kernels: backwardKernels,
  inputs: ['out', 'weight', 'g?', 'glast?', 'lengths?'],
  dtypes: 'real',
  index: [4],
  outputs([out, weight, g, glast, lengths]) {
    check(
      'rnnSequenceBackward',
      1,
      weight,
      [
        [out, 1],
        [g, 1],
      ],
      [glast],
      lengths,
    );
    const [steps, batch, size] = out.shape;
    return [spec(out, steps, batch, size), spec(out, batch, size)];
  },
  run(launcher, [out, weight, g, glast, lengths]: readonly Tensor[], outputs, attributes) {
    const mode = attributes.relu ? Mode.Relu : Mode.Tanh;
    sweepBack(launcher, mode, attributes, { g, glast, weight, out, lengths }, outputs);
  },
});

/**
 * gi [T, N, 3 H], weight [3 H, H], bias? [3 H] of the hidden state, h0? [N, H], lengths? -> out [T,
 * N, H], last [N, H], gates [T, N, 4 H]: r z n and what r is multiplied with.
 * r, z = sigmoid, n = tanh(gi_n + r (weight_n h + bias_n)); h_t = n + z (h_(t-1) - n).
 */
export const gruSequence = primitive<Direction>()({
  kernels: forwardKernels,
  inputs: ['gi', 'weight', 'bias?', 'h0?', 'lengths?'],
  dtypes: 'real',
  index: [4],
  outputs([gi, weight, bias, h0, lengths]) {
    check('gruSequence', 3, weight, [[gi, 3]], [h0], lengths);
    if (bias !== undefined && (bias.shape.length !== 1 || bias.shape[0] !== gi.shape[2])) {
      throw new ShapeError(
        `gruSequence: expected a bias [${gi.shape[2]}], got ${showShape(bias.shape)}`,
      );
    }
    const [steps, batch] = gi.shape;
    const size = weight.shape[1];
    const [out, last] = [spec(gi, steps, batch, size), spec(gi, batch, size)];
    return [out, last, spec(gi, steps, batch, 4 * size)];
  },
  run(launcher, [gi, weight, bias, h0, lengths]: readonly Tensor[], outputs, attributes) {
    sweep(launcher, Mode.Gru, attributes, { gi, weight, bias, h0, lengths }, outputs);
  },
});

/**
 * gates [T, N, 4 H], out [T, N, H], weight, h0?, g? (of out), glast?, lengths? -> gradients of gi
 * [T, N, 3 H], of weight h + bias [T, N, 3 H], and of h0 [N, H].
 * Gradients of gruSequence: of gi, of the products with the hidden state, and of h0.
 */
export const gruSequenceBackward = primitive<Direction>()({
  kernels: backwardKernels,
  inputs: ['gates', 'out', 'weight', 'h0?', 'g?', 'glast?', 'lengths?'],
  dtypes: 'real',
  index: [6],
  outputs([gates, out, weight, h0, g, glast, lengths]) {
    const wide = [
      [gates, 4],
      [out, 1],
      [g, 1],
    ] as const;
    check('gruSequenceBackward', 3, weight, wide, [h0, glast], lengths);
    const [steps, batch, size] = out.shape;
    const products = spec(out, steps, batch, 3 * size);
    return [products, products, spec(out, batch, size)];
  },
  run(launcher, given: readonly Tensor[], outputs, attributes) {
    const [gates, out, weight, h0, g, glast, lengths] = given;
    const [ggi, ggh, gh0] = outputs;
    const inputs = { g, glast, weight, gates, out, h0, lengths };
    sweepBack(launcher, Mode.Gru, attributes, inputs, [ggi, gh0, ggh]);
  },
});

/**
 * gi [T, N, 4 H], weight [4 H, H], h0? and c0? [N, H], lengths? -> out [T, N, H], last and last
 * cell [N, H], gates [T, N, 4 H]: i f g o, cells [T, N, H].
 * i, f, o = sigmoid, g = tanh of gi_t + weight h (order i f g o); c_t = f c + i g; h_t = o tanh c_t.
 */
export const lstmSequence = primitive<Direction>()({
  kernels: forwardKernels,
  inputs: ['gi', 'weight', 'h0?', 'c0?', 'lengths?'],
  dtypes: 'real',
  index: [4],
  outputs([gi, weight, h0, c0, lengths]) {
    check('lstmSequence', 4, weight, [[gi, 4]], [h0, c0], lengths);
    const [steps, batch, wide] = gi.shape;
    const size = weight.shape[1];
    const [all, last] = [spec(gi, steps, batch, size), spec(gi, batch, size)];
    return [all, last, last, spec(gi, steps, batch, wide), all];
  },
  run(launcher, [gi, weight, h0, c0, lengths]: readonly Tensor[], outputs, attributes) {
    const [out, last, lastCell, gates, cells] = outputs;
    const places = [out, last, gates, lastCell, cells];
    sweep(launcher, Mode.Lstm, attributes, { gi, weight, h0, c0, lengths }, places);
  },
});

/**
 * gates [T, N, 4 H], cells [T, N, H], weight, c0?, g? (of out), glast?, gcell?, lengths? ->
 * gradients of gi [T, N, 4 H], h0 and c0 [N, H].
 * Gradients of lstmSequence with respect to gi (and weight h), h0 and c0.
 */
export const lstmSequenceBackward = primitive<Direction>()({
  kernels: backwardKernels,
  inputs: ['gates', 'cells', 'weight', 'c0?', 'g?', 'glast?', 'gcell?', 'lengths?'],
  dtypes: 'real',
  index: [7],
  outputs([gates, cells, weight, c0, g, glast, gcell, lengths]) {
    const wide = [
      [gates, 4],
      [cells, 1],
      [g, 1],
    ] as const;
    check('lstmSequenceBackward', 4, weight, wide, [c0, glast, gcell], lengths);
    const [steps, batch, size] = cells.shape;
    const state = spec(cells, batch, size);
    return [spec(cells, steps, batch, 4 * size), state, state];
  },
  run(launcher, inputs: readonly Tensor[], [ggi, gh0, gc0], attributes) {
    const [gates, cells, weight, c0, g, glast, gcell, lengths] = inputs;
    const given = { g, glast, gcell, weight, gates, cells, c0, lengths };
    sweepBack(launcher, Mode.Lstm, attributes, given, [ggi, gh0, ggi, gc0]);
  },
});
