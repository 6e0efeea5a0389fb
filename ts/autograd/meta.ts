/** A tensor's place in the graph, apart from the tensor: most tensors have none. */

import type { Tensor } from '../tensor.js';
import type { Accumulate, Node } from './node.js';

/** What a tensor carries once autograd knows it. */
export class AutogradMeta {
  /** Set on leaves by the user. */
  requiresGrad = false;
  private node: Node | undefined = undefined;
  outputIndex = 0;
  grad: Tensor | undefined = undefined;
  /** Whether user code was given `grad`: then only the collector knows when nobody holds it. */
  gradSeen = false;
  /** The leaf's entry into the graph, made when it is first used. */
  accumulate: Accumulate | undefined = undefined;
  /** For a differentiable view: the tensor whose elements it shows. */
  base: Tensor | undefined = undefined;
  /** Version of the storage for which `gradFn` of a view holds. */
  baseVersion = 0;
  /**
   * Views that may ask for the node, to be read anew, when this tensor is gone. Too many at worst:
   * then only the collector finds that nobody does.
   */
  views = 0;
  /** A view made outside recording: writes through it could not reach the base's history. */
  unrecordedView = false;
  retainsGrad = false;
  /** Whether several handles have this: then none of them lets go of the node. */
  shared = false;
  private gone = false;
  /** Whether this counts among what leads to the node. */
  private holds = true;

  /** The node that computed this tensor, as its output `outputIndex`. */
  get gradFn(): Node | undefined {
    return this.node;
  }

  set gradFn(node: Node | undefined) {
    const before = this.node;
    this.node = node;
    if (!this.holds) return;
    node?.hold();
    before?.drop();
  }

  /** Says that the tensor is a view of `base`, which is none. */
  show(base: Tensor, unrecorded: boolean): void {
    this.base = base;
    this.baseVersion = base.storage_.version;
    this.unrecordedView = unrecorded;
    if (!unrecorded && base.meta !== undefined) base.meta.views++;
  }

  /** The tensor is gone: what was saved to compute its gradient need not be kept for it. */
  dispose(): void {
    if (this.gone || this.shared) return;
    this.gone = true;
    this.letGo();
    const base = this.unrecordedView ? undefined : this.base?.meta;
    if (base === undefined) return;
    base.views--;
    base.letGo();
  }

  private letGo(): void {
    if (!this.holds || !this.gone || this.views > 0) return;
    this.holds = false;
    this.node?.drop();
  }
}
