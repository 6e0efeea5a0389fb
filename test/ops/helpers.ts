/** What the tests of operators share. */

import { expect } from 'vitest';
import * as torch from '../../ts/index.js';

/** The elements as nested arrays, untyped so that they can be compared with anything. */
// biome-ignore lint/suspicious/noExplicitAny: nested arrays of any depth.
export function list(x: torch.Tensor): any {
  return x.tolistSync();
}

/** The elements in order, as numbers. */
export function values(x: torch.Tensor | null): number[] {
  if (x === null) throw new Error('there is no tensor');
  return Array.from(x.dataSync(), Number);
}

/** A float32 tensor, also from whole numbers. */
export function floats(data: torch.TensorData): torch.Tensor {
  return torch.tensor(data, { dtype: torch.float32 });
}

/** A leaf with these elements that requires gradients. */
export function wanting(x: torch.Tensor): torch.Tensor {
  return x.detach().requiresGrad_();
}

/** Expects a typed error with a message. */
export function refuses(
  call: () => unknown,
  kind: new (...args: never[]) => Error,
  message: RegExp,
): void {
  let error: unknown;
  try {
    call();
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(kind);
  expect((error as Error).message).toMatch(message);
}
