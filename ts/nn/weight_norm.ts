/** Weight normalisation: a weight as a direction v and a length g, g v / |v|. */

import { noGrad } from '../autograd/mode.js';
import { ValueError } from '../core/errors.js';
import { normalizeDim } from '../core/layout.js';
import { isTensor } from '../ops/promote.js';
import { type Arguments, bind } from '../ops/signature.js';
import type { Tensor } from '../tensor.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';
import { registerParametrization } from './parametrize.js';
import { fieldsOf, STATE } from './state_dict.js';

const NORM = 'name, dim';
type NormArguments = [name?: string, dim?: number | null];

/** The norm of each slice along `dim`, of sizes 1 elsewhere; with -1 or null that of all. */
function normExcept(v: Tensor, dim: number | null): Tensor {
  if (dim === null || dim === -1) return v.norm();
  const kept = normalizeDim(dim, v.ndim, 'weightNorm');
  const others = v.shape.map((_, d) => d).filter((d) => d !== kept);
  return others.length === 0 ? v.abs() : v.norm(2, others, true);
}

function normed(v: Tensor, g: Tensor, dim: number | null): Tensor {
  return v.mul(g.div(normExcept(v, dim)));
}

/** The hooks that compute weights; a copy of a module has the same ones. */
const hooks = new WeakMap<object, { name: string; dim: number | null }>();

function hookOf(module: Module, name: string) {
  const { entries } = module[STATE].call.forwardPre;
  return entries.find(({ call }) => hooks.get(call)?.name === name);
}

function computed(module: Module, name: string, dim: number | null): Tensor {
  const fields = fieldsOf(module);
  return normed(fields[`${name}_v`] as Tensor, fields[`${name}_g`] as Tensor, dim);
}

/** Computes the weight now and before every forward. */
function computeBefore(module: Module, name: string, dim: number | null): void {
  const update = (target: Module) => {
    const targets = fieldsOf(target);
    // It lives until the next forward, whatever scope this one runs in. Graphs hold their own.
    const next = computed(target, name, dim).keep();
    if (isTensor(targets[name])) targets[name].dispose();
    targets[name] = next;
  };
  update(module);
  hooks.set(update, { name, dim });
  module.registerForwardPreHook(update);
}

/** @internal Goes on with a weight whose parts the module has already. */
export function resumeWeightNorm(module: Module, name: string, dim: number | null): void {
  const fields = fieldsOf(module);
  for (const part of [`${name}_g`, `${name}_v`]) {
    if (fields[part] instanceof Parameter) continue;
    throw new ValueError(`weightNorm: ${module.constructor.name} has no parameter '${part}'`);
  }
  delete fields[name];
  computeBefore(module, name, dim);
}

/**
 * Replaces a parameter by `<name>_g` (lengths along `dim`; null: one for all) and `<name>_v`
 * (directions), from which it is computed before every forward. Returns the module.
 */
export function weightNorm<M extends Module>(
  module: M,
  ...args: Arguments<typeof NORM, NormArguments>
): M {
  const [name = 'weight', dim = 0] = bind<NormArguments>('weightNorm', NORM, args);
  const fields = fieldsOf(module);
  if (hookOf(module, name)) {
    throw new ValueError(`weightNorm: '${name}' is normalised already`);
  }
  const weight = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (!(weight instanceof Parameter)) {
    throw new ValueError(`weightNorm: ${module.constructor.name} has no parameter '${name}'`);
  }
  const length = noGrad(() => normExcept(weight, dim).detach());
  delete fields[name];
  module.registerParameter(`${name}_g`, new Parameter(length));
  module.registerParameter(`${name}_v`, new Parameter(weight.detach()));
  computeBefore(module, name, dim);
  return module;
}

/** Makes a normalised weight a parameter again. Returns the module. */
export function removeWeightNorm<M extends Module>(module: M, name = 'weight'): M {
  const hook = hookOf(module, name);
  if (hook === undefined) {
    throw new ValueError(
      `removeWeightNorm: '${name}' of ${module.constructor.name} is not normalised`,
    );
  }
  const { dim = 0 } = hooks.get(hook.call) ?? {};
  const weight = noGrad(() => computed(module, name, dim).detach());
  const fields = fieldsOf(module);
  for (const field of [name, `${name}_g`, `${name}_v`]) delete fields[field];
  const { forwardPre } = module[STATE].call;
  forwardPre.entries = forwardPre.entries.filter((entry) => entry !== hook);
  module.registerParameter(name, new Parameter(weight));
  return module;
}

/** PyTorch's name of this parametrization, as it is printed. */
class _WeightNorm extends Module {
  constructor(readonly dim: number | null) {
    super();
  }

  forward(g: Tensor, v: Tensor): Tensor {
    return normed(v, g, this.dim);
  }

  rightInverse(weight: Tensor): [Tensor, Tensor] {
    return [normExcept(weight, this.dim), weight];
  }
}

/**
 * As utils.weightNorm, as a parametrization: the lengths are `parametrizations.<name>.original0`,
 * the directions `original1`. State dicts of the older form load too. Returns the module.
 */
function parametrizedWeightNorm<M extends Module>(
  module: M,
  ...args: Arguments<typeof NORM, NormArguments>
): M {
  const [name = 'weight', dim = 0] = bind<NormArguments>('weightNorm', NORM, args);
  registerParametrization(module, name, new _WeightNorm(dim), { unsafe: true });
  module.registerLoadStateDictPreHook(
    (_module: Module, state: Record<string, Tensor>, prefix: string) => {
      const [g, v] = [`${prefix}${name}_g`, `${prefix}${name}_v`];
      if (!(g in state && v in state)) return;
      state[`${prefix}parametrizations.${name}.original0`] = state[g];
      state[`${prefix}parametrizations.${name}.original1`] = state[v];
      delete state[g];
      delete state[v];
    },
  );
  return module;
}

export const parametrizations = { weightNorm: parametrizedWeightNorm };
