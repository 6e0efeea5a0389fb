/** What the products of the GPU share: tiles, and slices of the depth that are summed after. */

import splitSumSource from '../../../kernels/split_sum.wgsl';
import { suffix } from '../../core/dtype.js';
import { gpuKernel } from '../../device/webgpu/kernel.js';
import type { Tensor } from '../../tensor.js';
import type { BufferRef, Launcher } from '../row.js';

/** Rows and columns of the tile of a workgroup. */
const TILE = 64;
/** Workgroups that keep a GPU busy, and the least depth of a slice. */
const BUSY = 64;
const LEAST_SLICE = 128;

export const splitSumKernel = gpuKernel({
  source: splitSumSource,
  entry: 'split_sum',
  dtypes: ['f32', 'i32'],
  buffers: { x: 'S', bias: 'S', out: 'S' },
  params: { splits: 'u32', cols: 'u32', biased: 'u32' },
  perGroup: 256,
});

/** Tiles of a batch of products. */
export function tilesOf(batch: number, rows: number, cols: number): number {
  return batch * Math.ceil(rows / TILE) * Math.ceil(cols / TILE);
}

/** Slices of the depth: more than one where the tiles are too few to keep the GPU busy. */
export function splitsOf(tiles: number, depth: number): number {
  const most = Math.floor(depth / LEAST_SLICE);
  return Math.max(1, Math.min(most, Math.floor(BUSY / Math.max(1, tiles))));
}

/**
 * Has `emit` launch the product into `out`, or with several slices into scratch that is then
 * summed. `emit` is told where to write and whether to add the bias.
 */
export function inSlices(
  launcher: Launcher,
  out: Tensor,
  splits: number,
  bias: Tensor | undefined,
  emit: (target: Tensor | BufferRef, biased: boolean) => void,
): void {
  if (splits === 1) {
    emit(out, bias !== undefined);
    return;
  }
  const count = out.numel();
  const parts = launcher.scratch(splits * count, out.dtype);
  emit(parts, false);
  const params = { splits, cols: bias?.shape[0] ?? 1, biased: bias === undefined ? 0 : 1 };
  const buffers = [parts, bias ?? parts, out];
  launcher.launch('splitSum', splitSumKernel, suffix(out.dtype), buffers, params, count);
}
