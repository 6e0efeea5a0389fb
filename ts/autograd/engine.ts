/** Runs a graph backward. */

import { AutogradError, DtypeError, ShapeError, showShape } from '../core/errors.js';
import { hasInternalOverlap, isDenseLayout, sameShape } from '../core/layout.js';
import { giveBack, lend } from '../core/lend.js';
import { enter, leave } from '../core/memory.js';
import type { Tensor } from '../tensor.js';
import { addToGrad, areApart, own } from './memory.js';
import { isGradEnabled, setRecording } from './mode.js';
import {
  Accumulate,
  edgeOf,
  type GradHook,
  type Grads,
  indexOf,
  isAnomalyEnabled,
  type Node,
  nodeOf,
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

/**
 * One run of backward: the nodes it reaches, newest first, which is an order in which users precede
 * inputs (also for leaves, whose entries are made before the node that first uses them is numbered),
 * and the gradients on their way, by node and output.
 *
 * A node's `place` is its position here. Backward within backward (in a hook, in a rule) has a run of
 * its own, which gives the nodes their places back. Runs are used again, and so are their lists.
 */
class Run {
  private readonly nodes: (Node | undefined)[] = [];
  private count = 0;
  /** What the places of the nodes were before. */
  private readonly before: number[] = [];
  /** Where the gradients of a node's outputs begin. */
  private readonly first: number[] = [];
  private readonly values: (Tensor | undefined)[] = [];
  /** Whether the memory of a gradient belongs to the engine alone. */
  private readonly owned: boolean[] = [];
  /** Whether it is a part of such memory that no other part reaches into. */
  private readonly parts: boolean[] = [];
  private slots = 0;
  /** With captures: whether a node is one or leads to one; the others need not run. */
  private readonly captures: boolean[] = [];
  private readonly leading: boolean[] = [];
  private options: RunOptions = PLAIN;
  private captureEdges: (readonly [Node | undefined, number])[] | undefined = undefined;
  captured: (Tensor | undefined)[] = NOTHING;

  static open(options: RunOptions): Run {
    const run = idle ?? new Run();
    idle = undefined;
    run.options = options;
    run.captureEdges = options.captures?.map(edgeOf);
    run.captured = options.captures?.map(() => undefined) ?? NOTHING;
    return run;
  }

  /** Gives the nodes their places back, and up what is left. */
  close(): void {
    for (let at = 0; at < this.count; at++) {
      (this.nodes[at] as Node).place = this.before[at];
      this.nodes[at] = undefined;
    }
    this.drop(0, this.slots);
    const large = this.count > MOST_KEPT;
    this.count = 0;
    this.slots = 0;
    this.captureEdges = undefined;
    this.captured = NOTHING;
    this.options = PLAIN;
    if (!large) idle = this;
  }

  private has(node: Node): boolean {
    return this.nodes[node.place] === node;
  }

  /** Adds a node that is not there yet. */
  reach(node: Node): void {
    if (this.has(node)) return;
    this.before[this.count] = node.place;
    node.place = this.count;
    this.nodes[this.count++] = node;
  }

  /** Adds all that the nodes were computed from. */
  collect(): void {
    const { nodes, before } = this;
    for (let i = 0; i < this.count; i++) {
      const { next } = nodes[i] as Node;
      for (let k = 0; k < next.length; k++) {
        const node = next[k];
        if (node !== undefined) this.reach(node);
      }
    }
    sortNewestFirst(nodes as Node[], before, this.count);
    for (let i = 0; i < this.count; i++) {
      const node = nodes[i] as Node;
      node.place = i;
      this.first[i] = this.slots;
      for (let k = 0; k < node.outputCount; k++) this.values[this.slots++] = undefined;
    }
    if (this.captureEdges !== undefined) this.findLeading(this.captureEdges);
  }

  private findLeading(edges: readonly (readonly [Node | undefined, number])[]): void {
    this.captures.fill(false);
    for (const [node] of edges) {
      if (node !== undefined && this.has(node)) this.captures[node.place] = true;
    }
    for (let i = this.count - 1; i >= 0; i--) {
      this.leading[i] = this.captures[i] || this.leads(this.nodes[i] as Node);
    }
  }

  /** Whether a node's gradients are needed. */
  needs(node: Node): boolean {
    return this.captureEdges === undefined || (this.has(node) && this.leading[node.place]);
  }

  /** Whether a gradient of the node's inputs is needed. */
  private leads(node: Node): boolean {
    for (let i = 0; i < node.next.length; i++) {
      const next = node.next[i];
      if (next !== undefined && this.needs(next)) return true;
    }
    return false;
  }

  /** The nodes, newest first. */
  list(): Node[] {
    return this.nodes.slice(0, this.count) as Node[];
  }

  execute(): void {
    for (let at = 0; at < this.count; at++) {
      const node = this.nodes[at] as Node;
      const first = this.first[at];
      const end = first + node.outputCount;
      let arrived = false;
      for (let i = first; i < end; i++) arrived ||= this.values[i] !== undefined;
      if (!arrived) continue;
      if (this.needs(node)) this.visit(node, first);
      else this.drop(first, end);
    }
  }

  private visit(node: Node, first: number): void {
    const visible = this.runHooks(node, first);
    try {
      const edges = this.captureEdges;
      if (edges !== undefined && this.captures[node.place]) {
        this.capture(edges, node, first, visible);
      }
      if (node instanceof Accumulate) this.accumulate(node, first, visible);
      else if (this.leads(node)) this.propagate(node, first, visible);
    } finally {
      // What users saw is left to the collector.
      for (let i = 0; visible && i < node.outputCount; i++) this.owned[first + i] = false;
      this.drop(first, first + node.outputCount);
    }
  }

  private accumulate(node: Accumulate, first: number, visible: boolean): void {
    if (this.captureEdges !== undefined || this.values[first] === undefined) return;
    const part = this.isPart(first, visible);
    addToGrad(node.leaf, this.handOver(first, visible), this.options.createGraph, part);
  }

  /** Runs a node and adds its results to the gradients of what it was computed from. */
  private propagate(node: Node, first: number, visible: boolean): void {
    const grads = lend<Tensor | undefined>(node.outputCount);
    for (let i = 0; i < grads.length; i++) grads[i] = this.values[first + i];
    const own = !node.runsUserCode;
    const alone = own && !visible && grads.length === 1 && this.isAlone(first);
    const results = this.options.createGraph || !own ? node.run(grads) : this.tidy(node, grads);
    if (isAnomalyEnabled()) checkForNaN(node, results);
    const apart = alone && areApart(results, grads[0] as Tensor);
    for (let i = 0; i < node.next.length; i++) {
      const next = node.next[i];
      const result = results[i];
      if (next === undefined || result === undefined) continue;
      const shared = !own || grads.includes(result) || results.indexOf(result) !== i;
      const part = apart && result.storage_ === grads[0]?.storage_;
      this.add(next, node.nextIndex?.[i] ?? 0, shared ? alias(result) : result, true, part);
    }
    if (own) {
      giveBack(grads);
      if (results !== grads) giveBack(results);
    }
    if (!this.options.retainGraph) node.release();
  }

  /** Whether nobody else reaches the memory of a gradient, nor will. */
  private isAlone(at: number): boolean {
    if (!this.owned[at] || this.options.createGraph) return false;
    return this.parts[at] || this.values[at]?.storage_.references === 1;
  }

  private isPart(at: number, visible: boolean): boolean {
    return this.parts[at] && this.owned[at] && !visible;
  }

  /** Runs a node for what is needed, and frees what it made on the way. */
  private tidy(node: Node, grads: Grads): Grads {
    const outer = enter();
    const limited = this.captureEdges !== undefined;
    const before = runFor(limited ? { node, run: this } : undefined);
    let results: Grads = NOTHING;
    try {
      results = node.run(grads);
      return results;
    } finally {
      runFor(before);
      leave(outer, results, 0, true);
    }
  }

  /** Adds a gradient into the buffer of a node's output. */
  add(node: Node, index: number, grad: Tensor, owned: boolean, part = false): void {
    const { createGraph } = this.options;
    if (!this.has(node)) {
      if (owned && !createGraph) grad.dispose();
      return;
    }
    const at = this.first[node.place] + index;
    const value = this.values[at];
    if (value === undefined) {
      this.values[at] = grad;
      this.owned[at] = owned;
      this.parts[at] = part;
      return;
    }
    const canAddInPlace =
      this.isAlone(at) && (value.isContiguous() || isDenseLayout(value.shape, value.strides));
    if (canAddInPlace) value.add_(grad);
    else {
      this.values[at] = value.add(grad);
      if (this.owned[at] && !createGraph) value.dispose();
      this.owned[at] = true;
      this.parts[at] = false;
    }
    if (owned && !createGraph) grad.dispose();
  }

  /** Runs hooks and retains; returns whether user code has seen the gradients. */
  private runHooks(node: Node, first: number): boolean {
    if (node.hooks === undefined && node.retained === undefined) return false;
    let seen = false;
    for (const [index, hooks] of node.hooks ?? []) {
      for (const hook of [...hooks]) {
        const value = this.values[first + index];
        if (value === undefined) continue;
        const replaced = callHook(hook, value);
        seen = true;
        if (replaced === undefined) continue;
        this.values[first + index] = replaced;
        this.owned[first + index] = false;
        this.parts[first + index] = false;
      }
    }
    for (const [index, tensor] of node.retained ?? []) {
      const value = this.values[first + index];
      if (value === undefined) continue;
      seen = true;
      const { createGraph } = this.options;
      addToGrad(tensor, createGraph ? value : value.clone(), createGraph);
    }
    return seen;
  }

  private capture(
    edges: readonly (readonly [Node | undefined, number])[],
    node: Node,
    first: number,
    visible: boolean,
  ): void {
    edges.forEach(([target, index], i) => {
      if (target !== node || this.values[first + index] === undefined) return;
      const part = this.isPart(first + index, visible);
      const value = this.handOver(first + index, visible);
      // What is expanded cannot be written, so it may stay a view.
      const shareable = this.options.createGraph || hasInternalOverlap(value.shape, value.strides);
      this.captured[i] = shareable ? value : own(value, undefined, part && value.isContiguous());
    });
  }

  /** A gradient under a handle of the receiver's own; its memory may be others' too. */
  private handOver(at: number, visible: boolean): Tensor {
    const value = this.values[at] as Tensor;
    if (this.options.createGraph) return value;
    if (!this.owned[at] || visible) return value.bare();
    this.owned[at] = false;
    value.meta = undefined;
    return value;
  }

  private drop(first: number, end: number): void {
    for (let i = first; i < end; i++) {
      if (this.owned[i] && !this.options.createGraph) this.values[i]?.dispose();
      this.values[i] = undefined;
    }
  }
}

export const PLAIN: RunOptions = { retainGraph: false, createGraph: false };
const NOTHING: never[] = [];
/** Nodes of a run whose lists are kept for the next one. */
const MOST_KEPT = 100_000;
let idle: Run | undefined;

/** Sorts nodes by falling number, and their places with them, in the lists themselves. */
function sortNewestFirst(nodes: Node[], places: number[], count: number): void {
  let gap = 1;
  while (gap < count / 9) gap = 3 * gap + 1;
  for (; gap > 0; gap = Math.floor(gap / 3)) {
    for (let i = gap; i < count; i++) {
      const node = nodes[i];
      const place = places[i];
      let to = i;
      for (; to >= gap && nodes[to - gap].sequence < node.sequence; to -= gap) {
        nodes[to] = nodes[to - gap];
        places[to] = places[to - gap];
      }
      nodes[to] = node;
      places[to] = place;
    }
  }
}

/** All nodes reachable from a root, newest first. */
export function reachable(root: Node): Node[] {
  const run = Run.open(PLAIN);
  try {
    run.reach(root);
    run.collect();
    return run.list();
  } finally {
    run.close();
  }
}

/** Another handle on the same value and history, so that each buffer has its own to dispose. */
function alias(tensor: Tensor): Tensor {
  const handle = tensor.bare();
  handle.meta = tensor.meta;
  if (handle.meta !== undefined) handle.meta.shared = true;
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
          'Reduce it (sum(), mean()) or give a gradient of its shape: ' +
          (op === 'grad' ? '{ gradOutputs }' : 'backward({ gradient })'),
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
  const run = Run.open(options);
  const starts = lend<Tensor>(roots.length);
  const nodes = lend<Node | undefined>(roots.length);
  try {
    for (let i = 0; i < roots.length; i++) {
      starts[i] = rootGrad(roots[i], grads[i], op);
      const node = nodeOf(roots[i]) as Node;
      // A hook may dispose of the root.
      node.hold();
      nodes[i] = node;
      run.reach(node);
    }
    run.collect();
    for (let i = 0; i < roots.length; i++) {
      run.add(nodes[i] as Node, indexOf(roots[i]), starts[i], starts[i] !== grads[i]);
    }
    setRecording(options.createGraph);
    run.execute();
    return run.captured;
  } finally {
    setRecording(before);
    giveBack(starts);
    run.close();
    for (let i = 0; i < nodes.length; i++) nodes[i]?.drop();
    giveBack(nodes);
  }
}
