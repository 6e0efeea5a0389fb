/** Random numbers into tensors, in the order in which PyTorch draws them for a layout. */

import { fillExponential, fillUniform, useFloatKernel } from '../core/distributions.js';
import { type DataArray, encodeElement, float32, float64, int32 } from '../core/dtype.js';
import { showValue, ValueError } from '../core/errors.js';
import { memoryOrder as orderOf, type Shape } from '../core/layout.js';
import { scope } from '../core/memory.js';
import { defaultGenerator, type Generator } from '../core/random.js';
import type { Device } from '../device/device.js';
import { deviceOf } from '../device/registry.js';
import { emptyTensor, type Tensor } from '../tensor.js';
import { kernel } from './kernel.js';
import { copyInto } from './launch.js';
import { Launches } from './launcher.js';
import { drawing } from './primitives/random.js';
import { searchsorted } from './sorting.js';

/** Throws unless p is a probability. */
export function checkProbability(name: string, p: number): void {
  if (p >= 0 && p <= 1) return;
  throw new ValueError(`${name}: the probability p lies between 0 and 1, got ${showValue(p)}`);
}

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
 * would have to be sent have it; the CPU draws PyTorch's numbers.
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
 * Has a kernel draw into `out`, from the generator's next `words` words: `launch` gets a tensor of the words of its engine,
 * with room for as many more, and the place of the first that is not used.
 */
function drawThere(
  out: Tensor,
  words: number,
  generator: Generator,
  launch: (launches: Launches, state: Tensor, next: number) => void,
): void {
  const device = out.backend;
  generator.advance(words, (engine, next) => {
    const state = emptyTensor([2 * engine.length], int32, device);
    const bytes = new Uint8Array(engine.buffer);
    const { handle } = state.storage_;
    const launches = Launches.on(device);
    device.write(handle, 0, bytes);
    launch(launches, state, next);
    launches.end();
    bytes.set(device.readSync(handle, 0, bytes.length));
  });
}

/**
 * A mask on the generator's device: `scale` where its next uniform number is below `p`, else 0. One number per element,
 * row-major.
 */
function drawMask(shape: Shape, p: number, scale: number, generator: Generator): Tensor {
  const device = deviceOf(generator.device);
  return scope(() => {
    const mask = emptyTensor(shape, float32, device);
    const count = mask.numel();
    // A word takes the 32 lower bits of a whole number.
    const low = Math.ceil(p * 2 ** 53);
    const high = low / 2 ** 32;
    drawThere(mask, 2 * count, generator, (launches, state, next) => {
      const params = { next, count, high, low, scale };
      launches.launch('drawMask', drawing.kernels.drawMask, 'f32', [state, mask], params, 1);
    });
    return mask;
  });
}

/**
 * What dropout multiplies `x` with: 0 with probability `p`, else 1 / (1 - p), in the dtype of `x`.
 * With `whole` one number for each of the first two dimensions ([N, C, 1, ...]).
 */
export function dropoutNoise(
  x: Tensor,
  p: number,
  whole = false,
  generator: Generator = defaultGenerator,
): Tensor {
  const shape = whole ? x.shape.map((size, d) => (d < 2 ? size : 1)) : x.shape;
  const { backend, dtype } = x;
  if (backend.has('dropoutNoise_f32')) {
    const noise = emptyTensor(shape, float32, backend);
    noiseThere(noise, p, generator);
    return noise.to(dtype);
  }
  // Row-major whatever the layout of x is. Other dtypes round the quotient in their own way.
  const kept = 1 - p;
  if (dtype === float32) return drawMask(shape, kept, 1 / Math.fround(kept), generator);
  return scope(() => {
    const noise = drawMask(shape, kept, 1, generator).to(dtype);
    return p < 1 ? noise.div_(kept) : noise;
  });
}

/** Elements that are drawn at once: the cache keeps them. */
const PIECE = 2 ** 16;

/** Whether the device that draws for all could not be had: a page's policy may forbid WebAssembly. */
let refused = false;

/** The device that draws for all others, if it can be had. */
function drawingDevice({ device }: Generator): Device | undefined {
  if (refused) return undefined;
  try {
    return deviceOf(device).has('drawFloats_f32') ? deviceOf(device) : undefined;
  } catch (error) {
    // Of a setting that is wrong.
    if (error instanceof ValueError) throw error;
    refused = true;
    return undefined;
  }
}

useFloatKernel((out, normal, scale, shift, generator) => {
  const device = drawingDevice(generator);
  if (device === undefined) return false;
  for (let start = 0; start < out.length; start += PIECE) {
    const piece = out.subarray(start, start + PIECE);
    const count = piece.length;
    scope(() => {
      const drawn = emptyTensor([count], float32, device);
      drawThere(drawn, count, generator, (launches, state, next) => {
        const params = { next, count, normal: Number(normal), scale, shift };
        launches.launch('drawFloats', drawing.kernels.drawFloats, 'f32', [state, drawn], params, 1);
      });
      piece.set(drawn.dataSync() as Float32Array);
    });
  }
  return true;
});

/** Writes ones with probability `p`, else zeros, with the dimensions in `order`. */
export function drawBernoulli(
  target: Tensor,
  p: number,
  order: readonly number[],
  generator: Generator = defaultGenerator,
): void {
  checkProbability('bernoulli', p);
  const encoded = [0, 1].map((value) => encodeElement(target.dtype, value));
  const draw = (out: { [i: number]: number | bigint; length: number }) => {
    for (let start = 0; start < out.length; start += PIECE) {
      const mask = drawMask([Math.min(PIECE, out.length - start)], p, 1, generator);
      const drawn = mask.dataSync() as Float32Array;
      for (let i = 0; i < drawn.length; i++) out[start + i] = encoded[drawn[i]];
      mask.dispose();
    }
  };
  drawInto(target, draw, order);
}

/** What sampleMultinomial() computes, by tensors: without replacement, and where reading waits. */
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
