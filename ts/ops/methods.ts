/** Makes every function of the families a method of Tensor, in types and at run time. */

import * as backwardFunctions from '../autograd/backward.js';
import { ShapeError, showShape } from '../core/errors.js';
import { Tensor } from '../tensor.js';
import * as arithmetic from './arithmetic.js';
import * as convert from './convert.js';
import * as creation from './creation.js';
import {
  type Binary,
  type BinaryInPlace,
  elementwise,
  type Unary,
  type UnaryInPlace,
} from './elementwise.js';
import * as indexing from './indexing.js';
import './javascript.js';
import * as linear from './linear.js';
import type { Operand } from './promote.js';
import * as random from './random.js';
import * as rearrange from './rearrange.js';
import * as reductions from './reductions.js';
import * as scans from './scans.js';
import * as shape from './shape.js';
import type { Methods } from './signature.js';
import * as sorting from './sorting.js';
import * as splitting from './splitting.js';

type Arithmetic = Omit<typeof arithmetic, 'where'>;
type Backward = Omit<typeof backwardFunctions, 'grad'>;
/** The creation functions that start from a tensor. */
const fromTensor = {
  zerosLike: creation.zerosLike,
  onesLike: creation.onesLike,
  emptyLike: creation.emptyLike,
  fullLike: creation.fullLike,
  newZeros: creation.newZeros,
  newOnes: creation.newOnes,
  newEmpty: creation.newEmpty,
  newFull: creation.newFull,
  newTensor: creation.newTensor,
};

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
      Methods<typeof fromTensor>,
      Methods<typeof convert>,
      Methods<typeof shape>,
      Methods<typeof indexing>,
      Methods<typeof linear>,
      Methods<typeof random>,
      Methods<typeof rearrange>,
      Methods<typeof reductions>,
      Methods<typeof scans>,
      Methods<typeof sorting>,
      Methods<typeof splitting> {
    /** All dimensions in reverse order. */
    readonly T: Tensor;
    /** Matrices with their last two dimensions exchanged. */
    readonly mT: Tensor;
    /** A matrix with its dimensions exchanged (elements are real). */
    readonly H: Tensor;
    /** As mT (elements are real). */
    readonly mH: Tensor;
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
  convert,
  shape,
  indexing,
  linear,
  random,
  rearrange,
  reductions,
  scans,
  sorting,
  splitting,
  fromTensor,
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

function reversed(this: Tensor): Tensor {
  return shape.permute(
    this,
    this.shape.map((_, d) => this.ndim - 1 - d),
  );
}

/** The getter of a transpose of matrices; H takes one matrix only. */
function matrices(name: string): (this: Tensor) => Tensor {
  return function (this: Tensor) {
    if (this.ndim === 0 || this.ndim === 2) return reversed.call(this);
    if (this.ndim > 2 && name !== 'H') return shape.transpose(this, -2, -1);
    throw new ShapeError(
      `${name}: expected ${name === 'H' ? 'a matrix' : 'matrices'}, got shape ` +
        `${showShape(this.shape)}`,
    );
  };
}

Object.defineProperties(Tensor.prototype, {
  where: {
    value(this: Tensor, condition: Tensor, other: Operand) {
      return arithmetic.where(condition, this, other);
    },
    writable: true,
    configurable: true,
  },
  T: { get: reversed, configurable: true },
  mT: { get: matrices('mT'), configurable: true },
  H: { get: matrices('H'), configurable: true },
  mH: { get: matrices('mH'), configurable: true },
  cpu: {
    async value(this: Tensor) {
      if (this.device === 'cpu') return this;
      return creation.tensor(await this.toArray(), { dtype: this.dtype }).view(this.shape);
    },
    writable: true,
    configurable: true,
  },
});
