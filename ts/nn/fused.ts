/** Modules that one kernel computes together. */

import { hidden } from '../core/memory.js';
import { linearRelu } from '../ops/products.js';
import { isTensor } from '../ops/promote.js';
import type { Tensor } from '../tensor.js';
import * as F from './functional.js';
import { isHooked } from './hooks.js';
import { ReLU } from './layers/activation.js';
import { Linear } from './layers/linear.js';
import { library, type Module } from './module.js';
import { STATE } from './state_dict.js';

/** Whether a module of the library's is as it was made, and nobody sees its calls. */
function isPlain(module: Module): boolean {
  return library.get(module.constructor) === module.forward && !isHooked(module[STATE].call);
}

/**
 * What `next` makes of what `first` makes of the input, where one kernel gives the same bits and
 * nobody can tell; else undefined, and nothing was done.
 */
export function together(first: Module, next: unknown, input: Tensor): Tensor | undefined {
  if (first.constructor !== Linear || !isPlain(first) || !isTensor(input)) return undefined;
  const last = next as Module | undefined;
  if (next !== F.relu && (last?.constructor !== ReLU || !isPlain(last))) return undefined;
  const { weight, bias } = first as Linear;
  return hidden(linearRelu, undefined, [input, weight, bias]);
}
