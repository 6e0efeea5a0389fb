/** Distances and similarities of vectors, and channels as pixels. */

import { type Arguments, bind } from '../../ops/signature.js';
import type { Tensor } from '../../tensor.js';
import { checkSize } from '../arguments.js';
import * as F from '../functional.js';
import { Module } from '../module.js';
import { Layer } from './layer.js';

const PAIRWISE = 'p, eps, keepdim';
type PairwiseArguments = [p?: number, eps?: number, keepdim?: boolean];

/** The p-norm (default 2) of x1 - x2 + eps over the last dimension. */
export class PairwiseDistance extends Module {
  static override readonly forwardArguments: string = 'x1, x2';
  readonly norm: number;
  readonly eps: number;
  readonly keepdim: boolean;

  constructor(...args: Arguments<typeof PAIRWISE, PairwiseArguments>) {
    super();
    const given = bind<PairwiseArguments>('PairwiseDistance', PAIRWISE, args);
    [this.norm = 2, this.eps = 1e-6, this.keepdim = false] = given;
  }

  forward(x1: Tensor, x2: Tensor): Tensor {
    return F.pairwiseDistance(x1, x2, this.norm, this.eps, this.keepdim);
  }
}

const COSINE = 'dim, eps';
type CosineArguments = [dim?: number, eps?: number];

/** Cosine of the angle between vectors along `dim` (default 1). */
export class CosineSimilarity extends Module {
  static override readonly forwardArguments: string = 'x1, x2';
  readonly dim: number;
  readonly eps: number;

  constructor(...args: Arguments<typeof COSINE, CosineArguments>) {
    super();
    [this.dim = 1, this.eps = 1e-8] = bind<CosineArguments>('CosineSimilarity', COSINE, args);
  }

  forward(x1: Tensor, x2: Tensor): Tensor {
    return F.cosineSimilarity(x1, x2, this.dim, this.eps);
  }
}

const UP = 'upscaleFactor';
const DOWN = 'downscaleFactor';

/** [..., C r^2, H, W] to [..., C, H r, W r]. */
export class PixelShuffle extends Layer {
  readonly upscaleFactor: number;

  constructor(...args: Arguments<typeof UP, [upscaleFactor: number]>) {
    super();
    const [factor] = bind<[number]>('PixelShuffle', UP, args, 1);
    this.upscaleFactor = checkSize('PixelShuffle', UP, factor);
  }

  forward(input: Tensor): Tensor {
    return F.pixelShuffle(input, this.upscaleFactor);
  }

  override extraRepr(): string {
    return `upscale_factor=${this.upscaleFactor}`;
  }
}

/** [..., C, H r, W r] to [..., C r^2, H, W]. */
export class PixelUnshuffle extends Layer {
  readonly downscaleFactor: number;

  constructor(...args: Arguments<typeof DOWN, [downscaleFactor: number]>) {
    super();
    const [factor] = bind<[number]>('PixelUnshuffle', DOWN, args, 1);
    this.downscaleFactor = checkSize('PixelUnshuffle', DOWN, factor);
  }

  forward(input: Tensor): Tensor {
    return F.pixelUnshuffle(input, this.downscaleFactor);
  }

  override extraRepr(): string {
    return `downscale_factor=${this.downscaleFactor}`;
  }
}
