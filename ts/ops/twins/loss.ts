/** Losses against class indices on the GPU. */

import crossEntropySource from '../../../kernels/cross_entropy.wgsl';
import crossEntropyBackwardSource from '../../../kernels/cross_entropy_backward.wgsl';
import gradientSource from '../../../kernels/loss_gradient.wgsl';
import totalSource from '../../../kernels/loss_total.wgsl';
import nllLossSource from '../../../kernels/nll_loss.wgsl';
import nllLossBackwardSource from '../../../kernels/nll_loss_backward.wgsl';
import { numelOf } from '../../core/layout.js';
import { gpuKernel } from '../../device/webgpu/kernel.js';
import type { Tensor } from '../../tensor.js';
import { checkingIndices } from '../primitives/index.js';
import { emitLosses, shared, sharing } from '../primitives/loss.js';
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
  source: gradientSource + crossEntropyBackwardSource,
  entry: 'cross_entropy_backward',
  buffers: {
    g: 'f32',
    x: 'f32',
    goal: 'i32',
    most: 'f32',
    log_sum: 'f32',
    weight: 'f32',
    weights: 'f32',
    total: 'f32',
    gx: 'f32',
  },
  params: { ...sizes, ...shared, smoothing: 'f64' },
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
  source: gradientSource + nllLossBackwardSource,
  entry: 'nll_loss_backward',
  buffers: { g: 'f32', goal: 'i32', weight: 'f32', total: 'f32', gx: 'f32' },
  params: { ...sizes, ...shared },
  perGroup: 1024,
});
const lossTotalKernel = gpuKernel({
  source: totalSource,
  entry: 'loss_total',
  dtypes: ['f32'],
  buffers: { totals: 'f32', loss: 'f32', scale: 'f32' },
  params: { mean: 'u32' },
  workgroup: 64,
});
type Place = Tensor | BufferRef;
const reducing = { lossTotal: lossTotalKernel, sum: sumKernel };

function params(shape: readonly number[], weight: Tensor | undefined, ignore = -100) {
  return { classes: shape[1], inner: shape[2], weighted: Number(weight !== undefined), ignore };
}

type Name = 'crossEntropy' | 'crossEntropyBackward' | 'nllLoss' | 'nllLossBackward';

export const lossTwins: Twins<Name> = {
  crossEntropy: {
    kernels: { crossEntropy: crossEntropyKernel, ...reducing },
    run(launcher, [x, target, weight], outputs, attributes) {
      const { ignoreIndex, labelSmoothing: smoothing = 0 } = attributes;
      const lines = numelOf(target.shape);
      const emit = (losses: Place, scales: Place) => {
        checkingIndices(launcher, 'crossEntropy', target, x.shape[1], (status) => {
          const values = params(x.shape, weight, ignoreIndex);
          const team = teamOf(lines, values.classes, values.inner);
          const all = { ...values, team, lines, smoothing };
          const buffers = [x, target, weight ?? x, losses, scales, outputs[2], outputs[3], status];
          const groups = groupsOf(lines, team);
          launcher.launch('crossEntropy', crossEntropyKernel, 'f32', buffers, all, groups);
        });
      };
      emitLosses(launcher, outputs, lines, attributes, emit, emitSum, lossTotalKernel);
    },
  },
  crossEntropyBackward: {
    kernels: { crossEntropyBackward: crossEntropyBackwardKernel, sum: sumKernel },
    run(launcher, inputs, [gx], { ignoreIndex, labelSmoothing: smoothing = 0 }) {
      const [g, x, target, most, logSum, weight, total] = inputs;
      const values = { ...params(x.shape, weight, ignoreIndex), ...sharing(g, total), smoothing };
      let weights: Tensor | BufferRef = x;
      if (weight !== undefined && smoothing !== 0) {
        weights = launcher.scratch(1, weight.dtype);
        emitSum(launcher, weight, weights, [1, values.classes, 1]);
      }
      const buffers = [g, x, target, most, logSum, weight ?? x, weights, total ?? x, gx];
      const kernel = crossEntropyBackwardKernel;
      launcher.launch('crossEntropyBackward', kernel, 'f32', buffers, values, gx.numel());
    },
  },
  nllLoss: {
    kernels: { nllLoss: nllLossKernel, ...reducing },
    run(launcher, [x, target, weight], outputs, attributes) {
      const { ignoreIndex } = attributes;
      const count = numelOf(target.shape);
      const emit = (losses: Place, scales: Place) => {
        checkingIndices(launcher, 'nllLoss', target, x.shape[1], (status) => {
          const values = params(x.shape, weight, ignoreIndex);
          const buffers = [x, target, weight ?? x, losses, scales, status];
          launcher.launch('nllLoss', nllLossKernel, 'f32', buffers, values, count);
        });
      };
      emitLosses(launcher, outputs, count, attributes, emit, emitSum, lossTotalKernel);
    },
  },
  nllLossBackward: {
    kernels: { nllLossBackward: nllLossBackwardKernel },
    run(launcher, [g, target, weight, total], [gx], { ignoreIndex }) {
      const values = { ...params(gx.shape, weight, ignoreIndex), ...sharing(g, total) };
      const buffers = [g, target, weight ?? g, total ?? g, gx];
      launcher.launch('nllLossBackward', nllLossBackwardKernel, 'f32', buffers, values, gx.numel());
    },
  },
};
