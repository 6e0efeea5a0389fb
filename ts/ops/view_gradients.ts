/** Gradients through views: the elements a view showed get its gradient, the others zero. */

import { isGradEnabled, noGrad } from '../autograd/mode.js';
import { type Grads, Node, setHistory } from '../autograd/node.js';
import { int32 } from '../core/dtype.js';
import { numelOf, type Shape } from '../core/layout.js';
import { emptyTensor, type Tensor } from '../tensor.js';
import { applyPrimitive, applyView } from './apply.js';
import { copyInto, fillWith } from './launch.js';
import type { AttributesOf } from './table.js';
import type { StridedView, ViewName } from './views.js';

/** The gradient of `embed` is the view itself. */
class EmbedBackward<K extends ViewName> extends Node {
  constructor(
    g: Tensor,
    private readonly view: K,
    private readonly attributes: AttributesOf<K>,
  ) {
    super('EmbedBackward0', 1);
    this.connect(g);
  }

  run([g]: Grads): Grads {
    return g === undefined ? [] : [applyView(this.view, g, this.attributes)];
  }
}

/** Zeros of `shape` with `g` where a view without overlaps shows them. */
export function embed<K extends ViewName>(
  g: Tensor,
  view: K,
  attributes: AttributesOf<K>,
  shape: Shape,
): Tensor {
  const result = emptyTensor(shape, g.dtype, g.backend);
  noGrad(() => {
    fillWith(result, 0);
    copyInto(applyView(view, result, attributes), g);
  });
  if (isGradEnabled() && g.requiresGrad)
    setHistory(result, new EmbedBackward(g, view, attributes), 0);
  return result;
}

/** int32 positions 0 to count - 1. */
function positions(count: number, like: Tensor): Tensor {
  const result = emptyTensor([count], int32, like.backend);
  const numbers = new Int32Array(count);
  for (let i = 0; i < count; i++) numbers[i] = i;
  like.backend.write(result.storage_.handle, 0, new Uint8Array(numbers.buffer));
  return result;
}

function addAt(g: Tensor, index: Tensor, shape: Shape): Tensor {
  return applyPrimitive('takeBackward', [g, index], { shape })[0];
}

/** Gradient of unfold: overlapping windows add up. */
export function addWindows(
  g: Tensor,
  attributes: AttributesOf<'unfoldView'>,
  shape: Shape,
): Tensor {
  const where = noGrad(() => {
    const all = applyView('view', positions(numelOf(shape), g), { shape });
    return applyView('unfoldView', all, attributes);
  });
  return addAt(g, where, shape);
}

/** Gradient of asStrided: added into the storage, and read as the tensor lay in it. */
export function addStrided(g: Tensor, attributes: StridedView): Tensor {
  const { elements, of } = attributes;
  const where = noGrad(() => applyView('asStridedView', positions(elements, g), attributes));
  const flat = addAt(g, where, [elements]);
  return flat.asStrided(of.shape, of.strides, of.offset);
}
