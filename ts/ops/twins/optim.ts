/** Optimiser steps on the GPU: one launch for all parameters of a group, as on the CPU. */

import driverSource from '../../../kernels/optim.wgsl';
import stepsSource from '../../../kernels/optim_steps.wgsl';
import type { LaunchBlock } from '../../device/device.js';
import { definitions, type GpuKernel, gpuKernel } from '../../device/webgpu/kernel.js';
import type { ParamType } from '../kernel.js';
import { type StepName, steps } from '../primitives/optim.js';

export const stepDefinitions = definitions(stepsSource);

/** Tensors of an entry of the table, after which stands how many elements they have. */
const TENSORS = 5;
const COMPONENTS = ['x', 'y', 'z', 'w'];

/** Steps by single elements, or by vectors (`four`) of which each component takes a step. */
function stepsText(states: number, four: boolean): string {
  const list = Array.from({ length: states }, (_, k) => k);
  const word = (k: number) => `p.table[entry + ${k}u]`;
  const suffix = four ? '4' : '';
  const parts = four ? COMPONENTS.map((c) => `.${c}`) : [''];
  const [first, stop, step] = four ? ['first / 4u', '(end + 3u) / 4u', 256] : ['first', 'end', 256];
  const load = (k: number) => `heap_get${suffix}(${word(k)}, i)`;
  const each = parts.map(
    (c) => `param = params${c}; grad = grads${c};
    ${list.map((k) => `state[${k}] = state_${k}${c};`).join(' ')}
    states = step_once();
    params${c} = param;
    ${list.map((k) => `state_${k}${c} = state[${k}];`).join(' ')}`,
  );
  const save = list.map(
    (k) => `if (states > ${k}u) { heap_set${suffix}(${word(2 + k)}, i, state_${k}); }`,
  );
  return `fn steps(entry: u32, first: u32, end: u32, lane: u32) {
  for (var i = ${first} + lane; i < ${stop}; i += ${step}u) {
    var states = 0u;
    var params = ${load(0)};
    let grads = ${load(1)};
    ${list.map((k) => `var state_${k} = ${load(2 + k)};`).join('\n    ')}
    ${each.join('\n    ')}
    heap_set${suffix}(${word(0)}, i, params);
    ${save.join('\n    ')}
  }
}
`;
}

/** Whether all tensors of the table are whole vectors, or end where their storages do. */
function vectors({ words, bufferWords, bufferCount, storages }: LaunchBlock): boolean {
  for (let i = 0; i < bufferCount; i++) {
    const at = words[bufferWords[i]];
    if (at % 16 !== 0) return false;
    const end = at + 4 * words[bufferWords[i - (i % TENSORS)] + TENSORS];
    if (end % 16 !== 0 && end !== storages[i]?.bytes) return false;
  }
  return true;
}

/** How many states each step of kernels/optim_steps.wgsl has at most. */
const STATES: { readonly [K in StepName]: number } = {
  sgdStep: 1,
  adamStep: 3,
  adamaxStep: 2,
  nadamStep: 2,
  radamStep: 2,
  rmspropStep: 3,
  adagradStep: 1,
  adadeltaStep: 2,
  rpropStep: 2,
  asgdStep: 1,
};

function stepKernel(name: StepName, params: Readonly<Record<string, ParamType>>): GpuKernel {
  const states = STATES[name];
  const make = (four: boolean, choose?: GpuKernel['choose']) => {
    const text = stepsText(states, four);
    const source = `${driverSource}fn step_once() -> u32 { return ${name}(); }\n${text}`;
    return gpuKernel({ source, entry: 'optim', buffers: {}, params, wide: four, choose });
  };
  const single = make(false);
  const wide: GpuKernel = make(true, (block) => (vectors(block) ? wide : single));
  return wide;
}

/** The kernel of every step, by the name of its launch. */
export const stepKernels = Object.fromEntries(
  (Object.keys(STATES) as StepName[]).map((name) => [
    name,
    stepKernel(name, steps.kernels[name].params),
  ]),
) as unknown as Readonly<Record<StepName, GpuKernel>>;
