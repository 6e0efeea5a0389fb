/** What record.py wrote, and the formulas it shares with the tests. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { dtypes } from '../../ts/core/dtype.js';
import * as torch from '../../ts/index.js';

export interface Encoded {
  tensor: torch.DtypeName;
  shape: number[];
  data: number[];
}

type State = Record<string, unknown>;
interface SavedOptimizer {
  state: Record<string, State>;
  param_groups: (State & { params: number[] })[];
}

export interface Cases {
  optimizers: {
    optimizer: string;
    kwargs: State;
    state: SavedOptimizer;
    half: Encoded[];
    final: Encoded[];
  }[];
  lbfgs: {
    kwargs: State;
    losses: number[];
    state: SavedOptimizer;
    half: Encoded[];
    final: Encoded[];
    evals: number;
    iterations: number;
  }[];
  schedules: {
    schedule: string;
    kwargs: State;
    optimizer: 'SGD' | 'Adam';
    rates: number[][];
    momentums: number[][];
    state: State;
    groups: State[];
  }[];
  restarts: [mult: number, epoch: number, rate: number][];
  norms: { norm: number | string; max: number; total: Encoded; grads: Encoded[] }[];
}

const path = fileURLToPath(new URL('./cases.json.gz', import.meta.url));
export const cases = JSON.parse(gunzipSync(readFileSync(path)).toString()) as Cases;

/** Steps after which states were recorded; as many follow. */
export const HALF = 4;
export const SHAPES = [[2, 3], [4]];

function formula(which: number, value: (i: number) => number, dtype: torch.Dtype): torch.Tensor {
  const count = SHAPES[which].reduce((a, b) => a * b);
  return torch
    .tensor(
      Array.from({ length: count }, (_, i) => value(i)),
      { dtype },
    )
    .view(SHAPES[which]);
}

export function parameter(which: number, dtype = torch.float64): torch.Tensor {
  return formula(which, (i) => Math.cos(1.7 * i + which), dtype).requiresGrad_();
}

export function gradient(which: number, step: number, dtype = torch.float64): torch.Tensor {
  return formula(which, (i) => Math.sin(1.3 * i + 0.7 * step + which), dtype);
}

function isEncoded(value: unknown): value is Encoded {
  return typeof value === 'object' && value !== null && 'tensor' in value;
}

/** Recorded values as the library's: tensors made, infinities numbers. */
export function decode(value: unknown): unknown {
  if (isEncoded(value)) {
    return torch.tensor(value.data, { dtype: dtypes[value.tensor] }).view(value.shape);
  }
  if (Array.isArray(value)) return value.map(decode);
  if (value === 'inf' || value === '-inf') return value === 'inf' ? 1 / 0 : -1 / 0;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, decode(item)]));
}

/** Options by the library's names. */
export function camel(kwargs: State): State {
  const name = (key: string) => key.replace(/(?<=.)_([a-zA-Z0-9])/g, (_, c) => c.toUpperCase());
  return Object.fromEntries(Object.entries(kwargs).map(([key, value]) => [name(key), value]));
}

/** Expects the same structure, with numbers equal up to rounding. */
export function expectClose(
  actual: unknown,
  expected: unknown,
  where: string,
  relative = 1e-12,
): void {
  const given = actual instanceof torch.Tensor ? encode(actual) : actual;
  if (given === expected) return;
  if (typeof expected === 'number') {
    const bound = relative * Math.max(1, Math.abs(expected));
    const difference = Math.abs(Number(given) - expected);
    expect(difference <= bound, `${where}: ${given}, expected ${expected}`).toBe(true);
  } else if (Array.isArray(expected)) {
    expect((given as unknown[]).length, where).toBe(expected.length);
    expected.forEach((item, i) => {
      expectClose((given as unknown[])[i], item, `${where}[${i}]`, relative);
    });
  } else if (typeof expected === 'object' && expected !== null) {
    const entries = given instanceof Map ? Object.fromEntries(given) : given;
    for (const [key, item] of Object.entries(expected)) {
      const own = (entries as State)[key];
      // A number rounded to float32 differs by that rounding.
      const f32 = isEncoded(item) && item.tensor === 'float32' ? 1e-7 : relative;
      expectClose(own, item, `${where}.${key}`, f32);
    }
  } else expect(given, where).toBe(expected);
}

function encode(tensor: torch.Tensor): Encoded {
  const data = Array.from(tensor.dataSync(), Number);
  return { tensor: tensor.dtype.name, shape: [...tensor.shape], data };
}
