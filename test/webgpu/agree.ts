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
  /** Allowed: atol + rtol * |expected|. Default 1e-5 each. */
  readonly rtol?: number;
  readonly atol?: number;
  /** The CPU computes in float32 too, and every bit but those of a NaN must be the same. */
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

function check(label: string, found: Tensor, expected: Tensor, options: AgreeOptions): void {
  const { rtol = 1e-5, atol = 1e-5, exact = false } = options;
  expect(found.shape, label).toEqual(expected.shape);
  if (!expected.isFloatingPoint() || exact) expect(found.dtype, label).toBe(expected.dtype);
  const values = found.double().flatten().tolistSync() as number[];
  const wanted = expected.double().flatten().tolistSync() as number[];
  const bad = values.findIndex((value, i) => {
    if (Object.is(value, wanted[i])) return false;
    if (exact || !found.isFloatingPoint()) return true;
    return (
      value !== wanted[i] && !(Math.abs(value - wanted[i]) <= atol + rtol * Math.abs(wanted[i]))
    );
  });
  const verdict = bad < 0 ? 'agrees' : `${values[bad]} instead of ${wanted[bad]} at ${bad}`;
  expect(verdict, label).toBe('agrees');
}

/** Expects that the GPU computes from `inputs` (CPU, float32 or int32) what the CPU does. */
export async function agree(
  inputs: readonly Tensor[],
  compute: Compute,
  options: AgreeOptions = {},
): Promise<void> {
  const { exact = false, gradients = true } = options;
  const wide = inputs.map((x) => (x.isFloatingPoint() && !exact ? x.double() : x));
  const expected = evaluate(wide, compute, gradients);
  const onGpu = inputs.map((x) => x.to('webgpu'));
  const results = evaluate(onGpu, compute, gradients);
  expect(results.length).toBe(expected.length);
  const found = await Promise.all(results.map((x) => x.cpu()));
  found.forEach((x, i) => {
    check(`${inputs.map((t) => `[${t.shape}]`).join(' ')} result ${i}`, x, expected[i], options);
  });
}
