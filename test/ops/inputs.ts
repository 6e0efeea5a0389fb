/** Inputs of tests, and gradients of first and second order by finite differences. */

import { expect } from 'vitest';
import * as torch from '../../ts/index.js';

type Tensor = torch.Tensor;

/** 0, 1, 2... in a shape. */
export const range = (...shape: number[]): Tensor =>
  torch.arange(shape.reduce((a, b) => a * b, 1)).reshape(shape);

/** Normal numbers that gradients are checked with. */
export const precise = (...shape: number[]): Tensor =>
  torch.randn(shape, { dtype: torch.float64, requiresGrad: true });

/** First and second derivatives against differences. */
export function differentiable(f: (...inputs: Tensor[]) => Tensor, ...inputs: Tensor[]): void {
  expect(torch.autograd.gradcheck(f, inputs)).toBe(true);
  expect(torch.autograd.gradgradcheck(f, inputs)).toBe(true);
}
