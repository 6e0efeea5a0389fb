/** Writing every element of a tensor in place with values that do not depend on the old ones. */

import { isGradEnabled } from '../autograd/mode.js';
import type { Tensor } from '../tensor.js';
import { adoptHistory, checkWritable } from './inplace.js';
import { inPlaceNode, type Pullback, recordLinear } from './linear_node.js';

/**
 * Lets `write` fill the elements of `target`. The old values get a zero gradient; `source`, if
 * given, gets what `pullback` makes of the target's gradient.
 */
export function overwrite(
  name: string,
  target: Tensor,
  write: () => void,
  source?: Tensor,
  pullback: Pullback = (g) => g,
): Tensor {
  checkWritable(name, target);
  write();
  if (target.untracked) return target;
  target.storage_.written(name);
  const tracked = target.meta !== undefined || source?.requiresGrad === true;
  if (tracked && isGradEnabled() && target.dtype.isFloatingPoint) {
    const result = target.bare();
    recordLinear(inPlaceNode(name), [target, source], result, (g) => g.zerosLike(), pullback);
    adoptHistory(name, target, result);
    result.dispose();
  }
  return target;
}
