/** Singular value decomposition on the GPU: rotations of all pairs of a round side by side. */

import source from '../../../kernels/svd.wgsl';
import { float32, int32 } from '../../core/dtype.js';
import { gpuKernel } from '../../device/webgpu/kernel.js';
import { checkingSvd } from '../primitives/svd.js';
import { powerOfTwo } from './team.js';
import type { Twins } from './twin.js';

const buffers = { x: 'f32', u: 'f32', s: 'f32', vh: 'f32', w: 'f32', state: 'u32' } as const;
const params = {
  m: 'u32',
  n: 'u32',
  len: 'u32',
  k: 'u32',
  count: 'u32',
  stride: 'u32',
  team: 'u32',
  slices: 'u32',
  sweep: 'u32',
  first: 'u32',
  rounds: 'u32',
  tolerance: 'f32',
} as const;

/** float32 takes up to ten; the others find nothing to do. */
const SWEEPS = 16;
const WORKGROUP = 256;
/** Invocations for a pair from which on more workgroups are better than fewer invocations. */
const LEAST_TEAM = 16;
const LARGE_TEAM = 64;

const kernels = {
  svdPrepare: svdKernel('svd_prepare'),
  svdSweep: svdKernel('svd_sweep'),
  svdFinish: svdKernel('svd_finish'),
};

function svdKernel(entry: string) {
  return gpuKernel({ source, entry, buffers: { ...buffers, status: 'u32' }, params });
}

/** Invocations for each of so many pairs of vectors, a power of two. */
function teamOf(pairs: number, length: number): number {
  const fits = WORKGROUP / powerOfTwo(pairs);
  return Math.min(fits < LEAST_TEAM ? LARGE_TEAM : fits, powerOfTwo(length / 4));
}

export const svdTwins: Twins<'svd'> = {
  svd: {
    kernels,
    run(launcher, [x], outputs, { full }) {
      const [batch, m, n] = x.shape;
      const [len, k] = m < n ? [n, m] : [m, n];
      const count = full ? len : k;
      const stride = len + k + 2;
      const pairs = Math.ceil(k / 2);
      const team = teamOf(pairs, len);
      const slices = Math.ceil((pairs * team) / WORKGROUP);
      const tolerance = Math.sqrt(len) * 2 ** -22;
      const last = pairs * 2 - 1;
      const rounds = slices === 1 ? last : 1;
      const fixed = { m, n, len, k, count, stride, team, slices, tolerance, rounds };
      checkingSvd(launcher, x.shape, (status) => {
        const w = launcher.scratch(batch * count * stride, float32);
        const state = launcher.scratch(2 * batch, int32);
        const launch = (name: keyof typeof kernels, range: number, sweep = 0, first = 0) => {
          const places = [x, ...outputs, w, state, status];
          const values = { ...fixed, sweep, first };
          launcher.launch(name, kernels[name], 'f32', places, values, range);
        };
        launch('svdPrepare', batch);
        for (let sweep = 0; k > 1 && sweep < SWEEPS; sweep++) {
          for (let first = 0; first < last; first += rounds) {
            launch('svdSweep', batch * slices, sweep, first);
          }
        }
        launch('svdFinish', batch, SWEEPS);
      });
    },
  },
};
