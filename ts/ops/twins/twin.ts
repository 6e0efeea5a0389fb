/** What a primitive is on the GPU. */

import type { GpuKernel } from '../../device/webgpu/kernel.js';
import type { Primitive } from '../row.js';
import type { AttributesOf, PrimitiveName } from '../table.js';

/** The kernels of a primitive by the name of their launches, and the program that launches them. */
export interface Twin<K extends PrimitiveName> {
  readonly kernels: Readonly<Record<string, GpuKernel>>;
  /** As the row's `run`; ranges count workgroups (or units, for kernels with `perGroup`). */
  readonly run: Primitive<AttributesOf<K>>['run'];
  /** Inputs that come as they are stored if all are halves; results are float32 then too. */
  readonly packed?: readonly number[];
}

/** Twins of some primitives; a family file exports one of these. */
export type Twins<K extends PrimitiveName> = { readonly [P in K]: Twin<P> };
