/** Puts modules together from the fields that PyTorch pickled. */

import { Module, type Parameter } from '../nn/index.js';
import { Parameter as ParameterClass } from '../nn/parameter.js';
import { resumeWeightNorm } from '../nn/weight_norm.js';
import { Tensor } from '../tensor.js';
import { WeightNormHook } from './contents.js';
import { type ClassName, Refusal } from './unpickle.js';

type Fields = Readonly<Record<string, unknown>>;

const camel = (name: string) =>
  name.replace(/(?<=.)_([a-z0-9])/g, (_, c: string) => c.toUpperCase());

/**
 * A module of the class with these fields. As in Python its constructor does not run: everything
 * it would have set is in the file. Fields get the names they have here, `kernel_size` becoming
 * `kernelSize`; modules of the caller's classes have them under both names.
 */
export function rebuildModule({ name, type, own }: ClassName, fields: Fields): Module {
  const base = Module as unknown as new () => Module;
  const module = Reflect.construct(base, [], type as typeof base) as Module;
  const { _parameters, _buffers, _modules, _non_persistent_buffers_set: passing } = fields;
  for (const [key, value] of entries(name, _parameters, ParameterClass)) {
    module.registerParameter(key, value as Parameter | null);
  }
  for (const [key, value] of entries(name, _buffers, Tensor)) {
    const persistent = !(passing instanceof Set && passing.has(key));
    module.registerBuffer(key, value as Tensor | null, persistent);
  }
  for (const [key, value] of entries(name, _modules, Module)) {
    module.registerModule(key, value as Module | null);
  }
  for (const [key, value] of Object.entries(fields)) {
    if (key.startsWith('_')) continue;
    setField(module, camel(key), value);
    if (own) setField(module, key, value);
  }
  resumeHooks(module, fields);
  return module;
}

const HOOKS = ['_forward_pre_hooks', '_forward_hooks', '_backward_hooks', '_backward_pre_hooks'];

/** Weight norm is a hook before forward; of other hooks there is nothing to go on with. */
function resumeHooks(module: Module, fields: Fields): void {
  for (const kind of HOOKS) {
    for (const hook of Object.values((fields[kind] ?? {}) as Fields)) {
      if (!(hook instanceof WeightNormHook)) {
        throw new Refusal(`a ${module.constructor.name} has hooks; remove them before it is saved`);
      }
      resumeWeightNorm(module, hook.name, hook.dim);
    }
  }
}

/** Named parts of a kind; None keeps a name free. */
function entries(
  name: string,
  group: unknown,
  kind: abstract new (...args: never[]) => unknown,
): [string, unknown][] {
  const parts = Object.entries((group ?? {}) as Fields);
  for (const [key, value] of parts) {
    if (value !== null && !(value instanceof kind)) {
      throw new Refusal(`'${key}' of a ${name} is no ${kind.name}`);
    }
  }
  return parts;
}

function setField(module: Module, key: string, value: unknown): void {
  if (key in module && !Object.hasOwn(module, key)) {
    throw new Refusal(`a ${module.constructor.name} cannot have a field '${key}'`);
  }
  (module as unknown as Record<string, unknown>)[key] = value;
}
