/** Everything the GPU runs: a twin for every primitive, the elementwise kernels and the cast. */

import epilogue from '../../../kernels/epilogue.wgsl';
import half from '../../../kernels/half_f16.wgsl';
import math from '../../../kernels/math.wgsl';
import type { Programs } from '../../device/device.js';
import type { Library } from '../../device/webgpu/device.js';
import { definitions, type GpuKernel } from '../../device/webgpu/kernel.js';
import type { PrimitiveName } from '../table.js';
import { attentionTwins } from './attention.js';
import { castKernel } from './cast.js';
import { convTwins } from './conv.js';
import { dropoutKernel } from './dropout.js';
import { indexTwins } from './index_rows.js';
import { lossTwins } from './loss.js';
import { maskTwins } from './mask.js';
import { matmulTwins } from './matmul.js';
import { normTwins } from './norm.js';
import { stepDefinitions, stepKernels } from './optim.js';
import { pointwiseKernel } from './pointwise.js';
import { poolTwins } from './pool.js';
import { recurrentTwins } from './recurrent.js';
import { reduceTwins } from './reduce.js';
import { scanTwins } from './scan.js';
import { softmaxTwins } from './softmax.js';
import { sortTwins } from './sort.js';
import { svdTwins } from './svd.js';
import { groupText } from './team.js';
import type { Twins } from './twin.js';

const twins: Twins<PrimitiveName> = {
  ...attentionTwins,
  ...convTwins,
  ...recurrentTwins,
  ...indexTwins,
  ...maskTwins,
  ...matmulTwins,
  ...poolTwins,
  ...reduceTwins,
  ...softmaxTwins,
  ...lossTwins,
  ...normTwins,
  ...scanTwins,
  ...sortTwins,
  ...svdTwins,
};

/** Kernels by the name of their launches, without the dtype suffix. */
const kernels = new Map<string, GpuKernel>([
  ['cast', castKernel],
  ['dropoutNoise', dropoutKernel],
  ...Object.entries(stepKernels),
]);
for (const twin of Object.values(twins)) {
  for (const [name, kernel] of Object.entries(twin.kernels)) kernels.set(name, kernel);
}

function kernel(name: string): GpuKernel | undefined {
  const cut = name.lastIndexOf('_');
  const found = kernels.get(name.slice(0, cut));
  if (found === undefined) return pointwiseKernel(name);
  return found.dtypes.includes(name.slice(cut + 1) as 'f32') ? found : undefined;
}

export const library: Library = {
  kernel,
  definitions: (uses) =>
    new Map([
      ...definitions(`${math}\n${epilogue}\n${groupText(uses)}\n${uses.halves ? half : ''}`),
      ...stepDefinitions,
    ]),
  programs: twins as unknown as Programs,
};
