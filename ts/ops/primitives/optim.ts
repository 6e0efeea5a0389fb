/**
 * Optimiser steps: a launch changes many parameters of a group and their states in place. They are
 * not operators (nothing is recorded for backward); `emitStep` is called by ts/optim.
 */

import { suffix } from '../../core/dtype.js';
import { ShapeError, showShape } from '../../core/errors.js';
import type { Tensor } from '../../tensor.js';
import { kernel, type ParamType } from '../kernel.js';
import type { Launcher } from '../row.js';

/** Elements per unit of work, as in kernels/optim.c. */
const BLOCK = 4096;
/** Parameters of one launch, 12 words each: its block holds 16384 words on the smallest device. */
const MOST_ENTRIES = 1024;

/** A step kernel: options by name, then the table of parameters. */
function step<const P extends Readonly<Record<string, ParamType>>>(params: P) {
  return kernel({ dtypes: ['f32', 'f64'], buffers: [], params: { ...params, table: 'u32[]' } });
}

const common = { maximize: 'u32', lr: 'f64', weightDecay: 'f64' } as const;
const betas = { beta1: 'f64', beta2: 'f64', eps: 'f64' } as const;

/** Every step kernel by name. What `states`, `a`, `b` and `c` are stands in kernels/optim.c. */
export const steps = {
  kernels: {
    sgdStep: step({ ...common, nesterov: 'u32', momentum: 'f64', dampening: 'f64' }),
    adamStep: step({ ...common, ...betas, amsgrad: 'u32', decoupled: 'u32' }),
    rmspropStep: step({
      ...common,
      centered: 'u32',
      alpha: 'f64',
      eps: 'f64',
      momentum: 'f64',
    }),
    adagradStep: step({ ...common, eps: 'f64' }),
    adadeltaStep: step({ ...common, rho: 'f64', eps: 'f64' }),
    adamaxStep: step({ ...common, ...betas }),
    nadamStep: step({ ...common, ...betas }),
    radamStep: step({ ...common, ...betas }),
    rpropStep: step({
      maximize: 'u32',
      etaMinus: 'f64',
      etaPlus: 'f64',
      least: 'f64',
      most: 'f64',
    }),
    asgdStep: step({ ...common, lambd: 'f64' }),
  },
} as const;

export type StepName = keyof typeof steps.kernels;

const NONE: readonly never[] = [];

/** The options of a step: numbers and flags. */
export type StepOptions<K extends StepName> = {
  readonly [O in Exclude<keyof (typeof steps.kernels)[K]['params'], 'table'>]: number | boolean;
};

/** One parameter with its gradient and states (all contiguous, of one shape and dtype). */
export interface StepEntry {
  param: Tensor;
  grad: Tensor;
  /** At most three, in the order of kernels/optim.c. */
  readonly states: (Tensor | undefined)[];
  /** Scalars of this parameter, which depend on its own count of steps. */
  a?: number;
  b?: number;
  c?: number;
}

const doubles = new Float64Array(1);
const words = new Int32Array(doubles.buffer);

/** The table of the launch under way, which all launches share: made anew, it would be garbage. */
const table: (number | Tensor)[] = [];
const WORDS = 12;
/** And its parameters. */
const params: Record<string, number | typeof table> = {};

function setDouble(at: number, value: number): void {
  doubles[0] = value;
  table[at] = words[0];
  table[at + 1] = words[1];
}

function check(name: string, { param, grad, states }: StepEntry): void {
  for (let i = -1; i < states.length; i++) {
    const t = i < 0 ? grad : states[i];
    if (!t || (t.numel() === param.numel() && t.dtype === param.dtype)) continue;
    throw new ShapeError(
      `${name}: gradients and states must match their parameter ${param.dtype} ` +
        `${showShape(param.shape)}, got ${t.dtype} ${showShape(t.shape)}`,
    );
  }
}

/** Writes the words of the entries into the table, and gives the units. */
function fill(entries: readonly StepEntry[], start: number, end: number): number {
  let range = 0;
  for (let i = start, at = 0; i < end; i++, at += WORDS) {
    const { param, grad, states, a = 0, b = 0, c = 0 } = entries[i];
    const count = param.numel();
    table[at] = param;
    table[at + 1] = grad;
    for (let k = 0; k < 3; k++) table[at + 2 + k] = states[k] ?? param;
    table[at + 5] = count;
    setDouble(at + 6, a);
    setDouble(at + 8, b);
    setDouble(at + 10, c);
    range += Math.ceil(count / BLOCK);
  }
  table.length = WORDS * (end - start);
  return range;
}

/**
 * Changes every `param` (float32 or float64, one dtype per call) of the entries from `first` to
 * `last` (not included) by one step, and its states. Throws ShapeError, before anything is changed,
 * if a gradient or state does not match its parameter.
 */
export function emitStep<K extends StepName>(
  launcher: Launcher,
  name: K,
  entries: readonly StepEntry[],
  options: StepOptions<K>,
  first = 0,
  last = entries.length,
): void {
  for (let i = first; i < last; i++) check(name, entries[i]);
  const kernel = steps.kernels[name];
  for (const option in kernel.params) {
    params[option] = option === 'table' ? table : Number(options[option as keyof typeof options]);
  }
  const dtype = suffix(entries[first].param.dtype);
  for (let start = first; start < last; start += MOST_ENTRIES) {
    const range = fill(entries, start, Math.min(start + MOST_ENTRIES, last));
    launcher.launch(name, kernel as never, dtype, NONE, params as never, range);
  }
  // It must not keep tensors from the collector.
  table.fill(0);
}
