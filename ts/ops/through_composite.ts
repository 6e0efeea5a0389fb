/**
 * The gradient of a fused backward kernel: the same function written with differentiable operations
 * is differentiated instead. Used only for second derivatives.
 */

import { runBackward } from '../autograd/engine.js';
import { isGradEnabled, setRecording } from '../autograd/mode.js';
import type { Tensor } from '../tensor.js';
import type { GradContext, JointRule } from './rule.js';

type Composite<A> = (
  inputs: readonly (Tensor | undefined)[],
  attributes: A,
) => readonly (Tensor | undefined)[];

/** An input as a start of a graph of its own, or joined to the graph it came from. */
function entry(input: Tensor | undefined, wanted: boolean): Tensor | undefined {
  if (input === undefined || !wanted) return input;
  if (isGradEnabled()) return input.alias();
  return input.bare().requiresGrad_();
}

/** A rule for a row of `count` inputs whose outputs `composite` computes too. */
export function throughComposite<A>(count: number, composite: Composite<A>): JointRule<A> {
  const inputs = Array.from({ length: count }, (_, i) => i);
  return {
    kind: 'joint',
    saves: { inputs },
    grads: (grads, context: GradContext<A>) => {
      const createGraph = isGradEnabled();
      const entries = inputs.map((i) => entry(context.optional(i), context.needs(i)));
      setRecording(true);
      try {
        const outputs = composite(entries, context.attributes);
        const used = outputs
          .map((output, i) => [output, grads[i]] as const)
          .filter(
            (pair): pair is readonly [Tensor, Tensor] =>
              pair[0]?.requiresGrad === true && pair[1] !== undefined,
          );
        const wanted = inputs.filter((i) => context.needs(i) && entries[i] !== undefined);
        const results = runBackward(
          used.map(([output]) => output),
          used.map(([, grad]) => grad),
          {
            createGraph,
            retainGraph: createGraph,
            captures: wanted.map((i) => entries[i] as Tensor),
          },
        );
        const all: (Tensor | undefined)[] = inputs.map(() => undefined);
        wanted.forEach((i, k) => {
          all[i] = results[k];
        });
        return all;
      } finally {
        setRecording(createGraph);
      }
    },
  };
}

/**
 * A rule for a row of `count` inputs with a fused backward: `fused` serves unless the gradient
 * itself is to be differentiated; then `composite`, which computes the outputs, is.
 */
export function fusedUnlessGraph<A>(
  count: number,
  outputs: readonly number[],
  composite: Composite<A>,
  fused: JointRule<A>['grads'],
): JointRule<A> {
  const slow = throughComposite(count, composite);
  return {
    kind: 'joint',
    saves: { ...slow.saves, outputs },
    grads: (g, context) => (isGradEnabled() ? slow : { grads: fused }).grads(g, context),
  };
}
