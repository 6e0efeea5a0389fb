/** Rows of a table by number: the functional form of nn.Embedding. */

import { noGrad } from '../autograd/mode.js';
import { Category } from '../core/dtype.js';
import { DtypeError, IndexError, ShapeError, showShape } from '../core/errors.js';
import { checkDense } from '../core/options.js';
import type { Tensor } from '../tensor.js';
import { applyPrimitive } from './apply.js';
import { indexCopy_, indexSelect } from './gathering.js';
import { recordLinear } from './linear_node.js';
import { alias, reshape, view } from './shape.js';
import { op } from './signature.js';

/** Scales the rows named in `index` down to a norm of at most `maxNorm`, in place. */
function renormalize(weight: Tensor, index: Tensor, maxNorm: number, normType: number): void {
  if (index.numel() === 0) return;
  noGrad(() => {
    const table = weight.detach();
    const taken = indexSelect(table, 0, index);
    const flat = reshape(taken, [index.numel(), -1, 1]);
    const norm = applyPrimitive('vectorNorm', [flat], { p: normType })[0];
    const scale = norm.add(1e-7).reciprocal().mul(maxNorm);
    const kept = scale.where(norm.gt(maxNorm), 1);
    // A row that is named twice is written twice, with the same values.
    indexCopy_(table, 0, index, taken.mul(kept));
  });
}

/** Divides the gradient of each looked-up row by how often the row is looked up. */
function byFrequency(rows: Tensor, index: Tensor, size: number): Tensor {
  const ones = rows.newOnes([index.numel()]);
  const counts = rows.newZeros([size]).indexAdd(0, index, ones);
  const column = view(indexSelect(counts, 0, index).reciprocal(), [1, -1, 1]).keep();
  return recordLinear('EmbeddingScaleBackward0', [rows], alias(rows.detach()), (g) =>
    g.mul(column),
  );
}

/** The rows of `table` [1, count, size]; the row `skip` gets no gradient. */
function lookUp(table: Tensor, index: Tensor, skip: number): Tensor[] {
  try {
    return applyPrimitive('indexSelect', [table, index], { skip });
  } catch (error) {
    if (!(error instanceof IndexError)) throw error;
    const [, count, size] = table.shape;
    const found = error.message.replace(/^indexSelect: /, '').replace(/;.*/, '');
    throw new IndexError(
      `embedding: ${found}: the weight is [${count}, ${size}]. Give the layer more rows, or map ` +
        'unknown words to one row',
    );
  }
}

/**
 * The rows of `weight` [count, size] at the numbers in `input` (any shape): [...input.shape, size].
 * Row `paddingIdx` gets no gradient. With `maxNorm`, rows used are first scaled down in place to
 * that `normType`-norm. `scaleGradByFreq` divides gradients by how often a row occurs.
 */
export const embedding = op(
  'embedding',
  'input, weight, paddingIdx, maxNorm, normType, scaleGradByFreq, sparse',
  (
    input: Tensor,
    weight: Tensor,
    paddingIdx: number | null = null,
    maxNorm: number | null = null,
    normType = 2,
    scaleGradByFreq = false,
    sparse = false,
  ): Tensor => {
    checkDense('embedding', 'sparse', sparse);
    if (weight.ndim !== 2) {
      throw new ShapeError(
        `embedding: the weight is a matrix [count, size], got shape ${showShape(weight.shape)}`,
      );
    }
    if (input.dtype.category !== Category.Int) {
      throw new DtypeError(`embedding: the input holds row numbers, got ${input.dtype}; use int()`);
    }
    const [count, size] = weight.shape;
    if (paddingIdx !== null && (paddingIdx < -count || paddingIdx >= count)) {
      throw new IndexError(
        `embedding: paddingIdx ${paddingIdx} is not a row of a weight of shape [${count}, ${size}]`,
      );
    }
    const index = reshape(input, [-1]);
    if (maxNorm !== null) renormalize(weight, index, maxNorm, normType);
    const skip = paddingIdx === null ? -1 : (paddingIdx + count) % count;
    const table = reshape(weight, [1, count, size]);
    const [taken] = lookUp(table, index, skip);
    const rows = scaleGradByFreq ? byFrequency(taken, index, count) : taken;
    return reshape(rows, [...input.shape, size]);
  },
);
