/** Optimisers whose step is one kernel call for all parameters of a group. */

import { enableGrad, noGrad } from '../autograd/mode.js';
import { float32 } from '../core/dtype.js';
import { DtypeError } from '../core/errors.js';
import { sameShape } from '../core/layout.js';
import { scope } from '../core/memory.js';
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

/** What one parameter's step needs besides its gradient. */
export type Scalars = Omit<StepEntry, 'param' | 'grad'>;

/** An optimiser with a step kernel: subclasses name it, and say what it takes. */
export abstract class FusedOptimizer<
  Options extends object,
  K extends StepName,
> extends Optimizer<Options> {
  protected abstract readonly kernel: K;

  /** Names of the tensors a parameter can have as its state. */
  protected abstract readonly slots: readonly string[];

  /** The kernel's options for a group. */
  protected abstract options(group: Options): StepOptions<K>;

  /** States and scalars of a parameter for step number `state.step` (from 1). */
  protected abstract scalars(
    state: ParamState & { step: number },
    param: Tensor,
    group: Options,
  ): Scalars;

  /**
   * Changes all parameters by their gradients. A closure, if given, computes the loss and its
   * gradients first (with recording on) and its result is returned.
   */
  step<R = undefined>(closure?: () => R): R | undefined {
    const loss = closure === undefined ? undefined : enableGrad(closure);
    noGrad(() => {
      for (const group of this.paramGroups) this.update(group);
    });
    return loss;
  }

  private update(group: ParamGroup<Options>): void {
    // Not through `grad`, which would count as looking at it.
    const params = group.params.filter((param) => param.meta?.grad !== undefined);
    for (const param of params) this.checkDtype(param);
    scope(() => {
      const copies: [Tensor, Tensor][] = [];
      /** By device and dtype. */
      const kinds: StepEntry[][] = [];
      for (const param of params) {
        const target = param.isContiguous() ? param : param.detach().contiguous();
        if (target !== param) copies.push([param, target]);
        const entry = this.entry(param, target, group);
        const { backend, dtype } = param;
        const alike = kinds.find(([{ param: p }]) => p.backend === backend && p.dtype === dtype);
        if (alike === undefined) kinds.push([entry]);
        else alike.push(entry);
      }
      for (const entries of kinds) this.launch(entries, this.options(group));
      for (const [param, changed] of copies) param.detach().copy_(changed);
    });
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

  private checkDtype({ dtype }: Tensor): void {
    if (dtype.isFloatingPoint && dtype.size >= 4) return;
    throw new DtypeError(
      `${this.constructor.name}: parameters are float32 or float64, got ${dtype}; keep ` +
        'a float32 copy of half precision weights',
    );
  }

  /** What the kernel is told of a parameter; `target` is what it changes. */
  private entry(param: Tensor, target: Tensor, group: Options): StepEntry {
    const state = this.stateOf(param);
    state.step++;
    const given = param.meta?.grad as Tensor;
    const grad = given.isContiguous() ? given : given.detach().contiguous();
    const { states, a, b, c } = this.scalars(state, param, group);
    return { param: target, grad, states, a, b, c };
  }

  private launch(entries: readonly StepEntry[], options: StepOptions<K>): void {
    const launches = Launches.on(entries[0].param.backend);
    try {
      emitStep(launches, this.kernel, entries, options);
    } finally {
      launches.end();
    }
    const written = `${this.constructor.name}.step`;
    for (const { param } of entries) param.storage_.written(written);
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

/** The named state tensor of a parameter, made of `fill` at the first use. */
export function slot(state: ParamState, name: string, param: Tensor, fill = 0): Tensor {
  const known = state[name];
  if (isTensor(known)) return known;
  // Row-major whatever the layout of the parameter: kernels walk both as one run.
  const tensor = param.detach().newFull(param.shape, fill).keep();
  state[name] = tensor;
  return tensor;
}
