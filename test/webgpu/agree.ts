/** The GPU against the CPU: what both compute, with gradients, compared value by value. */

import { beforeAll, beforeEach, describe, expect } from 'vitest';
import * as torch from '../../ts/index.js';
import type { Tensor } from '../../ts/tensor.js';
import { startGpu } from './gpu.js';

/**
 * Tests that need a GPU; without one the file says so and runs none of them, or fails if the
 * environment says ISOTORCH_GPU=required.
 */
export async function withGpu(name: string, tests: () => void): Promise<void> {
  const absent = await startGpu();
  if (absent !== undefined) {
    if (process.env.ISOTORCH_GPU === 'required') throw new Error(`${name}: ${absent}`);
    console.warn(`${name}: not run, ${absent}`);
  }
  // scripts/test.mjs prints the reason before its last line.
  const meta = absent === undefined ? {} : { notRun: 'Node has no WebGPU adapter' };
  describe.runIf(absent === undefined)(name, { meta }, () => {
    beforeEach(() => {
      torch.manualSeed(20);
    });
    tests();
  });
}

/** Everything that device and kernels have a use for. */
export const FEATURES = ['immediates', 'shader-f16', 'subgroups', 'tiles', 'timestamp-query'];

/** A device of its own, with these optional features where they are to be had. */
export async function restart(options: torch.webgpu.WebGpuOptions): Promise<void> {
  torch.webgpu.destroy();
  await torch.webgpu.synchronize().catch(() => {});
  await torch.webgpu.init(options);
}

/** Tests that need a GPU, with all its optional features and with none: the fallbacks. */
export function withFeatures(name: string, tests: () => void): Promise<void> {
  return withGpu(name, () => {
    describe.each([
      ['with every optional feature', FEATURES],
      ['without optional features', []],
    ])('%s', (_, features) => {
      beforeAll(() => restart({ features }));
      tests();
    });
  });
}

export type Compute = (...inputs: Tensor[]) => Tensor | readonly Tensor[];

export interface AgreeOptions {
  /** Every bit but those of a NaN is that of the CPU in the dtype of the inputs. */
  readonly exact?: boolean;
  /** Compare the gradients of a weighted sum of the results too. Default true. */
  readonly gradients?: boolean;
}

/** Results of `compute` and gradients of the inputs. */
function evaluate(inputs: readonly Tensor[], compute: Compute, gradients: boolean): Tensor[] {
  const leaves = inputs.map((x) => x.detach().requiresGrad_(gradients && x.isFloatingPoint()));
  const computed = compute(...leaves);
  const results = Array.isArray(computed) ? [...computed] : [computed as Tensor];
  const grown = results.filter((x: Tensor) => x.requiresGrad);
  if (grown.length === 0) return results;
  const terms = grown.map((x: Tensor) => {
    const weights = torch.arange(x.numel(), { dtype: torch.float32 }).mul(0.7).sin();
    return x.mul(weights.view(x.shape).to(x)).sum();
  });
  terms.reduce((a: Tensor, b: Tensor) => a.add(b)).backward();
  for (const leaf of leaves) if (leaf.grad) results.push(leaf.grad);
  return results;
}

/** Four times what PyTorch allows float32, of the value. */
const RELATIVE = 4 * 1.3e-6;
const ABSOLUTE = 1e-5;

const listed = (x: Tensor) => x.double().flatten().tolistSync() as number[];

/** How far values are from others at most, where these are numbers. */
function farthest(values: readonly number[], wanted: readonly number[]): number {
  return values.reduce((most, value, i) => {
    const off = Math.abs(value - (wanted[i] as number));
    return Number.isFinite(off) ? Math.max(most, off) : most;
  }, 0);
}

/** `narrow` is what the CPU computes in the dtype of the inputs. */
function check(
  label: string,
  found: Tensor,
  expected: Tensor,
  narrow: Tensor,
  exact: boolean,
): void {
  expect(found.shape, label).toEqual(expected.shape);
  if (!expected.isFloatingPoint() || exact) expect(found.dtype, label).toBe(expected.dtype);
  const [values, wanted] = [listed(found), listed(expected)];
  const atol = ABSOLUTE + 4 * farthest(listed(narrow), wanted);
  const bad = values.findIndex((value, i) => {
    if (Object.is(value, wanted[i])) return false;
    if (exact || !found.isFloatingPoint()) return true;
    return (
      value !== wanted[i] && !(Math.abs(value - wanted[i]) <= atol + RELATIVE * Math.abs(wanted[i]))
    );
  });
  const verdict = bad < 0 ? 'agrees' : `${values[bad]} instead of ${wanted[bad]} at ${bad}`;
  expect(verdict, label).toBe('agrees');
}

/**
 * Expects that the GPU computes from `inputs` (on the CPU) what the CPU does in float64: within
 * four times what PyTorch allows float32, and four times what the CPU is off in the dtype of the
 * inputs (long sums, quotients of small differences).
 */
export async function agree(
  inputs: readonly Tensor[],
  compute: Compute,
  options: AgreeOptions = {},
): Promise<void> {
  const { exact = false, gradients = true } = options;
  const wide = inputs.map((x) => (x.isFloatingPoint() ? x.double() : x));
  const narrow = evaluate(inputs, compute, gradients);
  const expected = exact ? narrow : evaluate(wide, compute, gradients);
  const onGpu = inputs.map((x) => x.to('webgpu'));
  const results = evaluate(onGpu, compute, gradients);
  expect(results.length).toBe(expected.length);
  const found = await Promise.all(results.map((x) => x.cpu()));
  found.forEach((x, i) => {
    const label = `${inputs.map((t) => `[${t.shape}]`).join(' ')} result ${i}`;
    check(label, x, expected[i] as Tensor, narrow[i] as Tensor, exact);
  });
}
