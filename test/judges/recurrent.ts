/** Judges of the recurrent cells. */

import type { recurrentGradients } from '../../ts/ops/gradients_recurrent.js';
import type { AttributesOf } from '../../ts/ops/table.js';
import type { SampledJudge } from './judge.js';
import { call, judge, real } from './primitives.js';

const GATE: [number, number] = [0.1, 0.9];

export const recurrentJudges: {
  readonly [K in keyof typeof recurrentGradients]: SampledJudge<AttributesOf<K>>;
} = {
  rnnCell: judge(1e-5, [
    call('tanh', [real([2, 3]), real([2, 3])], { relu: false }),
    call('relu', [real([2, 3], [0.1, 1]), real([2, 3], [0.1, 1])], { relu: true }),
  ]),
  rnnCellBackward: judge(1e-5, [
    call('tanh', [real([2, 3]), real([2, 3], [-0.9, 0.9])], { relu: false }),
    call('relu', [real([2, 3]), real([2, 3], [0.1, 2])], { relu: true }),
  ]),
  lstmCell: judge(1e-5, [call('plain', [real([2, 8]), real([2, 8]), real([2, 2])], {})]),
  lstmCellBackward: judge(1e-5, [
    call(
      'both gradients',
      [real([2, 8], GATE), real([2, 2]), real([2, 2]), real([2, 2]), real([2, 2])],
      {},
    ),
    call('of h alone', [real([2, 8], GATE), real([2, 2]), real([2, 2]), real([2, 2])], {}),
  ]),
  gruCell: judge(1e-5, [call('plain', [real([2, 6]), real([2, 6]), real([2, 2])], {})]),
  gruCellBackward: judge(1e-5, [
    call('plain', [real([2, 2]), real([2, 6], GATE), real([2, 6]), real([2, 2])], {}),
  ]),
};
