/** Dropout masks drawn on the GPU, so that none is drawn on the CPU and sent over. */

import source from '../../../kernels/dropout.wgsl';
import { gpuKernel } from '../../device/webgpu/kernel.js';
import { noiseKernel } from '../random_fill.js';

export const dropoutKernel = gpuKernel({
  source,
  entry: 'dropout_noise',
  buffers: { out: 'f32' },
  params: noiseKernel.params,
  wide: true,
});
