/** Loss scaling, so that small gradients of float16 do not vanish. */

import { noGrad } from '../autograd/mode.js';
import { DtypeError, StateDictError, ValueError } from '../core/errors.js';
import { scope } from '../core/memory.js';
import { checkOptions } from '../core/options.js';
import { stack } from '../ops/joining.js';
import { isTensor, type Tensor } from '../tensor.js';
import { whenRead } from './reading.js';

export interface GradScalerOptions {
  /** The first scale. Default 65536. */
  initScale?: number;
  /** What the scale is multiplied by after `growthInterval` steps. Default 2. */
  growthFactor?: number;
  /** What it is multiplied by after gradients that are infinite or NaN. Default 0.5. */
  backoffFactor?: number;
  /** Default 2000. */
  growthInterval?: number;
  /** Whether it does anything at all. Default true. */
  enabled?: boolean;
}

/** As PyTorch saves it. */
export interface GradScalerState {
  scale?: number;
  growth_factor?: number;
  backoff_factor?: number;
  growth_interval?: number;
  _growth_tracker?: number;
}

/** The part of an optimiser that scaling needs. */
interface Stepped {
  readonly paramGroups: readonly { readonly params: readonly Tensor[] }[];
  step(closure?: never): unknown;
}

/** What is known of an optimiser's gradients since the last update(). */
interface Found {
  /** Per device: whether all gradients are finite. */
  readonly flags: readonly Tensor[];
  /** Known once step() is done. */
  finite?: boolean;
  stepped: boolean;
}

/** A list of outputs, however nested. */
export type Outputs = Tensor | readonly Outputs[];

/**
 * Scales losses up and gradients back down; steps whose gradients are not finite are left out, and
 * the scale follows:
 *
 *     scaler.scale(loss).backward();
 *     await scaler.step(optimizer);
 *     await scaler.update();
 *
 * Parameters and their gradients are float32 or float64; what is computed from them may be float16.
 * step() and update() are done when they return where tensors can be read at once (the CPU), else
 * they give promises. As torch.cuda.amp.GradScaler; a device name may come first, as in
 * torch.amp.GradScaler.
 */
export class GradScaler {
  private state = {
    scale: 65536,
    growth_factor: 2,
    backoff_factor: 0.5,
    growth_interval: 2000,
    _growth_tracker: 0,
  };
  private readonly enabled: boolean;
  private found = new Map<Stepped, Found>();
  /** Promises given by step() and update() that nobody has seen resolve. */
  private waiting = 0;

  constructor(options?: GradScalerOptions);
  constructor(device: string, options?: GradScalerOptions);
  constructor(first: string | GradScalerOptions = {}, second: GradScalerOptions = {}) {
    const options = typeof first === 'string' ? second : first;
    const names = ['initScale', 'growthFactor', 'backoffFactor', 'growthInterval', 'enabled'];
    checkOptions('GradScaler', options, names);
    this.enabled = options.enabled ?? true;
    const { initScale, growthFactor, backoffFactor, growthInterval } = options;
    this.take({
      scale: initScale,
      growth_factor: growthFactor,
      backoff_factor: backoffFactor,
      growth_interval: growthInterval,
    });
  }

  /** Takes over what is given, once all of it is checked. */
  private take(given: GradScalerState): void {
    const entries = Object.entries(given).filter(([, value]) => value !== undefined);
    const state = { ...this.state, ...Object.fromEntries(entries) };
    const { scale, growth_factor, backoff_factor, growth_interval, _growth_tracker } = state;
    const ok =
      scale > 0 &&
      Number.isFinite(scale) &&
      growth_factor > 1 &&
      backoff_factor > 0 &&
      backoff_factor < 1 &&
      Number.isInteger(growth_interval) &&
      growth_interval > 0 &&
      Number.isInteger(_growth_tracker) &&
      _growth_tracker >= 0;
    if (!ok) {
      throw new ValueError(
        'GradScaler: the scale is positive, growthFactor above 1, backoffFactor in (0, 1) and ' +
          `growthInterval a positive integer, got ${JSON.stringify(state)}`,
      );
    }
    this.state = { ...state, scale: Math.fround(scale) };
  }

  /** Tensors, or lists of them, times the scale. */
  scale<O extends Outputs>(outputs: O): O {
    if (!this.enabled) return outputs;
    if (this.waiting > 0) {
      throw new ValueError(
        'GradScaler: scale() is called before the last step() or update() was done; on this ' +
          'device they give promises: await scaler.step(optimizer); await scaler.update()',
      );
    }
    const apply = (item: Outputs): Outputs =>
      isTensor(item) ? item.mul(this.state.scale) : item.map(apply);
    return apply(outputs) as O;
  }

  /**
   * Divides the gradients of an optimiser by the scale, to look at them or clip them before
   * step(), which else does it. Reads nothing. Once between two calls of update().
   */
  unscale_(optimizer: Stepped): void {
    if (!this.enabled) return;
    const known = this.found.get(optimizer);
    if (known !== undefined) {
      throw new ValueError(
        `GradScaler: unscale_() is called ${known.stepped ? 'after step()' : 'twice'} for an ` +
          'optimiser; call it once, before step(), and update() after all steps',
      );
    }
    const grads = optimizer.paramGroups.flatMap(({ params }) =>
      params.flatMap(({ meta }) => meta?.grad?.detach() ?? []),
    );
    if (grads.some(({ dtype }) => dtype.size < 4)) {
      throw new DtypeError(
        'GradScaler: gradients of half precision lose what scaling saved; keep the parameters in ' +
          'float32, and cast where they are used',
      );
    }
    this.found.set(optimizer, {
      flags: scope(() => noGrad(() => this.unscale(grads))),
      stepped: false,
    });
  }

  private unscale(grads: readonly Tensor[]): Tensor[] {
    const { scale } = this.state;
    const byDevice = new Map<string, Tensor[]>();
    for (const grad of grads) {
      const finite = grad.isfinite().all();
      byDevice.set(grad.device, [...(byDevice.get(grad.device) ?? []), finite]);
      grad.mul_(Math.fround(1 / scale));
    }
    return [...byDevice.values()].map((finite) => stack(finite).all());
  }

  /**
   * Unscales the gradients unless that was done, and calls optimizer.step() if all of them are
   * finite. Gives its result, or a promise where the gradients cannot be looked at at once.
   */
  step<R>(optimizer: Stepped & { step(): R }): R | undefined | Promise<R | undefined>;
  step<R, C>(
    optimizer: Stepped & { step(closure: C): R },
    closure: C,
  ): R | undefined | Promise<R | undefined>;
  step(optimizer: Stepped, ...closures: never[]): unknown {
    if (!this.enabled) return optimizer.step(...closures);
    if (closures.length > 0) {
      throw new ValueError('GradScaler: a closure cannot be used while scaling is enabled');
    }
    if (!this.found.has(optimizer)) this.unscale_(optimizer);
    const found = this.found.get(optimizer) as Found;
    if (found.stepped) {
      throw new ValueError('GradScaler: step() is called twice; call update() after each step');
    }
    found.stepped = true;
    const result = whenRead(found.flags, (flags) => {
      found.finite = flags.every((flag) => flag !== 0);
      return found.finite ? optimizer.step() : undefined;
    });
    return this.watch(result);
  }

  /**
   * Lowers the scale if a gradient was infinite or NaN, raises it after `growthInterval` steps
   * without; or sets it to `newScale`. To be called after all steps of an iteration.
   */
  update(newScale?: number | Tensor): void | Promise<void> {
    if (!this.enabled) return undefined;
    if (newScale !== undefined) {
      return whenRead([newScale], ([scale]) => {
        this.take({ scale });
        this.found.clear();
      });
    }
    if (this.found.size === 0) {
      throw new ValueError('GradScaler: update() is called before step() or unscale_()');
    }
    const all = [...this.found.values()];
    const unknown = all.filter(({ finite }) => finite === undefined).flatMap(({ flags }) => flags);
    const result = whenRead(unknown, (flags) => {
      const known = all.every(({ finite }) => finite !== false);
      this.follow(known && flags.every((flag) => flag !== 0));
      this.found.clear();
    });
    return this.watch(result);
  }

  private watch<R>(result: R): R {
    if (!(result instanceof Promise)) return result;
    this.waiting++;
    return result.finally(() => {
      this.waiting--;
    }) as R;
  }

  private follow(finite: boolean): void {
    const { state } = this;
    const { scale, growth_factor, backoff_factor, growth_interval } = state;
    state._growth_tracker = finite ? state._growth_tracker + 1 : 0;
    if (!finite) state.scale = Math.fround(scale * backoff_factor);
    else if (state._growth_tracker === growth_interval) {
      const grown = Math.fround(scale * growth_factor);
      if (Number.isFinite(grown)) state.scale = grown;
      state._growth_tracker = 0;
    }
  }

  /** The scale now; 1 if not enabled. */
  getScale(): number {
    return this.enabled ? this.state.scale : 1;
  }

  isEnabled(): boolean {
    return this.enabled;
  }

  getGrowthFactor(): number {
    return this.state.growth_factor;
  }

  setGrowthFactor(factor: number): void {
    this.take({ growth_factor: factor });
  }

  getBackoffFactor(): number {
    return this.state.backoff_factor;
  }

  setBackoffFactor(factor: number): void {
    this.take({ backoff_factor: factor });
  }

  getGrowthInterval(): number {
    return this.state.growth_interval;
  }

  setGrowthInterval(interval: number): void {
    this.take({ growth_interval: interval });
  }

  /** As PyTorch's; empty if not enabled. To be taken after update(). */
  stateDict(): GradScalerState {
    return this.enabled ? { ...this.state } : {};
  }

  /** Takes over a state dict, checked before anything changes. */
  loadStateDict(state: GradScalerState): void {
    if (!this.enabled) return;
    const own: GradScalerState = {};
    for (const name of Object.keys(this.state) as (keyof GradScalerState)[]) {
      own[name] = state[name];
      if (typeof state[name] === 'number') continue;
      throw new StateDictError(
        `GradScaler.loadStateDict: ${name} is no number; a scaler that is not enabled saves ` +
          'nothing',
      );
    }
    this.take(own);
  }
}
