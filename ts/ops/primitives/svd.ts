/** Singular value decomposition of a batch of matrices. */

import { float64 } from '../../core/dtype.js';
import { ShapeError, showShape, ValueError } from '../../core/errors.js';
import type { Shape } from '../../core/layout.js';
import { kernel } from '../kernel.js';
import { type Launcher, primitive } from '../row.js';

/** One text for both floats: float32 is computed in double precision too. */
const svdKernel = kernel({
  dtypes: ['f64'],
  buffers: ['x', 'u', 's', 'vh', 'scratch', 'status'],
  params: { batch: 'u32', m: 'u32', n: 'u32', count: 'u32', wide: 'u32', share: 'u32' },
});

/** The most units of work, each with scratch memory of its own. */
const MOST_UNITS = 64;
/** Threads are worth it by then; more would choose among the tiles of products, unused here. */
const MOST_PRODUCTS = 2 ** 21;

const even = (size: number) => size + (size % 2);

/** Throws what the launches leave in the status word. */
export function checkingSvd(
  launcher: Launcher,
  shape: readonly number[],
  launches: (status: ReturnType<Launcher['status']>) => void,
): void {
  const status = launcher.status();
  launches(status);
  launcher.check(status, (word) => {
    const found =
      word === 1
        ? 'hold NaN or infinity; look for them with isfinite()'
        : 'take too many sweeps; try float64';
    return new ValueError(`svd: matrices ${showShape(shape)} ${found}`);
  });
}

/** The shapes of u, s and vh for matrices [..., M, N]. */
export function svdShapes(shape: Shape, full: boolean): number[][] {
  const batch = shape.slice(0, -2);
  const [m, n] = shape.slice(-2);
  const k = Math.min(m, n);
  return [
    [...batch, m, full ? m : k],
    [...batch, k],
    [...batch, full ? n : k, n],
  ];
}

/**
 * Singular values of x [B, M, N]: u [B, M, K], s [B, K], vh [B, K, N]; bases if full.
 * x = u diag(s) vh; s >= 0 descending; the columns of u and the rows of vh are orthonormal.
 */
export const svd = primitive<{ full: boolean }>()({
  kernels: { svd: svdKernel },
  inputs: ['x'],
  dtypes: 'real',
  outputs([{ shape, dtype }], { full }) {
    if (shape.length !== 3) {
      throw new ShapeError(`svd: the kernel takes [batch, m, n], got ${showShape(shape)}`);
    }
    return svdShapes(shape, full).map((each) => ({ shape: each, dtype }));
  },
  run(launcher, [x], outputs, { full }) {
    const [batch, m, n] = x.shape;
    const [long, k] = m < n ? [n, m] : [m, n];
    const count = full ? long : k;
    const share = Math.ceil(batch / MOST_UNITS);
    const units = Math.ceil(batch / share);
    const scratch = launcher.scratch(units * count * (even(long) + even(k) + 2), float64);
    const params = { batch, m, n, count, wide: Number(x.dtype === float64), share };
    checkingSvd(launcher, x.shape, (status) => {
      const buffers = [x, ...outputs, scratch, status];
      const products = Math.min(MOST_PRODUCTS, 20 * batch * k * k * (long + k));
      launcher.launch('svd', svdKernel, 'f64', buffers, params, units, products);
    });
  },
});
