/** Gradients of running products and log-sums along dim 1 of [outer, n, inner]. */

import type { Tensor } from '../tensor.js';
import { call } from './gradient_rules.js';
import { cat } from './joining.js';
import type { Scanned } from './primitives/scan.js';
import type { GradientRow } from './rule.js';
import type { AttributesOf } from './table.js';

/** x[i + 1] along dim 1, or x[i - 1] if not `ahead`; 0 where there is none. */
function neighbour(x: Tensor, ahead: boolean): Tensor {
  const n = x.shape[1];
  const zeros = x.narrow(1, 0, 1).zerosLike();
  return cat(ahead ? [x.narrow(1, 1, n - 1), zeros] : [zeros, x.narrow(1, 0, n - 1)], 1);
}

function turned(x: Tensor, reverse: boolean | undefined): Tensor {
  return reverse ? x.flip(1) : x;
}

/** Products of all elements before each one, 1 for the first (or, in reverse, of all behind). */
export function productBefore(x: Tensor, reverse = false): Tensor {
  return call('cumprod', [x], { reverse, exclusive: true });
}

/** d/dx[j] = sum over k >= j of g[k] times the product of x[..k] without x[j]. */
export function cumprodGradient(
  g: Tensor,
  x: Tensor,
  { reverse = false, exclusive = false }: Scanned,
): Tensor {
  if (x.shape[1] === 0) return g;
  const own = exclusive ? neighbour(g, !reverse) : g;
  const total = call('recurrence', [own, x], { reverse: !reverse, lag: 1 });
  return productBefore(x, reverse).mul(total);
}

/** What the terms of a recurrence add up to is one in the other direction. */
export const recurrenceGradient: GradientRow<AttributesOf<'recurrence'>> = {
  kind: 'joint',
  saves: { inputs: [1], outputs: [0] },
  grads: ([g], s) => {
    if (g === undefined) return [undefined, undefined];
    const { reverse = false, lag = 0 } = s.attributes;
    const out = s.output();
    if (out.shape[1] === 0) return [g, g];
    const total = call('recurrence', [g, s.y], { reverse: !reverse, lag: 1 - lag });
    const factor =
      lag === 1 ? out.mul(neighbour(total, !reverse)) : total.mul(neighbour(out, reverse));
    return [total, factor];
  },
};

/**
 * d/dx[j] = sum over k >= j of g[k] exp(x[j] - out[k]). All exponents stay <= 0: from one k to the
 * next the sum shrinks by exp(out[k] - out[k + 1]).
 */
export function logcumsumexpGradient(g: Tensor, x: Tensor, out: Tensor, reverse?: boolean): Tensor {
  const n = x.shape[1];
  if (n === 0) return g;
  const [dx, dout] = [turned(x, reverse), turned(out, reverse)];
  const empty = dout.eq(Number.NEGATIVE_INFINITY);
  const level = dout.maskedFill(empty, 0);
  const next = cat([level.narrow(1, 1, n - 1), level.narrow(1, n - 1, 1)], 1);
  const shrink = level.sub(next).exp().maskedFill(empty, 0);
  const total = call('recurrence', [turned(g, reverse), shrink], { reverse: true });
  const own = dx.sub(level).exp().maskedFill(empty, 0);
  return turned(own.mul(total), reverse);
}
