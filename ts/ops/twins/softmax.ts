/** Softmax and log-softmax on the GPU: teams of invocations take lines. */

import source from '../../../kernels/softmax.wgsl';
import backwardSource from '../../../kernels/softmax_backward.wgsl';
import type { Tensor } from '../../tensor.js';
import { groupsOf, teamKernel, teamOf } from './team.js';
import type { Twin, Twins } from './twin.js';

const params = { team: 'u32', n: 'u32', inner: 'u32', lines: 'u32', logarithm: 'u32' } as const;

const forwardKernel = teamKernel({
  source,
  entry: 'softmax',
  buffers: { x: 'f32', out: 'f32' },
  params,
});
const backwardKernel = teamKernel({
  source: backwardSource,
  entry: 'softmax_backward',
  buffers: { g: 'f32', y: 'f32', gx: 'f32' },
  params,
});

type Name = 'softmax' | 'logSoftmax' | 'softmaxBackward' | 'logSoftmaxBackward';

function sizes({ shape: [outer, n, inner] }: Tensor) {
  const lines = outer * inner;
  return { team: teamOf(lines, n, inner), n, inner, lines };
}

function twin(launch: string, kernel: typeof forwardKernel, logarithm: number): Twin<Name> {
  return {
    kernels: { [launch]: kernel },
    run(launcher, inputs, [out]) {
      const values = { ...sizes(out), logarithm };
      const groups = groupsOf(values.lines, values.team);
      launcher.launch(launch, kernel, 'f32', [...inputs, out], values, groups);
    },
  };
}

export const softmaxTwins: Twins<Name> = {
  softmax: twin('softmax', forwardKernel, 0),
  logSoftmax: twin('softmax', forwardKernel, 1),
  softmaxBackward: twin('softmaxBackward', backwardKernel, 0),
  logSoftmaxBackward: twin('softmaxBackward', backwardKernel, 1),
};
