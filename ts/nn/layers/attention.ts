/** Attention of several heads. */

import { bool } from '../../core/dtype.js';
import { DtypeError, ShapeError, showShape, ValueError } from '../../core/errors.js';
import { sameShape } from '../../core/layout.js';
import { elementwise } from '../../ops/elementwise.js';
import { headsOf } from '../../ops/heads.js';
import { cat } from '../../ops/joining.js';
import { type Arguments, bind } from '../../ops/signature.js';
import { isTensor, type Tensor } from '../../tensor.js';
import { checkSize, type Factory, type FactoryOptions } from '../arguments.js';
import * as F from '../functional.js';
import { constant_, xavierNormal_, xavierUniform_ } from '../init.js';
import { Module } from '../module.js';
import type { Parameter } from '../parameter.js';
import { setParameters, unset } from './layer.js';
import { Linear } from './linear.js';

/** The name under which PyTorch prints and saves the last projection of an attention. */
export class NonDynamicallyQuantizableLinear extends Linear {}

/** Throws if a mask is said to be causal and is not given: the hint alone hides nothing. */
export function checkCausal(name: string, hint: boolean | null, mask: Tensor | null): void {
  if (!hint || mask !== null) return;
  throw new ValueError(
    `${name}: that a mask is causal is a hint only; give the mask too: ` +
      'nn.Transformer.generateSquareSubsequentMask(size)',
  );
}

const ATTENTION =
  'embedDim, numHeads, dropout, bias, addBiasKv, addZeroAttn, kdim, vdim, batchFirst, device, dtype';
type AttentionArguments = [
  embedDim: number,
  numHeads: number,
  dropout?: number,
  bias?: boolean,
  addBiasKv?: boolean,
  addZeroAttn?: boolean,
  kdim?: number | null,
  vdim?: number | null,
  batchFirst?: boolean,
  ...Factory,
];

/** What a call of an attention may name. */
export interface AttentionOptions {
  keyPaddingMask?: Tensor | null;
  needWeights?: boolean;
  attnMask?: Tensor | null;
  averageAttnWeights?: boolean;
  /** That attnMask is causal: a hint. */
  isCausal?: boolean;
}

/** A mask that is true (or -inf) where nothing is seen; uint8 counts as bool. */
function maskOf(what: string, mask: Tensor): Tensor {
  if (mask.dtype === bool || mask.dtype.isFloatingPoint) return mask;
  if (mask.dtype.name === 'uint8') return mask.to(bool);
  throw new DtypeError(
    `MultiheadAttention: ${what} is bool (true: not seen) or floating point (added to the ` +
      `scores), got ${mask.dtype}; cast it with bool()`,
  );
}

/** Both masks as one. */
function merged(a: Tensor | null, b: Tensor | null, like: Tensor): Tensor | null {
  if (a === null || b === null) return a ?? b;
  if (a.dtype === bool && b.dtype === bool) return elementwise.logicalOr(a, b);
  const added = (mask: Tensor) =>
    mask.dtype === bool
      ? like.newZeros(mask.shape).maskedFill(mask, Number.NEGATIVE_INFINITY)
      : mask;
  return added(a).add(added(b));
}

/**
 * Attention of `numHeads` heads: query [L, N, embedDim], key [S, N, kdim] and value [S, N, vdim]
 * give [output [L, N, embedDim], weights [N, L, S]]; with `batchFirst` N comes first, and single
 * samples have no N. `needWeights: false` gives null for the weights and is faster;
 * `averageAttnWeights: false` gives those of each head, [N, numHeads, L, S]. True in a bool mask
 * means not seen, a float mask is added to the scores: `keyPaddingMask` [N, S], `attnMask` [L, S]
 * or [N * numHeads, L, S].
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: calls may name their arguments
export class MultiheadAttention extends Module {
  static override readonly forwardArguments: string =
    'query, key, value, keyPaddingMask, needWeights, attnMask, averageAttnWeights, isCausal';
  readonly embedDim: number;
  readonly kdim: number;
  readonly vdim: number;
  readonly numHeads: number;
  readonly dropout: number;
  readonly batchFirst: boolean;
  readonly headDim: number;
  readonly addZeroAttn: boolean;
  /** All three projections, where key and value have embedDim features too. */
  declare in_proj_weight: Parameter | null;
  declare q_proj_weight: Parameter | null;
  declare k_proj_weight: Parameter | null;
  declare v_proj_weight: Parameter | null;
  declare in_proj_bias: Parameter | null;
  out_proj: NonDynamicallyQuantizableLinear;
  declare bias_k: Parameter | null;
  declare bias_v: Parameter | null;

  constructor(...args: Arguments<typeof ATTENTION, AttentionArguments>) {
    super();
    const name = 'MultiheadAttention';
    const given = bind<AttentionArguments>(name, ATTENTION, args, 2);
    const [embedDim, numHeads, dropout = 0, bias = true, addBiasKv = false] = given;
    const [kdim, vdim, batchFirst = false, device, dtype] = given.slice(6) as [
      number | null | undefined,
      number | null | undefined,
      boolean | undefined,
      ...Factory,
    ];
    this.embedDim = checkSize(name, 'embedDim', embedDim);
    this.numHeads = checkSize(name, 'numHeads', numHeads);
    this.headDim = embedDim / numHeads;
    if (!Number.isInteger(this.headDim)) {
      throw new ValueError(`${name}: embedDim ${embedDim} does not divide into ${numHeads} heads`);
    }
    this.kdim = kdim ?? embedDim;
    this.vdim = vdim ?? embedDim;
    this.dropout = dropout;
    this.batchFirst = batchFirst;
    this.addZeroAttn = given[5] ?? false;
    const factory: FactoryOptions = { device, dtype };
    const packed = this.kdim === embedDim && this.vdim === embedDim;
    const separate = (size: number) => (packed ? null : unset([embedDim, size], factory));
    setParameters(this, {
      in_proj_weight: packed ? unset([3 * embedDim, embedDim], factory) : null,
      q_proj_weight: separate(embedDim),
      k_proj_weight: separate(this.kdim),
      v_proj_weight: separate(this.vdim),
      in_proj_bias: bias ? unset([3 * embedDim], factory) : null,
      bias_k: addBiasKv ? unset([1, 1, embedDim], factory) : null,
      bias_v: addBiasKv ? unset([1, 1, embedDim], factory) : null,
    });
    this.out_proj = new NonDynamicallyQuantizableLinear(embedDim, embedDim, bias, device, dtype);
    this.resetParameters();
  }

  /** Draws the parameters anew, except for the weight of the last projection. */
  resetParameters(): void {
    const { in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight, bias_k, bias_v } = this;
    for (const weight of [in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight]) {
      if (weight) xavierUniform_(weight);
    }
    for (const bias of [this.in_proj_bias, this.out_proj.bias]) if (bias) constant_(bias, 0);
    for (const bias of [bias_k, bias_v]) if (bias) xavierNormal_(bias);
  }

  forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    keyPaddingMask: Tensor | null = null,
    needWeights = true,
    attnMask: Tensor | null = null,
    averageAttnWeights = true,
    isCausal = false,
  ): [output: Tensor, weights: Tensor | null] {
    this.check(query, key, value);
    checkCausal('MultiheadAttention', isCausal, attnMask);
    const batched = query.ndim === 3;
    const batchFirst = this.batchFirst || !batched;
    const projections = this.project(query, key, value);
    const [q, ownKeys, ownValues] = projections.flatMap((x) =>
      headsOf(batched ? x : x.unsqueeze(0), 3 / projections.length, this.numHeads, batchFirst),
    );
    const [batch, , rows] = q.shape;
    const columns = ownKeys.shape[2];
    const [k, v] = this.extended(ownKeys, ownValues);
    const masks = this.masks(q, [batch, rows, columns], keyPaddingMask, attnMask);
    // What was added to the keys is seen by all.
    const extra = k.shape[2] - columns;
    const hidden = masks && extra > 0 ? F.pad(masks, [0, extra]) : masks;
    const mask = hidden?.dtype === bool ? elementwise.logicalNot(hidden) : hidden;
    const p = this.training ? this.dropout : 0;
    const [heads, weights] = needWeights
      ? F._scaledDotProductAttention(q, k, v, mask, p)
      : [F.scaledDotProductAttention(q, k, v, mask, p), null];
    const joined = batchFirst ? heads.transpose(1, 2) : heads.permute(2, 0, 1, 3);
    const output = F.linear(
      joined.reshape([...query.shape.slice(0, -1), this.embedDim]),
      this.out_proj.weight,
      this.out_proj.bias,
    );
    if (weights === null) return [output, null];
    const shown = averageAttnWeights ? weights.mean(1) : weights;
    return [output, batched ? shown : shown.squeeze(0)];
  }

  private check(query: Tensor, key: Tensor, value: Tensor): void {
    const sizes = [this.embedDim, this.kdim, this.vdim];
    const inputs = [query, key, value];
    const ndim = query?.ndim;
    const batch = this.batchFirst ? 0 : 1;
    const fits =
      (ndim === 2 || ndim === 3) &&
      inputs.every((x, i) => x?.ndim === ndim && x.shape[ndim - 1] === sizes[i]) &&
      sameShape(key.shape.slice(0, -1), value.shape.slice(0, -1)) &&
      (ndim === 2 || query.shape[batch] === key.shape[batch]);
    if (fits) return;
    const form = (length: string, size: number) =>
      this.batchFirst ? `[N, ${length}, ${size}]` : `[${length}, N, ${size}]`;
    throw new ShapeError(
      `MultiheadAttention: expected query ${form('L', sizes[0])}, key ${form('S', sizes[1])} and ` +
        `value ${form('S', sizes[2])}, all perhaps without N, got ` +
        inputs.map((x) => (isTensor(x) ? showShape(x.shape) : String(x))).join(', '),
    );
  }

  /** Query, key and value as the heads compare them, [..., embedDim] each, or all side by side. */
  private project(query: Tensor, key: Tensor, value: Tensor): Tensor[] {
    const { in_proj_weight: packed, in_proj_bias: bias } = this;
    if (packed && query === key && key === value) return [F.linear(query, packed, bias)];
    const { q_proj_weight, k_proj_weight, v_proj_weight } = this;
    const weights = packed ? packed.chunk(3) : [q_proj_weight, k_proj_weight, v_proj_weight];
    const biases = bias?.chunk(3);
    return [query, key, value].map((x, i) =>
      F.linear(x, weights[i] as Tensor, biases?.[i] ?? null),
    );
  }

  /** Keys and values [N, heads, S, headDim] with the learned ones and the zeros behind them. */
  private extended(key: Tensor, value: Tensor): [Tensor, Tensor] {
    const shape = [key.shape[0], this.numHeads, 1, this.headDim];
    const more = (x: Tensor, bias: Tensor | null) => {
      const parts = [x];
      if (bias) parts.push(bias.view([1, this.numHeads, 1, this.headDim]).expand(shape));
      if (this.addZeroAttn) parts.push(x.newZeros(shape));
      return parts.length > 1 ? cat(parts, 2) : x;
    };
    return [more(key, this.bias_k), more(value, this.bias_v)];
  }

  /** One mask of the shape [N or 1, heads or 1, L or 1, S] of both. */
  private masks(
    like: Tensor,
    [batch, rows, columns]: readonly number[],
    keyPaddingMask: Tensor | null,
    attnMask: Tensor | null,
  ): Tensor | null {
    const heads = this.numHeads;
    const viewed = (what: string, mask: Tensor | null, shapes: readonly number[][]) => {
      if (mask === null) return null;
      const at = shapes.findIndex((shape) => sameShape(shape, mask.shape));
      if (at >= 0) return maskOf(what, mask);
      throw new ShapeError(
        `MultiheadAttention: expected ${what} ${shapes.map(showShape).join(' or ')}, got ` +
          showShape(mask.shape),
      );
    };
    const forms = batch === 1 ? [[columns], [1, columns]] : [[batch, columns]];
    const padding = viewed('keyPaddingMask', keyPaddingMask, forms);
    const square = [rows, columns];
    const seen = viewed('attnMask', attnMask, [square, [batch * heads, ...square]]);
    return merged(
      seen?.ndim === 3 ? seen.view([batch, heads, ...square]) : seen,
      padding?.view([batch, 1, 1, columns]) ?? null,
      like,
    );
  }
}

export interface MultiheadAttention {
  // biome-ignore lint/style/useShorthandFunctionType: it merges with the class
  (query: Tensor, key: Tensor, value: Tensor, options?: AttentionOptions): [Tensor, Tensor | null];
}
