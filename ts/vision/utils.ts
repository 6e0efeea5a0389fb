/** Pictures of batches. */

import { writeBytes } from '#platform';
import { uint8 } from '../core/dtype.js';
import { ShapeError, showShape } from '../core/errors.js';
import { checkOptions } from '../core/options.js';
import { full } from '../ops/creation.js';
import { stack } from '../ops/joining.js';
import type { Tensor } from '../tensor.js';

/** Options of {@link makeGrid}. */
export interface GridOptions {
  /** Images per row (default 8). */
  nrow?: number;
  /** Pixels between images (default 2). */
  padding?: number;
  /** Bring the values into 0 ... 1 (default false). */
  normalize?: boolean;
  /** Limits for normalize (default: the smallest and the largest value). */
  valueRange?: [number, number];
  /** Normalize every image by its own limits (default false). */
  scaleEach?: boolean;
  /** Value of the pixels between images (default 0). */
  padValue?: number;
}

const optionNames = ['nrow', 'padding', 'normalize', 'valueRange', 'scaleEach', 'padValue'];

/** Shape [N, C, H, W] with three channels, from any of the shapes an image comes in. */
function asBatch(images: Tensor | readonly Tensor[]): Tensor {
  let batch: Tensor = 'ndim' in images ? images : stack(images, 0);
  if (batch.ndim === 2) batch = batch.unsqueeze(0);
  if (batch.ndim === 3) batch = batch.unsqueeze(0);
  if (batch.ndim !== 4) {
    throw new ShapeError(
      'makeGrid: expected images [N, C, H, W], [C, H, W] or [H, W], or a list of images, got ' +
        showShape(batch.shape),
    );
  }
  return batch.shape[1] === 1 ? batch.expand([-1, 3, -1, -1]) : batch;
}

/** Values of `x` between the limits, brought into 0 ... 1. */
function rescale(x: Tensor, range: [number, number] | undefined): Tensor {
  const low = range === undefined ? x.min() : range[0];
  const high = range === undefined ? x.max() : range[1];
  const span = typeof high === 'number' ? high - Number(low) : high.sub(low);
  const safe = typeof span === 'number' ? Math.max(span, 1e-5) : span.clamp({ min: 1e-5 });
  return x.clamp({ min: low, max: high }).sub(low).div(safe);
}

/**
 * Images side by side in one image [3, H', W'], as `torchvision.utils.make_grid`.
 *
 * @param images [N, C, H, W], or a list of images [C, H, W] of one size; grey ones become RGB.
 */
export function makeGrid(images: Tensor | readonly Tensor[], options: GridOptions = {}): Tensor {
  checkOptions('makeGrid', options, optionNames);
  const { nrow = 8, padding = 2, padValue = 0, scaleEach = false, valueRange } = options;
  let batch = asBatch(images);
  if (options.normalize) {
    batch = scaleEach
      ? stack(
          batch.unbind(0).map((image) => rescale(image, valueRange)),
          0,
        )
      : rescale(batch, valueRange);
  }
  const [count, channels, height, width] = batch.shape;
  if (count === 1) return batch.select(0, 0);
  const columns = Math.min(nrow, count);
  const rows = Math.ceil(count / columns);
  const stepY = height + padding;
  const stepX = width + padding;
  const size = [channels, rows * stepY + padding, columns * stepX + padding];
  const grid = full(size, padValue, { dtype: batch.dtype, device: batch.device });
  for (let k = 0; k < count; k++) {
    const top = Math.floor(k / columns) * stepY + padding;
    const left = (k % columns) * stepX + padding;
    grid.narrow(1, top, height).narrow(2, left, width).copy_(batch.select(0, k));
  }
  return grid;
}

/**
 * An image, or several in a grid, as the bytes of a PNG: floats of 0 ... 1 (or uint8 of 0 ... 255)
 * in [C, H, W]. With a path, the file is written too (in Node).
 */
export async function saveImage(
  images: Tensor | readonly Tensor[],
  path?: string,
  options: GridOptions = {},
): Promise<Uint8Array> {
  const grid = makeGrid(images, options);
  const bytes =
    grid.dtype === uint8
      ? grid
      : grid.float().mul(255).add(0.5).clamp({ min: 0, max: 255 }).to(uint8);
  const [channels, height, width] = bytes.shape;
  if (channels !== 3 && channels !== 4) {
    throw new ShapeError(
      `saveImage: an image has 1, 3 or 4 channels, got ${channels} in ${showShape(grid.shape)}`,
    );
  }
  const data = (await bytes.permute(1, 2, 0).toArray()) as Uint8Array;
  const { encode } = await import('fast-png');
  const png = encode({ width, height, channels, data });
  if (path !== undefined) await writeBytes(path, png);
  return png;
}
