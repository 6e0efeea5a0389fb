/** The base of all optimisers: parameter groups, state, and state dicts in PyTorch's form. */

import { enableGrad, noGrad } from '../autograd/mode.js';
import { ShapeError, StateDictError, showShape, ValueError } from '../core/errors.js';
import { sameShape } from '../core/layout.js';
import { checkOptions } from '../core/options.js';
import { isTensor } from '../ops/promote.js';
import type { Tensor } from '../tensor.js';

/** Options of a group by name; `params` are its tensors. */
export type ParamGroup<Options> = Options & { params: Tensor[] };

/** What the first argument of an optimiser may be. */
export type Params<Options> =
  | Iterable<Tensor>
  | Iterable<{ params: Iterable<Tensor> | Tensor } & Partial<Options>>;

/** State of one parameter by PyTorch's names: tensors and numbers. */
export type ParamState = Record<string, Tensor | number>;

/** As PyTorch saves it: states by parameter index, groups with the indices of their parameters. */
export interface OptimizerStateDict {
  state: Record<string, Record<string, unknown>>;
  param_groups: (Record<string, unknown> & { params: number[] })[];
}

/** 'weightDecay' as 'weight_decay'. */
function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

export abstract class Optimizer<Options extends object = Record<string, never>> {
  readonly paramGroups: ParamGroup<Options & { initialLr?: number }>[] = [];
  /** What the optimiser remembers of each parameter. */
  readonly state = new Map<Tensor, ParamState>();
  /** Number of calls of step(), which schedulers look at. */
  stepCount = 0;

  constructor(
    params: Params<Options>,
    /** Options a group does not give itself. */
    readonly defaults: Options,
    given: object,
  ) {
    this.checkNames(given);
    this.check({ ...defaults, ...given });
    Object.assign(defaults, given);
    const list = listOf(this.constructor.name, params);
    if (list.length === 0) {
      throw new ValueError(
        `${this.constructor.name}: got no parameters; give net.parameters(), which is used up ` +
          `by one walk`,
      );
    }
    if (isTensor(list[0])) this.addParamGroup({ params: list as Tensor[] } as never);
    else for (const group of list) this.addParamGroup(group as never);
  }

  /** Throws if an option is outside its domain. */
  protected abstract check(options: Options): void;

  private checkNames(options: object): void {
    const { params: _params, initialLr: _initialLr, ...named } = options as Record<string, unknown>;
    checkOptions(this.constructor.name, named, Object.keys(this.defaults));
  }

  /** Adds parameters with options of their own. */
  addParamGroup(group: { params: Iterable<Tensor> | Tensor } & Partial<Options>): void {
    this.checkNames(group);
    const name = this.constructor.name;
    const params = isTensor(group.params) ? [group.params] : listOf<Tensor>(name, group.params);
    const known = new Set(this.paramGroups.flatMap((other) => other.params));
    for (const param of params) {
      if (!isTensor(param)) {
        throw new ValueError(
          `${this.constructor.name}: parameters are tensors, got ${String(param)}`,
        );
      }
      if (!param.isLeaf) {
        throw new ValueError(
          `${this.constructor.name}: only leaves can be optimised, got the result of ` +
            `${param.gradFn?.name}; optimise the tensors it was computed from`,
        );
      }
      if (known.has(param)) {
        throw new ValueError(`${this.constructor.name}: a parameter appears in two groups`);
      }
      known.add(param);
    }
    const options = { ...this.defaults, ...group, params };
    this.check(options);
    this.paramGroups.push(options);
  }

  /** Forgets the gradients (or, with `setToNone: false`, fills them with zeros). */
  zeroGrad({ setToNone = true }: { setToNone?: boolean } = {}): void {
    for (const { params } of this.paramGroups) {
      for (const param of params) {
        if (setToNone) param.grad = null;
        else if (param.grad !== null) param.grad = param.grad.detach().zero_();
      }
    }
  }

  /**
   * Changes all parameters by their gradients. A closure, if given, computes the loss and its
   * gradients first (with recording on) and its result is returned.
   */
  step<R = undefined>(closure?: () => R): R | undefined {
    const loss = closure === undefined ? undefined : enableGrad(closure);
    noGrad(() => {
      for (const group of this.paramGroups) this.update(group);
    });
    this.stepCount++;
    return loss;
  }

  /** Changes the parameters of one group that have a gradient. */
  protected abstract update(group: ParamGroup<Options>): void;

  /** State and options, in PyTorch's names and numbering. */
  stateDict(): OptimizerStateDict {
    const state: OptimizerStateDict['state'] = {};
    let index = 0;
    const param_groups = this.paramGroups.map((group) => {
      const params = group.params.map((param) => {
        const own = this.state.get(param);
        if (own !== undefined) state[index] = { ...own };
        return index++;
      });
      const options = Object.entries(group).filter(([name]) => name !== 'params');
      return {
        ...Object.fromEntries(options.map(([name, value]) => [snake(name), value])),
        params,
      };
    });
    return { state, param_groups };
  }

  /** Takes over a state dict; everything is checked before anything changes. */
  loadStateDict(stateDict: OptimizerStateDict): void {
    const groups = stateDict.param_groups;
    const fits =
      groups.length === this.paramGroups.length &&
      groups.every((group, i) => group.params.length === this.paramGroups[i].params.length);
    if (!fits) {
      throw new StateDictError(
        `${this.constructor.name}.loadStateDict: the groups have ` +
          `${groups.map((g) => g.params.length).join(', ')} parameters, the optimiser's ` +
          `${this.paramGroups.map((g) => g.params.length).join(', ')}`,
      );
    }
    const loaded = new Map<Tensor, ParamState>();
    groups.forEach((group, g) => {
      group.params.forEach((index, k) => {
        const param = this.paramGroups[g].params[k];
        const saved = stateDict.state[index];
        if (saved !== undefined) loaded.set(param, this.adopt(saved, param, index));
      });
    });
    this.state.clear();
    for (const [param, state] of loaded) this.state.set(param, state);
    groups.forEach((group, g) => {
      const target = this.paramGroups[g] as Record<string, unknown>;
      for (const name of [...Object.keys(target), 'initialLr']) {
        const key = snake(name);
        if (name !== 'params' && key in group) target[name] = group[key];
      }
    });
  }

  /** One parameter's saved state, copied, with tensors in the parameter's dtype. */
  private adopt(saved: Record<string, unknown>, param: Tensor, index: number): ParamState {
    const state: ParamState = {};
    for (const [name, value] of Object.entries(saved)) {
      if (name === 'step') state.step = isTensor(value) ? value.itemSync() : Number(value);
      else if (typeof value === 'number') state[name] = value;
      else if (isTensor(value)) {
        if (value.numel() !== 1 && !sameShape(value.shape, param.shape)) {
          throw new ShapeError(
            `${this.constructor.name}.loadStateDict: '${name}' of parameter ${index} has shape ` +
              `${showShape(value.shape)}, the parameter ${showShape(param.shape)}`,
          );
        }
        state[name] = value.detach().clone().to(param.dtype).keep();
      }
    }
    return state;
  }

  toString(): string {
    const groups = this.paramGroups.map((group, i) => {
      const options = Object.entries(group).filter(([name]) => name !== 'params');
      const lines = options
        .map(([name, value]) => `    ${snake(name)}: ${String(value)}\n`)
        .sort()
        .join('');
      return `Parameter Group ${i}\n${lines}`;
    });
    return `${this.constructor.name} (\n${groups.join('\n')})`;
  }
}

/** What was given as parameters or groups, as a list. */
function listOf<T = unknown>(name: string, params: unknown): T[] {
  const isIterable = typeof params === 'object' && params !== null && Symbol.iterator in params;
  if (isIterable) return [...(params as Iterable<T>)];
  throw new ValueError(
    `${name}: expected an iterable of parameters or groups { params }, such as net.parameters()`,
  );
}

/** Throws unless every named option is a number within its bounds. */
export function checkRange(
  optimizer: string,
  options: object,
  bounds: Readonly<Record<string, readonly [least: number, below: number]>>,
): void {
  for (const [name, [least, below]] of Object.entries(bounds)) {
    const value = (options as Record<string, unknown>)[name];
    const list = Array.isArray(value) ? value : [value];
    for (const item of list) {
      if (typeof item === 'number' && item >= least && item < below) continue;
      const range =
        below === Number.POSITIVE_INFINITY ? `at least ${least}` : `in [${least}, ${below})`;
      throw new ValueError(`${optimizer}: ${name} must be ${range}, got ${String(value)}`);
    }
  }
}
