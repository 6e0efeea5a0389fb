/** Parameters: tensors that a module trains. */

import { Tensor } from '../tensor.js';

/**
 * A tensor that belongs to a module: found by `parameters()`, listed in the state dict. It shares
 * the memory of `data` and requires gradients unless told otherwise (floating point data only).
 */
export class Parameter extends Tensor {
  constructor(data: Tensor, requiresGrad = true) {
    super(data.storage_, data.shape, data.strides, data.offset, data.dtype);
    this.keep();
    if (requiresGrad) this.requiresGrad_();
  }

  override toString(): string {
    return `Parameter containing:\n${this.describe('tensor')}`;
  }
}
