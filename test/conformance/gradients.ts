/** Runs backward from recorded cotangents. */

import { dtypeName, findFunction, isTensorValue, type LooseTensor } from './adapter.js';
import type { EncodedTensor } from './format.js';
import { makeTensor } from './values.js';

/** The outputs that the cotangents belong to: the floating ones, or those that require grad. */
function differentiable(outputs: readonly unknown[], count: number): LooseTensor[] {
  const tensors = outputs.filter(isTensorValue);
  const floating = tensors.filter((tensor) => dtypeName(tensor.dtype).includes('float'));
  return floating.length === count ? floating : tensors.filter((tensor) => tensor.requiresGrad);
}

/** Sends the cotangents back from the outputs; returns why that cannot be done. */
export function backward(
  outputs: readonly unknown[],
  cotangents: readonly EncodedTensor[],
  device: string,
): string | undefined {
  if (cotangents.length === 0) return undefined;
  const targets = differentiable(outputs, cotangents.length);
  if (targets.length !== cotangents.length) {
    return `${targets.length} outputs require grad, expected ${cotangents.length}`;
  }
  const index = targets.findIndex((tensor) => !tensor.requiresGrad);
  if (index >= 0) return `output ${index} does not require grad`;
  const gradients = cotangents.map((cotangent) => makeTensor(cotangent, device));
  const many = findFunction('autograd.backward');
  if (targets.length === 1) targets[0]!.backward({ gradient: gradients[0]! });
  else if (many) many(targets, gradients);
  else weighted(targets, gradients).backward();
  return undefined;
}

function weighted(targets: LooseTensor[], gradients: LooseTensor[]): LooseTensor {
  return targets
    .map((target, i) => target.mul(gradients[i]!).sum())
    .reduce((total, term) => total.add(term));
}
