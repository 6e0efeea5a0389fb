/** Eager launches of elementwise kernels, copies, fills and casts. Nothing is recorded here. */

import { type Dtype, encodeElement, encodeFitting, int64 } from '../core/dtype.js';
import { DeviceError, ShapeError, showShape } from '../core/errors.js';
import {
  broadcastStrides,
  denseStrides,
  Geometry,
  isDenseLayout,
  type LoopLayout,
  memoryOrder,
  overlapsPartly,
  rowMajor,
  type Shape,
  sameShape,
  simplifyLayouts,
} from '../core/layout.js';
import { giveBack, lend1 } from '../core/lend.js';
import { LaunchBlock } from '../device/device.js';
import { emptyTensor, stridesLike, type Tensor } from '../tensor.js';
import { isTensor, type Operand } from './promote.js';

/** The one block all eager launches are written into. */
export const block = new LaunchBlock();

const kernelNames = new Map<string, Record<string, string>>();

/** `exp` and float32 give 'exp_f32'; built once per pair. */
export function kernelName(op: string, suffix: string): string {
  let names = kernelNames.get(op);
  if (names === undefined) {
    names = {};
    kernelNames.set(op, names);
  }
  names[suffix] ??= `${op}_${suffix}`;
  return names[suffix];
}

function writeScalar(dtype: Dtype, value: number | bigint | boolean): void {
  if (dtype === int64) block.long(encodeElement(int64, value) as bigint);
  else if (dtype.name === 'float64') block.double(Number(value));
  else if (dtype.name === 'float32') {
    block.float(Number(value));
    block.word(0);
  } else {
    block.word(Number(value));
    block.word(0);
  }
}

/** How an elementwise result lies: in its operands' order of dimensions, without gaps. */
export function resultGeometry(shape: Shape, operands: readonly Operand[]): Geometry {
  let plain: Geometry | undefined;
  for (const x of operands) {
    if (!isTensor(x)) continue;
    const own = x.geometry;
    if (!own.contiguous) return new Geometry(shape, mixedStrides(shape, operands));
    if (own.shared && own.shape === shape) plain = own;
  }
  return plain ?? rowMajor(shape);
}

function mixedStrides(shape: Shape, operands: readonly Operand[]): number[] {
  const lists = operands.flatMap((x) =>
    isTensor(x) ? [broadcastStrides(x.shape, x.strides, shape)] : [],
  );
  return denseStrides(shape, lists);
}

/** Whether every tensor operand is contiguous with the shape of the output. */
function allContiguous(operands: readonly Operand[], out: Tensor): boolean {
  if (!out.isContiguous()) return false;
  for (const operand of operands) {
    if (!isTensor(operand)) return false;
    if (operand.geometry === out.geometry) continue;
    if (!operand.isContiguous() || !sameShape(operand.shape, out.shape)) return false;
  }
  return true;
}

/** MAX_NDIM of kernels/elementwise.h. */
const MOST_DIMS = 32;

const ZERO_STRIDES = new Map<number, number[]>();

function zeros(count: number): number[] {
  let list = ZERO_STRIDES.get(count);
  if (list === undefined) {
    list = new Array<number>(count).fill(0);
    ZERO_STRIDES.set(count, list);
  }
  return list;
}

/**
 * Launches one elementwise kernel. Tensor operands have the compute dtype (or are masks); numbers
 * become immediates of the block. `out` has the broadcast shape, in any layout. The kernel of
 * another `suffix` takes tensors as they are stored; one that casts what is `stored` in another
 * dtype than it computes in takes rows and, in the dtype it computes in, single elements.
 */
export function launchPointwise(
  op: string,
  compute: Dtype,
  operands: readonly Operand[],
  scalars: readonly number[],
  out: Tensor,
  suffix = compute.suffix as string,
  stored = compute,
): void {
  const count = out.numel();
  if (count === 0) return;
  const code = stored === compute ? 0 : stored.code << 8;
  launchStrided(kernelName(op, suffix), compute, operands, scalars, out, count, code);
}

function launchStrided(
  kernel: string,
  compute: Dtype,
  operands: readonly Operand[],
  scalars: readonly number[],
  out: Tensor,
  count: number,
  code = 0,
): void {
  block.begin(kernel);
  if (code === 0 && allContiguous(operands, out)) writeFlat(compute, operands, scalars, out);
  else if (out.isContiguous() && areRows(operands, out.shape))
    writeRow(compute, operands, scalars, out, code);
  else writeStrided(compute, operands, scalars, out);
  block.range = count;
  block.bytes = count * (operands.length + 1) * compute.size;
  out.backend.launch(block);
}

/** Operands whose elements follow one another, in one order. */
function writeFlat(
  compute: Dtype,
  operands: readonly Operand[],
  scalars: readonly number[],
  out: Tensor,
): void {
  for (let i = 0; i < operands.length; i++) {
    const operand = operands[i] as Tensor;
    block.buffer(operand.storage_, operand.offset * operand.dtype.size);
  }
  block.buffer(out.storage_, out.offset * out.dtype.size);
  for (let i = 0; i < scalars.length; i++) writeScalar(compute, scalars[i]);
  block.word(0);
}

/** Whether all elements are one number, such as those of an expanded scalar. */
export function isSingle({ shape, strides }: Tensor): boolean {
  for (let d = 0; d < shape.length; d++) if (shape[d] !== 1 && strides[d] !== 0) return false;
  return true;
}

/** Whether operands are contiguous or single numbers, so that no layout need be looked at. */
export function areRows(operands: readonly Operand[], shape: Shape): boolean {
  for (const operand of operands) {
    if (!isTensor(operand)) continue;
    if (operand.isContiguous() && sameShape(operand.shape, shape)) continue;
    if (!isSingle(operand)) return false;
  }
  return true;
}

/** One dimension, in which single numbers stand still. */
function writeRow(
  compute: Dtype,
  operands: readonly Operand[],
  scalars: readonly number[],
  out: Tensor,
  code: number,
): void {
  const header = 2 * operands.length + 2 * scalars.length + 4;
  writeBuffers(operands, out, header);
  for (let i = 0; i < scalars.length; i++) writeScalar(compute, scalars[i]);
  block.word(code + 1);
  block.word(out.numel());
  for (const operand of operands) block.word(isTensor(operand) && !isSingle(operand) ? 1 : 0);
  block.word(1);
  writeImmediates(compute, operands, header);
}

/** The buffers; immediates will follow the `header` words, two words each, aligned to 8 bytes. */
function writeBuffers(operands: readonly Operand[], out: Tensor, header: number): void {
  let immediate = header + (header & 1);
  block.reserve(immediate + 2 * operands.length);
  for (const operand of operands) {
    if (isTensor(operand)) {
      block.buffer(operand.storage_, operand.offset * operand.dtype.size);
    } else {
      block.buffer(undefined, immediate * 4);
      immediate += 2;
    }
  }
  block.buffer(out.storage_, out.offset * out.dtype.size);
}

function writeImmediates(compute: Dtype, operands: readonly Operand[], header: number): void {
  if (header & 1) block.word(0);
  for (const operand of operands) if (!isTensor(operand)) writeScalar(compute, operand);
}

/** The loop over the operands, along memory: the output's if it is not row-major. */
function loopOf(operands: readonly Operand[], out: Tensor): LoopLayout {
  const shape = out.shape;
  const strides = operands.map((operand) =>
    isTensor(operand)
      ? sameShape(operand.shape, shape)
        ? operand.strides
        : broadcastStrides(operand.shape, operand.strides, shape)
      : zeros(shape.length),
  );
  if (out.isContiguous()) return simplifyLayouts(shape, [...strides, out.strides]);
  const order = memoryOrder(shape, [out.strides, ...strides]).reverse();
  return simplifyLayouts(
    order.map((d) => shape[d]),
    [...strides, out.strides].map((list) => order.map((d) => list[d])),
  );
}

function writeStrided(
  compute: Dtype,
  operands: readonly Operand[],
  scalars: readonly number[],
  out: Tensor,
): void {
  const loop = loopOf(operands, out);
  if (loop.shape.length === 0) {
    loop.shape.push(1);
    for (const list of loop.strides) list.push(1);
  }
  if (loop.shape.length === 1 && loop.strides.every(([stride]) => stride === 1)) {
    if (operands.every(isTensor)) {
      writeFlat(compute, operands, scalars, out);
      return;
    }
  }
  const ndim = loop.shape.length;
  if (ndim > MOST_DIMS) {
    throw new ShapeError(
      `a layout of ${ndim} dimensions that do not merge is walked in no kernel, only of up to ` +
        `${MOST_DIMS}: shape ${showShape(out.shape)}`,
    );
  }
  const header = operands.length + 1 + 2 * scalars.length + 1 + ndim * (operands.length + 2);
  writeBuffers(operands, out, header);
  for (let i = 0; i < scalars.length; i++) writeScalar(compute, scalars[i]);
  block.word(ndim);
  for (const size of loop.shape) block.word(size);
  for (const list of loop.strides) for (const stride of list) block.word(stride);
  writeImmediates(compute, operands, header);
}

/** The kernels that copy elements of so many bytes. */
const COPIES: readonly string[] = Array.from({ length: 9 }, (_, size) => `copy_b${size}`);
const NO_SCALARS: readonly number[] = [];

/** Copies elements between tensors of one dtype and one (broadcast) shape. */
function launchCopy(source: Operand, out: Tensor): void {
  const count = out.numel();
  if (count === 0) return;
  const operands = lend1(source);
  launchStrided(COPIES[out.dtype.size], out.dtype, operands, NO_SCALARS, out, count);
  giveBack(operands);
}

/** The elements in row-major order, or with other dense strides, in a storage of their own. */
export function contiguousCopy(x: Tensor, strides?: readonly number[]): Tensor {
  const out = emptyTensor(x.shape, x.dtype, x.backend, strides);
  launchCopy(x, out);
  return out;
}

/** The elements in the order they lie in, without gaps, in a storage of their own. */
export const denseCopy = (x: Tensor): Tensor => contiguousCopy(x, stridesLike(x));

/** The tensor itself if its elements fill a piece of memory, else a copy that does. */
export const dense = (x: Tensor): Tensor =>
  x.isContiguous() || isDenseLayout(x.shape, x.strides) ? x : denseCopy(x);

/** As denseCopy(), under another dtype. */
export function cast(x: Tensor, dtype: Dtype): Tensor {
  if (x.dtype === dtype) return denseCopy(x);
  const source = dense(x);
  try {
    const out = emptyTensor(x.shape, dtype, x.backend, stridesLike(source));
    // Devices may store the dtype asked for as the one there is.
    if (out.dtype === source.dtype) launchCopy(source, out);
    else if (out.numel() > 0) launchCast(source, out);
    return out;
  } finally {
    if (source !== x) source.dispose();
  }
}

function launchCast(source: Tensor, out: Tensor): void {
  block.begin('cast_any');
  block.buffer(source.storage_, source.offset * source.dtype.size);
  block.buffer(out.storage_, 0);
  block.word(source.dtype.code);
  block.word(out.dtype.code);
  block.range = out.numel();
  block.bytes = block.range * (source.dtype.size + out.dtype.size);
  out.backend.launch(block);
}

/** Whether writing `target` could change elements of `x` before they are read. */
export function spoils(target: Tensor, x: Tensor): boolean {
  return target.storage_ === x.storage_ && overlapsPartly(target, x);
}

/** Writes `source` (broadcast, cast) into the elements of `target`. */
export function copyInto(target: Tensor, source: Tensor): void {
  const from = source.backend;
  const into = target.backend;
  if (from !== into) {
    const gone = from.failure ?? into.failure;
    throw gone ?? new DeviceError(`a tensor on '${from.type}' is written into '${into.type}'`);
  }
  if (source.dtype === target.dtype && !spoils(target, source)) {
    launchCopy(source, target);
    return;
  }
  const converted = cast(source, target.dtype);
  launchCopy(converted, target);
  converted.dispose();
}

/** Writes one value into all elements of `target`. */
export function fillWith(target: Tensor, value: number | bigint | boolean): void {
  if (target.numel() === 0) return;
  const encoded = encodeFitting(target.dtype, value);
  launchCopy(encoded, target);
}
