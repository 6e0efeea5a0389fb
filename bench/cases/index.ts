/** All cases, in the order they are shown. */

import type { Case } from '../case.js';
import { convCases } from './conv.js';
import { convShapeCases } from './conv_shapes.js';
import { elementwiseCases } from './elementwise.js';
import { layerNormCases } from './layer_norm.js';
import { matmulCases } from './matmul.js';
import { millionCases } from './million.js';
import { sequenceCases } from './sequences.js';
import { smallCases } from './small.js';
import { trainingCases } from './training.js';

export const cases: readonly Case[] = [
  ...matmulCases,
  ...elementwiseCases,
  ...layerNormCases,
  ...millionCases,
  ...smallCases,
  ...convCases,
  ...convShapeCases,
  ...trainingCases,
  ...sequenceCases,
];
