import { describe, expect, it } from 'vitest';
import {
  emitStep,
  type StepEntry,
  type StepName,
  type StepOptions,
} from '../../ts/ops/primitives/optim.js';
import type { Tensor } from '../../ts/tensor.js';
import { close, dtypes, input, launcher, type Operand, randoms, read, reset } from './harness.js';

const { float32, float64, int32 } = dtypes;

interface Scalars {
  a?: number;
  b?: number;
  c?: number;
}
/** The step of one element: new parameter and states. */
type Rule = (p: number, g: number, s: number[]) => [number, ...number[]];

const SIZES = [1, 3, 4097, 12];

/** Runs the kernel over several parameters, whole and in pieces, and compares with the rule. */
function check<K extends StepName>(
  name: K,
  states: number,
  scalars: Scalars,
  options: StepOptions<K>,
  rule: Rule,
): void {
  for (const dtype of [float32, float64]) {
    for (const pieces of [1, 5]) {
      reset();
      const run = SIZES.map((size, k) => {
        const param = randoms(size, 1 + k);
        const grad = randoms(size, 20 + k);
        const state = Array.from({ length: states }, (_, i) =>
          randoms(size, 40 + k + 10 * i).map((v) => Math.fround(Math.abs(v) + 0.6)),
        );
        const tensors = [param, grad, ...state].map((v) => input(v, [size], dtype));
        return { param, grad, state, tensors };
      });
      const entries = run.map(({ tensors }) => {
        const [param, grad, ...rest] = tensors as unknown as Tensor[];
        return { param, grad, states: rest, ...scalars } as StepEntry;
      });
      emitStep(launcher(pieces), name, entries, options);
      for (const { param, grad, state, tensors } of run) {
        const expected = param.map((p, i) => {
          return rule(
            p,
            grad[i]!,
            state.map((s) => s[i]!),
          );
        });
        const tolerance = dtype === float32 ? 1e-6 : 1e-14;
        const [out, , ...rest] = tensors as [Operand, Operand, ...Operand[]];
        [out, ...rest].forEach((t, k) => {
          close(
            read(t),
            expected.map((e) => e[k]!),
            tolerance,
            tolerance,
          );
        });
      }
    }
  }
}

const lr = 0.1;
const weightDecay = 0.05;
const eps = 1e-8;

describe('optimiser steps over several parameters', () => {
  it('SGD: plain, momentum, Nesterov, first step, maximize', () => {
    const base = { lr, weightDecay, maximize: false, nesterov: false };
    const decayed = (p: number, g: number) => g + weightDecay * p;
    check('sgdStep', 0, {}, { ...base, momentum: 0, dampening: 0 }, (p, g) => {
      return [p - lr * decayed(p, g)];
    });
    const heavy = { ...base, momentum: 0.9, dampening: 0.3 };
    check('sgdStep', 1, {}, heavy, (p, g, [s]) => {
      const buffer = 0.9 * s! + 0.7 * decayed(p, g);
      return [p - lr * buffer, buffer];
    });
    check('sgdStep', 1, { a: 1 }, heavy, (p, g) => [p - lr * decayed(p, g), decayed(p, g)]);
    const nesterov = { ...heavy, dampening: 0, nesterov: true, maximize: true };
    check('sgdStep', 1, {}, nesterov, (p, g, [s]) => {
      const d = decayed(p, -g);
      const buffer = 0.9 * s! + d;
      return [p - lr * (d + 0.9 * buffer), buffer];
    });
  });

  it('Adam, AdamW, AMSGrad', () => {
    const b = Math.sqrt(1 - 0.99 ** 3);
    const scalars = { a: lr / (1 - 0.9 ** 3), b };
    const options = {
      lr,
      weightDecay,
      eps,
      beta1: 0.9,
      beta2: 0.99,
      maximize: false,
      amsgrad: false,
      decoupled: false,
    };
    const adam = (p: number, g: number, [m0, v0, most]: number[]): [number, ...number[]] => {
      const m = 0.9 * m0! + 0.1 * g;
      const v = 0.99 * v0! + 0.01 * g * g;
      const top = most === undefined ? v : Math.max(v, most);
      const next = p - (scalars.a * m) / (Math.sqrt(top) / b + eps);
      return most === undefined ? [next, m, v] : [next, m, v, top];
    };
    const withDecay: Rule = (p, g, s) => adam(p, g + weightDecay * p, s);
    check('adamStep', 2, scalars, options, withDecay);
    check('adamStep', 3, scalars, { ...options, amsgrad: true }, withDecay);
    check('adamStep', 2, scalars, { ...options, decoupled: true, maximize: true }, (p, g, s) =>
      adam(p * (1 - lr * weightDecay), -g, s),
    );
  });

  it('RMSprop: plain, centered, with momentum', () => {
    const base = { lr, weightDecay: 0, eps, alpha: 0.9, maximize: false };
    const plain = { ...base, momentum: 0, centered: false };
    check('rmspropStep', 1, {}, plain, (p, g, [s]) => {
      const mean = 0.9 * s! + 0.1 * g * g;
      return [p - (lr * g) / (Math.sqrt(mean) + eps), mean];
    });
    // The state starts where the centred variance is positive.
    const centred = { ...base, momentum: 0.8, centered: true, eps: 2 };
    check('rmspropStep', 3, {}, { ...centred, alpha: 0 }, (p, g, [, , u]) => {
      const buffer = 0.8 * u! + g / (Math.sqrt(g * g - g * g) + 2);
      return [p - lr * buffer, g * g, g, buffer];
    });
  });

  it('Adagrad, Adadelta, Adamax', () => {
    const base = { lr, weightDecay: 0, eps, maximize: false };
    check('adagradStep', 1, { a: 0.07 }, base, (p, g, [s]) => {
      const sum = s! + g * g;
      return [p - (0.07 * g) / (Math.sqrt(sum) + eps), sum];
    });
    check('adadeltaStep', 2, {}, { ...base, rho: 0.9 }, (p, g, [s, d]) => {
      const square = 0.9 * s! + 0.1 * g * g;
      const delta = (Math.sqrt(d! + eps) / Math.sqrt(square + eps)) * g;
      return [p - lr * delta, square, 0.9 * d! + 0.1 * delta * delta];
    });
    const betas = { beta1: 0.9, beta2: 0.99 };
    check('adamaxStep', 2, { a: 0.3 }, { ...base, ...betas }, (p, g, [m0, u0]) => {
      const m = 0.9 * m0! + 0.1 * g;
      const u = Math.max(0.99 * u0!, Math.abs(g) + eps);
      return [p - (0.3 * m) / u, m, u];
    });
  });

  it('NAdam, RAdam', () => {
    const options = { lr, weightDecay: 0, eps, maximize: false, beta1: 0.9, beta2: 0.99 };
    const moments = (g: number, [m, v]: number[]) => [0.9 * m! + 0.1 * g, 0.99 * v! + 0.01 * g * g];
    check('nadamStep', 2, { a: 0.2, b: 0.3, c: 0.4 }, options, (p, g, s) => {
      const [m, v] = moments(g, s) as [number, number];
      const root = Math.sqrt(v / 0.4) + eps;
      return [p - (0.2 * g) / root - (0.3 * m) / root, m, v];
    });
    for (const b of [0, 0.6]) {
      check('radamStep', 2, { a: 0.5, b }, options, (p, g, s) => {
        const [m, v] = moments(g, s) as [number, number];
        return [p - (m / 0.5) * lr * (b === 0 ? 1 : b / (Math.sqrt(v) + eps)), m, v];
      });
    }
  });

  it('Rprop, ASGD', () => {
    const sizes = { etaMinus: 0.5, etaPlus: 1.2, least: 0.4, most: 1.5, maximize: false };
    check('rpropStep', 2, {}, sizes, (p, g, [before, size]) => {
      const turn = g * before!;
      const factor = turn > 0 ? 1.2 : turn < 0 ? 0.5 : 1;
      const step = Math.min(1.5, Math.max(0.4, size! * factor));
      const used = turn < 0 ? 0 : g;
      return [p - Math.sign(used) * step, used, step];
    });
    const options = { lr, weightDecay: 0, lambd: 0.01, maximize: false };
    for (const b of [1, 0.25]) {
      check('asgdStep', 1, { a: 0.2, b }, options, (p, g, [mean]) => {
        const next = p * (1 - 0.01 * 0.2) - 0.2 * g;
        return [next, mean! + b * (next - mean!)];
      });
    }
  });

  it('refuses gradients that do not match, and takes empty parameters', () => {
    reset();
    const options = {
      lr,
      weightDecay: 0,
      maximize: false,
      nesterov: false,
      momentum: 0,
      dampening: 0,
    };
    const of = (t: Operand) => t as unknown as Tensor;
    const param = of(input([1, 2], [2], float32));
    const grad = of(input([1, 2], [2], int32));
    const run = (entries: StepEntry[]) => emitStep(launcher(), 'sgdStep', entries, options);
    expect(() => run([{ param, grad, states: [] }])).toThrow(
      /torch.float32 \[2\], got torch.int32/,
    );
    const empty = of(input([], [0], float32));
    run([{ param: empty, grad: empty, states: [] }]);
    run([
      { param: empty, grad: empty, states: [] },
      { param, grad: of(input([10, 20], [2], float32)), states: [] },
    ]);
    close(read(param as unknown as Operand), [0, 0]);
  });
});
