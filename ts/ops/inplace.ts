/** In-place operations: what may be written, and how the graph follows. */

import type { AutogradMeta } from '../autograd/meta.js';
import { isGradEnabled, setRecording } from '../autograd/mode.js';
import { edgeOf, type Grads, Node, setHistory } from '../autograd/node.js';
import type { Dtype } from '../core/dtype.js';
import { AutogradError, DtypeError, ShapeError, showShape, ValueError } from '../core/errors.js';
import { hasInternalOverlap, type Shape, sameShape } from '../core/layout.js';
import { giveBack, lend1, lend2 } from '../core/lend.js';
import { flag } from '../core/options.js';
import { emptyTensor, setViewRefresher, type Tensor } from '../tensor.js';
import { anyRequires, applyPointwise, viewOf } from './apply.js';
import { gradients } from './gradients.js';
import { copyInto, denseCopy } from './launch.js';
import { inPlaceNode, recordLinear } from './linear_node.js';
import type { PointwiseName } from './pointwise.js';
import type { Operand } from './promote.js';

/** Throws unless `target` may be written by `op`. Nothing has been changed yet. */
export function checkWritable(op: string, target: Tensor): void {
  target.assertLive(op);
  if (isGradEnabled() && !target.untracked) {
    const meta = target.meta;
    const base = meta?.base;
    if (meta?.requiresGrad && target.isLeaf) {
      throw new AutogradError(
        `${op}: a leaf that requires gradients cannot be changed in place while recording; its ` +
          'gradient would be lost. Use noGrad(() => ...), or `.data`',
      );
    }
    if (meta?.unrecordedView && base?.requiresGrad && !base.isLeaf) {
      throw new AutogradError(
        `${op}: the tensor is a view made inside noGrad() of a tensor that requires gradients, ` +
          'and the gradients would not follow the write. Make the view while recording, or write ' +
          'inside noGrad() too',
      );
    }
    if (base?.meta?.requiresGrad && base.isLeaf) {
      throw new AutogradError(
        `${op}: the tensor is a view of a leaf that requires gradients; it cannot be changed in ` +
          'place while recording. Use noGrad(() => ...), or work on a clone()',
      );
    }
  }
  if (hasInternalOverlap(target.shape, target.strides)) {
    throw new ValueError(
      `${op}: several elements of the tensor of shape ${showShape(target.shape)} share one place ` +
        '(expand()); clone() it before writing',
    );
  }
}

/** Throws unless values of shape `from` can be repeated to fill `to`. */
export function checkBroadcast(op: string, from: Shape, to: Shape): void {
  const lead = to.length - from.length;
  if (lead >= 0 && from.every((size, i) => size === 1 || size === to[lead + i])) return;
  throw new ShapeError(
    `${op}: values of shape ${showShape(from)} cannot fill the shape ${showShape(to)} they are ` +
      'written to; sizes must match or be 1',
  );
}

/** Throws unless a result of this shape and dtype fits into `target`. */
export function checkResult(op: string, target: Tensor, shape: Shape, dtype: Dtype): void {
  if (!sameShape(shape, target.shape)) {
    throw new ShapeError(
      `${op}: the result has shape ${showShape(shape)}, which does not fit the tensor of shape ` +
        `${showShape(target.shape)} it is written to; the target of an in-place operation is ` +
        `not broadcast`,
    );
  }
  if (dtype.category > target.dtype.category) {
    throw new DtypeError(
      `${op}: a ${dtype} result cannot be written into a ${target.dtype} tensor; cast it with ` +
        `to(torch.${dtype.name})`,
    );
  }
}

/**
 * The tensor as it is before a write that may need its old value for the gradient: itself, or while
 * it is being recorded a copy with its place in the graph.
 */
function before(target: Tensor, needed: boolean): Tensor {
  if (!needed || target.untracked || !isGradEnabled()) return target;
  const copy = denseCopy(target);
  const [node, index] = edgeOf(target);
  if (node !== undefined) setHistory(copy, node, index);
  return copy;
}

/**
 * The generic in-place form of a function: `assignFrom('clamp_', x, (before) => clamp(before, 0))`.
 */
export function assignFrom(
  op: string,
  target: Tensor,
  compute: (before: Tensor) => Tensor,
): Tensor {
  checkWritable(op, target);
  const old = before(target, target.requiresGrad);
  assign(op, target, compute(old));
  return target;
}

/** Whether the gradient of a row looks at an input. */
function saves(row: PointwiseName, input: number): boolean {
  const rule = gradients[row];
  return rule.kind !== 'none' && (rule.saves.inputs?.includes(input) ?? false);
}

/** Whether the gradient of a row looks at what `target` was. */
function isNeeded(target: Tensor, row: PointwiseName, operands: readonly Operand[]): boolean {
  return anyRequires(operands) && operands.some((x, i) => x === target && saves(row, i));
}

/** assignInPlace() of a row of one operand, or of two. */
export function assignUnary(op: string, target: Tensor, row: PointwiseName): Tensor {
  const operands = lend1<Operand>(target);
  try {
    return assignInPlace(op, target, row, operands);
  } finally {
    giveBack(operands);
  }
}

export function assignBinary(
  op: string,
  target: Tensor,
  row: PointwiseName,
  other: Operand,
  scalars?: readonly number[],
): Tensor {
  const operands = lend2<Operand>(target, other);
  try {
    return assignInPlace(op, target, row, operands, scalars);
  } finally {
    giveBack(operands);
  }
}

/** Runs an elementwise row with one operand as the target, and moves the history there. */
export function assignInPlace(
  op: string,
  target: Tensor,
  row: PointwiseName,
  operands: readonly Operand[],
  scalars?: readonly number[],
): Tensor {
  checkWritable(op, target);
  const old = isGradEnabled() && isNeeded(target, row, operands) ? before(target, true) : target;
  const given = old === target ? operands : operands.map((x) => (x === target ? old : x));
  const result = applyPointwise(row, given, scalars, target, op);
  adoptHistory(op, target, result);
  if (result !== target) result.dispose();
  return target;
}

/**
 * Writes `value` (already computed) into `target` and gives it the history of the value:
 * the generic in-place form of any operation.
 */
export function assign(op: string, target: Tensor, value: Tensor): Tensor {
  checkWritable(op, target);
  checkResult(op, target, value.shape, value.dtype);
  copyInto(target, value);
  if (!target.untracked) target.storage_.written(op);
  if (value.dtype === target.dtype || !value.requiresGrad) adoptHistory(op, target, value);
  else {
    // Only its place in the graph is wanted.
    const converted = value.to(target.dtype);
    adoptHistory(op, target, converted);
    converted.dispose();
  }
  return target;
}

/**
 * Makes `target` the output that `result` is in the graph; a view hands it on to its base. What
 * has no gradient itself gives zeros to what `target` was.
 */
export function adoptHistory(op: string, target: Tensor, result: Tensor): void {
  if (target.untracked || !isGradEnabled()) return;
  const meta = target.meta;
  const gradFn = result === target ? undefined : result.meta?.gradFn;
  if (gradFn === undefined && meta?.gradFn === undefined && !meta?.base?.requiresGrad) return;
  const base = meta?.base;
  const another = result !== target && result.storage_ === target.storage_;
  (base ?? target).autogradOfBase(Number(another));
  if (base !== undefined) {
    rebaseView(target, meta as AutogradMeta, base, gradFn, result.meta?.outputIndex ?? 0);
  } else if (gradFn !== undefined) {
    setHistory(target, gradFn, result.meta?.outputIndex ?? 0);
  } else recordLinear(inPlaceNode(op), [target], target, (g) => g.zerosLike());
}

/** The base becomes itself with the view's elements replaced; the view is read from it anew. */
function rebaseView(
  view: Tensor,
  meta: AutogradMeta,
  base: Tensor,
  gradFn: Node | undefined,
  outputIndex: number,
): void {
  const node = new ReplaceSlice(base, view, gradFn, outputIndex);
  setHistory(base, node, 0);
  meta.gradFn = undefined;
  meta.baseVersion = -1;
  refresh(view, meta);
}

/** base' = base with the elements of a view replaced: the gradient splits accordingly. */
class ReplaceSlice extends Node {
  private readonly baseShape: Shape;
  private readonly baseStrides: readonly number[];
  private readonly view: { shape: Shape; strides: readonly number[]; offset: number };

  constructor(base: Tensor, view: Tensor, gradFn: Node | undefined, outputIndex: number) {
    super('CopySlices', 1);
    this.connect(base);
    this.lead(1, gradFn);
    if (outputIndex !== 0) this.nextIndex = [this.nextIndex?.[0] ?? 0, outputIndex];
    this.baseShape = base.shape;
    this.baseStrides = base.strides;
    this.view = { shape: view.shape, strides: view.strides, offset: view.offset - base.offset };
  }

  run([g]: Grads): Grads {
    if (g === undefined) return [];
    const { shape, strides, offset } = this.view;
    // The gradient is laid out like the base, so that the view's geometry names the same elements.
    const spaced = this.likeBase(g);
    const part = spaced.asStrided(shape, strides, offset).clone();
    if (this.next[0] === undefined) return [undefined, part];
    const rest = this.likeBase(g);
    rest.asStrided(shape, strides, offset).fill_(0);
    return [rest, part];
  }

  private likeBase(g: Tensor): Tensor {
    let elements = 1;
    this.baseShape.forEach((size, i) => {
      elements += (Math.max(size, 1) - 1) * this.baseStrides[i];
    });
    const flat = emptyTensor([elements], g.dtype, g.backend);
    return flat.asStrided(this.baseShape, this.baseStrides, 0).copy_(g);
  }
}

/** Reads a view anew from its changed base. */
function refresh(view: Tensor, meta: AutogradMeta): void {
  const base = meta.base as Tensor;
  meta.baseVersion = view.storage_.version;
  if (meta.unrecordedView) return;
  if (!base.requiresGrad) {
    meta.gradFn = undefined;
    return;
  }
  const before = setRecording(true);
  try {
    const again = viewOf('asStridedView', base, {
      shape: view.shape,
      strides: view.strides,
      offset: view.offset,
      elements: Math.floor(view.storage_.bytes / view.dtype.size),
      of: { shape: base.shape, strides: base.strides, offset: base.offset },
    });
    const [node, index] = edgeOf(again);
    meta.gradFn = node;
    meta.outputIndex = index;
    again.dispose();
  } finally {
    setRecording(before);
  }
}

setViewRefresher(refresh);

/** Forgets gradients, or fills them with zeros: new ones, since users may have seen the old. */
export function zeroGrads(
  tensors: Iterable<Tensor>,
  options: boolean | { setToNone?: boolean },
): void {
  const forget = flag('zeroGrad', 'setToNone', options);
  for (const tensor of tensors) {
    if (forget) tensor.grad = null;
    else if (tensor.grad !== null) tensor.grad = tensor.grad.detach().zero_();
  }
}
