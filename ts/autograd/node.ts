/** Nodes of the autograd graph: what was computed from what, and how gradients flow back. */

import type { Dtype } from '../core/dtype.js';
import { AutogradError, showShape } from '../core/errors.js';
import type { Geometry } from '../core/layout.js';
import type { Storage } from '../core/storage.js';
import { Tensor } from '../tensor.js';
import { AutogradMeta } from './meta.js';
import { isGradEnabled } from './mode.js';

let nextSequence = 0;

/** Nodes that nothing leads to, while they are freed one after the other: graphs are deep. */
const unheld: Node[] = [];
/** Holders of a node that was freed: so many that it is not freed again. */
const FREED = -(2 ** 30);

/** Called with a gradient; a returned tensor replaces it. */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook that only looks returns nothing
export type GradHook = (grad: Tensor) => Tensor | undefined | null | void;

/** Gradients by output or input position; undefined stands for zero. */
export type Grads = (Tensor | undefined)[];

/** A recorded operation. The nodes behind its inputs have smaller numbers than its own. */
export abstract class Node {
  sequence = nextSequence++;
  /** Its position in the run of backward that is under way. */
  place = 0;
  /** The nodes that made the inputs, and which of their outputs each input was. */
  readonly next: (Node | undefined)[];
  /** Absent where all are 0. */
  nextIndex: number[] | undefined = undefined;
  /** Hooks on the gradient of each output, in the order they were registered. */
  hooks: Map<number, GradHook[]> | undefined = undefined;
  /** Tensors that keep the gradient that reaches them, by output position. */
  retained: Map<number, Tensor> | undefined = undefined;
  /** Whether run() calls code that may keep the tensors it makes. */
  runsUserCode = false;
  /** Where the operation was called, in anomaly mode. */
  origin: string | undefined = undefined;
  /** How many tensors, nodes and saved tensors lead here; also those that the collector took. */
  private holders = 0;

  constructor(
    /** As PyTorch prints it: `MulBackward0`. */
    public name: string,
    readonly outputCount: number,
    /** How many edges there will be, where that is known: lists that grow take room for more. */
    edges = 0,
  ) {
    this.next = edges === 0 ? [] : new Array(edges).fill(undefined);
  }

  /** Adds an edge to the node behind an input, or a gap where no gradient is wanted. */
  connect(input: Tensor | undefined, at = this.next.length): void {
    const node = input === undefined ? undefined : nodeOf(input);
    this.lead(at, node);
    const index = node === undefined || node instanceof Accumulate ? 0 : indexOf(input as Tensor);
    if (index !== 0) {
      this.nextIndex ??= [];
      this.nextIndex[at] = index;
    }
    // Looking up the edge may have made nodes: a leaf's entry, a view's new history.
    this.sequence = nextSequence++;
  }

  /** Adds an edge. */
  protected lead(at: number, node: Node | undefined): void {
    this.next[at] = node;
    node?.hold();
  }

  hold(): void {
    this.holders++;
  }

  private letGo(): void {
    if (--this.holders === 0) unheld.push(this);
  }

  /** One less leads here. Frees what was saved for a backward that can no longer come, here and behind. */
  drop(): void {
    this.letGo();
    for (let node = unheld.pop(); node !== undefined; node = unheld.pop()) {
      if (node.holders !== 0) continue;
      node.holders = FREED;
      node.release();
      for (let i = 0; i < node.next.length; i++) node.next[i]?.letGo();
    }
  }

  needs(input: number): boolean {
    const next = this.next[input];
    return next !== undefined && (running?.node !== this || running.run.needs(next));
  }

  /** The gradients of the inputs from those of the outputs. */
  abstract run(grads: Grads): Grads;

  /** Frees what was saved for backward. */
  release(): void {}

  toString(): string {
    return `<${this.name}>`;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  addHook(index: number, hook: GradHook): { remove(): void } {
    this.hooks ??= new Map();
    const list = this.hooks.get(index) ?? [];
    this.hooks.set(index, list);
    list.push(hook);
    return {
      remove: () => {
        const at = list.indexOf(hook);
        if (at >= 0) list.splice(at, 1);
      },
    };
  }
}

/** A node that runs for the gradients of some nodes only. */
interface Running {
  readonly node: Node;
  readonly run: { needs(node: Node): boolean };
}
let running: Running | undefined;

/** Has a node need these gradients only while it runs; returns what held before. */
export function runFor(next: Running | undefined): Running | undefined {
  const before = running;
  running = next;
  return before;
}

/** The entry of a leaf into the graph: adds gradients to its `grad`. */
export class Accumulate extends Node {
  constructor(readonly leaf: Tensor) {
    super('AccumulateGrad', 1);
  }

  run(): Grads {
    return [];
  }
}

/** The node that gradients of a tensor flow to. */
export function nodeOf(tensor: Tensor): Node | undefined {
  const meta = tensor.meta;
  if (meta === undefined) return undefined;
  const gradFn = tensor.gradFn;
  if (gradFn !== undefined || !meta.requiresGrad) return gradFn;
  meta.accumulate ??= new Accumulate(tensor);
  return meta.accumulate;
}

/** Which output of its node a tensor is. */
export function indexOf(tensor: Tensor): number {
  return tensor.gradFn === undefined ? 0 : (tensor.meta as AutogradMeta).outputIndex;
}

/** The node and output index that gradients of a tensor flow to. */
export function edgeOf(tensor: Tensor): readonly [Node | undefined, number] {
  return [nodeOf(tensor), indexOf(tensor)];
}

/** Makes a tensor the output `index` of `node`. */
export function setHistory(tensor: Tensor, node: Node, index: number): void {
  const meta = tensor.autograd();
  meta.gradFn = node;
  meta.outputIndex = index;
}

/** A tensor kept for backward, with the version it had; its storage is held until then. */
export class SavedTensor {
  private readonly storage: Storage;
  private readonly geometry: Geometry;
  private readonly offset: number;
  private readonly dtype: Dtype;
  private readonly version: number;
  private readonly node: Node | undefined;
  private readonly index: number;
  /** The node, unless it is the one that saves. */
  private readonly held: Node | undefined;

  /** `output` is the node whose result number `index` this is: its history is only set later. */
  constructor(tensor: Tensor, output?: Node, index = 0) {
    this.storage = tensor.storage_;
    this.geometry = tensor.geometry;
    this.offset = tensor.offset;
    this.dtype = tensor.dtype;
    this.version = tensor.storage_.version;
    this.node = output === undefined ? nodeOf(tensor) : output;
    this.index = output === undefined ? indexOf(tensor) : index;
    this.held = output === undefined ? this.node : undefined;
    this.held?.hold();
    this.storage.retain();
  }

  /** The tensor again, part of the graph if recording is on. Throws if it was written since. */
  unpack(by: string): Tensor {
    if (this.storage.version !== this.version) {
      throw new AutogradError(
        `${by}: a tensor of shape ${showShape(this.geometry.shape)} that it needs for its gradient was ` +
          `changed in place by ${this.storage.lastWrite}() after it was saved (version ` +
          `${this.storage.version}, expected ${this.version}). Use the form without '_', or ` +
          'change a clone()',
      );
    }
    const tensor = Tensor.of(this.storage, this.geometry, this.offset, this.dtype);
    if (this.node !== undefined && isGradEnabled()) {
      const meta = new AutogradMeta();
      if (this.node instanceof Accumulate) {
        meta.requiresGrad = true;
        meta.accumulate = this.node;
      } else {
        meta.gradFn = this.node;
        meta.outputIndex = this.index;
      }
      tensor.meta = meta;
    }
    return tensor;
  }

  release(): void {
    this.storage.release();
    this.held?.drop();
  }
}

let anomalyMode = false;

/** Whether nodes remember where they were made and gradients are checked for NaN. */
export function isAnomalyEnabled(): boolean {
  return anomalyMode;
}

/** In anomaly mode backward() names the operation, and its place, that made a NaN gradient. */
export function setDetectAnomaly(on: boolean): void {
  anomalyMode = on;
}

/** The error for a graph whose saved tensors are gone. */
export function freedGraphError(name: string): AutogradError {
  return new AutogradError(
    `backward: ${name} was already run (or its tensors were disposed) and what it saved is freed. ` +
      'Call backward({ retainGraph: true }) the first time, or compute the loss anew',
  );
}
