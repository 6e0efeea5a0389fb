/** The form of the rows of the gradient table. */

import type { Geometry } from '../core/layout.js';
import type { Tensor } from '../tensor.js';

/** What a gradient rule sees: saved tensors, attributes, and the shapes of the inputs. */
export interface GradContext<Attributes = Record<string, unknown>> {
  /** Saved inputs; only those the rule names in `saves`. Numbers come as 0-d tensors. */
  readonly x: Tensor;
  readonly y: Tensor;
  readonly z: Tensor;
  /** A saved first operand or second operand as it was given: a tensor or a plain number. */
  readonly operandX: Tensor | number;
  readonly operandY: Tensor | number;
  input(position: number): Tensor;
  /** A saved input that may have been absent. */
  optional(position: number): Tensor | undefined;
  /** A saved output. */
  output(position?: number): Tensor;
  readonly attributes: Attributes;
  readonly geometries: readonly Geometry[];
  /** Whether a gradient for the input is wanted. */
  needs(position: number): boolean;
}

/** What a rule keeps until backward, and how its gradients are seen. */
export interface Saves {
  readonly inputs?: readonly number[];
  readonly outputs?: readonly number[];
  /** Input `i` is kept only if input `onlyFor[i]` wants a gradient. */
  readonly onlyFor?: Readonly<Record<number, number>>;
  /** Outputs are kept only if this input wants a gradient. */
  readonly outputsFor?: number;
  /** Each gradient depends on its input, by a slope of 0. */
  readonly flat?: boolean;
}

/** One function per differentiable input, called only if that input wants a gradient. */
export interface RuleByInput<Attributes> {
  readonly kind: 'rule';
  readonly saves: Saves;
  readonly grads: readonly (
    | ((g: Tensor, context: GradContext<Attributes>) => Tensor)
    | undefined
  )[];
}

/** One function for all inputs at once; `g[i]` is undefined where an output was not used. */
export interface JointRule<Attributes> {
  readonly kind: 'joint';
  readonly saves: Saves;
  readonly grads: (
    g: readonly (Tensor | undefined)[],
    context: GradContext<Attributes>,
  ) => readonly (Tensor | undefined)[];
}

/** The operator has no gradient, for a reason. */
export interface NotDifferentiable {
  readonly kind: 'none';
  readonly reason: string;
}

export type GradientRow<Attributes> =
  | RuleByInput<Attributes>
  | JointRule<Attributes>
  | NotDifferentiable;
