/** Rows of a table by number: the functional form of nn.Embedding. */

import { noGrad } from '../autograd/mode.js';
import { Category } from '../core/dtype.js';
import { DtypeError, IndexError, ShapeError, showShape } from '../core/errors.js';
import { rowMajor, sized } from '../core/layout.js';
import { giveBack, lend, lend1, lend2, only } from '../core/lend.js';
import { Memo } from '../core/memo.js';
import { checkDense } from '../core/options.js';
import type { Tensor } from '../tensor.js';
import { applyPrimitive } from './apply.js';
import { applyCanonical, type Form } from './canonical.js';
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

/** Attributes by the row that gets no gradient; -1 is none. */
const skipping = new Memo([-1], ([skip]) => ({ skip }));

/** The rows of a table [count, size]; the row `skip` gets no gradient. */
function lookUp(table: Tensor, index: Tensor, skip: number): Tensor {
  const [count, size] = table.shape;
  const { shape } = index;
  const sizes = lend<number>(shape.length + 1);
  for (let i = 0; i < shape.length; i++) sizes[i] = shape[i];
  sizes[shape.length] = size;
  const result = rowMajor(sizes).shape;
  giveBack(sizes);
  const forms = lend2<Form>(sized(1, count, size), sized(index.numel()));
  skipping.key[0] = skip;
  const attributes = skipping.get();
  try {
    const inputs = lend2(table, index);
    const shapes = lend1(result);
    return only(
      applyCanonical('indexSelect', inputs, forms, shapes, attributes, 'EmbeddingBackward0'),
    );
  } catch (error) {
    throw explained(error, count, size);
  }
}

/** An index that is no row of a table, told as such. */
function explained(error: unknown, count: number, size: number): unknown {
  if (!(error instanceof IndexError)) return error;
  const found = error.message.replace(/^indexSelect: /, '').replace(/;.*/, '');
  return new IndexError(
    `embedding: ${found}: the weight is [${count}, ${size}]. Give the layer more rows, or map ` +
      'unknown words to one row',
  );
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
    const skip = paddingIdx === null ? -1 : (paddingIdx + count) % count;
    if (maxNorm !== null) renormalize(weight, reshape(input, [-1]), maxNorm, normType);
    if (!scaleGradByFreq) return lookUp(weight, input, skip);
    const index = reshape(input, [-1]);
    const rows = reshape(lookUp(weight, index, skip), [1, -1, size]);
    return reshape(byFrequency(rows, index, count), [...input.shape, size]);
  },
);
