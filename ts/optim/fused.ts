/** Optimisers whose step is one kernel call for all parameters of a group. */

import { DtypeError } from '../core/errors.js';
import { Launches } from '../ops/launcher.js';
import {
  emitStep,
  type StepEntry,
  type StepName,
  type StepOptions,
} from '../ops/primitives/optim.js';
import type { Tensor } from '../tensor.js';
import { Optimizer, type ParamGroup, type ParamState } from './optimizer.js';

/** What one parameter's step needs besides its gradient. */
export type Scalars = Omit<StepEntry, 'param' | 'grad'>;

export abstract class FusedOptimizer<
  Options extends object,
  K extends StepName,
> extends Optimizer<Options> {
  protected abstract readonly kernel: K;

  /** The kernel's options for a group. */
  protected abstract options(group: Options): StepOptions<K>;

  /** States and scalars of a parameter for its step number `t` (from 1). */
  protected abstract scalars(
    state: ParamState & { step: number },
    param: Tensor,
    group: Options,
  ): Scalars;

  protected update(group: ParamGroup<Options>): void {
    const byKind = new Map<string, StepEntry[]>();
    const copies: [Tensor, Tensor][] = [];
    for (const param of group.params) {
      // Not through `grad`, which would count as looking at it.
      const grad = param.meta?.grad;
      if (grad === undefined) continue;
      if (!param.dtype.isFloatingPoint || param.dtype.size < 4) {
        throw new DtypeError(
          `${this.constructor.name}: parameters are float32 or float64, got ${param.dtype}; keep ` +
            'a float32 copy of half precision weights',
        );
      }
      const state = this.stateOf(param);
      state.step++;
      let target = param;
      if (!param.isContiguous()) {
        target = param.detach().clone();
        copies.push([param, target]);
      }
      const entry = {
        param: target,
        grad: grad.isContiguous() ? grad : grad.detach().contiguous(),
        ...this.scalars(state, param, group),
      };
      const kind = `${param.device} ${param.dtype}`;
      const list = byKind.get(kind);
      if (list === undefined) byKind.set(kind, [entry]);
      else list.push(entry);
    }
    for (const entries of byKind.values()) {
      const launches = new Launches(entries[0].param.backend, this.kernel);
      emitStep(launches, this.kernel, entries, this.options(group));
      launches.end();
      for (const { param } of entries) param.storage_.written(`${this.constructor.name}.step`);
    }
    for (const [param, changed] of copies) param.detach().copy_(changed);
  }

  private stateOf(param: Tensor): ParamState & { step: number } {
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
  let tensor = state[name];
  if (typeof tensor !== 'object' && typeof tensor !== 'function') {
    tensor = param.detach().fullLike(fill).keep();
    state[name] = tensor;
  }
  return tensor;
}
