/** Random numbers that kernels draw. */

import { kernel } from '../kernel.js';

/** No operators: PyTorch's numbers, drawn on the state of a generator. */
export const drawing = {
  kernels: {
    drawMask: kernel({
      dtypes: ['f32'],
      buffers: ['state', 'out'],
      params: { next: 'u32', count: 'u32', high: 'u32', low: 'u32', scale: 'f32' },
    }),
    drawFloats: kernel({
      dtypes: ['f32'],
      buffers: ['state', 'out'],
      params: { next: 'u32', count: 'u32', normal: 'u32', scale: 'f64', shift: 'f64' },
    }),
  },
} as const;
