/** What JavaScript does with tensors by itself: walking, operators, and names of Python's kind. */

import { ShapeError, ValueError } from '../core/errors.js';
import { Tensor } from '../tensor.js';
import { unbind } from './splitting.js';

declare module '../tensor.js' {
  interface Tensor {
    /** The size of the first dimension. Throws ShapeError without dimensions. */
    readonly length: number;
    /** The slices along the first dimension, as unbind(0) gives them. TypeError without one. */
    [Symbol.iterator](): IterableIterator<Tensor>;
    /** One element as a value, where reading need not wait; more have no operators. */
    [Symbol.toPrimitive](hint: string): number | bigint | boolean | string;
  }
}

function walk(this: Tensor): IterableIterator<Tensor> {
  return unbind(this, 0)[Symbol.iterator]();
}

function toPrimitive(this: Tensor, hint: string): unknown {
  if (hint === 'string') return this.toString();
  if (this.numel() === 1) return this.itemSync();
  throw new ValueError(
    `JavaScript's operators do not work on tensors, got one of shape [${this.shape.join(', ')}]: ` +
      'use a.add(b), a.mul(b), a.eq(b), a.gt(b); String(x) is its text',
  );
}

Object.defineProperties(Tensor.prototype, {
  length: {
    get(this: Tensor) {
      if (this.ndim > 0) return this.shape[0];
      throw new ShapeError(
        'a tensor without dimensions has no length: read it with `await item()`',
      );
    },
  },
  // None without dimensions: test runners compare what can be walked by walking it.
  [Symbol.iterator]: {
    get(this: Tensor) {
      return this.ndim > 0 ? walk : undefined;
    },
  },
  [Symbol.toPrimitive]: { value: toPrimitive },
});

/** A name whose reading or writing, which would pass unseen, says what to do instead. */
function refuse(name: string, what: string): void {
  const fail = () => {
    throw new ValueError(what);
  };
  Object.defineProperty(Tensor.prototype, name, { get: fail, set: fail });
}

for (const index of ['0', '1', '2', '3', '-1']) {
  refuse(
    index,
    `a tensor is not indexed with [${index}]: x.at(${index}) reads, x.setAt([${index}], v) writes`,
  );
}

for (const [name, here] of Object.entries({
  requires_grad: 'requiresGrad',
  grad_fn: 'gradFn',
  is_leaf: 'isLeaf',
})) {
  refuse(name, `a tensor has no '${name}': it is called '${here}' here`);
}
