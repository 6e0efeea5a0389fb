/** Tables of vectors. */

import { noGrad } from '../../autograd/mode.js';
import { ShapeError, showShape, ValueError } from '../../core/errors.js';
import { checkDense } from '../../core/options.js';
import { type Arguments, bind } from '../../ops/signature.js';
import type { Tensor } from '../../tensor.js';
import { checkSize, type FactoryOptions } from '../arguments.js';
import { float } from '../format.js';
import * as F from '../functional.js';
import { normal_ } from '../init.js';
import { Parameter } from '../parameter.js';
import { Layer, setParameters, unset } from './layer.js';

const OPTIONS = 'paddingIdx, maxNorm, normType, scaleGradByFreq, sparse';
const EMBEDDING = `numEmbeddings, embeddingDim, ${OPTIONS}, _weight, device, dtype` as const;
type EmbeddingArguments = [
  numEmbeddings: number,
  embeddingDim: number,
  paddingIdx?: number | null,
  maxNorm?: number | null,
  normType?: number,
  scaleGradByFreq?: boolean,
  sparse?: boolean,
  _weight?: Tensor | null,
  device?: FactoryOptions['device'],
  dtype?: FactoryOptions['dtype'],
];

const PRETRAINED = `embeddings, freeze, ${OPTIONS}` as const;
type PretrainedArguments = [
  embeddings: Tensor,
  freeze?: boolean,
  paddingIdx?: number | null,
  maxNorm?: number | null,
  normType?: number,
  scaleGradByFreq?: boolean,
  sparse?: boolean,
];

/**
 * A table of `numEmbeddings` vectors of `embeddingDim`, read at the integers of the input. Row
 * `paddingIdx` starts as zeros and is not trained; rows read are scaled down to norm `maxNorm`.
 */
export class Embedding extends Layer {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly paddingIdx: number | null;
  readonly maxNorm: number | null;
  readonly normType: number;
  readonly scaleGradByFreq: boolean;
  readonly sparse: boolean;
  declare weight: Parameter;

  constructor(...args: Arguments<typeof EMBEDDING, EmbeddingArguments>) {
    super();
    const given = bind<EmbeddingArguments>('Embedding', EMBEDDING, args, 2);
    const [count, dim, paddingIdx = null, maxNorm = null, normType = 2] = given;
    this.numEmbeddings = checkSize('Embedding', 'numEmbeddings', count);
    this.embeddingDim = checkSize('Embedding', 'embeddingDim', dim);
    if (paddingIdx !== null && !(paddingIdx >= -count && paddingIdx < count)) {
      throw new ValueError(`Embedding: paddingIdx ${paddingIdx} is not one of the ${count} rows`);
    }
    this.paddingIdx = paddingIdx !== null && paddingIdx < 0 ? paddingIdx + count : paddingIdx;
    this.maxNorm = maxNorm;
    this.normType = normType;
    this.scaleGradByFreq = given[5] ?? false;
    this.sparse = given[6] ?? false;
    checkDense('Embedding', 'sparse', this.sparse);
    const weight = given[7] ?? null;
    if (weight !== null && (weight.shape[0] !== count || weight.shape[1] !== dim)) {
      throw new ShapeError(
        `Embedding: expected a weight of shape [${count}, ${dim}], got ${showShape(weight.shape)}`,
      );
    }
    const factory = { device: given[8], dtype: given[9] };
    setParameters(this, {
      weight: weight === null ? unset([count, dim], factory) : new Parameter(weight),
    });
    if (weight === null) this.resetParameters();
  }

  /** Draws the table anew; the row of `paddingIdx` is zero. */
  resetParameters(): void {
    normal_(this.weight);
    const { paddingIdx } = this;
    if (paddingIdx === null) return;
    noGrad(() => {
      this.weight.select(0, paddingIdx).zero_();
    });
  }

  forward(input: Tensor): Tensor {
    const { weight, paddingIdx, maxNorm, normType, scaleGradByFreq } = this;
    return F.embedding(input, weight, paddingIdx, maxNorm, normType, scaleGradByFreq);
  }

  override extraRepr(): string {
    const parts = [`${this.numEmbeddings}, ${this.embeddingDim}`];
    if (this.paddingIdx !== null) parts.push(`padding_idx=${this.paddingIdx}`);
    if (this.maxNorm !== null) parts.push(`max_norm=${float(this.maxNorm)}`);
    if (this.normType !== 2) parts.push(`norm_type=${float(this.normType)}`);
    if (this.scaleGradByFreq) parts.push('scale_grad_by_freq=True');
    if (this.sparse) parts.push('sparse=True');
    return parts.join(', ');
  }

  /** A layer over a given table [count, size], which is not trained unless `freeze` is false. */
  static fromPretrained(...args: Arguments<typeof PRETRAINED, PretrainedArguments>): Embedding {
    const name = 'Embedding.fromPretrained';
    const [table, freeze = true, ...rest] = bind<PretrainedArguments>(name, PRETRAINED, args, 1);
    if (table.ndim !== 2) {
      throw new ShapeError(`${name}: expected a matrix, got ${showShape(table.shape)}`);
    }
    const [count, size] = table.shape;
    const [paddingIdx = null, maxNorm = null, normType = 2, byFreq = false, sparse = false] = rest;
    const options = { maxNorm, normType, scaleGradByFreq: byFreq, sparse, _weight: table };
    // Not by its name: bundlers rename classes that name themselves, and printing shows names.
    const layer = new this(count, size, paddingIdx, options);
    layer.weight.requiresGrad_(!freeze);
    return layer;
  }
}
