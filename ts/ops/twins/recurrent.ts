/** Recurrent cells on the GPU, and whole sequences: a workgroup per row of the batch. */

import gruSource from '../../../kernels/gru_cell.wgsl';
import gruBackSource from '../../../kernels/gru_cell_backward.wgsl';
import lstmSource from '../../../kernels/lstm_cell.wgsl';
import lstmBackSource from '../../../kernels/lstm_cell_backward.wgsl';
import backwardSource from '../../../kernels/recurrent_backward.wgsl';
import mathSource from '../../../kernels/recurrent_math.wgsl';
import sequenceSource from '../../../kernels/recurrent_sequence.wgsl';
import rnnSource from '../../../kernels/rnn_cell.wgsl';
import rnnBackSource from '../../../kernels/rnn_cell_backward.wgsl';
import turnSource from '../../../kernels/turn.wgsl';
import { gpuKernel } from '../../device/webgpu/kernel.js';
import type { Tensor } from '../../tensor.js';
import type { ParamType } from '../kernel.js';
import type { BufferRef, Launcher } from '../row.js';
import type { Twins } from './twin.js';

/** A cell's kernel over float buffers, one invocation per hidden unit. */
function cellKernel<const P extends Readonly<Record<string, ParamType>>>(
  source: string,
  entry: string,
  buffers: readonly string[],
  params: P,
) {
  return gpuKernel({
    source: `${mathSource}${source}`,
    entry,
    buffers: Object.fromEntries(buffers.map((name) => [name, 'S'])),
    params,
    perGroup: 256,
  });
}

const rnnParams = { size: 'u32', relu: 'u32' } as const;
const sized = { size: 'u32' } as const;
const rnnKernel = cellKernel(rnnSource, 'rnn_cell', ['gi', 'gh', 'h'], rnnParams);
const rnnBackKernel = cellKernel(rnnBackSource, 'rnn_cell_backward', ['g', 'h', 'gx'], rnnParams);
const lstmBuffers = ['gi', 'gh', 'c', 'h', 'next', 'gates'];
const lstmKernel = cellKernel(lstmSource, 'lstm_cell', lstmBuffers, sized);
const lstmBackKernel = cellKernel(
  lstmBackSource,
  'lstm_cell_backward',
  ['gh', 'gnext', 'gates', 'c', 'next', 'gx', 'gc'],
  { size: 'u32', hasH: 'u32', hasNext: 'u32' },
);
const gruKernel = cellKernel(gruSource, 'gru_cell', ['gi', 'gh', 'h', 'next', 'gates'], sized);
const gruBackBuffers = ['g', 'gates', 'gh', 'h', 'ggi', 'ggh', 'gHidden'];
const gruBackKernel = cellKernel(gruBackSource, 'gru_cell_backward', gruBackBuffers, sized);

const turnKernel = gpuKernel({
  source: turnSource,
  entry: 'turn',
  buffers: { x: 'S', out: 'S' },
  params: { rows: 'u32', columns: 'u32' },
  perGroup: 256,
});
const common = {
  steps: 'u32',
  batch: 'u32',
  size: 'u32',
  mode: 'u32',
  reverse: 'u32',
  hasH: 'u32',
  hasC: 'u32',
  hasLengths: 'u32',
} as const;
const sequenceKernel = gpuKernel({
  source: `${mathSource}${sequenceSource}`,
  entry: 'recurrent_sequence',
  buffers: {
    gi: 'S',
    turned: 'S',
    bias: 'S',
    h0: 'S',
    c0: 'S',
    lengths: 'i32',
    out: 'S',
    last: 'S',
    lastCell: 'S',
    gates: 'S',
    cells: 'S',
  },
  params: { ...common, hasBias: 'u32' },
});
const backwardKernel = gpuKernel({
  source: `${mathSource}${backwardSource}`,
  entry: 'recurrent_backward',
  buffers: {
    g: 'S',
    glast: 'S',
    gcell: 'S',
    weight: 'S',
    gates: 'S',
    out: 'S',
    cells: 'S',
    h0: 'S',
    c0: 'S',
    lengths: 'i32',
    ggi: 'S',
    ggh: 'S',
    gh0: 'S',
    gc0: 'S',
    dh: 'S',
    dc: 'S',
  },
  params: { ...common, hasG: 'u32', hasLast: 'u32', hasCell: 'u32' },
});

/** As kernels/recurrent.c numbers them. */
enum Mode {
  Tanh = 0,
  Relu = 1,
  Gru = 2,
  Lstm = 3,
}

type Given = Readonly<Record<string, Tensor | undefined>>;

const has = (t: Tensor | undefined) => (t === undefined ? 0 : 1);

function sweep(
  launcher: Launcher,
  mode: Mode,
  reverse: boolean,
  { gi, weight, bias, h0, c0, lengths }: Given,
  { out, last, lastCell, gates, cells }: Given,
): void {
  const [steps, batch] = (gi as Tensor).shape;
  const [wide, size] = (weight as Tensor).shape;
  const turned = launcher.scratch(wide * size, (weight as Tensor).dtype);
  const turn = { rows: wide, columns: size };
  launcher.launch('turn', turnKernel, 'f32', [weight as Tensor, turned], turn, wide * size);
  const params = {
    ...{ steps, batch, size, mode, reverse: reverse ? 1 : 0 },
    ...{ hasH: has(h0), hasC: has(c0), hasLengths: has(lengths), hasBias: has(bias) },
  };
  const given = [gi, turned, bias, h0, c0, lengths, out, last, lastCell, gates, cells];
  const buffers = given.map((t): Tensor | BufferRef => t ?? (gi as Tensor));
  launcher.launch('recurrentSequence', sequenceKernel, 'f32', buffers, params, batch);
}

function sweepBack(
  launcher: Launcher,
  mode: Mode,
  reverse: boolean,
  { g, glast, gcell, weight, gates, out, cells, h0, c0, lengths }: Given,
  { ggi, ggh, gh0, gc0 }: Given,
): void {
  const [steps, batch] = (ggi as Tensor).shape;
  const size = (weight as Tensor).shape[1];
  const { dtype } = weight as Tensor;
  const [dh, dc] = [0, 1].map(() => launcher.scratch(batch * size, dtype));
  const params = {
    ...{ steps, batch, size, mode, reverse: reverse ? 1 : 0 },
    ...{ hasH: has(h0), hasC: has(c0), hasLengths: has(lengths) },
    ...{ hasG: has(g), hasLast: has(glast), hasCell: has(gcell) },
  };
  const read = [g, glast, gcell, weight, gates, out, cells, h0, c0, lengths];
  const buffers = [...read, ggi, ggh, gh0, gc0, dh, dc].map(
    (t): Tensor | BufferRef => t ?? (weight as Tensor),
  );
  launcher.launch('recurrentBackward', backwardKernel, 'f32', buffers, params, batch);
}

const sequences = { turn: turnKernel, recurrentSequence: sequenceKernel };
const backwards = { recurrentBackward: backwardKernel };

type RecurrentName =
  | `${'rnn' | 'lstm' | 'gru'}Cell${'' | 'Backward'}`
  | `${'rnn' | 'lstm' | 'gru'}Sequence${'' | 'Backward'}`;

export const recurrentTwins: Twins<RecurrentName> = {
  rnnCell: {
    kernels: { rnnCell: rnnKernel },
    run(launcher, [gi, gh], [h], { relu }) {
      const params = { size: gi.shape[1], relu: relu ? 1 : 0 };
      launcher.launch('rnnCell', rnnKernel, 'f32', [gi, gh, h], params, h.numel());
    },
  },
  rnnCellBackward: {
    kernels: { rnnCellBackward: rnnBackKernel },
    run(launcher, [g, h], [gx], { relu }) {
      const params = { size: h.shape[1], relu: relu ? 1 : 0 };
      launcher.launch('rnnCellBackward', rnnBackKernel, 'f32', [g, h, gx], params, h.numel());
    },
  },
  lstmCell: {
    kernels: { lstmCell: lstmKernel },
    run(launcher, [gi, gh, c], outputs) {
      const buffers = [gi, gh, c, ...outputs];
      launcher.launch('lstmCell', lstmKernel, 'f32', buffers, { size: c.shape[1] }, c.numel());
    },
  },
  lstmCellBackward: {
    kernels: { lstmCellBackward: lstmBackKernel },
    run(launcher, inputs, [gx, gc]) {
      const [gates, c, next] = inputs;
      const [gh, gnext] = inputs.slice(3) as (Tensor | undefined)[];
      const params = { size: c.shape[1], hasH: has(gh), hasNext: has(gnext) };
      const buffers = [gh ?? c, gnext ?? c, gates, c, next, gx, gc];
      launcher.launch('lstmCellBackward', lstmBackKernel, 'f32', buffers, params, c.numel());
    },
  },
  gruCell: {
    kernels: { gruCell: gruKernel },
    run(launcher, [gi, gh, h], outputs) {
      const buffers = [gi, gh, h, ...outputs];
      launcher.launch('gruCell', gruKernel, 'f32', buffers, { size: h.shape[1] }, h.numel());
    },
  },
  gruCellBackward: {
    kernels: { gruCellBackward: gruBackKernel },
    run(launcher, inputs, outputs) {
      const h = inputs[3];
      const buffers = [...inputs, ...outputs];
      const params = { size: h.shape[1] };
      launcher.launch('gruCellBackward', gruBackKernel, 'f32', buffers, params, h.numel());
    },
  },
  rnnSequence: {
    kernels: sequences,
    run(launcher, [gi, weight, h0, lengths], [out, last], { relu, reverse }) {
      const mode = relu ? Mode.Relu : Mode.Tanh;
      sweep(launcher, mode, reverse, { gi, weight, h0, lengths }, { out, last });
    },
  },
  rnnSequenceBackward: {
    kernels: backwards,
    run(launcher, [out, weight, g, glast, lengths], [ggi, gh0], { relu, reverse }) {
      const mode = relu ? Mode.Relu : Mode.Tanh;
      sweepBack(launcher, mode, reverse, { g, glast, weight, out, lengths }, { ggi, gh0 });
    },
  },
  gruSequence: {
    kernels: sequences,
    run(launcher, [gi, weight, bias, h0, lengths], [out, last, gates], { reverse }) {
      const given = { gi, weight, bias, h0, lengths };
      sweep(launcher, Mode.Gru, reverse, given, { out, last, gates });
    },
  },
  gruSequenceBackward: {
    kernels: backwards,
    run(launcher, [gates, out, weight, h0, g, glast, lengths], [ggi, ggh, gh0], { reverse }) {
      const given = { g, glast, weight, gates, out, h0, lengths };
      sweepBack(launcher, Mode.Gru, reverse, given, { ggi, ggh, gh0 });
    },
  },
  lstmSequence: {
    kernels: sequences,
    run(launcher, [gi, weight, h0, c0, lengths], outputs, { reverse }) {
      const [out, last, lastCell, gates, cells] = outputs;
      const given = { gi, weight, h0, c0, lengths };
      sweep(launcher, Mode.Lstm, reverse, given, { out, last, lastCell, gates, cells });
    },
  },
  lstmSequenceBackward: {
    kernels: backwards,
    run(launcher, inputs, [ggi, gh0, gc0], { reverse }) {
      const [gates, cells, weight, c0, g, glast, gcell, lengths] = inputs;
      const given = { g, glast, gcell, weight, gates, cells, c0, lengths };
      sweepBack(launcher, Mode.Lstm, reverse, given, { ggi, gh0, gc0 });
    },
  },
};
