/** The base of all optimisers: parameter groups, state, and state dicts in PyTorch's form. */

import { ShapeError, StateDictError, showShape, showValue, ValueError } from '../core/errors.js';
import { sameShape } from '../core/layout.js';
import { scope } from '../core/memory.js';
import { checkOptions } from '../core/options.js';
import { zeroGrads } from '../ops/inplace.js';
import { isTensor } from '../ops/promote.js';
import type { Tensor } from '../tensor.js';
import { whenRead } from './reading.js';

/** What a schedule keeps in the groups it changes. */
export interface Scheduled {
  initialLr?: number;
  maxLr?: number;
  minLr?: number;
  maxMomentum?: number;
  baseMomentum?: number;
}

/** PyTorch's options that say how a step is computed and not what: they change nothing here. */
export interface Ignored {
  foreach?: boolean | null;
  fused?: boolean | null;
  capturable?: boolean;
}

/** The options a caller may give. */
export type Given<Options> = Partial<Options> & Ignored;

/** A group as a caller gives it. */
export type GivenGroup<Options> = { params: Iterable<Tensor> | Tensor } & Given<Options>;

/** Options of a group by name; `params` are its tensors. */
export type ParamGroup<Options> = Options & { params: Tensor[] };

/** What the first argument of an optimiser may be. */
export type Params<Options> = Iterable<Tensor> | Iterable<GivenGroup<Options>>;

/** What an optimiser may remember of a parameter. */
export type StateValue = Tensor | number | string | boolean | null | readonly StateValue[];

/** State of one parameter by PyTorch's names. */
export type ParamState = Record<string, StateValue>;

/** Kinds of states; a number may come as a tensor of one element. */
export type StateKind = 'number' | 'tensor' | 'list of tensors' | 'list of numbers';

function isOfKind(kind: StateKind, value: unknown): boolean {
  if (kind.startsWith('list of ')) {
    const item = kind.slice(8, -1) as StateKind;
    return Array.isArray(value) && value.every((each) => isOfKind(item, each));
  }
  return isTensor(value) || typeof value === kind;
}

/** As PyTorch saves it: states by parameter index, groups with the indices of their parameters. */
export interface OptimizerStateDict {
  state: Record<string, Record<string, unknown>>;
  param_groups: (Record<string, unknown> & { params: number[] })[];
}

/** 'weightDecay' as 'weight_decay'. */
export function snake(name: string): string {
  return name.replace(/(?<=.)[A-Z]|(?<=^T)0/g, (letter) => `_${letter.toLowerCase()}`);
}

/** 'weight_decay' as 'weightDecay'. */
function camel(name: string): string {
  return name.replace(/(?<=.)_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** Options of PyTorch that would change the steps. */
const REFUSED: Readonly<Record<string, string>> = {
  differentiable: 'steps are not recorded; write the step with tensors to differentiate it',
  decoupledWeightDecay: 'use AdamW',
};
const SILENT = 'foreach fused capturable initialLr maxLr minLr maxMomentum baseMomentum'.split(' ');

/**
 * Base of all optimisers. An own one gives the defaults of its options and computes in `step`:
 * `class Mine extends optim.Optimizer { constructor(params, options) { super(params, { lr: 0.1 },
 * options); } step(closure) { ... this.paramGroups ... this.state ... } }`.
 */
export abstract class Optimizer<Options extends object = Record<string, never>> {
  readonly paramGroups: ParamGroup<Options & Scheduled>[] = [];
  /** What the optimiser remembers of each parameter. */
  readonly state = new Map<Tensor, ParamState>();

  constructor(
    params: Params<Options>,
    /** Options a group does not give itself. */
    readonly defaults: Options,
    /** Others than the defaults; a number is `lr`. */
    options: object | number = {},
  ) {
    const given = typeof options === 'number' ? { lr: options } : options;
    this.checkNames(given);
    this.checkKinds(given as Record<string, unknown>);
    Object.assign(defaults, given);
    const list = listOf(this.constructor.name, params);
    if (list.length === 0) {
      throw new ValueError(
        `${this.constructor.name}: got no parameters; give net.parameters(), which is used up ` +
          'by one walk, and hold layers in an nn.ModuleList: in an array they are not found',
      );
    }
    if (isTensor(list[0])) this.addParamGroup({ params: list as Tensor[] } as never);
    else for (const group of list) this.addParamGroup(group as never);
  }

  /** Throws if an option is outside its domain. */
  protected check(_options: Options): void {}

  /** Whether weight decay is apart from the gradient. */
  protected get decoupled(): boolean {
    return false;
  }

  private checkNames(options: object): void {
    const names = [...Object.keys(this.defaults), ...SILENT, ...Object.keys(REFUSED)];
    checkOptions(this.constructor.name, options, names);
  }

  /** Throws unless options are of the kinds of their defaults. */
  private checkKinds(given: Readonly<Record<string, unknown>>): void {
    const name = this.constructor.name;
    for (const [option, instead] of Object.entries(REFUSED)) {
      if (!given[option] || (option === 'decoupledWeightDecay' && this.decoupled)) continue;
      throw new ValueError(`${name}: ${option} is not supported: ${instead}`);
    }
    for (const [option, value] of Object.entries(this.defaults)) {
      if (!(option in given) || value === null) continue;
      const [kind, got] = [kindOf(value), kindOf(given[option])];
      if (kind !== got) throw new ValueError(`${name}: ${option} is a ${kind}, got a ${got}`);
    }
  }

  /** Options with the defaults for those not there, checked. */
  private checked(given: object): Options {
    this.checkKinds(given as Record<string, unknown>);
    const options = { ...this.defaults, ...given };
    this.check(options);
    return options;
  }

  /** Adds parameters with options of their own. */
  addParamGroup(group: GivenGroup<Options>): void {
    const { params: list, ...given } = group;
    this.checkNames(given);
    const options = this.checked(given);
    const name = this.constructor.name;
    const params = isTensor(list) ? [list] : listOf<Tensor>(name, list);
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
    this.paramGroups.push({ ...options, params });
  }

  /** Forgets the gradients (or, with `setToNone: false`, fills them with zeros). */
  zeroGrad(options: boolean | { setToNone?: boolean } = true): void {
    zeroGrads(
      this.paramGroups.flatMap(({ params }) => params),
      options,
    );
  }

  /** Changes all parameters by their gradients. */
  abstract step(closure?: () => unknown): unknown;

  /** State and options, in PyTorch's names and numbering. */
  stateDict(): OptimizerStateDict {
    const state: OptimizerStateDict['state'] = {};
    let index = 0;
    const param_groups = this.paramGroups.map((group) => {
      const params = group.params.map((param) => {
        const own = this.state.get(param);
        if (own !== undefined) state[index] = this.packed(own);
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

  /** A parameter's state as PyTorch has it. */
  protected packed(state: ParamState): Record<string, unknown> {
    return { ...state };
  }

  /** Names of states that are numbers here and may be tensors in a state dict. */
  protected get numbers(): readonly string[] {
    return [];
  }

  /** What the state of that name is; undefined: whatever the optimiser put there. */
  protected kindOfState(_name: string): StateKind | undefined {
    return undefined;
  }

  /** Whether a tensor can be the state of a parameter. */
  protected fits(tensor: Tensor, param: Tensor): boolean {
    return tensor.numel() === 1 || sameShape(tensor.shape, param.shape);
  }

  /**
   * Takes over a state dict, of this library or of PyTorch; everything is checked and copied before
   * anything changes. Gives a promise if the dict has numbers on a device that cannot be read at once.
   */
  loadStateDict(stateDict: OptimizerStateDict): void | Promise<void> {
    const groups = this.matchGroups(stateDict);
    const options = groups.map((group, g) => {
      const saved = Object.entries(group).map(([name, value]) => [camel(name), value]);
      const { params: _params, ...given } = {
        ...this.paramGroups[g],
        ...Object.fromEntries(saved),
      };
      return this.checked(given);
    });
    const loaded = scope(() => this.adoptAll(groups, stateDict.state));
    const read = [...loaded.values()].flatMap((state) =>
      this.numbers.filter((name) => name in state).map((name) => [state, name] as const),
    );
    return whenRead(
      read.map(([state, name]) => state[name] as Tensor | number),
      (numbers) => {
        read.forEach(([state, name], i) => {
          if (!(numbers[i] >= 0)) throw this.misfit(`'${name}' is ${numbers[i]}`);
          state[name] = numbers[i];
        });
        this.state.clear();
        for (const [param, state] of loaded) this.state.set(param, state);
        this.paramGroups.forEach((group, g) => {
          Object.assign(group, options[g]);
        });
      },
    );
  }

  protected misfit(what: string): StateDictError {
    return new StateDictError(`${this.constructor.name}.loadStateDict: ${what}`);
  }

  /** The groups of a state dict, which have the sizes of the optimiser's. */
  private matchGroups(stateDict: OptimizerStateDict) {
    const { state, param_groups: groups } = stateDict ?? {};
    const isDict = Array.isArray(groups) && groups.every((group) => Array.isArray(group?.params));
    if (!isDict || typeof state !== 'object' || state === null) {
      throw this.misfit('expected a dict of an optimiser, { state, param_groups: [{ params }] }');
    }
    const fits =
      groups.length === this.paramGroups.length &&
      groups.every((group, i) => group.params.length === this.paramGroups[i].params.length);
    if (fits) return groups;
    throw this.misfit(
      `the groups have ${groups.map((g) => g.params.length).join(', ')} parameters, the ` +
        `optimiser's ${this.paramGroups.map((g) => g.params.length).join(', ')}`,
    );
  }

  /** The saved states by parameter. They outlive the scope they are made in, if all could be. */
  private adoptAll(
    groups: OptimizerStateDict['param_groups'],
    states: OptimizerStateDict['state'],
  ): Map<Tensor, ParamState> {
    const loaded = new Map<Tensor, ParamState>();
    const made: Tensor[] = [];
    groups.forEach((group, g) => {
      group.params.forEach((index, k) => {
        const param = this.paramGroups[g].params[k];
        const saved = states[index];
        if (saved !== undefined) loaded.set(param, this.adopt(saved, param, index, made));
      });
    });
    for (const tensor of made) tensor.keep();
    return loaded;
  }

  /** One parameter's saved state, copied, with tensors in the parameter's dtype. */
  private adopt(
    saved: Record<string, unknown>,
    param: Tensor,
    index: number,
    made: Tensor[],
  ): ParamState {
    if (typeof saved !== 'object' || saved === null) {
      throw this.misfit(`the state of parameter ${index} is no dict, but ${String(saved)}`);
    }
    const take = (name: string, value: unknown): StateValue => {
      if (Array.isArray(value)) return value.map((item) => take(name, item));
      if (value === null || /number|string|boolean/.test(typeof value)) return value as StateValue;
      const what = `'${name}' of parameter ${index}`;
      if (!isTensor(value)) throw this.misfit(`${what} is no tensor or number`);
      const isNumber = this.numbers.includes(name);
      if (isNumber ? value.numel() !== 1 : !this.fits(value, param)) {
        throw new ShapeError(
          `${this.constructor.name}.loadStateDict: ${what} has shape ` +
            `${showShape(value.shape)}, the parameter ${showShape(param.shape)}`,
        );
      }
      if (isNumber) return value;
      const cast = param.dtype.isFloatingPoint ? value.detach().to(param.dtype) : value.detach();
      const moved = cast.to(param.device);
      const own = (moved.storage_ === value.storage_ ? moved.clone() : moved).contiguous();
      made.push(own);
      return own;
    };
    const entries = Object.entries(saved).filter(([, value]) => value !== null);
    for (const [name, value] of entries) {
      const kind = this.kindOfState(name);
      if (kind === undefined || isOfKind(kind, value)) continue;
      const got = isTensor(value) ? 'tensor' : kindOf(value);
      throw this.misfit(`'${name}' of parameter ${index} wants a ${kind}, got: ${got}`);
    }
    return Object.fromEntries(entries.map(([name, value]) => [name, take(name, value)]));
  }

  toString(): string {
    const groups = this.paramGroups.map((group, i) => {
      const options = Object.entries(group).filter(([name]) => name !== 'params');
      const lines = options
        .map(([name, value]) => `    ${snake(name)}: ${inPython(value)}\n`)
        .sort()
        .join('');
      return `Parameter Group ${i}\n${lines}`;
    });
    return `${this.constructor.name} (\n${groups.join('\n')})`;
  }
}

/** A value as Python prints it. */
function inPython(value: unknown): string {
  if (Array.isArray(value)) return `(${value.map(inPython).join(', ')})`;
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return value === null ? 'None' : String(value);
}

/** The kind of an option's value: 'number', 'boolean', 'list of 2'... */
function kindOf(value: unknown): string {
  if (Array.isArray(value)) return `list of ${value.length}`;
  return value === null ? 'null' : typeof value;
}

/** What was given as parameters or groups, as a list. */
function listOf<T = unknown>(name: string, params: unknown): T[] {
  const isIterable =
    typeof params === 'object' && params !== null && Symbol.iterator in params && !isTensor(params);
  if (isIterable) return [...(params as Iterable<T>)];
  throw new ValueError(
    `${name}: expected an iterable of parameters or groups { params }, such as net.parameters()`,
  );
}

/** From 0 on. */
export const POSITIVE = [0, Number.POSITIVE_INFINITY] as const;

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
      throw new ValueError(`${optimizer}: ${name} must be ${range}, got ${showValue(value)}`);
    }
  }
}
