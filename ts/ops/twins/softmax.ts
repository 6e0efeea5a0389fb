/** Softmax and log-softmax on the GPU: teams of invocations take lines. */

import source from '../../../kernels/softmax.wgsl';
import backwardSource from '../../../kernels/softmax_backward.wgsl';
import backwardLinesSource from '../../../kernels/softmax_backward_lines.wgsl';
import linesSource from '../../../kernels/softmax_lines.wgsl';
import type { Tensor } from '../../tensor.js';
import { groupsOf, inLines, teamKernel, teamOf } from './team.js';
import type { Twin, Twins } from './twin.js';

const params = { team: 'u32', n: 'u32', inner: 'u32', lines: 'u32', logarithm: 'u32' } as const;

const forward = { entry: 'softmax', buffers: { x: 'f32', out: 'f32' }, params } as const;
const backward = {
  entry: 'softmax_backward',
  buffers: { g: 'f32', y: 'f32', gx: 'f32' },
  params,
} as const;

/** For lines of whole vectors: what a term and a result are. */
const forwardLines = ([store, result]: readonly [string, string]) =>
  teamKernel({
    ...forward,
    source: linesSource.replace('STORE_TERM', store).replace('RESULT', result),
    wide: true,
  });
const backwardLines = ([term, result]: readonly [string, string]) =>
  teamKernel({
    ...backward,
    source: backwardLinesSource.replace('TERM;', `${term};`).replace('RESULT', result),
    wide: true,
  });

const forwardKernels = {
  any: teamKernel({ ...forward, source }),
  softmax: forwardLines(['set4_out(first + i, e);', 'get4_out(first + i) / total']),
  logarithm: forwardLines(['', 'get4_x(first + i) - most - rest']),
};
const backwardKernels = {
  any: teamKernel({ ...backward, source: backwardSource }),
  softmax: backwardLines([
    'get4_g(first + i) * get4_y(first + i)',
    'get4_y(first + i) * (get4_g(first + i) - total)',
  ]),
  logarithm: backwardLines([
    'get4_g(first + i)',
    'get4_g(first + i) - exp4(get4_y(first + i)) * total',
  ]),
};

type Name = 'softmax' | 'logSoftmax' | 'softmaxBackward' | 'logSoftmaxBackward';

function sizes({ shape: [outer, n, inner] }: Tensor) {
  const lines = outer * inner;
  return { team: teamOf(lines, n, inner), n, inner, lines };
}

function twin(launch: string, kernels: typeof forwardKernels, logarithm: number): Twin<Name> {
  const lines = logarithm === 1 ? 'logarithm' : 'softmax';
  const [any, whole] = [launch, `${launch}${logarithm === 1 ? 'Log' : ''}Lines`];
  return {
    kernels: { [any]: kernels.any, [whole]: kernels[lines] },
    run(launcher, inputs, [out]) {
      const values = { ...sizes(out), logarithm };
      const groups = groupsOf(values.lines, values.team);
      const buffers = [...inputs, out];
      const vectors = inLines(values, buffers);
      const kernel = vectors ? kernels[lines] : kernels.any;
      launcher.launch(vectors ? whole : any, kernel, 'f32', buffers, values, groups);
    },
  };
}

export const softmaxTwins: Twins<Name> = {
  softmax: twin('softmax', forwardKernels, 0),
  logSoftmax: twin('softmax', forwardKernels, 1),
  softmaxBackward: twin('softmaxBackward', backwardKernels, 0),
  logSoftmaxBackward: twin('softmaxBackward', backwardKernels, 1),
};
