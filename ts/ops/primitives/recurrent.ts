/**
 * The pointwise parts of recurrent cells. gi and gh `[batch, gates * size]` are the products of the
 * input and of the hidden state with their weights, biases included.
 */

import { suffix } from '../../core/dtype.js';
import { ShapeError, showShape } from '../../core/errors.js';
import type { Tensor } from '../../tensor.js';
import { kernel, REALS } from '../kernel.js';
import { type OutputSpec, primitive } from '../row.js';

const rnnParams = { size: 'u32', relu: 'u32' } as const;

const rnnCellKernel = kernel({ dtypes: REALS, buffers: ['gi', 'gh', 'h'], params: rnnParams });
const rnnCellBackwardKernel = kernel({
  dtypes: REALS,
  buffers: ['g', 'h', 'gx'],
  params: rnnParams,
});
const lstmCellKernel = kernel({
  dtypes: REALS,
  buffers: ['gi', 'gh', 'c', 'h', 'next', 'gates'],
  params: { size: 'u32' },
});
const lstmCellBackwardKernel = kernel({
  dtypes: REALS,
  buffers: ['gh', 'gnext', 'gates', 'c', 'next', 'gx', 'gc'],
  params: { size: 'u32', hasH: 'u32', hasNext: 'u32' },
});
const gruCellKernel = kernel({
  dtypes: REALS,
  buffers: ['gi', 'gh', 'h', 'next', 'gates'],
  params: { size: 'u32' },
});
const gruCellBackwardKernel = kernel({
  dtypes: REALS,
  buffers: ['g', 'gates', 'gh', 'h', 'ggi', 'ggh', 'gHidden'],
  params: { size: 'u32' },
});

/** Checks gates [batch, gates * size] beside states [batch, size]. */
function check(name: string, gates: number, wide: readonly Tensor[], states: readonly Tensor[]) {
  const [batch, width] = wide[0].shape;
  const has = (t: Tensor, size: number) =>
    t.shape.length === 2 && t.shape[0] === batch && t.shape[1] === size;
  if (wide.every((t) => has(t, width)) && states.every((t) => has(t, width / gates))) return;
  const given = [...wide, ...states].map((t) => showShape(t.shape)).join(', ');
  throw new ShapeError(
    `${name}: expected gates [batch, ${gates} * size] and states [batch, size], got ${given}`,
  );
}

function like(...tensors: readonly Tensor[]): OutputSpec[] {
  return tensors.map(({ shape, dtype }) => ({ shape, dtype }));
}

/**
 * gi, gh [batch, size] -> h [batch, size].
 * h = tanh(gi + gh), or relu(gi + gh).
 */
export const rnnCell = primitive<{ relu: boolean }>()({
  kernels: { rnnCell: rnnCellKernel },
  inputs: ['gi', 'gh'],
  dtypes: 'real',
  outputs([gi, gh]) {
    check('rnnCell', 1, [gi, gh], []);
    return like(gi);
  },
  run(launcher, [gi, gh], [h], { relu }) {
    const [batch, size] = gi.shape;
    const params = { size, relu: Number(relu) };
    launcher.launch('rnnCell', rnnCellKernel, suffix(gi.dtype), [gi, gh, h], params, batch);
  },
});

/**
 * g, h [batch, size] -> gradient of gi and of gh.
 * The gradient of gi, which is that of gh: g (1 - h^2), or g where h > 0.
 */
export const rnnCellBackward = primitive<{ relu: boolean }>()({
  kernels: { rnnCellBackward: rnnCellBackwardKernel },
  inputs: ['g', 'h'],
  dtypes: 'real',
  outputs([g, h]) {
    check('rnnCellBackward', 1, [g, h], []);
    return like(h);
  },
  run(launcher, [g, h], [gx], { relu }) {
    const [batch, size] = h.shape;
    const params = { size, relu: Number(relu) };
    const dtype = suffix(h.dtype);
    launcher.launch('rnnCellBackward', rnnCellBackwardKernel, dtype, [g, h, gx], params, batch);
  },
});

/**
 * gi, gh [batch, 4 size], c [batch, size] -> h, next [batch, size], gates [batch, 4 size].
 * i, f, o = sigmoid, g = tanh of gi + gh (order i f g o); next = f c + i g; h = o tanh(next).
 */
export const lstmCell = primitive<Record<never, never>>()({
  kernels: { lstmCell: lstmCellKernel },
  inputs: ['gi', 'gh', 'c'],
  dtypes: 'real',
  outputs([gi, gh, c]) {
    check('lstmCell', 4, [gi, gh], [c]);
    return like(c, c, gi);
  },
  run(launcher, [gi, gh, c], outputs) {
    const [batch, size] = c.shape;
    const buffers = [gi, gh, c, ...outputs];
    launcher.launch('lstmCell', lstmCellKernel, suffix(c.dtype), buffers, { size }, batch);
  },
});

/**
 * gates, c, next, gh?, gnext? -> gradients of gi (and gh) [batch, 4 size] and of c.
 * Gradients of lstmCell from those of h and next, either of which may be absent.
 */
export const lstmCellBackward = primitive<Record<never, never>>()({
  kernels: { lstmCellBackward: lstmCellBackwardKernel },
  inputs: ['gates', 'c', 'next', 'gh?', 'gnext?'],
  dtypes: 'real',
  outputs([gates, c, next]) {
    check('lstmCellBackward', 4, [gates], [c, next]);
    return like(gates, c);
  },
  run(launcher, inputs, [gx, gc]) {
    const [gates, c, next] = inputs;
    const [gh, gnext] = inputs.slice(3) as (Tensor | undefined)[];
    const [batch, size] = c.shape;
    const params = { size, hasH: Number(gh !== undefined), hasNext: Number(gnext !== undefined) };
    const buffers = [gh ?? c, gnext ?? c, gates, c, next, gx, gc];
    const dtype = suffix(c.dtype);
    launcher.launch('lstmCellBackward', lstmCellBackwardKernel, dtype, buffers, params, batch);
  },
});

/**
 * gi, gh [batch, 3 size], h [batch, size] -> next [batch, size], gates [batch, 3 size].
 * r, z = sigmoid(gi + gh), n = tanh(gi + r gh), in the order r z n; next = (1 - z) n + z h.
 */
export const gruCell = primitive<Record<never, never>>()({
  kernels: { gruCell: gruCellKernel },
  inputs: ['gi', 'gh', 'h'],
  dtypes: 'real',
  outputs([gi, gh, h]) {
    check('gruCell', 3, [gi, gh], [h]);
    return like(h, gi);
  },
  run(launcher, [gi, gh, h], outputs) {
    const [batch, size] = h.shape;
    const buffers = [gi, gh, h, ...outputs];
    launcher.launch('gruCell', gruCellKernel, suffix(h.dtype), buffers, { size }, batch);
  },
});

/**
 * g, gates, gh, h -> gradients of gi, gh [batch, 3 size] and h [batch, size].
 * Gradients of gruCell with respect to gi, gh and h.
 */
export const gruCellBackward = primitive<Record<never, never>>()({
  kernels: { gruCellBackward: gruCellBackwardKernel },
  inputs: ['g', 'gates', 'gh', 'h'],
  dtypes: 'real',
  outputs([g, gates, gh, h]) {
    check('gruCellBackward', 3, [gates, gh], [g, h]);
    return like(gates, gh, h);
  },
  run(launcher, inputs, outputs) {
    const [, , , h] = inputs;
    const [batch, size] = h.shape;
    const buffers = [...inputs, ...outputs];
    const dtype = suffix(h.dtype);
    launcher.launch('gruCellBackward', gruCellBackwardKernel, dtype, buffers, { size }, batch);
  },
});
