/** L-BFGS: steps along quasi-Newton directions, which evaluates the loss as often as it needs. */

import { enableGrad } from '../autograd/mode.js';
import { ValueError } from '../core/errors.js';
import { scope } from '../core/memory.js';
import { cat } from '../ops/joining.js';
import { isTensor, type Tensor } from '../tensor.js';
import { type Point, type Steps, strongWolfe } from './line_search.js';
import {
  checkRange,
  type Given,
  type GivenGroup,
  Optimizer,
  type Params,
  POSITIVE,
  type StateKind,
} from './optimizer.js';
import { drive, type Reading } from './reading.js';

export interface LBFGSOptions {
  /** Default 1. */
  lr: number;
  /** Iterations of one step. Default 20. */
  maxIter: number;
  /** Evaluations of the closure in one step. Default maxIter * 1.25. */
  maxEval: number;
  /** Ends a step when no element of the gradient is larger. Default 1e-7. */
  toleranceGrad: number;
  /** Ends a step when parameters or loss change less. Default 1e-9. */
  toleranceChange: number;
  /** How many past directions are kept, each as large as the parameters. Default 100. */
  historySize: number;
  /** How far to go along a direction: by `lr` (null, the default) or by a search. */
  lineSearchFn: 'strong_wolfe' | null;
}

/** What is remembered between iterations and steps, in PyTorch's names. */
type Memory = {
  func_evals: number;
  n_iter: number;
  d?: Tensor;
  t?: Reading;
  old_dirs: Tensor[];
  old_stps: Tensor[];
  ro: Reading[];
  H_diag: Reading;
  prev_flat_grad?: Tensor;
  prev_loss?: number;
};

const KINDS: Readonly<Record<string, StateKind>> = {
  func_evals: 'number',
  n_iter: 'number',
  d: 'tensor',
  t: 'number',
  old_dirs: 'list of tensors',
  old_stps: 'list of tensors',
  ro: 'list of numbers',
  H_diag: 'number',
  prev_flat_grad: 'tensor',
  prev_loss: 'number',
};

/** Where an iteration stands: the loss, its gradient, and the largest element of that. */
interface Place {
  readonly loss: number;
  readonly grad: Tensor;
  readonly steepest: number;
}

function largest(tensor: Tensor): Tensor {
  return tensor.abs().max();
}

function evaluated<L>(closure: () => L): L & Reading {
  const loss = enableGrad(closure);
  if (isTensor(loss) || typeof loss === 'number') return loss;
  throw new ValueError(`LBFGS: the closure returns the loss, got ${String(loss)}`);
}

/** The two-loop recursion: the inverse Hessian that the history tells of, times -grad. */
function direction(grad: Tensor, { old_dirs, old_stps, ro, H_diag }: Memory): Tensor {
  return scope(() => {
    const q = grad.neg();
    const weights = old_dirs.map(() => q);
    for (let i = old_dirs.length - 1; i >= 0; i--) {
      weights[i] = old_stps[i].dot(q).mul(ro[i]);
      q.addcmul_(old_dirs[i], weights[i], -1);
    }
    const d = q.mul(H_diag);
    old_dirs.forEach((y, i) => {
      d.addcmul_(old_stps[i], weights[i].sub(y.dot(d).mul(ro[i])));
    });
    return d;
  });
}

/**
 * Limited-memory BFGS after minFunc. `step(closure)` takes a synchronous closure that zeroes the
 * gradients, computes the loss, calls backward() and returns the loss; it is called up to `maxEval`
 * times, and more in a line search. Gives the first loss: at once where losses can be read at once
 * (the CPU), else a promise of it. All parameters are in one group, on one device. Liu and
 * Nocedal, 1989.
 */
export class LBFGS extends Optimizer<LBFGSOptions> {
  constructor(params: Params<LBFGSOptions>, options: Given<LBFGSOptions> = {}) {
    const { maxIter = 20 } = options;
    const counts = { maxIter, maxEval: Math.floor(maxIter * 1.25), historySize: 100 };
    const sizes = { lr: 1, toleranceGrad: 1e-7, toleranceChange: 1e-9 };
    super(params, { ...sizes, ...counts, lineSearchFn: null }, options);
  }

  protected override check(options: LBFGSOptions): void {
    const tolerances = { toleranceGrad: POSITIVE, toleranceChange: POSITIVE };
    const counts = { maxIter: POSITIVE, maxEval: POSITIVE, historySize: POSITIVE };
    checkRange('LBFGS', options, { lr: POSITIVE, ...tolerances, ...counts });
    const { maxIter, maxEval, historySize, lineSearchFn } = options;
    if (![maxIter, maxEval, historySize].every(Number.isInteger) || historySize < 1) {
      throw new ValueError(
        `LBFGS: maxIter, maxEval and historySize are integers, and some history is kept; got ` +
          `${maxIter}, ${maxEval} and ${historySize}`,
      );
    }
    if (lineSearchFn === null || lineSearchFn === 'strong_wolfe') return;
    throw new ValueError(`LBFGS: lineSearchFn is 'strong_wolfe' or null, got ${lineSearchFn}`);
  }

  override addParamGroup(group: GivenGroup<LBFGSOptions>): void {
    if (this.paramGroups.length > 0) {
      throw new ValueError('LBFGS: all parameters are in one group; give them as one list');
    }
    super.addParamGroup(group);
  }

  private get params(): readonly Tensor[] {
    return this.paramGroups[0].params;
  }

  protected override kindOfState(name: string): StateKind | undefined {
    return Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
  }

  protected override fits(tensor: Tensor): boolean {
    const size = this.params.reduce((sum, param) => sum + param.numel(), 0);
    return tensor.numel() === 1 || (tensor.ndim === 1 && tensor.numel() === size);
  }

  override step<L extends Reading>(closure: () => L): L | Promise<L> {
    if (typeof closure !== 'function') {
      throw new ValueError(
        'LBFGS: step() takes a closure that computes the loss and its gradients and returns the ' +
          'loss',
      );
    }
    return drive(this.steps(closure));
  }

  private *steps<L extends Reading>(closure: () => L): Steps<L> {
    const group = this.paramGroups[0];
    const memory = this.memory();
    const first = evaluated(closure);
    let place = yield* this.placeAt(first);
    memory.func_evals++;
    if (place.steepest <= group.toleranceGrad) return first;
    let evals = 1;
    for (let i = 1; i <= group.maxIter; i++) {
      memory.n_iter++;
      const d = yield* this.turn(memory, place);
      const [slope, reach, sum] = yield [place.grad.dot(d), largest(d), place.grad.abs().sum()];
      const t = memory.n_iter === 1 ? Math.min(1, 1 / sum) * group.lr : group.lr;
      memory.t = t;
      if (slope > -group.toleranceChange) break;
      const before = place.loss;
      const start = { ...place, t: 0, slope };
      const moved = yield* this.move(closure, start, { d, t, reach, isLast: i === group.maxIter });
      place = moved.place;
      memory.t = moved.t;
      memory.func_evals += moved.evals;
      evals += moved.evals;
      const small = reach * Math.abs(moved.t) <= group.toleranceChange;
      const still = Math.abs(place.loss - before) < group.toleranceChange;
      const optimal = place.steepest <= group.toleranceGrad;
      if (evals >= group.maxEval || optimal || small || still) break;
    }
    return first;
  }

  /** What is remembered, which as in PyTorch is the state of the first parameter. */
  private memory(): Memory {
    const empty = { func_evals: 0, n_iter: 0, old_dirs: [], old_stps: [], ro: [], H_diag: 1 };
    const state = this.state.get(this.params[0]) ?? {};
    for (const [name, value] of Object.entries(empty)) state[name] ??= value;
    this.state.set(this.params[0], state);
    return state as unknown as Memory;
  }

  /** All gradients as one vector of its own. */
  private gradient(): Tensor {
    return scope(() =>
      cat(
        this.params.map((param) => {
          const grad = param.meta?.grad ?? param.detach().zerosLike();
          return grad.detach().clone().reshape([-1]);
        }),
      ),
    );
  }

  private *placeAt(loss: Reading): Steps<Place> {
    const grad = this.gradient();
    const [value, steepest] = yield [loss, largest(grad)];
    return { loss: value, grad, steepest };
  }

  /** Learns from the last move, and gives the direction of the next. */
  private *turn(memory: Memory, { loss, grad }: Place): Steps<Tensor> {
    const { d, t, prev_flat_grad: before } = memory;
    if (memory.n_iter === 1 || d === undefined || t === undefined || before === undefined) {
      Object.assign(memory, { old_dirs: [], old_stps: [], ro: [], H_diag: 1 });
    } else {
      const [y, s] = [grad.sub(before).keep(), d.mul(t).keep()];
      const [ys, yy] = yield [y.dot(s), y.dot(y)];
      if (ys > 1e-10) {
        const { old_dirs, old_stps, ro } = memory;
        const full = old_dirs.length >= this.paramGroups[0].historySize;
        if (full) for (const list of [old_dirs, old_stps, ro]) list.shift();
        old_dirs.push(y);
        old_stps.push(s);
        ro.push(1 / ys);
        memory.H_diag = ys / yy;
      }
    }
    const next = direction(grad, memory).keep();
    Object.assign(memory, { d: next, prev_flat_grad: grad.keep(), prev_loss: loss });
    return next;
  }

  /** Adds t times the direction to the parameters. */
  private advance(d: Tensor, t: number): void {
    scope(() => {
      let start = 0;
      for (const param of this.params) {
        const part = d.narrow(0, start, param.numel()).view(param.shape);
        param.detach().add_(part, { alpha: t });
        start += param.numel();
      }
    });
  }

  /** Goes along `d`: by `t`, or as far as the line search says. */
  private *move(
    closure: () => Reading,
    start: Point & Place,
    { d, t, reach, isLast }: { d: Tensor; t: number; reach: number; isLast: boolean },
  ): Steps<{ place: Place; t: number; evals: number }> {
    const { lineSearchFn, toleranceChange } = this.paramGroups[0];
    if (lineSearchFn === null) {
      this.advance(d, t);
      if (isLast) return { place: start, t, evals: 0 };
      return { place: yield* this.placeAt(evaluated(closure)), t, evals: 1 };
    }
    const origin = this.params.map((param) => param.detach().clone());
    const back = () => {
      this.params.forEach((param, i) => {
        param.detach().copy_(origin[i]);
      });
    };
    const point = (at: number): Steps<Point> => this.pointAt(closure, d, at, back);
    const found = yield* strongWolfe(point, start, t, reach, toleranceChange);
    this.advance(d, found.point.t);
    for (const copy of origin) copy.dispose();
    const [steepest] = yield [largest(found.point.grad)];
    return { place: { ...found.point, steepest }, t: found.point.t, evals: found.evals };
  }

  /** Loss and gradient at `t` along `d`; the parameters are put back. */
  private *pointAt(closure: () => Reading, d: Tensor, t: number, back: () => void): Steps<Point> {
    this.advance(d, t);
    let loss: Reading;
    try {
      loss = evaluated(closure);
    } catch (error) {
      back();
      throw error;
    }
    const grad = this.gradient();
    back();
    const [value, slope] = yield [loss, grad.dot(d)];
    return { t, loss: value, grad, slope };
  }
}
