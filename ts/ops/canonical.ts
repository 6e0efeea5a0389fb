/**
 * Rows take canonical shapes ([outer, n, inner], [batch, rows, columns]); users have any. Here a
 * row runs on its inputs seen in canonical form and is still one node of the graph.
 */

import { isGradEnabled, noGrad } from '../autograd/mode.js';
import { type Grads, setHistory } from '../autograd/node.js';
import { OpNode } from '../autograd/op_node.js';
import { sumToShape } from '../autograd/undo.js';
import type { Dtype } from '../core/dtype.js';
import { broadcastStrides, contiguousStrides, type Shape, viewStrides } from '../core/layout.js';
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

/** The input in its form, outside the graph: a view where the layout allows it, else a copy. */
function seen(x: Tensor, form: Form): Tensor {
  const { shape, strides } = arranged(x, form);
  const steps = viewStrides(shape, strides, form.shape);
  if (steps !== undefined) return new Tensor(x.storage_, form.shape, steps, x.offset, x.dtype);
  const spread = new Tensor(x.storage_, shape, strides, x.offset, x.dtype);
  const copy = contiguousCopy(spread);
  spread.dispose();
  copy.setLayout(form.shape, contiguousStrides(form.shape), 0);
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
  private readonly given: readonly Shape[];

  constructor(
    name: string,
    row: PrimitiveName,
    attributes: object,
    inputs: readonly (Tensor | undefined)[],
    private readonly forms: Forms,
    strides: readonly (readonly number[])[],
    outputs: readonly Tensor[],
    private readonly outForms: readonly Shape[],
  ) {
    const rule = gradients[row] as GradientRow<never>;
    if (rule.kind === 'none') throw new Error(`${row} has no gradient: ${rule.reason}`);
    super(name, rule, attributes as never, inputs, outputs);
    this.given = [...this.shapes];
    forms.forEach((form, i) => {
      if (form === undefined) return;
      this.shapes[i] = form.shape;
      this.strides[i] = strides[i];
    });
  }

  /** The rule's result has the canonical shape already; run() does the rest. */
  protected override undo(grad: Tensor): Tensor {
    return grad;
  }

  override run(grads: Grads): Grads {
    const results = super.run(grads.map((g, i) => g?.reshape(this.outForms[i])));
    return results.map((g, i) => {
      const form = this.forms[i];
      if (g === undefined) return undefined;
      const own = form === undefined ? g : unview(g, form, this.given[i]);
      return sumToShape(own, this.given[i], this.dtypes[i] as Dtype);
    });
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

const NONE: readonly number[] = [];

/** Another way to the outputs whose gradient is the row's. */
type Compute = (inputs: readonly (Tensor | undefined)[]) => Tensor[];

/** The outputs for inputs seen in their forms, outside the graph; `strides` gets those of the forms. */
function computeSeen(
  inputs: readonly (Tensor | undefined)[],
  forms: Forms,
  compute: Compute,
  strides: (readonly number[])[],
): Tensor[] {
  const prepared = new Array<Tensor | undefined>(inputs.length).fill(undefined);
  try {
    for (let i = 0; i < inputs.length; i++) {
      const [input, form] = [inputs[i], forms[i]];
      const ready = input === undefined || form === undefined ? input : seen(input, form);
      prepared[i] = ready;
      strides[i] = ready?.strides ?? NONE;
    }
    return noGrad(() => compute(prepared));
  } finally {
    prepared.forEach((tensor, i) => {
      if (tensor !== inputs[i]) tensor?.dispose();
    });
  }
}

/**
 * Runs a row on its inputs in canonical form and gives the outputs the shapes the user expects.
 * `shown` is the name of the node, if not the row's own; `compute` stands in for the row itself
 * where another computation has the same gradient.
 */
export function applyCanonical<K extends PrimitiveName>(
  name: K,
  inputs: readonly (Tensor | undefined)[],
  forms: Forms,
  shapes: readonly Shape[],
  attributes: AttributesOf<K>,
  shown: string = nodeName(name),
  compute: Compute = (prepared) => applyPrimitive(name, prepared, attributes),
): Tensor[] {
  for (const input of inputs) input?.assertLive(name);
  const strides = new Array<readonly number[]>(inputs.length);
  const outputs = computeSeen(inputs, forms, compute, strides);
  const wanted = isGradEnabled() && gradients[name].kind !== 'none' && anyRequires(inputs);
  const seenAs = wanted ? outputs.map((tensor) => tensor.shape) : [];
  for (let i = 0; i < outputs.length; i++) {
    outputs[i].setLayout(shapes[i], contiguousStrides(shapes[i]), outputs[i].offset);
  }
  if (wanted) {
    const node = new CanonicalNode(
      shown,
      name,
      attributes,
      inputs,
      forms,
      strides,
      outputs,
      seenAs,
    );
    node.saveOutputs(outputs);
    outputs.forEach((output, i) => {
      if (output.dtype.isFloatingPoint) setHistory(output, node, i);
    });
    recordActivation(outputs[0], attributes);
  }
  return outputs;
}

/** [outer, n, inner] of a shape for the dimensions from `start` to `end` (not included). */
export function aroundDims(shape: Shape, start: number, end: number): Shape {
  let [outer, n, inner] = [1, 1, 1];
  for (let i = 0; i < start; i++) outer *= shape[i];
  for (let i = start; i < end; i++) n *= shape[i] ?? 1;
  for (let i = end; i < shape.length; i++) inner *= shape[i];
  return [outer, n, inner];
}

/** [outer, n, inner] of a shape for one dimension; a 0-d tensor is [1, 1, 1]. */
export function aroundDim(shape: Shape, dim: number): Shape {
  return aroundDims(shape, dim, dim + 1);
}
