/** What a judge of an operator says: its value in float64, where it is asked, how near it must be. */

import type { Tensor } from '../../ts/index.js';
import type { AttributesOf, OpName } from '../../ts/ops/table.js';

/** Values between two bounds, both included. */
export type Range = readonly [low: number, high: number];

/** The judge of an elementwise row: the same function of numbers, in float64. */
export interface PointwiseJudge {
  readonly kind: 'pointwise';
  /** Operands, then scalars. A mask is 0 or 1, a bool result true or false. */
  readonly f: (...values: number[]) => number | boolean;
  /** Where random operands come from; one range for all, or one each. */
  readonly domain: readonly Range[];
  /** Units in the last place of the dtype that a float result may be off, on every device. */
  readonly ulp: number;
  /** Absolute error on top, in units of the dtype's epsilon; for formulas that cancel. */
  readonly cancels?: number;
  /** Values of the scalar attributes. */
  readonly scalars?: readonly number[];
  /** Where gradients are checked, away from kinks and poles. Default: `domain`. */
  readonly smooth?: readonly Range[];
  /** Points that are not asked, with the reason. */
  readonly excused?: { readonly reason: string; readonly at: (...values: number[]) => boolean };
}

/** How one input of a sample is made: floats of a range, all different; integers; or a mask. */
export interface InputSpec {
  readonly shape: readonly number[];
  readonly range?: Range;
  /** Given values instead, as integers (int32) or as a mask (bool) where `as` says so. */
  readonly values?: readonly number[];
  readonly as?: 'int' | 'bool';
  /** Takes no gradient, as PyTorch's class weights take none. */
  readonly constant?: boolean;
}

/** One call of a row. */
export interface Sample<A> {
  readonly name: string;
  readonly inputs: readonly (InputSpec | undefined)[];
  readonly attributes: A;
  /** Makes the row's inputs from the given ones, where some depend on others. */
  readonly prepare?: (inputs: readonly Tensor[]) => readonly (Tensor | undefined)[];
}

/** The judge of a row with kernels of its own, or of a view: calls that show all it can do. */
export interface SampledJudge<A> {
  readonly kind: 'sampled';
  readonly samples: readonly Sample<A>[];
  /** Outputs that carry gradients; default all float outputs. */
  readonly differentiable?: readonly number[];
  /** Relative error of float32 against float64. */
  readonly rtol: number;
}

export type JudgeOf<K extends OpName> = PointwiseJudge | SampledJudge<AttributesOf<K>>;

/** Float64 values of a range: irregular, all different, the same in every run. */
export function spread(count: number, [low, high]: Range, seed = 0): number[] {
  const golden = 0.6180339887498949;
  return Array.from({ length: count }, (_, i) => {
    const place = ((i + 1) * golden + seed * 0.377) % 1;
    return low + (high - low) * place;
  });
}
