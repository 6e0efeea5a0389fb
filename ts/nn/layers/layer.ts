/** What built-in layers share. */

import { getDefaultDtype } from '../../core/dtype.js';
import type { Shape } from '../../core/layout.js';
import { deviceOf } from '../../device/registry.js';
import { emptyTensor, type Tensor } from '../../tensor.js';
import type { FactoryOptions } from '../arguments.js';
import { Module } from '../module.js';
import { Parameter } from '../parameter.js';

/** A parameter of unset elements: every layer fills its own. */
export function unset(shape: Shape, { device, dtype }: FactoryOptions): Parameter {
  return new Parameter(unsetTensor(shape, { device, dtype }));
}

export function unsetTensor(shape: Shape, { device, dtype }: FactoryOptions): Tensor {
  return emptyTensor(shape, dtype ?? getDefaultDtype(), deviceOf(device ?? 'cpu'));
}

/** Registers the parameters of a layer, in order; null keeps a name free. */
export function setParameters(
  layer: Module,
  parameters: Readonly<Record<string, Parameter | null>>,
): void {
  for (const name in parameters) layer.registerParameter(name, parameters[name]);
}

/** A layer from one tensor to another; it may be called with { input } too. */
export abstract class Layer extends Module {
  static override readonly forwardArguments: string = 'input';

  abstract override forward(input: Tensor): Tensor;
}
