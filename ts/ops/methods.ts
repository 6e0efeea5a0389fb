/** Makes every function of the families a method of Tensor, in types and at run time. */

import * as backwardFunctions from '../autograd/backward.js';
import { Tensor } from '../tensor.js';
import * as arithmetic from './arithmetic.js';
import * as creation from './creation.js';
import {
  type Binary,
  type BinaryInPlace,
  elementwise,
  type Unary,
  type UnaryInPlace,
} from './elementwise.js';
import * as indexing from './indexing.js';
import * as joining from './joining.js';
import * as linear from './linear.js';
import type { Operand } from './promote.js';
import * as random from './random.js';
import * as rearrange from './rearrange.js';
import * as reductions from './reductions.js';
import * as scans from './scans.js';
import * as shape from './shape.js';
import type { Methods } from './signature.js';
import * as sorting from './sorting.js';

type Arithmetic = Omit<typeof arithmetic, 'where'>;
type Backward = Omit<typeof backwardFunctions, 'grad'>;
type Creation = Pick<
  typeof creation,
  | 'zerosLike'
  | 'onesLike'
  | 'emptyLike'
  | 'fullLike'
  | 'newZeros'
  | 'newOnes'
  | 'newEmpty'
  | 'newFull'
  | 'newTensor'
>;

interface Elementwise
  extends Methods<Unary>,
    Methods<Binary>,
    Methods<UnaryInPlace>,
    Methods<BinaryInPlace> {}

declare module '../tensor.js' {
  interface Tensor
    extends Elementwise,
      Methods<Arithmetic>,
      Methods<Backward>,
      Methods<Creation>,
      Methods<typeof shape>,
      Methods<typeof indexing>,
      Methods<typeof joining>,
      Methods<typeof linear>,
      Methods<typeof random>,
      Methods<typeof rearrange>,
      Methods<typeof reductions>,
      Methods<typeof scans>,
      Methods<typeof sorting> {
    /** This tensor where `condition` is true, else `other`. */
    where(condition: Tensor, other: Operand): Tensor;
    /** Downloads from the device; the tensor itself on the CPU. */
    cpu(): Promise<Tensor>;
  }
}

type AnyFunction = (...args: never[]) => unknown;

/** The prototype method that passes the tensor as the first argument. */
function method(name: string, f: AnyFunction): void {
  const call = f as unknown as (self: Tensor, ...rest: unknown[]) => unknown;
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]) {
      return call(this, ...rest);
    },
    writable: true,
    configurable: true,
  });
}

const families = [
  elementwise,
  arithmetic,
  shape,
  indexing,
  joining,
  linear,
  random,
  rearrange,
  reductions,
  scans,
  sorting,
  creation,
  backwardFunctions,
];

for (const family of families) {
  for (const [name, f] of Object.entries(family)) {
    if (typeof f === 'function' && !(name in Tensor.prototype)) method(name, f as AnyFunction);
  }
}

// Unary methods skip the argument list: they are the ones called most.
for (const [name, f] of Object.entries(elementwise)) {
  if (f.length !== 1) continue;
  const call = f as (self: Tensor) => Tensor;
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor) {
      return call(this);
    },
    writable: true,
    configurable: true,
  });
}

Object.defineProperties(Tensor.prototype, {
  where: {
    value(this: Tensor, condition: Tensor, other: Operand) {
      return arithmetic.where(condition, this, other);
    },
    writable: true,
    configurable: true,
  },
  cpu: {
    async value(this: Tensor) {
      if (this.device === 'cpu') return this;
      return creation.tensor(await this.toArray(), { dtype: this.dtype }).view(this.shape);
    },
    writable: true,
    configurable: true,
  },
});

