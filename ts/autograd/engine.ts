/** Runs a graph backward. */

import { AutogradError, DtypeError, ShapeError, showShape } from '../core/errors.js';
import { hasInternalOverlap, isDenseLayout, sameShape } from '../core/layout.js';
import { enter, leave } from '../core/memory.js';
import { stridesLike, type Tensor } from '../tensor.js';
import { isGradEnabled, setGradEnabled } from './mode.js';
import {
  Accumulate,
  edgeOf,
  type GradHook,
  type Grads,
  isAnomalyEnabled,
  type Node,
  runFor,
} from './node.js';

export interface RunOptions {
  /** Keep what was saved, for another run through the same graph. */
  retainGraph: boolean;
  /** Record the gradient computation itself, for higher derivatives. */
  createGraph: boolean;
  /** Tensors whose gradients are wanted instead of accumulating into all leaves. */
  captures?: readonly Tensor[];
}

/** A gradient on its way, and whether its memory belongs to the engine alone. */
class Slot {
  constructor(
    public value: Tensor,
    public owned: boolean,
  ) {}
}

type Buffers = (Slot | undefined)[];

/**
 * All nodes reachable from the roots, newest first: an order in which users precede inputs. That
 * holds for leaves too, whose entries are made before the node that first uses them is numbered.
 */
export function reachable(roots: readonly Node[]): Node[] {
  const seen = new Set<Node>(roots);
  const stack = [...seen];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    for (const next of node.next) {
      if (next !== undefined && !seen.has(next)) {
        seen.add(next);
        stack.push(next);
      }
    }
  }
  const order = [...seen];
  // As the stack gives them a chain's nodes are in order; sorting makes lists of its own.
  for (let i = 1; i < order.length; i++) {
    if (order[i - 1].sequence < order[i].sequence) {
      return order.sort((a, b) => b.sequence - a.sequence);
    }
  }
  return order;
}

/** The nodes through which a capture is reached; the others need not run. */
function leadingTo(order: readonly Node[], targets: ReadonlySet<Node>): Set<Node> {
  const needed = new Set<Node>(targets);
  for (let i = order.length - 1; i >= 0; i--) {
    if (leads(order[i], needed)) needed.add(order[i]);
  }
  return needed;
}

/** Whether a gradient of the node's inputs is needed. */
function leads(node: Node, needed: ReadonlySet<Node> | undefined): boolean {
  for (const next of node.next) {
    if (next !== undefined && (needed?.has(next) ?? true)) return true;
  }
  return false;
}

const NO_NODES = new Set<Node>();

/** What the buffers hold of a node that has run. */
const NOTHING: Buffers = [];

/** One run of backward: the gradients on their way, by node and output. */
class Run {
  private readonly buffers = new Map<Node, Buffers>();
  readonly captured: (Tensor | undefined)[];
  private readonly captureEdges: (readonly [Node | undefined, number])[];

  constructor(private readonly options: RunOptions) {
    this.captureEdges = options.captures?.map(edgeOf) ?? [];
    this.captured = options.captures?.map(() => undefined) ?? [];
  }

  execute(roots: readonly Node[]): void {
    const order = reachable(roots);
    const targets = this.captureEdges.length === 0 ? NO_NODES : new Set<Node>();
    for (const [node] of this.captureEdges) if (node !== undefined) targets.add(node);
    const needed = this.options.captures === undefined ? undefined : leadingTo(order, targets);
    try {
      for (const node of order) {
        const slots = this.buffers.get(node);
        if (slots === undefined) continue;
        // Deleting would shrink the table again and again.
        this.buffers.set(node, NOTHING);
        if (needed === undefined || needed.has(node)) this.visit(node, slots, targets, needed);
        else this.drop(slots);
      }
    } catch (error) {
      for (const slots of this.buffers.values()) this.drop(slots);
      throw error;
    }
  }

  private visit(
    node: Node,
    slots: Buffers,
    targets: ReadonlySet<Node>,
    needed: ReadonlySet<Node> | undefined,
  ): void {
    const visible = this.runHooks(node, slots);
    try {
      if (targets.has(node)) this.capture(node, slots, visible);
      if (node instanceof Accumulate) this.accumulate(node, slots, visible);
      else if (leads(node, needed)) this.propagate(node, slots, needed);
    } finally {
      if (!visible) this.drop(slots);
    }
  }

  private accumulate(node: Accumulate, slots: Buffers, visible: boolean): void {
    if (this.options.captures !== undefined || slots[0] === undefined) return;
    addToGrad(node.leaf, this.handOver(slots[0], visible), this.options.createGraph);
  }

  /** Runs a node and adds its results to the gradients of what it was computed from. */
  private propagate(node: Node, slots: Buffers, needed: ReadonlySet<Node> | undefined): void {
    const grads: Grads = new Array(node.outputCount);
    for (let i = 0; i < grads.length; i++) grads[i] = slots[i]?.value;
    const results =
      this.options.createGraph || node.runsUserCode ? node.run(grads) : tidy(node, grads, needed);
    if (isAnomalyEnabled()) checkForNaN(node, results);
    for (let i = 0; i < node.next.length; i++) {
      const next = node.next[i];
      const result = results[i];
      if (next === undefined || result === undefined) continue;
      const shared = node.runsUserCode || grads.includes(result) || results.indexOf(result) !== i;
      this.add(next, node.nextIndex?.[i] ?? 0, shared ? alias(result) : result, true);
    }
    if (!this.options.retainGraph) node.release();
  }

  /** Adds a gradient into the buffer of a node's output. */
  add(node: Node, index: number, grad: Tensor, owned: boolean): void {
    let slots = this.buffers.get(node);
    if (slots === undefined || slots === NOTHING) {
      slots = new Array<Slot | undefined>(node.outputCount).fill(undefined);
      this.buffers.set(node, slots);
    }
    const slot = slots[index];
    if (slot === undefined) {
      slots[index] = new Slot(grad, owned);
      return;
    }
    const canAddInPlace =
      !this.options.createGraph &&
      slot.owned &&
      slot.value.storage_.references === 1 &&
      (slot.value.isContiguous() || isDenseLayout(slot.value.shape, slot.value.strides));
    if (canAddInPlace) slot.value.add_(grad);
    else {
      const sum = slot.value.add(grad);
      if (slot.owned && !this.options.createGraph) slot.value.dispose();
      slots[index] = new Slot(sum, true);
    }
    if (owned && !this.options.createGraph) grad.dispose();
  }

  /** Runs hooks and retains; returns whether user code has seen the gradients. */
  private runHooks(node: Node, slots: Buffers): boolean {
    if (node.hooks === undefined && node.retained === undefined) return false;
    let seen = false;
    for (const [index, hooks] of node.hooks ?? []) {
      for (const hook of [...hooks]) {
        const slot = slots[index];
        if (slot === undefined) continue;
        const replaced = callHook(hook, slot.value);
        seen = true;
        if (replaced !== undefined) slots[index] = new Slot(replaced, false);
      }
    }
    for (const [index, tensor] of node.retained ?? []) {
      const value = slots[index]?.value;
      if (value === undefined) continue;
      seen = true;
      const { createGraph } = this.options;
      addToGrad(tensor, createGraph ? value : value.clone(), createGraph);
    }
    return seen;
  }

  private capture(node: Node, slots: Buffers, visible: boolean): void {
    this.captureEdges.forEach(([target, index], i) => {
      const slot = slots[index];
      if (target !== node || slot === undefined) return;
      const value = this.handOver(slot, visible);
      // What is expanded cannot be written, so it may stay a view.
      const shareable = this.options.createGraph || hasInternalOverlap(value.shape, value.strides);
      this.captured[i] = shareable ? value : own(value);
    });
  }

  /** A gradient under a handle of the receiver's own; its memory may be others' too. */
  private handOver(slot: Slot, visible: boolean): Tensor {
    const { value } = slot;
    if (this.options.createGraph) return value;
    if (!slot.owned || visible) return value.bare();
    slot.owned = false;
    value.meta = undefined;
    return value;
  }

  private drop(slots: Buffers): void {
    if (this.options.createGraph) return;
    for (const slot of slots) if (slot?.owned) slot.value.dispose();
  }
}

/**
 * The gradient itself where nobody else holds its memory (and it lies as that of `leaf` is to),
 * else a copy. Takes the handle.
 */
function own(value: Tensor, leaf?: Tensor): Tensor {
  if (value.storage_.references === 1 && (leaf === undefined || liesLike(value, leaf)))
    return value;
  const copy = leaf === undefined ? value.clone() : copyLike(value, leaf);
  value.dispose();
  return copy;
}

/** Whether a gradient lies in memory as the leaf does: row-major, or in its order of dimensions. */
function liesLike(value: Tensor, leaf: Tensor): boolean {
  const strides = stridesLike(leaf);
  return strides === undefined ? value.isContiguous() : sameShape(value.strides, strides);
}

function copyLike(value: Tensor, leaf: Tensor): Tensor {
  if (leaf.isContiguous()) return value.clone('contiguousFormat');
  return leaf.emptyLike().copy_(value);
}

/** Adds a gradient into `grad`, memory of its own that lies as the leaf. Takes the handle. */
export function addToGrad(leaf: Tensor, value: Tensor, createGraph: boolean): void {
  const meta = leaf.autograd();
  const before = meta.grad;
  if (createGraph) {
    // A gradient with a graph is part of it.
    meta.gradSeen = true;
    meta.grad = (before === undefined ? copyLike(value, leaf) : before.add(value)).keep();
  } else if (before !== undefined) {
    before.add_(value);
    value.dispose();
  } else {
    meta.gradSeen = false;
    meta.grad = own(value, leaf).keep();
  }
}

/** Runs a node for what is needed, and frees what it made on the way. */
function tidy(node: Node, grads: Grads, needed: ReadonlySet<Node> | undefined): Grads {
  const outer = enter();
  const before = runFor(needed && { node, wanted: needed });
  let results: Grads = [];
  try {
    results = node.run(grads);
    return results;
  } finally {
    runFor(before);
    leave(outer, results);
  }
}

/** Another handle on the same value and history, so that each buffer has its own to dispose. */
function alias(tensor: Tensor): Tensor {
  const handle = tensor.bare();
  handle.meta = tensor.meta;
  return handle;
}

function callHook(hook: GradHook, grad: Tensor): Tensor | undefined {
  const result = hook(grad);
  if (result === undefined || result === null) return undefined;
  if (!sameShape(result.shape, grad.shape)) {
    throw new ShapeError(
      `hook: the replaced gradient has shape ${showShape(result.shape)}, ` +
        `the gradient had ${showShape(grad.shape)}`,
    );
  }
  return result;
}

function checkForNaN(node: Node, results: Grads): void {
  results.forEach((result, i) => {
    if (!result?.backend.synchronous) return;
    if (result.isnan().any().itemSync()) {
      throw new AutogradError(
        `${node.name} returned NaN in the gradient of its input ${i}.` +
          (node.origin === undefined ? '' : ` It was called at:\n${node.origin}`),
      );
    }
  });
}

/** Checks a root of backward and gives the gradient it starts from. */
function rootGrad(root: Tensor, grad: Tensor | undefined, op: string): Tensor {
  root.assertLive(op);
  if (!root.requiresGrad) {
    throw new AutogradError(
      `${op}: the tensor of shape ${showShape(root.shape)} does not require gradients and has no ` +
        'gradFn. Set requiresGrad on the parameters before computing it, outside noGrad()',
    );
  }
  if (grad === undefined) {
    if (root.numel() !== 1) {
      throw new AutogradError(
        `${op}: only a tensor of one element needs no gradient, got shape ` +
          `${showShape(root.shape)}. ` +
          'Reduce it (sum(), mean()) or give a gradient of its shape: backward({ gradient })',
      );
    }
    return root.onesLike();
  }
  if (!sameShape(grad.shape, root.shape)) {
    throw new ShapeError(
      `${op}: the gradient has shape ${showShape(grad.shape)}, the tensor ${showShape(root.shape)}`,
    );
  }
  if (!grad.dtype.isFloatingPoint) {
    throw new DtypeError(`${op}: a gradient is floating point, got ${grad.dtype}`);
  }
  return grad.dtype === root.dtype ? grad : grad.to(root.dtype);
}

/** Runs backward from several roots. Returns the captured gradients, in order of `captures`. */
export function runBackward(
  roots: readonly Tensor[],
  grads: readonly (Tensor | undefined)[],
  options: RunOptions,
  op = 'backward',
): (Tensor | undefined)[] {
  const before = isGradEnabled();
  const run = new Run(options);
  try {
    const nodes: Node[] = [];
    roots.forEach((root, i) => {
      const grad = rootGrad(root, grads[i], op);
      const [node, index] = edgeOf(root);
      if (node === undefined) return;
      nodes.push(node);
      run.add(node, index, grad, grad !== grads[i]);
    });
    setGradEnabled(options.createGraph);
    run.execute(nodes);
    return run.captured;
  } finally {
    setGradEnabled(before);
  }
}
