/** Several tensors as one: concatenation, stacking, and products of lists of tensors. */

import { isGradEnabled } from '../autograd/mode.js';
import { type Grads, Node, setHistory } from '../autograd/node.js';
import type { Dtype } from '../core/dtype.js';
import { DeviceError, ShapeError, showShape, ValueError } from '../core/errors.js';
import { contiguousStrides, normalizeDim, type Shape } from '../core/layout.js';
import { emptyTensor, Tensor } from '../tensor.js';
import { copyInto } from './launch.js';
import { isTensor, resultDtype } from './promote.js';
import { op } from './signature.js';

/** The tensors of a list argument, checked to be such a list and to be on one device. */
function listed(name: string, tensors: unknown): readonly Tensor[] {
  if (!Array.isArray(tensors) || !tensors.every(isTensor)) {
    throw new ValueError(`${name}: expected a list of tensors, as in ${name}([a, b])`);
  }
  if (tensors.length === 0) throw new ValueError(`${name}: expected at least one tensor`);
  const [first] = tensors as Tensor[];
  for (const tensor of tensors as Tensor[]) {
    tensor.assertLive(name);
    if (tensor.backend !== first.backend) {
      throw new DeviceError(
        `${name}: tensors are on different devices, '${first.device}' and '${tensor.device}'. ` +
          `Move them to one: x.to('${first.device}')`,
      );
    }
  }
  return tensors;
}

/** Each part gets the slice of the gradient that it filled. */
class CatBackward extends Node {
  private readonly sizes: readonly number[];
  private readonly dtypes: readonly Dtype[];

  constructor(
    parts: readonly Tensor[],
    private readonly along: number,
  ) {
    super('CatBackward0', 1);
    this.sizes = parts.map((part) => part.shape[along]);
    this.dtypes = parts.map((part) => part.dtype);
    for (const part of parts) this.connect(part);
  }

  run([g]: Grads): Grads {
    if (g === undefined) return [];
    let start = 0;
    return this.sizes.map((size, i) => {
      const from = start;
      start += size;
      return this.needs(i) ? g.narrow(this.along, from, size).to(this.dtypes[i]) : undefined;
    });
  }
}

/** An empty 1-d tensor joins anything, as in PyTorch. */
function isVoid(tensor: Tensor): boolean {
  return tensor.ndim === 1 && tensor.shape[0] === 0;
}

function joinedShape(parts: readonly Tensor[], along: number): Shape {
  const shape = parts[0].shape.slice();
  for (let i = 1; i < parts.length; i++) {
    const own = parts[i].shape;
    if (own.length !== shape.length || own.some((size, d) => d !== along && size !== shape[d])) {
      throw new ShapeError(
        `cat: shapes must agree except along dimension ${along}, got ` +
          `${showShape(parts[0].shape)} and, at position ${i}, ${showShape(own)}`,
      );
    }
    shape[along] += own[along];
  }
  return shape;
}

/** Joins tensors along an existing dimension. Dtypes are promoted; all other sizes must agree. */
export const cat = op('cat', 'tensors, dim', (tensors: readonly Tensor[], dim = 0): Tensor => {
  const all = listed('cat', tensors);
  const dtype = resultDtype(all);
  const filled = all.filter((tensor) => !isVoid(tensor));
  const parts = filled.length === 0 ? all : filled;
  if (parts.some((part) => part.ndim === 0)) {
    throw new ShapeError('cat: 0-d tensors cannot be joined; use stack(), or unsqueeze(0) first');
  }
  const along = normalizeDim(dim, parts[0].ndim, 'cat');
  const shape = joinedShape(parts, along);
  const result = emptyTensor(shape, dtype, parts[0].backend);
  const strides = contiguousStrides(shape);
  let offset = 0;
  for (const part of parts) {
    const place = new Tensor(result.storage_, part.shape, strides, offset, dtype);
    copyInto(place, part);
    place.dispose();
    offset += part.shape[along] * strides[along];
  }
  if (isGradEnabled() && dtype.isFloatingPoint && parts.some((part) => part.requiresGrad)) {
    setHistory(result, new CatBackward(parts, along), 0);
  }
  return result;
});
export const concat = cat;
export const concatenate = cat;
