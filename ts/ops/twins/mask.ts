/** True elements on the GPU: counts of blocks, their running sum, and what follows from them. */

import blockSource from '../../../kernels/index_mask.wgsl';
import countSource from '../../../kernels/mask_count.wgsl';
import fillSource from '../../../kernels/mask_fill.wgsl';
import runningSource from '../../../kernels/mask_running.wgsl';
import scatterSource from '../../../kernels/mask_scatter.wgsl';
import selectSource from '../../../kernels/mask_select.wgsl';
import { ShapeError } from '../../core/errors.js';
import { gpuKernel } from '../../device/webgpu/kernel.js';
import type { Tensor } from '../../tensor.js';
import { width } from '../primitives/index.js';
import { truthMask } from '../primitives/mask.js';
import { moveKernel } from './moves.js';
import type { Twins } from './twin.js';

const BLOCK = 4096;
const truth = { n: 'u32', maskLow: 'u32', maskHigh: 'u32' } as const;
const widths = ['b1', 'b2', 'b4'] as const;

const countKernel = gpuKernel({
  source: `${blockSource}${countSource}`,
  entry: 'mask_count',
  dtypes: widths,
  buffers: { x: 'S', counts: 'i32' },
  params: truth,
});
const runningKernel = gpuKernel({
  source: runningSource,
  entry: 'mask_running',
  dtypes: ['i32'],
  buffers: { counts: 'i32' },
  params: { blocks: 'u32' },
});
const fillKernel = gpuKernel({
  source: `${blockSource}${fillSource}`,
  entry: 'mask_fill',
  dtypes: widths,
  buffers: { x: 'S', starts: 'i32', out: 'i32' },
  params: { ...truth, shape: 'u32[]' },
});
const selectKernel = moveKernel({
  source: `${blockSource}${selectSource}`,
  entry: 'mask_select',
  buffers: { x: 'S', mask: 'u8', starts: 'i32', out: 'S' },
  params: { n: 'u32' },
});
const scatterKernel = moveKernel({
  source: `${blockSource}${scatterSource}`,
  entry: 'mask_scatter',
  buffers: { x: 'S', mask: 'u8', starts: 'i32', source: 'S', out: 'S', status: 'u32' },
  params: { n: 'u32', available: 'u32' },
});

const blocksOf = (x: Tensor) => Math.ceil(x.numel() / BLOCK);

export const maskTwins: Twins<'countTrue' | 'nonzeroFill' | 'maskedSelect' | 'maskedScatter'> = {
  countTrue: {
    kernels: { nonzeroCount: countKernel, runningSum: runningKernel },
    run(launcher, [x], [starts]) {
      const blocks = blocksOf(x);
      const params = { n: x.numel(), ...truthMask(x.dtype) };
      launcher.launch('nonzeroCount', countKernel, width(x.dtype), [x, starts], params, blocks);
      launcher.launch('runningSum', runningKernel, 'i32', [starts], { blocks }, 1);
    },
  },
  nonzeroFill: {
    kernels: { nonzeroFill: fillKernel },
    run(launcher, [x, starts], [out]) {
      const params = { n: x.numel(), ...truthMask(x.dtype), shape: x.shape };
      const buffers = [x, starts, out];
      launcher.launch('nonzeroFill', fillKernel, width(x.dtype), buffers, params, blocksOf(x));
    },
  },
  maskedSelect: {
    kernels: { maskedSelect: selectKernel },
    run(launcher, [x, mask, starts], [out]) {
      const [buffers, params] = [[x, mask, starts, out], { n: x.numel() }];
      launcher.launch('maskedSelect', selectKernel, width(x.dtype), buffers, params, blocksOf(x));
    },
  },
  maskedScatter: {
    kernels: { maskedScatter: scatterKernel },
    run(launcher, [x, mask, starts, source], [out]) {
      const status = launcher.status();
      const buffers = [x, mask, starts, source, out, status];
      const params = { n: x.numel(), available: source.numel() };
      launcher.launch('maskedScatter', scatterKernel, width(x.dtype), buffers, params, blocksOf(x));
      launcher.check(status, (wanted) => {
        return new ShapeError(
          `maskedScatter: the mask has ${wanted} true elements or more but source holds only ` +
            `${params.available}`,
        );
      });
    },
  },
};
