/** Optimisers whose step is one kernel call for all parameters of a group. */

import { enableGrad, setRecording } from '../autograd/mode.js';
import { float32 } from '../core/dtype.js';
import { DtypeError, ShapeError, showShape } from '../core/errors.js';
import { sameShape } from '../core/layout.js';
import { enter, leave } from '../core/memory.js';
import { tensor } from '../ops/creation.js';
import { Launches } from '../ops/launcher.js';
import {
  emitStep,
  type StepEntry,
  type StepName,
  type StepOptions,
} from '../ops/primitives/optim.js';
import { isTensor, type Tensor } from '../tensor.js';
import { Optimizer, type ParamGroup, type ParamState, type StateKind } from './optimizer.js';

/** An entry of the step under way. */
class Entry implements StepEntry {
  // Nothing between steps.
  param = undefined as unknown as Tensor;
  grad = undefined as unknown as Tensor;
  /** The parameter itself, where `param` is a contiguous copy of it. */
  original: Tensor | undefined = undefined;
  readonly states: (Tensor | undefined)[] = [undefined, undefined, undefined];
  a = 0.5;
  b = 0.5;
  c = 0.5;

  set(param: Tensor, target: Tensor, grad: Tensor): void {
    this.param = target;
    this.grad = grad;
    this.original = target === param ? undefined : param;
    this.a = 0;
    this.b = 0;
    this.c = 0;
  }

  clear(): void {
    this.param = undefined as unknown as Tensor;
    this.grad = undefined as unknown as Tensor;
    this.original = undefined;
    this.states.fill(undefined);
  }
}

/** What one parameter's step needs besides its gradient: at most three states, then scalars. */
export type Needs = Pick<StepEntry, 'states' | 'a' | 'b' | 'c'>;

/** The entries of the last step, for the next one. */
let idle: Entry[] | undefined;
const NOTHING: readonly never[] = [];

/** An optimiser with a step kernel: subclasses name it, and say what it takes. */
export abstract class FusedOptimizer<
  Options extends object,
  K extends StepName,
> extends Optimizer<Options> {
  protected abstract readonly kernel: K;

  /** Names of the tensors a parameter can have as its state. */
  protected abstract readonly slots: readonly string[];

  /** The kernel's options for a group: the group's own, where they have the same names. */
  protected options(group: Options): StepOptions<K> {
    return group as unknown as StepOptions<K>;
  }

  /** Sets the states and scalars of a parameter for step number `state.step` (from 1). */
  protected abstract prepare(
    needs: Needs,
    state: ParamState & { step: number },
    param: Tensor,
    group: Options,
  ): void;

  /** How writes of steps are told in errors. */
  private readonly title = `${this.constructor.name}.step`;

  /**
   * Changes all parameters by their gradients. A closure, if given, computes the loss and its
   * gradients first (with recording on) and its result is returned.
   */
  step<R = undefined>(closure?: () => R): R | undefined {
    const loss = closure === undefined ? undefined : enableGrad(closure);
    const recording = setRecording(false);
    try {
      for (const { params } of this.paramGroups) for (const param of params) this.checkParam(param);
      for (const group of this.paramGroups) this.update(group);
    } finally {
      setRecording(recording);
    }
    return loss;
  }

  private update(group: ParamGroup<Options>): void {
    const entries = idle ?? [];
    idle = undefined;
    const outer = enter();
    let count = 0;
    try {
      for (const param of group.params) {
        if (param.meta?.grad === undefined) continue;
        if (count === entries.length) entries.push(new Entry());
        this.enter(entries[count++], param, group);
      }
      this.launchAll(entries, count, group);
    } finally {
      leave(outer, NOTHING);
      for (let i = 0; i < count; i++) entries[i].clear();
      idle = entries;
    }
  }

  /** Launches a step for the entries of each device and dtype, which are put beside each other. */
  private launchAll(entries: Entry[], count: number, group: Options): void {
    for (let start = 0, end = 0; start < count; start = end) {
      const { backend, dtype } = entries[start].param;
      for (let i = start; i < count; i++) {
        const entry = entries[i];
        if (entry.param.backend !== backend || entry.param.dtype !== dtype) continue;
        entries[i] = entries[end];
        entries[end++] = entry;
      }
      this.launch(entries, start, end, this.options(group));
    }
    for (let i = 0; i < count; i++) {
      const { original, param } = entries[i];
      original?.detach().copy_(param);
    }
  }

  protected override get numbers(): readonly string[] {
    return ['step'];
  }

  protected override kindOfState(name: string): StateKind {
    if (this.numbers.includes(name)) return 'number';
    if (this.slots.includes(name)) return 'tensor';
    throw this.misfit(`'${name}' belongs to another optimiser; here there are: ${this.slots}`);
  }

  /** Which of the numbers PyTorch keeps as tensors. */
  protected get boxed(): readonly string[] {
    return this.numbers;
  }

  protected override packed(state: ParamState): Record<string, unknown> {
    const packed: Record<string, unknown> = { ...state };
    for (const name of this.boxed) packed[name] = tensor(state[name] as number, { dtype: float32 });
    return packed;
  }

  protected override fits({ shape }: Tensor, param: Tensor): boolean {
    return sameShape(shape, param.shape);
  }

  /** Throws unless the parameter can be changed by the gradient and the states that it has. */
  private checkParam(param: Tensor): void {
    // Not through `grad`, which would count as looking at it.
    const grad = param.meta?.grad;
    if (grad === undefined) return;
    param.assertLive(this.title);
    const { dtype } = param;
    if (!dtype.isFloatingPoint || dtype.size < 4) {
      throw new DtypeError(
        `${this.constructor.name}: parameters are float32 or float64, got ${dtype}; keep ` +
          'a float32 copy of half precision weights',
      );
    }
    this.checkMatch('grad', grad, param);
    const state = this.state.get(param);
    if (state === undefined) return;
    for (const name of this.slots) {
      const value = state[name];
      if (isTensor(value)) this.checkMatch(name, value, param);
    }
  }

  private checkMatch(name: string, tensor: Tensor, param: Tensor): void {
    tensor.assertLive(this.title);
    const same = tensor.dtype === param.dtype && tensor.backend === param.backend;
    // Kernels walk parameter and states as one run.
    const runs = name === 'grad' || tensor.isContiguous();
    if (same && runs && sameShape(tensor.shape, param.shape)) return;
    const shown = ({ dtype, shape, device }: Tensor) => `${dtype} ${showShape(shape)} on ${device}`;
    throw new ShapeError(
      `${this.title}: '${name}' is ${shown(tensor)}${runs ? '' : ', not contiguous'}; its ` +
        `parameter is ${shown(param)}. Nothing was changed`,
    );
  }

  /** What the kernel is told of a parameter. */
  private enter(entry: Entry, param: Tensor, group: Options): void {
    const state = this.stateOf(param);
    state.step++;
    const grad = param.meta?.grad as Tensor;
    entry.set(param, contiguous(param), contiguous(grad));
    this.prepare(entry, state, param, group);
  }

  private launch(
    entries: readonly Entry[],
    start: number,
    end: number,
    options: StepOptions<K>,
  ): void {
    const launches = Launches.on(entries[start].param.backend);
    try {
      emitStep(launches, this.kernel, entries, options, start, end);
    } finally {
      launches.end();
    }
    for (let i = start; i < end; i++) entries[i].param.storage_.written(this.title);
  }

  protected stateOf(param: Tensor): ParamState & { step: number } {
    let state = this.state.get(param);
    if (state === undefined) {
      state = { step: 0 };
      this.state.set(param, state);
    }
    if (typeof state.step !== 'number') state.step = 0;
    return state as ParamState & { step: number };
  }
}

const contiguous = (x: Tensor) => (x.isContiguous() ? x : x.detach().contiguous());

/** The named state tensor of a parameter, made of `fill` at the first use. */
export function slot(state: ParamState, name: string, param: Tensor, fill = 0): Tensor {
  const known = state[name];
  if (isTensor(known)) return known;
  // Row-major whatever the layout of the parameter: kernels walk both as one run.
  const tensor = param.detach().newFull(param.shape, fill).keep();
  state[name] = tensor;
  return tensor;
}
