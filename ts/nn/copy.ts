/** Copies of modules with all they hold. */

import { isOptions } from '../core/options.js';
import { isTensor } from '../ops/promote.js';
import type { Tensor } from '../tensor.js';
import { holdField, isHeld } from './fields.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';
import { fieldsOf, STATE } from './state_dict.js';

function copyTensor(tensor: Tensor): Tensor {
  const copy = tensor.detach().clone();
  if (tensor instanceof Parameter) return new Parameter(copy, tensor.requiresGrad);
  return copy.requiresGrad_(tensor.requiresGrad && tensor.isLeaf).keep();
}

function copyModule(module: Module, memo: Map<unknown, unknown>): Module {
  // As in Python the constructor does not run: all it would set is copied.
  const base = Module as unknown as new () => Module;
  const copy = Reflect.construct(base, [], module.constructor as typeof base) as Module;
  memo.set(module, copy);
  for (const name of Object.keys(module)) {
    fieldsOf(copy)[name] = copyValue(fieldsOf(module)[name], memo);
  }
  const [from, to] = [module[STATE], copy[STATE]];
  for (const [name, persistent] of from.buffers) to.buffers.set(name, persistent);
  for (const [name, kind] of from.kinds) {
    if (isHeld(module, name)) holdField(copy, name, kind, fieldsOf(copy)[name]);
  }
  for (const name of from.absent) to.absent.add(name);
  const kinds = ['stateDictPre', 'stateDict', 'loadPre', 'loadPost'] as const;
  for (const kind of kinds) to[kind].entries = from[kind].entries;
  for (const kind of ['forwardPre', 'forward', 'backwardPre', 'backward'] as const) {
    to.call[kind].entries = from.call[kind].entries;
  }
  return copy;
}

function copyValue(value: unknown, memo: Map<unknown, unknown>): unknown {
  if (memo.has(value)) return memo.get(value);
  if (value instanceof Module) return copyModule(value, memo);
  let copy = value;
  if (isTensor(value)) copy = copyTensor(value);
  else if (Array.isArray(value)) copy = value.map((item) => copyValue(item, memo));
  else if (isOptions(value)) {
    copy = Object.fromEntries(Object.entries(value).map(([k, v]) => [k, copyValue(v, memo)]));
  }
  memo.set(value, copy);
  return copy;
}

/**
 * A copy of a module, as Python's `copy.deepcopy` makes it: parameters, buffers and modules below
 * are copied (what is shared stays shared within the copy), functions and hooks are the same ones.
 */
export function deepcopy<M extends Module>(module: M): M {
  return copyValue(module, new Map()) as M;
}
