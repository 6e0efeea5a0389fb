/** The third table: a judge for every operator. An operator without one is a compile error. */

import type { OpName } from '../ts/ops/table.js';
import { attentionJudges } from './judges/attention.js';
import type { JudgeOf } from './judges/judge.js';
import { pointwiseJudges } from './judges/pointwise.js';
import { kernelJudges, nnJudges } from './judges/primitives.js';
import { recurrentJudges } from './judges/recurrent.js';
import { sequenceJudges } from './judges/recurrent_sequence.js';
import { viewJudges } from './judges/views.js';

export const judges: { readonly [K in OpName]: JudgeOf<K> } = {
  ...pointwiseJudges,
  ...viewJudges,
  ...kernelJudges,
  ...nnJudges,
  ...attentionJudges,
  ...recurrentJudges,
  ...sequenceJudges,
};
