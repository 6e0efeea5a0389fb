/** The rows of neural networks: attention, convolution, pooling, normalisation, losses, recurrent cells. */

import { rows } from '../rows.js';
import * as attention from './attention.js';
import * as conv from './conv.js';
import * as loss from './loss.js';
import * as norm from './norm.js';
import * as pool from './pool.js';
import * as recurrent from './recurrent.js';
import * as sequence from './recurrent_sequence.js';

export const nnPrimitives = {
  ...rows(attention),
  ...rows(conv),
  ...rows(loss),
  ...rows(norm),
  ...rows(pool),
  ...rows(recurrent),
  ...rows(sequence),
} as const;
