/** Judges of recurrent networks over whole sequences. */

import type { sequenceGradients } from '../../ts/ops/gradients_sequence.js';
import type { AttributesOf } from '../../ts/ops/table.js';
import type { SampledJudge } from './judge.js';
import { call, int, judge, real } from './primitives.js';

const [T, N, H] = [3, 2, 2];
const state = real([N, H], [-1, 1]);
const wide = (gates: number) => real([T, N, gates * H]);
const weight = (gates: number) => real([gates * H, H], [-1, 1]);
const forwards = { reverse: false };
const backwards = { reverse: true };
const LENGTHS = int([N], 3, 1);
const GATE: [number, number] = [0.1, 0.9];

export const sequenceJudges: {
  readonly [K in keyof typeof sequenceGradients]: SampledJudge<AttributesOf<K>>;
} = {
  rnnSequence: judge(1e-5, [
    call('tanh', [wide(1), weight(1), state], { ...forwards, relu: false }),
    call('tanh, reverse, from zero', [wide(1), weight(1)], { ...backwards, relu: false }),
    call('relu', [real([T, N, H], [0.1, 1]), real([H, H], [0.1, 1]), state], {
      ...forwards,
      relu: true,
    }),
    call('of several lengths', [wide(1), weight(1), state, LENGTHS], { ...forwards, relu: false }),
    call('one step', [real([1, N, H]), weight(1)], { ...forwards, relu: false }),
  ]),
  rnnSequenceBackward: judge(1e-5, [
    call('all', [real([T, N, H], GATE), weight(1), wide(1), state], { ...forwards, relu: false }),
    call('of the last', [real([T, N, H]), weight(1), undefined, state], {
      ...backwards,
      relu: true,
    }),
  ]),
  gruSequence: judge(
    1e-5,
    [
      call('all', [wide(3), weight(3), real([3 * H]), state], forwards),
      call('reverse, from zero', [wide(3), weight(3)], backwards),
      call(
        'reverse, of several lengths',
        [wide(3), weight(3), real([3 * H]), state, LENGTHS],
        backwards,
      ),
    ],
    [0, 1],
  ),
  gruSequenceBackward: judge(1e-5, [
    call('all', [real([T, N, 4 * H], GATE), wide(1), weight(3), state, wide(1), state], forwards),
    call(
      'from zero',
      [real([T, N, 4 * H], GATE), wide(1), weight(3), undefined, wide(1)],
      backwards,
    ),
  ]),
  lstmSequence: judge(
    1e-5,
    [
      call('all', [wide(4), weight(4), state, state], forwards),
      call('reverse, from zero', [wide(4), weight(4)], backwards),
      call('of several lengths', [wide(4), weight(4), state, state, LENGTHS], forwards),
      call(
        'reverse, of several lengths',
        [wide(4), weight(4), undefined, undefined, LENGTHS],
        backwards,
      ),
    ],
    [0, 1, 2],
  ),
  lstmSequenceBackward: judge(1e-5, [
    call(
      'all',
      [real([T, N, 4 * H], GATE), wide(1), weight(4), state, wide(1), state, state],
      forwards,
    ),
    call(
      'from zero',
      [real([T, N, 4 * H], GATE), wide(1), weight(4), undefined, wide(1)],
      backwards,
    ),
  ]),
};
