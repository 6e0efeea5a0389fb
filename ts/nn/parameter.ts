/** Parameters: tensors that a module trains. */

import { checkTensor } from '../core/errors.js';
import { Tensor } from '../tensor.js';

/**
 * A tensor that belongs to a module: found by `parameters()`, listed in the state dict. It shares
 * the memory of `data` and requires gradients unless told otherwise (floating point data only).
 */
export class Parameter extends Tensor {
  constructor(data: Tensor, requiresGrad = true) {
    checkTensor('Parameter', data);
    super(data.storage_, data.geometry, data.offset, data.dtype);
    this.keep();
    if (requiresGrad) this.requiresGrad_();
  }

  /** @internal Takes other elements, of any dtype and device, and its gradient likewise. */
  become(change: (tensor: Tensor) => Tensor): void {
    const { grad } = this;
    const next = change(this).detach();
    this.grad = null;
    // One object before and after, which an optimiser may hold; its dtype is only fixed for users.
    (this as { dtype: Tensor['dtype'] }).dtype = next.dtype;
    next.storage_.retain();
    this.storage_.release();
    this.storage_ = next.storage_;
    this.setLayout(next.geometry, next.offset);
    if (grad !== null) this.grad = change(grad);
  }

  override toString(): string {
    return `Parameter containing:\n${this.describe('tensor')}`;
  }
}
