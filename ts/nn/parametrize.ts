/** torch.nn.utils.parametrize: parameters and buffers that are computed from others. */

import { noGrad } from '../autograd/mode.js';
import { DtypeError, ShapeError, showShape, ValueError } from '../core/errors.js';
import { sameShape } from '../core/layout.js';
import { isTensor } from '../ops/promote.js';
import type { Tensor } from '../tensor.js';
import { ModuleDict, ModuleList } from './layers/container.js';
import type { Module } from './module.js';
import { Parameter } from './parameter.js';
import { fieldsOf, STATE } from './state_dict.js';

type Compute = (...inputs: Tensor[]) => Tensor;

/** A parametrization; one with `rightInverse` can be given a value. */
interface Invertible {
  rightInverse?(value: Tensor): Tensor | readonly Tensor[];
}

let cacheDepth = 0;
const cache = new Map<Module, Map<string, Tensor>>();

function leaveCache(): void {
  cacheDepth--;
  if (cacheDepth === 0) cache.clear();
}

/**
 * Runs `body` with every parametrized tensor computed once, when it is first read; without a body,
 * until the guard is disposed: `using _ = parametrize.cached();`.
 */
export function cached(): Disposable;
export function cached<R>(body: () => R): R;
export function cached<R>(body?: () => R): R | Disposable {
  cacheDepth++;
  if (body === undefined) return { [Symbol.dispose]: leaveCache };
  try {
    return body();
  } finally {
    leaveCache();
  }
}

function put(module: Module, name: string, value: Tensor): void {
  if (value instanceof Parameter) module.registerParameter(name, value);
  else module.registerBuffer(name, value);
}

/** Throws unless a computed tensor could stand for the original one. */
function checkLike(what: string, tensor: unknown, original: Tensor): void {
  if (!isTensor(tensor)) {
    throw new ValueError(`registerParametrization: ${what} is a tensor, got ${String(tensor)}`);
  }
  if (tensor.dtype !== original.dtype) {
    throw new DtypeError(
      `registerParametrization: ${what} is ${tensor.dtype}, the tensor ${original.dtype}; ` +
        '{ unsafe: true } allows that',
    );
  }
  if (!sameShape(tensor.shape, original.shape)) {
    throw new ShapeError(
      `registerParametrization: ${what} has shape ${showShape(tensor.shape)}, the tensor ` +
        `${showShape(original.shape)}; { unsafe: true } allows that`,
    );
  }
}

/** The parametrizations of one tensor, and what it is computed from: `original`, or several. */
export class ParametrizationList extends ModuleList {
  unsafe: boolean;
  /** How many tensors it is computed from; undefined: one, `original`. */
  readonly count: number | undefined;
  declare original: Tensor;

  constructor(modules: readonly Module[], original: Tensor, unsafe = false) {
    super(modules);
    this.unsafe = unsafe;
    let inverse: Tensor | readonly Tensor[] = original;
    noGrad(() => {
      for (const module of [...this].reverse() as (Module & Invertible)[]) {
        inverse = module.rightInverse?.(inverse as Tensor) ?? inverse;
      }
    });
    const found = inverse as Tensor | readonly Tensor[];
    if (isTensor(found)) {
      if (found.dtype !== original.dtype) checkLike('what rightInverse gives', found, original);
      this.count = undefined;
      // The parameter stays the object it is, which an optimiser may hold.
      const shared = original instanceof Parameter ? original : original.detach();
      const before = shared.detach();
      if (found !== original) shared.data = found;
      put(this, 'original', shared);
      try {
        if (!unsafe) this.check(before);
      } catch (error) {
        shared.data = before;
        throw error;
      }
      return;
    }
    if (!Array.isArray(found) || !found.every(isTensor)) {
      throw new ValueError(
        `registerParametrization: rightInverse gives a tensor or several, got ${String(found)}`,
      );
    }
    this.count = found.length;
    const wanted = original.requiresGrad;
    found.forEach((tensor: Tensor, i: number) => {
      const own = original instanceof Parameter ? new Parameter(tensor, wanted) : tensor;
      put(this, `original${i}`, own);
    });
    if (!unsafe) this.check(original);
  }

  private check(original: Tensor): void {
    checkLike(
      'what a parametrization gives',
      noGrad(() => this.compute()),
      original,
    );
  }

  /** The tensors it is computed from. */
  get originals(): Tensor[] {
    if (this.count === undefined) return [this.original];
    return Array.from({ length: this.count }, (_, i) => fieldsOf(this)[`original${i}`] as Tensor);
  }

  /** The parametrized tensor. */
  compute(): Tensor {
    const [first, ...rest] = this.list as unknown as Compute[];
    return rest.reduce((value, step) => step(value), first(...this.originals));
  }

  override forward(): Tensor {
    return this.compute();
  }

  /** Makes the original tensors such that the parametrized one is `value`, as far as it can be. */
  rightInverse(value: Tensor): void {
    noGrad(() => {
      let inverse: Tensor | readonly Tensor[] = value;
      for (const module of [...this].reverse() as (Module & Invertible)[]) {
        if (module.rightInverse === undefined) {
          throw new ValueError(
            `parametrize: ${module.constructor.name} has no rightInverse(); without it the ` +
              'tensor cannot be assigned',
          );
        }
        inverse = module.rightInverse(inverse as Tensor);
      }
      const found = (isTensor(inverse) ? [inverse] : inverse) as readonly Tensor[];
      const { originals } = this;
      if (found.length !== originals.length) {
        throw new ValueError(
          `parametrize: rightInverse gave ${found.length} tensors for ${originals.length}`,
        );
      }
      originals.forEach((original, i) => {
        checkDtype(original, found[i]);
      });
      originals.forEach((original, i) => {
        original.data = found[i].detach();
      });
    });
  }
}

function checkDtype(original: Tensor, value: Tensor): void {
  if (original.dtype === value.dtype) return;
  throw new DtypeError(
    `parametrize: rightInverse gave ${value.dtype} for an original ${original.dtype}`,
  );
}

type Parametrized = Module & { parametrizations: ModuleDict };

function listsOf(module: Module): ModuleDict | undefined {
  const lists = fieldsOf(module).parametrizations;
  return lists instanceof ModuleDict ? lists : undefined;
}

function listOf(module: Module, name: string): ParametrizationList | undefined {
  const lists = listsOf(module);
  return lists?.has(name) ? (lists.get(name) as ParametrizationList) : undefined;
}

/** Whether a module has parametrized tensors, or the one of this name is. */
export function isParametrized(module: Module, tensorName?: string | null): boolean {
  if (typeof tensorName === 'string') return listOf(module, tensorName) !== undefined;
  return (listsOf(module)?.length ?? 0) > 0;
}

/** Gives the module a class of its own, whose fields may be computed. */
function parametrizedClass(module: Module): void {
  const base = module.constructor as new () => object;
  const type = class extends base {};
  Object.defineProperty(type, 'name', { value: `Parametrized${base.name}` });
  Object.setPrototypeOf(module, type.prototype);
}

function computeField(module: Module, name: string): void {
  Object.defineProperty(Object.getPrototypeOf(module), name, {
    configurable: true,
    get(this: Parametrized) {
      const list = listOf(this, name) as ParametrizationList;
      if (cacheDepth === 0) return list();
      const known = cache.get(this) ?? new Map<string, Tensor>();
      cache.set(this, known);
      const value = known.get(name) ?? list();
      known.set(name, value);
      return value;
    },
    set(this: Parametrized, value: Tensor) {
      (listOf(this, name) as ParametrizationList).rightInverse(value);
    },
  });
}

/** Adds to the parametrizations that a tensor has. */
function addTo(list: ParametrizationList, parametrization: Module, unsafe: boolean): void {
  if (!unsafe) {
    noGrad(() => {
      const before = list.compute();
      const after = (parametrization as unknown as Compute)(before);
      checkLike('what a parametrization gives', after, before);
      const inverse = (parametrization as Module & Invertible).rightInverse?.(after);
      if (inverse !== undefined) checkLike('what rightInverse gives', inverse, before);
    });
  }
  list.append(parametrization);
  list.unsafe ||= unsafe;
}

/**
 * From now on `module[tensorName]` is what the module `parametrization` computes from the
 * parameter or buffer that it was, which is found as `parametrizations.<name>.original` and is
 * what is trained. Its `rightInverse`, if it has one, says what a value assigned to the tensor is
 * computed from; it may be several tensors (`original0`, `original1`, ...). More than one
 * parametrization run one after another. Dtype and shape must stay, unless `unsafe` is set.
 * Returns the module.
 */
export function registerParametrization<M extends Module>(
  module: M,
  tensorName: string,
  parametrization: Module,
  { unsafe = false }: { unsafe?: boolean } = {},
): M {
  parametrization.train(module.training);
  const list = listOf(module, tensorName);
  if (list !== undefined) {
    addTo(list, parametrization, unsafe);
    return module;
  }
  const fields = fieldsOf(module);
  const original = Object.hasOwn(fields, tensorName) ? fields[tensorName] : undefined;
  const { buffers } = module[STATE];
  if (!(original instanceof Parameter) && !(isTensor(original) && buffers.has(tensorName))) {
    throw new ValueError(
      `registerParametrization: ${module.constructor.name} has no parameter or buffer ` +
        `'${tensorName}'`,
    );
  }
  const made = new ParametrizationList([parametrization], original, unsafe);
  delete fields[tensorName];
  buffers.delete(tensorName);
  if (listsOf(module) === undefined) {
    parametrizedClass(module);
    module.registerModule('parametrizations', new ModuleDict());
  }
  computeField(module, tensorName);
  (listsOf(module) as ModuleDict).set(tensorName, made);
  return module;
}

/**
 * Makes a parametrized tensor a plain one again: with the value it has, or (`leaveParametrized:
 * false`) with that of the original. Returns the module.
 */
export function removeParametrizations<M extends Module>(
  module: M,
  tensorName: string,
  { leaveParametrized = true }: { leaveParametrized?: boolean } = {},
): M {
  const lists = listsOf(module);
  const list = listOf(module, tensorName);
  if (lists === undefined || list === undefined) {
    throw new ValueError(
      `removeParametrizations: '${tensorName}' of ${module.constructor.name} is not parametrized`,
    );
  }
  if (!leaveParametrized && list.count !== undefined) {
    throw new ValueError(
      `removeParametrizations: '${tensorName}' is computed from ${list.count} tensors; none of ` +
        'them can take its place. Leave out leaveParametrized: false',
    );
  }
  const { originals } = list;
  let [plain] = originals;
  const value = noGrad(() => list.compute().detach());
  if (list.count !== undefined) {
    plain = originals.some((x) => x.requiresGrad) ? new Parameter(value) : value;
  } else if (leaveParametrized) plain.data = value;
  const prototype = Object.getPrototypeOf(module) as object;
  delete (prototype as Record<string, unknown>)[tensorName];
  lists.pop(tensorName);
  put(module, tensorName, plain);
  if (lists.length === 0) {
    delete fieldsOf(module).parametrizations;
    Object.setPrototypeOf(module, Object.getPrototypeOf(prototype) as object);
  }
  return module;
}

/** The class that a module had before it was parametrized. */
export function typeBeforeParametrizations(module: Module): unknown {
  const type = module.constructor;
  return isParametrized(module) ? Object.getPrototypeOf(type) : type;
}
