/** The cast of the GPU, launched as 'cast_any' with the codes of two dtypes. */

import source from '../../../kernels/cast.wgsl';
import { gpuKernel } from '../../device/webgpu/kernel.js';

export const castKernel = gpuKernel({
  source,
  entry: 'convert',
  dtypes: ['any'],
  buffers: { x: 'u8', out: 'u8' },
  params: { source: 'u32', goal: 'u32' },
  perGroup: 1024,
});
