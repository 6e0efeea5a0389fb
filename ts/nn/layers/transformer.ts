/** Transformers: layers of attention and feed-forward networks with residual connections. */

import { ShapeError, showShape, ValueError } from '../../core/errors.js';
import { hidden, visible } from '../../core/memory.js';
import type { DeviceType } from '../../device/device.js';
import { full } from '../../ops/creation.js';
import { type Arguments, bind } from '../../ops/signature.js';
import type { Tensor } from '../../tensor.js';
import type { Factory } from '../arguments.js';
import { deepcopy } from '../copy.js';
import * as F from '../functional.js';
import { together } from '../fused.js';
import { xavierUniform_ } from '../init.js';
import { Module } from '../module.js';
import { Dropout } from './activation.js';
import { checkCausal, MultiheadAttention } from './attention.js';
import { ModuleList } from './container.js';
import { Linear } from './linear.js';
import { LayerNorm } from './norm.js';

/** 'relu', 'gelu', or any function (or module) of a tensor. */
export type Activation = 'relu' | 'gelu' | ((input: Tensor) => Tensor);

type Mask = Tensor | null;

const LAYER =
  'dModel, nhead, dimFeedforward, dropout, activation, layerNormEps, batchFirst, normFirst, ' +
  'device, dtype';
type LayerOptions = [
  dimFeedforward?: number,
  dropout?: number,
  activation?: Activation,
  layerNormEps?: number,
  batchFirst?: boolean,
  normFirst?: boolean,
  ...Factory,
];
type LayerArguments = [dModel: number, nhead: number, ...LayerOptions];

function activationOf(name: string, activation: Activation): (input: Tensor) => Tensor {
  if (typeof activation === 'function') return activation;
  if (activation === 'relu') return F.relu;
  if (activation === 'gelu') return F.gelu;
  throw new ValueError(
    `${name}: activation is 'relu', 'gelu' or a function, got '${String(activation)}'`,
  );
}

/** What layers of encoders and decoders share. */
abstract class TransformerLayer extends Module {
  declare self_attn: MultiheadAttention;
  declare linear1: Linear;
  declare dropout: Dropout;
  declare linear2: Linear;
  declare norm1: LayerNorm;
  declare norm2: LayerNorm;
  declare dropout1: Dropout;
  declare dropout2: Dropout;
  declare readonly normFirst: boolean;
  declare activation: (input: Tensor) => Tensor;

  constructor(args: readonly unknown[], attentions: readonly string[], norms: number) {
    super();
    const { name } = new.target;
    const given = bind<LayerArguments>(name, LAYER, args, 2);
    const [dModel, nhead, hidden = 2048, p = 0.1, activation = 'relu', eps = 1e-5] = given;
    const [batchFirst = false, normFirst = false, device, dtype] = given.slice(6) as [
      boolean | undefined,
      boolean | undefined,
      ...Factory,
    ];
    const apply = activationOf(name, activation);
    const factory = { device, dtype };
    for (const attention of attentions) {
      const options = { dropout: p, batchFirst, ...factory };
      this.addModule(attention, new MultiheadAttention(dModel, nhead, options));
    }
    this.linear1 = new Linear(dModel, hidden, factory);
    this.dropout = new Dropout(p);
    this.linear2 = new Linear(hidden, dModel, factory);
    this.normFirst = normFirst;
    for (let i = 1; i <= norms; i++) {
      this.addModule(`norm${i}`, new LayerNorm(dModel, { eps, ...factory }));
    }
    for (let i = 1; i <= norms; i++) this.addModule(`dropout${i}`, new Dropout(p));
    this.activation = apply;
  }

  /** x + block(norm(x)), or norm(x + block(x)). */
  protected residual(x: Tensor, norm: LayerNorm, block: (x: Tensor) => Tensor): Tensor {
    return this.normFirst ? x.add(block(norm(x))) : norm(x.add(block(x)));
  }

  protected attend(
    attention: MultiheadAttention,
    x: Tensor,
    memory: Tensor,
    attnMask: Mask,
    keyPaddingMask: Mask,
  ): Tensor {
    return attention(x, memory, memory, { attnMask, keyPaddingMask, needWeights: false })[0];
  }

  protected feedForward(x: Tensor): Tensor {
    const { activation, linear1 } = this;
    const known = [F.relu, F.gelu].includes(activation as never) || activation instanceof Module;
    const around = known ? hidden : visible;
    const separate = (inner: Tensor) => around(() => activation(inner));
    return this.linear2(this.dropout(together(linear1, activation, x) ?? separate(linear1(x))));
  }
}

/** What a call of an encoder layer may name. */
export interface EncoderLayerOptions {
  srcMask?: Mask;
  srcKeyPaddingMask?: Mask;
  /** That the mask is causal: a hint, of which nothing depends. */
  isCausal?: boolean;
}

/**
 * Self-attention, then two linear layers with an activation between them, both with dropout, a
 * residual connection and a layer norm behind (with `normFirst` before) them. Input and masks are
 * those of MultiheadAttention.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: calls may name their arguments
export class TransformerEncoderLayer extends TransformerLayer {
  static override readonly forwardArguments: string = 'src, srcMask, srcKeyPaddingMask, isCausal';

  constructor(...args: Arguments<typeof LAYER, LayerArguments>) {
    super(args, ['self_attn'], 2);
  }

  forward(
    src: Tensor,
    srcMask: Mask = null,
    srcKeyPaddingMask: Mask = null,
    isCausal = false,
  ): Tensor {
    checkCausal('TransformerEncoderLayer', isCausal, srcMask);
    const x = this.residual(src, this.norm1, (y) =>
      this.dropout1(this.attend(this.self_attn, y, y, srcMask, srcKeyPaddingMask)),
    );
    return this.residual(x, this.norm2, (y) => this.dropout2(this.feedForward(y)));
  }
}

export interface TransformerEncoderLayer {
  // biome-ignore lint/style/useShorthandFunctionType: it merges with the class
  (src: Tensor, options?: EncoderLayerOptions): Tensor;
}

/** What a call of a decoder or one of its layers may name. */
export interface DecoderOptions {
  tgtMask?: Mask;
  memoryMask?: Mask;
  tgtKeyPaddingMask?: Mask;
  memoryKeyPaddingMask?: Mask;
  /** That the masks are causal: hints. */
  tgtIsCausal?: boolean | null;
  memoryIsCausal?: boolean;
}

const DECODER =
  'tgt, memory, tgtMask, memoryMask, tgtKeyPaddingMask, memoryKeyPaddingMask, tgtIsCausal, ' +
  'memoryIsCausal';

/** As TransformerEncoderLayer, with attention to `memory` between the two parts. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: calls may name their arguments
export class TransformerDecoderLayer extends TransformerLayer {
  static override readonly forwardArguments: string = DECODER;
  declare multihead_attn: MultiheadAttention;
  declare norm3: LayerNorm;
  declare dropout3: Dropout;

  constructor(...args: Arguments<typeof LAYER, LayerArguments>) {
    super(args, ['self_attn', 'multihead_attn'], 3);
  }

  forward(
    tgt: Tensor,
    memory: Tensor,
    tgtMask: Mask = null,
    memoryMask: Mask = null,
    tgtKeyPaddingMask: Mask = null,
    memoryKeyPaddingMask: Mask = null,
    tgtIsCausal = false,
    memoryIsCausal = false,
  ): Tensor {
    checkCausal('TransformerDecoderLayer', tgtIsCausal, tgtMask);
    checkCausal('TransformerDecoderLayer', memoryIsCausal, memoryMask);
    let x = this.residual(tgt, this.norm1, (y) =>
      this.dropout1(this.attend(this.self_attn, y, y, tgtMask, tgtKeyPaddingMask)),
    );
    x = this.residual(x, this.norm2, (y) =>
      this.dropout2(this.attend(this.multihead_attn, y, memory, memoryMask, memoryKeyPaddingMask)),
    );
    return this.residual(x, this.norm3, (y) => this.dropout3(this.feedForward(y)));
  }
}

export interface TransformerDecoderLayer {
  // biome-ignore lint/style/useShorthandFunctionType: it merges with the class
  (tgt: Tensor, memory: Tensor, options?: DecoderOptions): Tensor;
}

type Call = (...values: unknown[]) => Tensor;

/** Copies of one layer, one after another, then a norm if there is one. */
abstract class TransformerStack extends Module {
  declare layers: ModuleList;
  declare readonly numLayers: number;
  declare norm: Module | null;

  protected fill(layer: Module, count: number, norm: Module | null): void {
    this.layers = new ModuleList(Array.from({ length: count }, () => deepcopy(layer)));
    Object.assign(this, { numLayers: count, norm });
  }

  protected run(input: Tensor, rest: readonly unknown[]): Tensor {
    let output = input;
    for (const layer of this.layers) output = (layer as unknown as Call)(output, ...rest);
    return this.norm === null ? output : (this.norm as unknown as Call)(output);
  }
}

const ENCODER = 'encoderLayer, numLayers, norm, enableNestedTensor, maskCheck';
type EncoderArguments = [
  encoderLayer: Module,
  numLayers: number,
  norm?: Module | null,
  enableNestedTensor?: boolean,
  maskCheck?: boolean,
];

/** What a call of an encoder may name. */
export interface EncoderOptions {
  mask?: Mask;
  srcKeyPaddingMask?: Mask;
  /** That the mask is causal: a hint. */
  isCausal?: boolean | null;
}

/**
 * `numLayers` copies of an encoder layer, then `norm`. The options on nested tensors are there for
 * PyTorch's sake: what they speed up there is not changed by them.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: calls may name their arguments
export class TransformerEncoder extends TransformerStack {
  static override readonly forwardArguments: string = 'src, mask, srcKeyPaddingMask, isCausal';

  constructor(...args: Arguments<typeof ENCODER, EncoderArguments>) {
    super();
    const given = bind<EncoderArguments>('TransformerEncoder', ENCODER, args, 2);
    this.fill(given[0], given[1], given[2] ?? null);
  }

  forward(
    src: Tensor,
    mask: Mask = null,
    srcKeyPaddingMask: Mask = null,
    isCausal: boolean | null = null,
  ): Tensor {
    checkCausal('TransformerEncoder', isCausal, mask);
    return this.run(src, [mask, srcKeyPaddingMask]);
  }
}

export interface TransformerEncoder {
  // biome-ignore lint/style/useShorthandFunctionType: it merges with the class
  (src: Tensor, options?: EncoderOptions): Tensor;
}

const STACK = 'decoderLayer, numLayers, norm';
type StackArguments = [decoderLayer: Module, numLayers: number, norm?: Module | null];

/** `numLayers` copies of a decoder layer, then `norm`. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: calls may name their arguments
export class TransformerDecoder extends TransformerStack {
  static override readonly forwardArguments: string = DECODER;

  constructor(...args: Arguments<typeof STACK, StackArguments>) {
    super();
    const [layer, count, norm = null] = bind<StackArguments>('TransformerDecoder', STACK, args, 2);
    this.fill(layer, count, norm);
  }

  forward(
    tgt: Tensor,
    memory: Tensor,
    tgtMask: Mask = null,
    memoryMask: Mask = null,
    tgtKeyPaddingMask: Mask = null,
    memoryKeyPaddingMask: Mask = null,
    tgtIsCausal: boolean | null = null,
    memoryIsCausal = false,
  ): Tensor {
    checkCausal('TransformerDecoder', tgtIsCausal, tgtMask);
    checkCausal('TransformerDecoder', memoryIsCausal, memoryMask);
    const rest = [memory, tgtMask, memoryMask, tgtKeyPaddingMask, memoryKeyPaddingMask];
    return this.run(tgt, rest);
  }
}

export interface TransformerDecoder {
  // biome-ignore lint/style/useShorthandFunctionType: it merges with the class
  (tgt: Tensor, memory: Tensor, options?: DecoderOptions): Tensor;
}

const TRANSFORMER =
  'dModel, nhead, numEncoderLayers, numDecoderLayers, dimFeedforward, dropout, activation, ' +
  'customEncoder, customDecoder, layerNormEps, batchFirst, normFirst, device, dtype';
type TransformerArguments = [
  dModel?: number,
  nhead?: number,
  numEncoderLayers?: number,
  numDecoderLayers?: number,
  dimFeedforward?: number,
  dropout?: number,
  activation?: Activation,
  customEncoder?: Module | null,
  customDecoder?: Module | null,
  layerNormEps?: number,
  batchFirst?: boolean,
  normFirst?: boolean,
  ...Factory,
];

/** What a call of a transformer may name. */
export interface TransformerOptions extends DecoderOptions {
  srcMask?: Mask;
  srcKeyPaddingMask?: Mask;
  srcIsCausal?: boolean | null;
}

/**
 * An encoder of `src` [S, N, dModel] and a decoder of `tgt` [T, N, dModel] that attends to what
 * the encoder gives; the result is [T, N, dModel] (with `batchFirst` N comes first, single samples
 * have no N).
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: calls may name their arguments
export class Transformer extends Module {
  static override readonly forwardArguments: string =
    'src, tgt, srcMask, tgtMask, memoryMask, srcKeyPaddingMask, tgtKeyPaddingMask, ' +
    'memoryKeyPaddingMask, srcIsCausal, tgtIsCausal, memoryIsCausal';
  encoder: Module;
  decoder: Module;
  readonly dModel: number;
  readonly nhead: number;
  readonly batchFirst: boolean;

  constructor(...args: Arguments<typeof TRANSFORMER, TransformerArguments>) {
    super();
    const given = bind<TransformerArguments>('Transformer', TRANSFORMER, args);
    const [dModel = 512, nhead = 8, encoders = 6, decoders = 6, hidden, p, activation] = given;
    const [customEncoder, customDecoder, eps = 1e-5, batchFirst = false, normFirst, device, dtype] =
      given.slice(7) as [
        Module | null | undefined,
        Module | null | undefined,
        number | undefined,
        boolean | undefined,
        boolean | undefined,
        ...Factory,
      ];
    const options: LayerOptions = [
      hidden,
      p,
      activation,
      eps,
      batchFirst,
      normFirst,
      device,
      dtype,
    ];
    const norm = () => new LayerNorm(dModel, { eps, device, dtype });
    this.encoder =
      customEncoder ??
      new TransformerEncoder(
        new TransformerEncoderLayer(dModel, nhead, ...options),
        encoders,
        norm(),
      );
    this.decoder =
      customDecoder ??
      new TransformerDecoder(
        new TransformerDecoderLayer(dModel, nhead, ...options),
        decoders,
        norm(),
      );
    for (const parameter of this.parameters()) if (parameter.ndim > 1) xavierUniform_(parameter);
    this.dModel = dModel;
    this.nhead = nhead;
    this.batchFirst = batchFirst;
  }

  forward(
    src: Tensor,
    tgt: Tensor,
    srcMask: Mask = null,
    tgtMask: Mask = null,
    memoryMask: Mask = null,
    srcKeyPaddingMask: Mask = null,
    tgtKeyPaddingMask: Mask = null,
    memoryKeyPaddingMask: Mask = null,
    srcIsCausal: boolean | null = null,
    tgtIsCausal: boolean | null = null,
    memoryIsCausal = false,
  ): Tensor {
    checkCausal('Transformer', srcIsCausal, srcMask);
    checkCausal('Transformer', tgtIsCausal, tgtMask);
    checkCausal('Transformer', memoryIsCausal, memoryMask);
    const { dModel, batchFirst } = this;
    const batch = batchFirst ? 0 : 1;
    const sizes = src.shape.at(-1) === dModel && tgt.shape.at(-1) === dModel;
    if (!sizes || (src.ndim === 3 && src.shape[batch] !== tgt.shape[batch])) {
      const form = (length: string) =>
        batchFirst ? `[N, ${length}, ${dModel}]` : `[${length}, N, ${dModel}]`;
      throw new ShapeError(
        `Transformer: expected src ${form('S')} and tgt ${form('T')}, got ` +
          `${showShape(src.shape)} and ${showShape(tgt.shape)}`,
      );
    }
    const memory = (this.encoder as unknown as Call)(src, srcMask, srcKeyPaddingMask);
    return (this.decoder as unknown as Call)(
      tgt,
      memory,
      tgtMask,
      memoryMask,
      tgtKeyPaddingMask,
      memoryKeyPaddingMask,
    );
  }

  /** The mask [size, size] of -inf above the diagonal: position i sees positions up to i. */
  static generateSquareSubsequentMask(size: number, device: DeviceType = 'cpu'): Tensor {
    return full([size, size], Number.NEGATIVE_INFINITY, { device }).triu(1);
  }
}

export interface Transformer {
  // biome-ignore lint/style/useShorthandFunctionType: it merges with the class
  (src: Tensor, tgt: Tensor, options?: TransformerOptions): Tensor;
}
