/** The runs that record.py made with PyTorch, made with the library. */

import * as torch from '../../ts/index.js';
import {
  type Cases,
  camel,
  decode,
  type Encoded,
  expectClose,
  gradient,
  parameter,
} from './recorded.js';

export type Saved = torch.optim.OptimizerStateDict;
type SteppedOptimizer = torch.optim.Optimizer<never> & { step(): void };
type OptimizerClass = new (groups: object[], options: object) => SteppedOptimizer;

/** Sets parameters to what was recorded. */
export function restore(params: readonly torch.Tensor[], from: readonly Encoded[]): void {
  params.forEach((param, i) => {
    param.data.copy_(decode(from[i]) as torch.Tensor);
  });
}

/** An optimiser of two groups, and its parameters. */
export function makeOptimizer(name: string, kwargs: Record<string, unknown>) {
  const params = [parameter(0), parameter(1)];
  const Class = torch.optim[name as 'SGD'] as unknown as OptimizerClass;
  const groups = [{ params: [params[0]] }, { params: [params[1]], lr: 0.3 }];
  return { params, optimizer: new Class(groups, camel(kwargs)) };
}

export function steps(
  { params, optimizer }: ReturnType<typeof makeOptimizer>,
  from: number,
  to: number,
): void {
  for (let step = from; step < to; step++) {
    params.forEach((param, i) => {
      param.grad = gradient(i, step);
    });
    optimizer.step();
  }
}

/** LBFGS on Rosenbrock's function of ten parameters. */
export function makeSearch(options: object) {
  const params = [parameter(0), parameter(1)];
  const optimizer = new torch.optim.LBFGS(params, options);
  const closure = () => {
    optimizer.zeroGrad();
    const x = torch.cat(params.map((param) => param.reshape([-1])));
    const [a, b] = [x.narrow(0, 0, 9), x.narrow(0, 1, 9)];
    const loss = b.sub(a.square()).square().mul(100).add(a.neg().add(1).square()).sum().div(50);
    loss.backward();
    return loss;
  };
  return { params, optimizer, step: () => (optimizer.step(closure) as torch.Tensor).itemSync() };
}

type Case = Cases['schedules'][number];
interface AnySchedule {
  step(metric?: number): unknown;
  getLastLr(): number[];
  stateDict(): Record<string, unknown>;
  loadStateDict(state: Record<string, unknown>): void;
}
type ScheduleClass = new (...args: unknown[]) => AnySchedule;
type AnyOptimizer = torch.optim.SGD | torch.optim.Adam;

const LAMBDAS: Record<string, (epoch: number) => number> = {
  slower: (epoch) => 0.95 ** epoch,
  wave: (epoch) => 1 + 0.1 * Math.cos(epoch),
};

function lambdas(value: unknown): unknown {
  return Array.isArray(value) ? value.map(lambdas) : LAMBDAS[value as string];
}

function scheduleOf(
  name: string,
  kwargs: Record<string, unknown>,
  optimizer: AnyOptimizer,
): AnySchedule {
  const options = camel(kwargs);
  for (const key of ['lrLambda', 'scaleFn']) {
    if (key in options) options[key] = lambdas(options[key]);
  }
  const Class = (torch.optim.lrScheduler as unknown as Record<string, ScheduleClass>)[name];
  const { schedulers, ...rest } = options;
  if (schedulers === undefined) return new Class(optimizer, rest);
  const list = (schedulers as [string, Record<string, unknown>][]).map(([kind, own]) =>
    scheduleOf(kind, own, optimizer),
  );
  if (name === 'ChainedScheduler') return new Class(list);
  return new Class(optimizer, list, rest);
}

/** A schedule over two groups. */
export function makeSchedule(one: Case) {
  const groups = [0.5, 0.1].map((lr) => ({
    params: [torch.zeros(1, { requiresGrad: true })],
    lr,
  }));
  const optimizer: AnyOptimizer =
    one.optimizer === 'Adam'
      ? new torch.optim.Adam(groups)
      : new torch.optim.SGD(groups, { lr: 0.5, momentum: 0.9 });
  return { optimizer, rates: scheduleOf(one.schedule, one.kwargs, optimizer) };
}

/** Steps after which the states of schedules were recorded. */
export const STATE_AT = 11;

/** Checks the rates from a step on, and moves on, to the end of the recording or before `to`. */
export function follow(
  { optimizer, rates }: ReturnType<typeof makeSchedule>,
  one: Case,
  from: number,
  to = one.rates.length,
): void {
  for (let step = from; step < to; step++) {
    const groups = [...optimizer.paramGroups];
    const lrs = groups.map((group) => group.lr);
    const momentums = groups.map((group) => ('betas' in group ? group.betas[0] : group.momentum));
    expectClose(lrs, one.rates[step], `rates at ${step}`);
    expectClose(momentums, one.momentums[step], `momentums at ${step}`);
    optimizer.step();
    const metric = Math.sin(step) / (1 + 0.1 * step);
    rates.step(...(one.schedule === 'ReduceLROnPlateau' ? [metric] : []));
  }
}
