/**
 * The gate: every operator of the table passes here. It checks, promotes, broadcasts, allocates,
 * launches, and records for backward.
 */

import { isGradEnabled } from '../autograd/mode.js';
import { setHistory } from '../autograd/node.js';
import { OpNode } from '../autograd/op_node.js';
import {
  bool,
  Category,
  computeDtype,
  type Dtype,
  encodeFitting,
  int32,
  int64,
  toFloating,
} from '../core/dtype.js';
import {
  DeviceError,
  DtypeError,
  OutOfMemoryError,
  showShape,
  showValue,
  ValueError,
} from '../core/errors.js';
import {
  broadcastShapes,
  geometryOf,
  type Layout,
  rowMajor,
  type Shape,
  sameShape,
  sized,
} from '../core/layout.js';
import { giveBack, lend, lend1 } from '../core/lend.js';
import type { Device } from '../device/device.js';
import { emptyOf, Tensor } from '../tensor.js';
import { emit } from './emit.js';
import { gradients } from './gradients.js';
import { checkResult } from './inplace.js';
import type { KernelDtype } from './kernel.js';
import {
  areRows,
  cast,
  contiguousCopy,
  copyInto,
  denseCopy,
  isSingle,
  launchPointwise,
  resultGeometry,
  spoils,
} from './launch.js';
import { Launches } from './launcher.js';
import { nodeName, publicName } from './node_names.js';
import { type PointwiseName, type PointwiseRow, pointwise } from './pointwise.js';
import { isTensor, type Operand, resultDtype } from './promote.js';
import type { Primitive } from './row.js';
import type { GradientRow } from './rule.js';
import { type AttributesOf, type OpName, type PrimitiveName, primitives } from './table.js';
import { type ViewName, views } from './views.js';

const NO_SCALARS: readonly number[] = [];

/** The device all tensor operands are on. */
function commonDevice(op: string, operands: readonly (Operand | undefined)[]): Device {
  let device: Device | undefined;
  for (const operand of operands) {
    if (!isTensor(operand)) continue;
    operand.assertLive(op);
    const own = operand.backend;
    if (device === undefined) device = own;
    else if (own !== device) {
      const gone = device.failure ?? own.failure;
      if (gone !== undefined) throw gone;
      throw new DeviceError(
        `${op}: tensors are on different devices, '${device.type}' and '${own.type}'. ` +
          `Move them to one: x.to('${device.type}')`,
      );
    }
  }
  if (device === undefined) throw new DtypeError(`${op}: expected at least one tensor`);
  return device;
}

/** Plain JavaScript may hand in anything; what is no number would be computed with as NaN. */
function checkOperand(op: string, operand: unknown): void {
  if (isTensor(operand)) return;
  const kind = typeof operand;
  if (kind === 'number' || kind === 'bigint' || kind === 'boolean') return;
  const got = Array.isArray(operand) ? 'an array; use torch.tensor()' : showValue(operand);
  throw new ValueError(`${op}: expected a tensor or a number, got ${got}`);
}

/** The error; memory that ran out says in which operator it did, and on which shapes. */
function located(error: unknown, op: string, operands: readonly unknown[]): unknown {
  if (error instanceof OutOfMemoryError && error.message.startsWith('out of')) {
    const shapes = operands.flatMap((x) => (isTensor(x) ? showShape(x.shape) : []));
    error.message = `${op} of ${shapes.join(' and ')}: ${error.message}`;
  }
  return error;
}

function checkDomain(
  name: string,
  row: PointwiseRow,
  promoted: Dtype,
  operands: readonly Operand[],
): void {
  if (row.noBool !== undefined && (row.inputs > 1 || promoted === bool)) {
    refuseBool(name, operands, row.noBool);
  }
  if (row.domain === 'int' && promoted.category === Category.Float) {
    throw new DtypeError(
      `${name}: defined for integer and bool tensors, got ${promoted}; cast with int() first`,
    );
  }
}

/** Throws if an operand is bool, whatever it would be promoted to. */
export function refuseBool(name: string, operands: readonly Operand[], hint: string): void {
  for (const x of operands) {
    if (typeof x === 'boolean' || (x as Tensor).dtype === bool) {
      throw new DtypeError(`${name}: not defined for bool tensors; ${hint}`);
    }
  }
}

/** An operand as the kernel wants it: in its dtype, and not overlapping what is written. */
function prepare(op: string, operand: Operand, want: Dtype, target: Tensor | undefined): Operand {
  if (!isTensor(operand)) {
    if (want === int32) encodeFitting(int32, operand);
    return want === bool ? Number(Boolean(operand)) : operand;
  }
  if (want === bool && operand.dtype !== bool) {
    throw new DtypeError(`${op}: the condition is a bool tensor, got ${operand.dtype}; use ne(0)`);
  }
  if (operand.dtype !== want) return cast(operand, want);
  return target !== undefined && spoils(target, operand) ? contiguousCopy(operand) : operand;
}

// As core/lend.ts, where every nanosecond counts: one list, which calls within the call do without.
let unary: Operand[] | undefined;
let binary: Operand[] | undefined;

/** Runs an elementwise operator of one operand, or of two. */
export function applyUnary(name: PointwiseName, x: Operand): Tensor {
  const operands = unary ?? [0];
  unary = undefined;
  operands[0] = x;
  try {
    return applyPointwise(name, operands);
  } finally {
    operands[0] = 0;
    unary = operands;
  }
}

export function applyBinary(name: PointwiseName, x: Operand, y: Operand): Tensor {
  const operands = binary ?? [0, 0];
  binary = undefined;
  operands[0] = x;
  operands[1] = y;
  try {
    return applyPointwise(name, operands);
  } finally {
    operands[0] = 0;
    operands[1] = 0;
    binary = operands;
  }
}

/**
 * Runs an elementwise operator. With `target` the result is written there (in place); the caller
 * has checked that it may be. Returns the result: then the target, or if the operation was
 * recorded, another handle on it.
 */
export function applyPointwise(
  name: PointwiseName,
  operands: readonly Operand[],
  scalars: readonly number[] = NO_SCALARS,
  target?: Tensor,
  op: string = publicName(name),
): Tensor {
  const row: PointwiseRow = pointwise[name];
  for (const operand of operands) checkOperand(op, operand);
  const device = commonDevice(op, operands);
  const masks = row.masks;
  const valued = masks === undefined ? operands : without(operands, masks);
  const given = resultDtype(valued);
  const promoted = given === bool && row.boolAsInt ? int32 : given;
  checkDomain(op, row, promoted, operands);
  if (given === bool && target === undefined && device.addressable) {
    const result = ofWords(name, operands);
    if (result !== undefined) return result;
  }
  if (row.keepsIntegers && promoted.category !== Category.Float) {
    return target?.bare() ?? denseCopy(operands[0] as Tensor);
  }
  const result = row.domain === 'real' ? toFloating(promoted) : promoted;
  const compute = computeDtype(result);
  const shape = shapeOf(operands, op);
  const suffix =
    compute === result ? undefined : packedSuffix(device, result, valued, operands, shape, target);
  const taken = suffix === undefined ? compute : result;
  const raw = row.result === 'bool' ? bool : taken;
  const final = row.result === 'bool' ? bool : result;
  if (target !== undefined) checkResult(op, target, shape, final);
  const direct = target !== undefined && target.dtype === raw;
  // The operands themselves, unless one is not as the kernel wants it: no garbage.
  let prepared = operands;
  let out: Tensor;
  if (compute === int32) {
    for (const scalar of scalars) if (Number.isInteger(scalar)) encodeFitting(int32, scalar);
  }
  try {
    for (let i = 0; i < operands.length; i++) {
      const want = masks?.includes(i) ? bool : takenAs(operands[i], taken, compute, device);
      const ready = prepare(op, operands[i], want, direct ? target : undefined);
      if (ready !== operands[i]) prepared = prepared.with(i, ready);
    }
    out = direct ? target : emptyOf(resultGeometry(shape, prepared), raw, device);
    const stored = device.packsRows ? taken : compute;
    launchPointwise(row.kernel ?? name, compute, prepared, scalars, out, suffix, stored);
  } catch (error) {
    throw located(error, op, operands);
  } finally {
    for (let i = 0; prepared !== operands && i < prepared.length; i++) {
      const operand = prepared[i];
      if (operand !== operands[i] && isTensor(operand)) operand.dispose();
    }
  }
  const outcome = land(out, final, target, op, direct);
  if (!isGradEnabled() || final.category !== Category.Float || !anyRequires(operands)) {
    return outcome;
  }
  const recorded = target === undefined ? outcome : target.bare();
  recordOne(name, operands, recorded, scalarAttributes(row, scalars));
  return recorded;
}

/** What combines four bools at once, where their bytes are 0 or 1. */
const WORDS: { readonly [K in PointwiseName]?: PointwiseName } = {
  logicalAnd: 'bitwiseAnd',
  logicalOr: 'bitwiseOr',
  logicalXor: 'bitwiseXor',
  logicalNot: 'bitwiseXor',
  bitwiseAnd: 'bitwiseAnd',
  bitwiseOr: 'bitwiseOr',
  bitwiseXor: 'bitwiseXor',
};
const FOUR_TRUE = 0x01010101;

/** An operator of contiguous bool tensors of one shape, word by word; undefined: not so. */
function ofWords(name: PointwiseName, operands: readonly Operand[]): Tensor | undefined {
  const row = WORDS[name];
  const [x, y] = operands;
  if (row === undefined || !haveWords(x) || !(y === undefined || haveWords(y))) return undefined;
  if (y !== undefined && !sameShape(x.shape, y.shape)) return undefined;
  const left = asWords(x);
  const right = y === undefined ? FOUR_TRUE : asWords(y);
  try {
    const words = applyBinary(row, left, right);
    const result = Tensor.of(words.storage_, rowMajor(x.shape), 0, bool);
    words.dispose();
    return result;
  } finally {
    left.recycle();
    if (isTensor(right)) right.recycle();
  }
}

function haveWords(x: Operand): x is Tensor {
  if (!isTensor(x) || !x.isContiguous() || x.storage_.mixesBools) return false;
  return x.offset % 4 === 0 && x.numel() % 4 === 0;
}

function asWords(x: Tensor): Tensor {
  return Tensor.lent(x.storage_, sized(x.numel() / 4), x.offset / 4, int32);
}

/** The shape that the operands broadcast to. */
function shapeOf(operands: readonly Operand[], op: string): Shape {
  let shape: Shape | undefined;
  for (const operand of operands) {
    if (!isTensor(operand)) continue;
    shape = shape === undefined ? operand.shape : broadcastShapes(shape, operand.shape, op);
  }
  return shape as Shape;
}

// Closures are functions apart: where one could be made, every call makes what it would see.
function without(operands: readonly Operand[], masks: readonly number[]): readonly Operand[] {
  return operands.filter((_, i) => !masks.includes(i));
}

/** The suffix of kernels that take the operands as they are stored, if all are so. */
function packedSuffix(
  device: Device,
  dtype: Dtype,
  valued: readonly Operand[],
  operands: readonly Operand[],
  shape: Shape,
  target: Tensor | undefined,
): KernelDtype | undefined {
  const suffix = device.packed?.get(dtype);
  if (suffix === undefined) return undefined;
  if (!valued.every((x) => !isTensor(x) || x.dtype === dtype)) return undefined;
  if (!device.packsRows) return suffix;
  const fits = areRows(operands, shape) && !operands.some(isRepeated);
  return fits && (target?.isContiguous() ?? true) ? suffix : undefined;
}

/** Whether one number stands for several elements, which a cast would write out. */
function isRepeated(operand: Operand): boolean {
  return isTensor(operand) && operand.numel() !== 1 && isSingle(operand);
}

/** The dtype a kernel wants an operand in: beside rows, single elements in the one it computes in. */
function takenAs(operand: Operand, taken: Dtype, compute: Dtype, device: Device): Dtype {
  if (taken === compute || !device.packsRows) return taken;
  return !isTensor(operand) || isSingle(operand) ? compute : taken;
}

/** The result under its final dtype: cast back, or brought into the target. */
function land(
  out: Tensor,
  final: Dtype,
  target: Tensor | undefined,
  op: string,
  direct: boolean,
): Tensor {
  if (target === undefined) return out.dtype === final ? out : exchange(out, final);
  if (!direct) {
    try {
      copyInto(target, out);
    } finally {
      out.dispose();
    }
  }
  if (!target.untracked) target.storage_.written(op);
  return target;
}

/** A temporary under another dtype, instead of it. */
function exchange(temporary: Tensor, dtype: Dtype): Tensor {
  try {
    return cast(temporary, dtype);
  } finally {
    temporary.dispose();
  }
}

function scalarAttributes(row: PointwiseRow, scalars: readonly number[]): object {
  if (row.scalars === undefined) return NO_ATTRIBUTES;
  const attributes: Record<string, number> = {};
  row.scalars.forEach((scalar, i) => {
    attributes[scalar] = scalars[i];
  });
  return attributes;
}

const NO_ATTRIBUTES = Object.freeze({});

function isSize(size: number): boolean {
  return Number.isInteger(size) && size >= 0;
}

/**
 * Runs a view operator: the same storage under another layout. The attributes may change after the
 * call: what is recorded is a copy.
 */
export function applyView<K extends ViewName>(
  name: K,
  x: Tensor,
  attributes: AttributesOf<K>,
): Tensor {
  x.assertLive(publicName(name));
  return viewOf(name, x, attributes);
}

/** applyView() also of a tensor that was disposed, while others have its storage. */
export function viewOf<K extends ViewName>(
  name: K,
  x: Tensor,
  attributes: AttributesOf<K>,
): Tensor {
  const row = views[name] as { layout(input: Layout, attributes: AttributesOf<K>): Layout };
  const { shape, strides, offset } = row.layout(x, attributes);
  if (!Number.isInteger(offset) || !shape.every(isSize)) {
    throw new ValueError(
      `${publicName(name)}: positions and sizes are integers; those given would make a view of ` +
        `shape ${showShape(shape)} at ${offset}`,
    );
  }
  const result = Tensor.of(x.storage_, geometryOf(shape, strides), offset, x.dtype);
  result.untracked = x.untracked;
  if (x.dtype.category !== Category.Float) return result;
  if (isGradEnabled()) {
    if (x.requiresGrad) recordAs(name, x, result, { ...attributes });
    // Also while nothing requires grad yet: writing a value that does through the view must reach
    // the base.
    result.autograd().show(x.meta?.base ?? x, x.meta?.unrecordedView ?? false);
  } else if (x.meta !== undefined) {
    result.autograd().show(x.meta.base ?? x, true);
  }
  return result;
}

/** Runs an operator with kernels of its own. Absent optional inputs are undefined. */
export function applyPrimitive<K extends PrimitiveName>(
  name: K,
  inputs: readonly (Tensor | undefined)[],
  attributes: AttributesOf<K>,
): Tensor[] {
  const row = primitives[name] as unknown as Primitive<AttributesOf<K>>;
  const op = publicName(name);
  const device = commonDevice(op, inputs);
  const promoted = promotedInput(row, inputs);
  const compute = row.dtypes === 'any' ? promoted : computeDtype(promoted);
  const launches = Launches.on(device);
  let outputs: Tensor[];
  const prepared = lend<Tensor>(inputs.length);
  try {
    const program = device.programs?.[name];
    const packed = device.packed?.has(promoted)
      ? storedAs(promoted, program?.packed, inputs)
      : undefined;
    for (let i = 0; i < inputs.length; i++) {
      const taken = packed?.includes(i) ? promoted : compute;
      const input = inputs[i];
      const ready = input && prepareInput(op, row, input, i, taken, launches);
      prepared[i] = ready as Tensor;
    }
    const runs = (program ?? row) as typeof row;
    outputs = emit(launches, device, row, runs, prepared, attributes, compute, packed && promoted);
  } catch (error) {
    throw located(error, op, inputs);
  } finally {
    launches.end();
    giveBack(prepared);
  }
  // What is computed in another dtype than it has; positions have their own.
  for (let i = 0; promoted !== compute && i < outputs.length; i++) {
    const final = outputs[i].dtype !== compute || row.positions?.includes(i);
    if (!final) outputs[i] = exchange(outputs[i], promoted);
  }
  if (isGradEnabled() && anyRequires(inputs)) record(name, inputs, outputs, attributes as object);
  return outputs;
}

/** The positions, if the inputs there all have the dtype. */
function storedAs(
  dtype: Dtype,
  positions: readonly number[] | undefined,
  inputs: readonly (Tensor | undefined)[],
): readonly number[] | undefined {
  return positions?.every((i) => inputs[i]?.dtype === dtype) ? positions : undefined;
}

function promotedInput(row: Primitive<never>, inputs: readonly (Tensor | undefined)[]): Dtype {
  let first: Dtype | undefined;
  let alike = true;
  for (let i = 0; i < inputs.length; i++) {
    const input = inputs[i];
    if (input === undefined || row.index?.includes(i) || row.mask?.includes(i)) continue;
    first ??= input.dtype;
    alike &&= input.dtype === first;
  }
  const promoted = alike && first !== undefined ? first : valuedDtype(row, inputs);
  return row.dtypes === 'real' && !promoted.isFloatingPoint ? toFloating(promoted) : promoted;
}

/** The dtype that inputs which hold values promote to. */
function valuedDtype(row: Primitive<never>, inputs: readonly (Tensor | undefined)[]): Dtype {
  const valued = lend<Tensor>(inputs.length);
  let count = 0;
  for (let i = 0; i < inputs.length; i++) {
    const input = inputs[i];
    if (input === undefined || row.index?.includes(i) || row.mask?.includes(i)) continue;
    valued[count++] = input;
  }
  // A list of the full length, in which the first one stands for those left out.
  for (let i = count; i < inputs.length; i++) valued[i] = valued[0];
  const promoted = resultDtype(valued);
  giveBack(valued);
  return promoted;
}

function prepareInput(
  name: string,
  row: Primitive<never>,
  input: Tensor,
  position: number,
  compute: Dtype,
  launches: Launches,
): Tensor {
  let want = compute;
  if (row.index?.includes(position)) {
    if (input.dtype.category === Category.Float) {
      throw new DtypeError(`${name}: indices are integers, got ${input.dtype}; cast with int()`);
    }
    want = row.wideIndex && input.dtype === int64 ? int64 : int32;
  } else if (row.mask?.includes(position)) want = bool;
  let ready = input;
  if (ready.dtype !== want) ready = launches.temporary(cast(ready, want));
  // Sizes are 32-bit words: a broadcast of more elements is left to fail as a copy.
  const readable =
    row.strided?.includes(position) &&
    ready.numel() < 2 ** 32 &&
    (row.readable?.(ready.shape, ready.strides) ?? true);
  if (!readable && !ready.isContiguous()) ready = launches.temporary(contiguousCopy(ready));
  return ready;
}

/** Records `result` as made from `input` by another row's rule, under its own node name. */
export function recordAs<K extends OpName>(
  name: K,
  input: Tensor,
  result: Tensor,
  attributes: AttributesOf<K>,
  shown?: string,
): Tensor {
  if (isGradEnabled() && result.dtype.isFloatingPoint && input.requiresGrad) {
    const inputs = lend1(input);
    recordOne(name, inputs, result, attributes, shown);
    giveBack(inputs);
  }
  return result;
}

/** @internal */
export function anyRequires(inputs: readonly (Operand | undefined)[]): boolean {
  for (const input of inputs) if (isTensor(input) && input.requiresGrad) return true;
  return false;
}

/** As record(), of an operation with one output. */
function recordOne(
  name: OpName,
  inputs: readonly (Operand | undefined)[],
  output: Tensor,
  attributes: object,
  shown?: string,
): void {
  const outputs = lend1(output);
  record(name, inputs, outputs, attributes, shown);
  giveBack(outputs);
}

/** Records an operation, of which some input requires grad, if any output can. */
function record(
  name: OpName,
  inputs: readonly (Operand | undefined)[],
  outputs: readonly Tensor[],
  attributes: object,
  shown?: string,
): void {
  const rule = gradients[name] as GradientRow<never>;
  if (rule.kind === 'none') return;
  const title = shown ?? nodeName(name);
  const node = new OpNode(title, rule, attributes as never, inputs, outputs);
  node.saveOutputs(outputs);
  for (let i = 0; i < outputs.length; i++) {
    if (outputs[i].dtype.isFloatingPoint) setHistory(outputs[i], node, i);
  }
  recordActivation(outputs[0], attributes);
}

/** What a kernel did to its result, by the attribute `activation`, is a node of its own. */
export function recordActivation(result: Tensor, attributes: object): void {
  const { activation } = attributes as { activation?: PointwiseName };
  if (activation !== undefined) recordOne(activation, [result], result, NO_ATTRIBUTES);
}
