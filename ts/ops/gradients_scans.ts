/** Gradients of running products and log-sums along dim 1 of [outer, n, inner]. */

import type { Tensor } from '../tensor.js';
import { applyPrimitive } from './apply.js';
import { cat } from './joining.js';

/** x moved up by `count` places along dim 1, zeros behind. */
function ahead(x: Tensor, count: number): Tensor {
  const n = x.shape[1];
  const zeros = x.narrow(1, 0, count).zerosLike();
  return cat([x.narrow(1, count, n - count), zeros], 1);
}

/**
 * t[j] = g[j] + factor[j] * t[j + 1], computed in log2(n) steps: each pairs a place with the result
 * of twice as many places behind it. Exact where factors are 0.
 */
function fromBehind(g: Tensor, factor: Tensor): Tensor {
  const n = g.shape[1];
  let total = g;
  let reach = factor;
  for (let step = 1; step < n; step *= 2) {
    total = total.add(reach.mul(ahead(total, step)));
    if (2 * step < n) reach = reach.mul(ahead(reach, step));
  }
  return total;
}

function turned(x: Tensor, reverse: boolean | undefined): Tensor {
  return reverse ? x.flip(1) : x;
}

/** Products of all elements before each one, 1 for the first (or, in reverse, of all behind). */
export function productBefore(x: Tensor, reverse = false): Tensor {
  const n = x.shape[1];
  if (n === 0) return x;
  const ones = x.narrow(1, 0, 1).onesLike();
  const others = x.narrow(1, reverse ? 1 : 0, n - 1);
  const [products] = applyPrimitive('cumprod', [others], { reverse });
  return cat(reverse ? [products, ones] : [ones, products], 1);
}

/** d/dx[j] = sum over k >= j of g[k] times the product of x[..k] without x[j]. */
export function cumprodGradient(g: Tensor, x: Tensor, reverse?: boolean): Tensor {
  if (x.shape[1] === 0) return g;
  const ordered = turned(x, reverse);
  const total = fromBehind(turned(g, reverse), ahead(ordered, 1));
  return turned(productBefore(ordered).mul(total), reverse);
}

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
  const total = fromBehind(turned(g, reverse), shrink);
  const own = dx.sub(level).exp().maskedFill(empty, 0);
  return turned(own.mul(total), reverse);
}
