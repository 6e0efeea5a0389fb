/** What the products of the GPU share: tiles, and slices of the depth that are summed after. */

import gemmSource from '../../../kernels/gemm.wgsl';
import cutSource from '../../../kernels/gemm_cut.wgsl';
import fillSource from '../../../kernels/gemm_fill.wgsl';
import linesSource from '../../../kernels/gemm_lines.wgsl';
import splitSumSource from '../../../kernels/split_sum.wgsl';
import { suffix } from '../../core/dtype.js';
import { type GpuKernel, gpuKernel } from '../../device/webgpu/kernel.js';
import type { Tensor } from '../../tensor.js';
import type { KernelDtype, ParamsOf, ParamType } from '../kernel.js';
import type { Epilogue } from '../primitives/matmul.js';
import type { BufferRef, Launcher } from '../row.js';

/** A tile of a workgroup, and the cost of an element of it: low ones load more per product. */
interface Tile {
  readonly rows: number;
  readonly cols: number;
  readonly cost: number;
}
const TILES: readonly Tile[] = [
  { rows: 64, cols: 64, cost: 1 },
  { rows: 32, cols: 128, cost: 1.05 },
  { rows: 16, cols: 128, cost: 1.4 },
];
/** Workgroups that keep a GPU busy, and the least depth of a slice. */
const BUSY = 128;
const LEAST_SLICE = 128;

/** The parameter of kernels that finish a sum with epilogue.wgsl. */
export function epilogueOf(bias: Tensor | undefined, { activation }: Epilogue): number {
  return (bias === undefined ? 0 : 1) + (activation === 'relu' ? 2 : 0);
}

export const splitSumKernel = gpuKernel({
  source: splitSumSource,
  entry: 'split_sum',
  dtypes: ['f32', 'i32'],
  buffers: { x: 'S', bias: 'S', out: 'S' },
  params: { splits: 'u32', cols: 'u32', epilogue: 'u32' },
  perGroup: 256,
});

/** A product in each size of tile: kernels by launch name. */
export interface Tiled<P extends Readonly<Record<string, ParamType>>> {
  readonly name: string;
  readonly kernels: Readonly<Record<string, GpuKernel & { readonly params: P }>>;
}

/** How operands that lie in whole vectors do so: along the depth, or across it. */
export interface Lines {
  readonly a: boolean;
  readonly b: boolean;
}

/** The text that fills tiles from operands in whole vectors. */
function linesText(lines: Lines): string {
  const sides = [
    ['a', 'rows', 'row'],
    ['b', 'cols', 'col'],
  ] as const;
  return sides
    .map(([side, count, line]) => {
      const upper = side.toUpperCase();
      const text = linesSource
        .replaceAll('SIDE', side)
        .replaceAll('UPPER', upper)
        .replaceAll('COUNT', count)
        .replaceAll('LINE', line);
      return `const ${upper}_DEEP = ${lines[side]};\n${text}`;
    })
    .join('');
}

function tileText({ rows, cols }: Tile): string {
  const constants = `const ROWS = ${rows}u;\nconst COLS = ${cols}u;\nconst TALL = ${rows > 16};\n`;
  return constants + cutSource;
}

/** Kernels that do the work of tiles without workgroup memory, by the rows of these. */
export type Direct = ReadonlyMap<number, GpuKernel>;

/** The same for devices that do not use workgroup memory, from a whole text. */
export function direct<const P extends Readonly<Record<string, ParamType>>>(
  options: Parameters<typeof gpuKernel<P>>[0],
): Direct {
  return new Map(
    TILES.map((tile) => {
      const source = `${tileText(tile)}${options.source}`;
      return [tile.rows, gpuKernel({ ...options, source, workgroup: 64 })];
    }),
  );
}

/** The kernels of a product, from the text behind gemm.wgsl; of operands in `lines`, if given. */
export function tiled<const P extends Readonly<Record<string, ParamType>>>(
  name: string,
  options: Parameters<typeof gpuKernel<P>>[0],
  { lines, apart }: { readonly lines?: Lines; readonly apart?: Direct } = {},
): Tiled<P> {
  const fill = lines === undefined ? fillSource : linesText(lines);
  const kernels = TILES.map((tile) => {
    const source = `${tileText(tile)}${gemmSource}${fill}${options.source}`;
    const other = apart?.get(tile.rows);
    const choose: GpuKernel['choose'] = other && ((_, { tiles }) => (tiles ? kernel : other));
    const kernel: GpuKernel & { readonly params: P } = gpuKernel({
      ...options,
      source,
      workgroup: 64,
      choose,
    });
    return [`${name}${tile.rows}`, kernel] as const;
  });
  return { name, kernels: Object.fromEntries(kernels) };
}

/** How a product is cut: the size of tile that wastes least, and how many of them. */
export interface Plan {
  readonly rows: number;
  readonly tiles: number;
  readonly splits: number;
}

/** The plan of a batch of products; `split` allows slices of the depth. */
export function planOf(
  batch: number,
  rows: number,
  cols: number,
  depth: number,
  split: boolean,
): Plan {
  const counts = TILES.map((tile) => Math.ceil(rows / tile.rows) * Math.ceil(cols / tile.cols));
  const costs = TILES.map((tile, i) => counts[i] * tile.rows * tile.cols * tile.cost);
  const best = costs.indexOf(Math.min(...costs));
  const tiles = batch * counts[best];
  return { rows: TILES[best].rows, tiles, splits: split ? splitsOf(tiles, depth) : 1 };
}

/** Launches the planned kernel of a product. */
export function launchTiled<P extends Readonly<Record<string, ParamType>>>(
  launcher: Launcher,
  { name, kernels }: Tiled<P>,
  { rows, tiles, splits }: Plan,
  dtype: KernelDtype,
  buffers: readonly (Tensor | BufferRef)[],
  params: ParamsOf<GpuKernel & { readonly params: P }>,
): void {
  const key = `${name}${rows}`;
  launcher.launch(key, kernels[key], dtype, buffers, params, tiles * splits);
}

/** Slices of the depth: more than one where the tiles are too few to keep the GPU busy. */
function splitsOf(tiles: number, depth: number): number {
  const most = Math.floor(depth / LEAST_SLICE);
  return Math.max(1, Math.min(most, Math.floor(BUSY / Math.max(1, tiles))));
}

/**
 * Has `emit` launch the product into `out`, or with several slices into scratch that is then
 * summed. `emit` is told where to write, and the epilogue.
 */
export function inSlices(
  launcher: Launcher,
  out: Tensor,
  splits: number,
  bias: Tensor | undefined,
  epilogue: number,
  emit: (target: Tensor | BufferRef, epilogue: number) => void,
): void {
  if (splits === 1) {
    emit(out, epilogue);
    return;
  }
  const count = out.numel();
  const parts = launcher.scratch(splits * count, out.dtype);
  emit(parts, 0);
  const params = { splits, cols: bias?.shape[0] ?? 1, epilogue };
  const buffers = [parts, bias ?? parts, out];
  launcher.launch('splitSum', splitSumKernel, suffix(out.dtype), buffers, params, count);
}
