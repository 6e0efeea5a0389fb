/**
 * Rows take canonical shapes ([outer, n, inner], [batch, rows, columns]); users have any. Here a
 * row runs on its inputs seen in canonical form and is still one node of the graph.
 */

import { isGradEnabled, setRecording } from '../autograd/mode.js';
import { type Grads, setHistory } from '../autograd/node.js';
import { OpNode } from '../autograd/op_node.js';
import {
  broadcastStrides,
  Geometry,
  geometryOf,
  rowMajor,
  type Shape,
  sized,
  viewStrides,
} from '../core/layout.js';
import { giveBack, lend, lend1, only } from '../core/lend.js';
import { escape } from '../core/memory.js';
import { Tensor } from '../tensor.js';
import { anyRequires, applyPrimitive, recordActivation } from './apply.js';
import { gradients } from './gradients.js';
import { contiguousCopy } from './launch.js';
import { nodeName } from './node_names.js';
import type { GradientRow } from './rule.js';
import type { AttributesOf, PrimitiveName } from './table.js';

/** How a row sees an input: dims reordered, then broadcast, then reshaped. */
export interface Form {
  /** The order of the dimensions, if not their own. */
  readonly order?: readonly number[];
  /** The shape it is broadcast to, if not its own. */
  readonly expand?: Shape;
  /** The canonical shape. */
  readonly shape: Shape;
  /** How the input lies in its form, where that is known. */
  readonly geometry?: Geometry;
}

type Forms = readonly (Form | undefined)[];

/** Shape and strides of a tensor after reordering and broadcasting. */
function arranged(x: Tensor, form: Form): { shape: Shape; strides: readonly number[] } {
  const { order, expand } = form;
  const shape = order === undefined ? x.shape : order.map((dim) => x.shape[dim]);
  const strides = order === undefined ? x.strides : order.map((dim) => x.strides[dim]);
  if (expand === undefined) return { shape, strides };
  return { shape: expand, strides: broadcastStrides(shape, strides, expand) };
}

/**
 * The input in its form, outside the graph and all scopes: a view where the layout allows it, else
 * a copy.
 */
function seen(x: Tensor, form: Form): Tensor {
  let { geometry } = form;
  if (geometry === undefined && !form.order && !form.expand && x.isContiguous()) {
    geometry = form instanceof Geometry ? form : rowMajor(form.shape);
  }
  if (geometry !== undefined) return Tensor.lent(x.storage_, geometry, x.offset, x.dtype);
  const { shape, strides } = arranged(x, form);
  const steps = viewStrides(shape, strides, form.shape);
  if (steps !== undefined) {
    return Tensor.lent(x.storage_, geometryOf(form.shape, steps), x.offset, x.dtype);
  }
  const spread = Tensor.lent(x.storage_, geometryOf(shape, strides), x.offset, x.dtype);
  const copy = contiguousCopy(spread).keep();
  spread.recycle();
  copy.setLayout(rowMajor(form.shape), 0);
  return copy;
}

/** Whether the input can be seen in its form without a copy. */
export function isView(x: Tensor, form: Form): boolean {
  const { shape, strides } = arranged(x, form);
  return viewStrides(shape, strides, form.shape) !== undefined;
}

/** A saved input in its form, as part of the graph. */
function view(x: Tensor, { order, expand, shape }: Form): Tensor {
  const ordered = order === undefined ? x : x.permute(order);
  return (expand === undefined ? ordered : ordered.expand(expand)).reshape(shape);
}

/** The gradient of an input from that of its form. Broadcasting is left for the caller to undo. */
function unview(g: Tensor, form: Form, shape: Shape): Tensor {
  const { order, expand } = form;
  if (order === undefined) return g.reshape(expand ?? shape);
  const between = expand ?? order.map((dim) => shape[dim]);
  const lead = between.length - order.length;
  const inverse = new Array<number>(order.length);
  order.forEach((dim, i) => {
    inverse[dim] = lead + i;
  });
  return g.reshape(between).permute([...between.keys()].slice(0, lead).concat(inverse));
}

/** The node of a row whose rule works on canonical shapes. */
class CanonicalNode extends OpNode {
  private readonly given: readonly Geometry[];

  constructor(
    name: string,
    row: PrimitiveName,
    attributes: object,
    inputs: readonly (Tensor | undefined)[],
    private readonly forms: Forms,
    prepared: readonly (Tensor | undefined)[],
    outputs: readonly Tensor[],
    private readonly outForms: readonly Shape[],
  ) {
    const rule = gradients[row] as GradientRow<never>;
    if (rule.kind === 'none') throw new Error(`${row} has no gradient: ${rule.reason}`);
    super(name, rule, attributes as never, inputs, outputs);
    this.given = this.geometries.slice();
    for (let i = 0; i < prepared.length; i++) {
      const input = prepared[i];
      if (input !== undefined) this.geometries[i] = input.geometry;
    }
  }

  /** The rule's result has the canonical shape already; run() does the rest. */
  protected override undo(grad: Tensor): Tensor {
    return grad;
  }

  override run(grads: Grads): Grads {
    const formed = lend<Tensor | undefined>(grads.length);
    for (let i = 0; i < grads.length; i++) formed[i] = grads[i]?.reshape(this.outForms[i]);
    const results = super.run(formed);
    giveBack(formed);
    for (let i = 0; i < results.length; i++) {
      const g = results[i];
      if (g === undefined) continue;
      const form = this.forms[i];
      const { shape } = this.given[i];
      results[i] = this.sumTo(form === undefined ? g : unview(g, form, shape), shape, i);
    }
    return results;
  }

  override optional(position: number): Tensor | undefined {
    const x = super.optional(position);
    const form = this.forms[position];
    return x === undefined || form === undefined ? x : view(x, form);
  }

  override output(position = 0): Tensor {
    return super.output(position).reshape(this.outForms[position]);
  }
}

const NONE: readonly never[] = [];

/** Another way to the outputs whose gradient is the row's. */
type Compute = (inputs: readonly (Tensor | undefined)[]) => Tensor[];

/** The outputs for inputs seen in their forms, which `prepared` gets, outside the graph. */
function computeSeen<K extends PrimitiveName>(
  name: K,
  inputs: readonly (Tensor | undefined)[],
  forms: Forms,
  attributes: AttributesOf<K>,
  compute: Compute | undefined,
  prepared: (Tensor | undefined)[],
): Tensor[] {
  const recording = setRecording(false);
  try {
    for (let i = 0; i < inputs.length; i++) {
      const [input, form] = [inputs[i], forms[i]];
      prepared[i] = input === undefined || form === undefined ? input : seen(input, form);
    }
    if (compute !== undefined) return compute(prepared);
    return applyPrimitive(name, prepared, attributes);
  } finally {
    setRecording(recording);
  }
}

/**
 * Runs a row on its inputs in canonical form and gives the outputs the shapes the user expects.
 * `shown` is the name of the node, if not the row's own; `compute` stands in for the row itself
 * where another computation has the same gradient. Takes the three lists.
 */
export function applyCanonical<K extends PrimitiveName>(
  name: K,
  inputs: readonly (Tensor | undefined)[],
  forms: Forms,
  shapes: readonly Shape[],
  attributes: AttributesOf<K>,
  shown: string = nodeName(name),
  compute?: Compute,
): Tensor[] {
  const prepared = lend<Tensor | undefined>(inputs.length);
  let kept = false;
  try {
    for (const input of inputs) input?.assertLive(name);
    const outputs = computeSeen(name, inputs, forms, attributes, compute, prepared);
    kept = isGradEnabled() && gradients[name].kind !== 'none' && anyRequires(inputs);
    const seenAs = kept ? outputs.map((tensor) => tensor.shape) : NONE;
    for (let i = 0; i < outputs.length; i++) {
      outputs[i].setLayout(rowMajor(shapes[i]), outputs[i].offset);
    }
    if (kept) {
      const node = new CanonicalNode(
        shown,
        name,
        attributes,
        inputs,
        forms,
        prepared,
        outputs,
        seenAs,
      );
      node.saveOutputs(outputs);
      for (let i = 0; i < outputs.length; i++) {
        if (outputs[i].dtype.isFloatingPoint) setHistory(outputs[i], node, i);
      }
      recordActivation(outputs[0], attributes);
    }
    return outputs;
  } finally {
    for (let i = 0; i < inputs.length; i++) if (prepared[i] !== inputs[i]) prepared[i]?.recycle();
    giveBack(prepared);
    giveBack(inputs);
    giveBack(shapes);
    if (!kept) giveBack(forms);
  }
}

/** As applyCanonical(), of one input with one output. */
export function applySeen<K extends PrimitiveName>(
  name: K,
  x: Tensor,
  form: Form,
  shape: Shape,
  attributes: AttributesOf<K>,
  shown?: string,
): Tensor {
  return only(applyCanonical(name, lend1(x), lend1(form), lend1(shape), attributes, shown));
}

/** The first output alone. */
export function firstOf(outputs: readonly Tensor[]): Tensor {
  for (let i = 1; i < outputs.length; i++) {
    if (escape(outputs[i])) outputs[i].recycle();
    else outputs[i].dispose();
  }
  return only(outputs);
}

/** The form [outer, n, inner] of a shape for the dimensions from `start` to `end` (not included). */
export function aroundDims(shape: Shape, start: number, end: number): Geometry {
  let outer = 1;
  let n = 1;
  let inner = 1;
  for (let i = 0; i < start; i++) outer *= shape[i];
  for (let i = start; i < end; i++) n *= shape[i] ?? 1;
  for (let i = end; i < shape.length; i++) inner *= shape[i];
  return sized(outer, n, inner);
}

/** The form [outer, n, inner] of a shape for one dimension; a 0-d tensor is [1, 1, 1]. */
export function aroundDim(shape: Shape, dim: number): Geometry {
  return aroundDims(shape, dim, dim + 1);
}
