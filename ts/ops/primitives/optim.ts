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

/** The options of a step: numbers and flags. */
export type StepOptions<K extends StepName> = {
  readonly [O in Exclude<keyof (typeof steps.kernels)[K]['params'], 'table'>]: number | boolean;
};

/** One parameter with its gradient and states (all contiguous, of one shape and dtype). */
export interface StepEntry {
  readonly param: Tensor;
  readonly grad: Tensor;
  /** At most three, in the order of kernels/optim.c. */
  readonly states: readonly Tensor[];
  /** Scalars of this parameter, which depend on its own count of steps. */
  readonly a?: number;
  readonly b?: number;
  readonly c?: number;
}

const doubles = new Float64Array(1);
const words = new Uint32Array(doubles.buffer);

function pushDouble(table: (number | Tensor)[], value: number): void {
  doubles[0] = value;
  table.push(words[0], words[1]);
}

function check(name: string, { param, grad, states }: StepEntry): void {
  for (const t of [grad, ...states]) {
    if (t.numel() === param.numel() && t.dtype === param.dtype) continue;
    throw new ShapeError(
      `${name}: gradients and states must match their parameter ${param.dtype} ` +
        `${showShape(param.shape)}, got ${t.dtype} ${showShape(t.shape)}`,
    );
  }
}

/** Words of the table, in parts that fit the parameter block of a launch, and their units. */
function tables(entries: readonly StepEntry[]): { table: (number | Tensor)[]; range: number }[] {
  const parts: { table: (number | Tensor)[]; range: number }[] = [];
  for (let start = 0; start < entries.length; start += MOST_ENTRIES) {
    const table: (number | Tensor)[] = [];
    let range = 0;
    for (const entry of entries.slice(start, start + MOST_ENTRIES)) {
      const { param, grad, states, a = 0, b = 0, c = 0 } = entry;
      const [s0 = param, s1 = param, s2 = param] = states;
      const count = param.numel();
      table.push(param, grad, s0, s1, s2, count);
      pushDouble(table, a);
      pushDouble(table, b);
      pushDouble(table, c);
      range += Math.ceil(count / BLOCK);
    }
    parts.push({ table, range });
  }
  return parts;
}

/**
 * Changes every `param` (float32 or float64, one dtype per call) by one step, and its states.
 * Throws ShapeError, before anything is changed, if a gradient or state does not match its
 * parameter.
 */
export function emitStep<K extends StepName>(
  launcher: Launcher,
  name: K,
  entries: readonly StepEntry[],
  options: StepOptions<K>,
): void {
  for (const entry of entries) check(name, entry);
  const values = Object.fromEntries(Object.entries(options).map(([o, v]) => [o, Number(v)]));
  for (const { table, range } of tables(entries)) {
    const params = { ...values, table } as Record<string, number> & { table: typeof table };
    const dtype = suffix(entries[0].param.dtype);
    launcher.launch(name, steps.kernels[name] as never, dtype, [], params as never, range);
  }
}
