/** Optimiser steps on the GPU: one launch for all parameters of a group, as on the CPU. */

import driverSource from '../../../kernels/optim.wgsl';
import stepsSource from '../../../kernels/optim_steps.wgsl';
import { definitions, type GpuKernel, gpuKernel } from '../../device/webgpu/kernel.js';
import { type StepName, steps } from '../primitives/optim.js';

export const stepDefinitions = definitions(stepsSource);

/** The kernel of every step, by the name of its launch. */
export const stepKernels = Object.fromEntries(
  Object.entries(steps.kernels).map(([name, { params }]) => {
    const source = `${driverSource}fn step_once() -> u32 { return ${name}(); }\n`;
    return [name, gpuKernel({ source, entry: 'optim', buffers: {}, params }) as GpuKernel];
  }),
) as unknown as Readonly<Record<StepName, GpuKernel>>;
