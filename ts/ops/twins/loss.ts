/** Losses against class indices on the GPU. */

import crossEntropySource from '../../../kernels/cross_entropy.wgsl';
import crossEntropyBackwardSource from '../../../kernels/cross_entropy_backward.wgsl';
import nllLossSource from '../../../kernels/nll_loss.wgsl';
import nllLossBackwardSource from '../../../kernels/nll_loss_backward.wgsl';
import { numelOf } from '../../core/layout.js';
import { gpuKernel } from '../../device/webgpu/kernel.js';
import type { Tensor } from '../../tensor.js';
import { checkingIndices } from '../primitives/index.js';
import type { BufferRef } from '../row.js';
import { emitSum, sumKernel } from './reduce.js';
import { groupsOf, teamKernel, teamOf } from './team.js';
import type { Twins } from './twin.js';

const sizes = { classes: 'u32', inner: 'u32', weighted: 'u32', ignore: 'i32' } as const;

const crossEntropyKernel = teamKernel({
  source: crossEntropySource,
  entry: 'cross_entropy',
  buffers: {
    x: 'f32',
    goal: 'i32',
    weight: 'f32',
    loss: 'f32',
    scale: 'f32',
    most: 'f32',
    log_sum: 'f32',
    status: 'i32',
  },
  params: { team: 'u32', lines: 'u32', ...sizes, smoothing: 'f64' },
});
const crossEntropyBackwardKernel = gpuKernel({
  source: crossEntropyBackwardSource,
  entry: 'cross_entropy_backward',
  buffers: {
    g: 'f32',
    x: 'f32',
    goal: 'i32',
    most: 'f32',
    log_sum: 'f32',
    weight: 'f32',
    weights: 'f32',
    gx: 'f32',
  },
  params: { ...sizes, smoothing: 'f64' },
  perGroup: 1024,
});
const nllLossKernel = gpuKernel({
  source: nllLossSource,
  entry: 'nll_loss',
  buffers: { x: 'f32', goal: 'i32', weight: 'f32', loss: 'f32', scale: 'f32', status: 'i32' },
  params: sizes,
  perGroup: 256,
});
const nllLossBackwardKernel = gpuKernel({
  source: nllLossBackwardSource,
  entry: 'nll_loss_backward',
  buffers: { g: 'f32', goal: 'i32', weight: 'f32', gx: 'f32' },
  params: sizes,
  perGroup: 1024,
});

function params(shape: readonly number[], weight: Tensor | undefined, ignore = -100) {
  return { classes: shape[1], inner: shape[2], weighted: Number(weight !== undefined), ignore };
}

type Name = 'crossEntropy' | 'crossEntropyBackward' | 'nllLoss' | 'nllLossBackward';

export const lossTwins: Twins<Name> = {
  crossEntropy: {
    kernels: { crossEntropy: crossEntropyKernel },
    run(launcher, [x, target, weight], outputs, { ignoreIndex, labelSmoothing = 0 }) {
      checkingIndices(launcher, 'crossEntropy', target, x.shape[1], (status) => {
        const values = params(x.shape, weight, ignoreIndex);
        const lines = numelOf(target.shape);
        const team = teamOf(lines, values.classes, values.inner);
        const all = { ...values, team, lines, smoothing: labelSmoothing };
        const buffers = [x, target, weight ?? x, ...outputs, status];
        const groups = groupsOf(lines, team);
        launcher.launch('crossEntropy', crossEntropyKernel, 'f32', buffers, all, groups);
      });
    },
  },
  crossEntropyBackward: {
    kernels: { crossEntropyBackward: crossEntropyBackwardKernel, sum: sumKernel },
    run(launcher, inputs, [gx], { ignoreIndex, labelSmoothing = 0 }) {
      const [g, x, target, most, logSum, weight] = inputs;
      const values = { ...params(x.shape, weight, ignoreIndex), smoothing: labelSmoothing };
      let weights: Tensor | BufferRef = x;
      if (weight !== undefined && labelSmoothing !== 0) {
        weights = launcher.scratch(1, weight.dtype);
        emitSum(launcher, weight, weights, [1, values.classes, 1]);
      }
      const buffers = [g, x, target, most, logSum, weight ?? x, weights, gx];
      const kernel = crossEntropyBackwardKernel;
      launcher.launch('crossEntropyBackward', kernel, 'f32', buffers, values, gx.numel());
    },
  },
  nllLoss: {
    kernels: { nllLoss: nllLossKernel },
    run(launcher, [x, target, weight], [loss, scale], { ignoreIndex }) {
      checkingIndices(launcher, 'nllLoss', target, x.shape[1], (status) => {
        const values = params(x.shape, weight, ignoreIndex);
        const buffers = [x, target, weight ?? x, loss, scale, status];
        launcher.launch('nllLoss', nllLossKernel, 'f32', buffers, values, loss.numel());
      });
    },
  },
  nllLossBackward: {
    kernels: { nllLossBackward: nllLossBackwardKernel },
    run(launcher, [g, target, weight], [gx], { ignoreIndex }) {
      const values = params(gx.shape, weight, ignoreIndex);
      const buffers = [g, target, weight ?? g, gx];
      launcher.launch('nllLossBackward', nllLossBackwardKernel, 'f32', buffers, values, gx.numel());
    },
  },
};
