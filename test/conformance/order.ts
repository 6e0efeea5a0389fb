/**
 * Results whose order PyTorch leaves open (`sorted=False`): the recording is put in ascending order,
 * in which the library gives them.
 */

import { type Encoded, type EncodedTensor, isTensor, type OpCase, toNumber } from './format.js';
import { flattenEncoded } from './values.js';

/** Position of every recorded element in ascending order. */
function places(values: EncodedTensor): number[] {
  const numbers = values.data.map((value) => toNumber(value));
  const order = numbers.map((_, i) => i).sort((a, b) => numbers[a]! - numbers[b]!);
  const place = new Array<number>(order.length);
  order.forEach((from, to) => {
    place[from] = to;
  });
  return place;
}

function reordered(tensor: EncodedTensor, place: readonly number[]): EncodedTensor {
  const data = [...tensor.data];
  tensor.data.forEach((value, from) => {
    data[place[from]!] = value;
  });
  return { ...tensor, data };
}

/** The recording in ascending order if its order is open; otherwise as it is. */
export function withOrder(recorded: OpCase): OpCase {
  if (recorded.kwargs.sorted !== false) return recorded;
  const [values, ...rest] = flattenEncoded(recorded.output);
  if (!isTensor(values) || values.shape.length !== 1) return recorded;
  const place = places(values);
  const asksInverse = recorded.kwargs.return_inverse === true;
  const others = rest.map((result, i): Encoded => {
    if (!isTensor(result)) return result;
    if (!asksInverse || i > 0) return reordered(result, place);
    return { ...result, data: result.data.map((group) => place[toNumber(group)]!) };
  });
  const all = [reordered(values, place), ...others];
  return { ...recorded, output: all.length === 1 ? all[0]! : all };
}
