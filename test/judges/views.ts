/** Judges of the view rows. */

import type { AttributesOf } from '../../ts/ops/table.js';
import type { ViewName } from '../../ts/ops/views.js';
import type { InputSpec, Sample, SampledJudge } from './judge.js';

function call<A>(name: string, shape: readonly number[], attributes: A): Sample<A> {
  const x: InputSpec = { shape, range: [-2, 2] };
  return { name, inputs: [x], attributes };
}

function judge<A>(...samples: Sample<NoInfer<A>>[]): SampledJudge<A> {
  return { kind: 'sampled', samples, rtol: 0 };
}

const matrix = { shape: [3, 4], strides: [4, 1], offset: 0 };

export const viewJudges: { readonly [K in ViewName]: SampledJudge<AttributesOf<K>> } = {
  alias: judge(call('a matrix', [2, 3], {}), call('0-d', [], {}), call('empty', [2, 0], {})),
  view: judge(
    call('flat', [2, 3], { shape: [6] }),
    call('split', [6], { shape: [3, 1, 2] }),
    call('to 0-d', [1, 1], { shape: [] }),
    call('empty', [0, 3], { shape: [3, 0] }),
  ),
  permute: judge(
    call('three dimensions turned', [2, 3, 4], { dims: [2, 0, 1] }),
    call('0-d', [], { dims: [] }),
  ),
  expand: judge(
    call('one dimension repeated', [3, 1], { shape: [3, 4] }),
    call('new dimensions', [2], { shape: [3, 2, 2] }),
    call('0-d', [], { shape: [2, 3] }),
  ),
  sliceDim: judge(
    call('every second', [7], { dim: 0, start: 1, end: 6, step: 2 }),
    call('columns', [3, 4], { dim: 1, start: 1, end: 3, step: 1 }),
    call('nothing', [3, 4], { dim: 0, start: 2, end: 2, step: 1 }),
  ),
  selectDim: judge(
    call('a column', [3, 4], { dim: 1, index: 2 }),
    call('to 0-d', [3], { dim: 0, index: 0 }),
  ),
  diagonalView: judge(
    call('main', [3, 4], { offset: 0, dim1: 0, dim2: 1 }),
    call('above, of a batch', [2, 3, 4], { offset: 1, dim1: 2, dim2: 0 }),
    call('below', [4, 3], { offset: -2, dim1: 0, dim2: 1 }),
    call('outside', [2, 2], { offset: 5, dim1: 0, dim2: 1 }),
  ),
  unfoldView: judge(
    call('overlapping windows', [7], { dim: 0, size: 3, step: 2 }),
    call('of columns', [2, 5], { dim: 1, size: 2, step: 1 }),
    call('0-d', [], { dim: 0, size: 1, step: 1 }),
  ),
  asStridedView: judge(
    call('overlapping', [3, 4], {
      shape: [3, 3],
      strides: [2, 1],
      offset: 1,
      elements: 12,
      of: matrix,
    }),
    call('one element many times', [3, 4], {
      shape: [2, 2],
      strides: [0, 0],
      offset: 5,
      elements: 12,
      of: matrix,
    }),
  ),
};
