/** The gradients of recurrent networks over whole sequences. */

import type { Tensor } from '../tensor.js';
import { applyPrimitive } from './apply.js';
import { zeros } from './creation.js';
import { none } from './gradient_rules.js';
import { stack } from './joining.js';
import { linear } from './linear.js';
import type * as rows from './primitives/recurrent_sequence.js';
import type { RowsOf } from './rows.js';
import type { GradientRow } from './rule.js';
import type { AttributesOf } from './table.js';
import { fusedUnlessGraph } from './through_composite.js';

type Optional = Tensor | undefined;

/** One product for all steps: gates' gradients [T, N, W] with the states before them. */
function weightGradient(gates: Tensor, out: Tensor, h0: Optional, reverse: boolean): Tensor {
  const [steps, , wide] = gates.shape;
  const size = out.shape[2];
  const first = gates.select(0, reverse ? steps - 1 : 0).t();
  const start = h0 === undefined ? undefined : first.matmul(h0);
  if (steps === 1) return start ?? zeros([wide, size], { dtype: out.dtype, device: out.device });
  const later = gates.narrow(0, reverse ? 0 : 1, steps - 1).reshape(-1, wide);
  const before = out.narrow(0, reverse ? 1 : 0, steps - 1).reshape(-1, size);
  const sum = later.t().matmul(before);
  return start === undefined ? sum : sum.add(start);
}

/** The sequence step by step: `cell` takes gi_t and the states, and gives the next ones. */
function stepwise(
  gi: Tensor,
  states: readonly Optional[],
  size: number,
  lengths: Optional,
  reverse: boolean,
  cell: (x: Tensor, states: readonly Tensor[]) => Tensor[],
): Tensor[] {
  const steps = gi.unbind(0);
  const order = reverse ? steps.map((_, i) => steps.length - 1 - i) : steps.map((_, i) => i);
  const { dtype, device } = gi;
  let now = states.map((state) => state ?? zeros([gi.shape[1], size], { dtype, device }));
  const out: Tensor[] = new Array(steps.length);
  for (const t of order) {
    const active = lengths?.gt(t).unsqueeze(1);
    const next = cell(steps[t], now);
    now = active === undefined ? next : next.map((state, i) => state.where(active, now[i]));
    out[t] = now[0];
  }
  return [stack(out), ...now];
}

const WHY = 'second derivatives are those of the single steps';

export const sequenceGradients: {
  readonly [K in keyof RowsOf<typeof rows>]: GradientRow<AttributesOf<K>>;
} = {
  rnnSequence: fusedUnlessGraph(
    4,
    [0],
    ([gi, weight, h0, lengths], { reverse, relu }) => {
      const w = weight as Tensor;
      return stepwise(gi as Tensor, [h0], w.shape[1], lengths, reverse, (x, [h]) =>
        applyPrimitive('rnnCell', [x, linear(h, w)], { relu }),
      );
    },
    ([g, glast], s) => {
      const [weight, h0, out] = [s.input(1), s.optional(2), s.output(0)];
      const inputs = [out, weight, g, glast, s.optional(3)];
      const [ggi, gh0] = applyPrimitive('rnnSequenceBackward', inputs, s.attributes);
      const { reverse } = s.attributes;
      return [ggi, s.needs(1) ? weightGradient(ggi, out, h0, reverse) : undefined, gh0];
    },
  ),
  rnnSequenceBackward: none(WHY),

  gruSequence: fusedUnlessGraph(
    5,
    [0, 2],
    ([gi, weight, bias, h0, lengths], { reverse }) => {
      const w = weight as Tensor;
      return stepwise(gi as Tensor, [h0], w.shape[1], lengths, reverse, (x, [h]) => [
        applyPrimitive('gruCell', [x, linear(h, w, bias ?? null), h], {})[0],
      ]);
    },
    ([g, glast], s) => {
      const [weight, h0, out] = [s.input(1), s.optional(3), s.output(0)];
      const inputs = [s.output(2), out, weight, h0, g, glast, s.optional(4)];
      const [ggi, ggh, gh0] = applyPrimitive('gruSequenceBackward', inputs, s.attributes);
      const { reverse } = s.attributes;
      const gweight = s.needs(1) ? weightGradient(ggh, out, h0, reverse) : undefined;
      return [ggi, gweight, s.needs(2) ? ggh.sum([0, 1]) : undefined, gh0];
    },
  ),
  gruSequenceBackward: none(WHY),

  lstmSequence: fusedUnlessGraph(
    5,
    [0, 3, 4],
    ([gi, weight, h0, c0, lengths], { reverse }) => {
      const w = weight as Tensor;
      return stepwise(gi as Tensor, [h0, c0], w.shape[1], lengths, reverse, (x, [h, c]) =>
        applyPrimitive('lstmCell', [x, linear(h, w), c], {}).slice(0, 2),
      );
    },
    ([g, glast, gcell], s) => {
      const [weight, h0, out] = [s.input(1), s.optional(2), s.output(0)];
      const states = [weight, s.optional(3), g, glast, gcell, s.optional(4)];
      const inputs = [s.output(3), s.output(4), ...states];
      const [ggi, gh0, gc0] = applyPrimitive('lstmSequenceBackward', inputs, s.attributes);
      const { reverse } = s.attributes;
      const gweight = s.needs(1) ? weightGradient(ggi, out, h0, reverse) : undefined;
      return [ggi, gweight, gh0, gc0];
    },
  ),
  lstmSequenceBackward: none(WHY),
};
