/** Random numbers into tensors, in the order in which PyTorch draws them for a layout. */

import { fillExponential, fillUniform } from '../core/distributions.js';
import { type DataArray, float32, float64, uint8 } from '../core/dtype.js';
import { memoryOrder as orderOf } from '../core/layout.js';
import { defaultGenerator, type Generator } from '../core/random.js';
import { emptyTensor, type Tensor } from '../tensor.js';
import { kernel } from './kernel.js';
import { copyInto } from './launch.js';
import { Launches } from './launcher.js';
import { searchsorted } from './sorting.js';

/** Dimensions from the outermost to the innermost: the order of the elements in memory. */
export function memoryOrder(x: Tensor): number[] {
  return orderOf(x.shape, [x.strides]).reverse();
}

/** Whether dimensions in this order are row-major (size-1 dimensions do not matter). */
function isRowMajor(order: readonly number[], x: Tensor): boolean {
  const wide = order.filter((d) => x.shape[d] !== 1);
  return wide.every((d, i) => i === 0 || d > wide[i - 1]);
}

/** A tensor's dimensions in another order, outside the graph. */
function reordered(x: Tensor, order: readonly number[]): Tensor {
  return x.detach().permute(order);
}

/**
 * Has `draw` fill as many elements as `target` has, and writes them with the dimensions in `order`,
 * which defaults to that of memory. `draw` is told whether PyTorch sees a contiguous tensor.
 */
export function drawInto(
  target: Tensor,
  draw: (out: DataArray, contiguous: boolean) => void,
  order: readonly number[] = memoryOrder(target),
): void {
  const values = new target.dtype.array(target.numel());
  const inOrder = isRowMajor(order, target);
  draw(values, inOrder && target.isContiguous());
  if (values.length === 0) return;
  const bytes = new Uint8Array(values.buffer);
  if (inOrder && target.isContiguous()) {
    const { storage_, offset, dtype } = target;
    target.backend.write(storage_.handle, offset * dtype.size, bytes);
    return;
  }
  const place = reordered(target, order);
  const drawn = emptyTensor(place.shape, target.dtype, target.backend);
  drawn.backend.write(drawn.storage_.handle, drawn.offset * drawn.dtype.size, bytes);
  copyInto(place, drawn);
  drawn.dispose();
  place.dispose();
}

/**
 * Draws a dropout mask: numbers of a counter under a key of two words. Only devices to which masks
 * would have to be sent have it; the others keep PyTorch's numbers.
 */
export const noiseKernel = kernel({
  dtypes: ['f32'],
  buffers: ['out'],
  params: { count: 'u32', low: 'u32', high: 'u32', kept: 'f32', scale: 'f32' },
});
/** Elements of a unit of its range. */
const NOISE_BLOCK = 1024;

/** The mask drawn by the device; the generator gives its key, and so goes on. */
function noiseThere(noise: Tensor, p: number, generator: Generator): void {
  const launches = Launches.on(noise.backend);
  const [count, kept] = [noise.numel(), 1 - p];
  const [low, high] = [generator.random(), generator.random()];
  const params = { count, low, high, kept, scale: p < 1 ? 1 / kept : 0 };
  const units = Math.ceil(count / NOISE_BLOCK);
  launches.launch('dropoutNoise', noiseKernel, 'f32', [noise], params, units);
  launches.end();
}

/**
 * What dropout multiplies `x` with: 0 with probability `p`, else 1 / (1 - p), in the dtype of `x`.
 * With `whole` one number for each of the first two dimensions ([N, C, 1, ...]).
 */
export function dropoutNoise(x: Tensor, p: number, whole = false, generator?: Generator): Tensor {
  const shape = whole ? x.shape.map((size, d) => (d < 2 ? size : 1)) : x.shape;
  if (x.backend.has('dropoutNoise_f32')) {
    const noise = emptyTensor(shape, float32, x.backend);
    noiseThere(noise, p, generator ?? defaultGenerator);
    return noise.to(x.dtype);
  }
  // Row-major whatever the layout of x is; as bytes, since kernels cast sooner than loops here.
  const kept = emptyTensor(shape, uint8, x.backend);
  drawInto(kept, (out) => (generator ?? defaultGenerator).fillBelow(out as Uint8Array, 1 - p));
  const noise = kept.to(x.dtype);
  kept.dispose();
  return p < 1 ? noise.div_(1 - p) : noise;
}

/** What sampleMultinomial() computes, by tensors: for devices that cannot be read at once. */
export function sampleThere(
  weights: Tensor,
  samples: number,
  replacement: boolean,
  generator?: Generator,
): Tensor {
  const { dtype, backend, shape } = weights;
  if (!replacement) {
    const noise = emptyTensor(shape, dtype, backend);
    drawInto(noise, (out) => fillExponential(out, dtype, 1, generator));
    return weights.div(noise).topk(samples, -1).indices;
  }
  const levels = emptyTensor([...shape.slice(0, -1), samples], dtype, backend);
  drawInto(levels, (out) => {
    const doubles = new Float64Array(out.length);
    fillUniform(doubles, float64, 0, 1, generator);
    (out as Float64Array).set(doubles);
  });
  const sums = weights.cumsum(-1);
  const last = shape[shape.length - 1] - 1;
  return searchsorted(sums.div(sums.narrow(-1, last, 1)), levels).clampMax(last);
}
