/** The shape of the rows of the operator table: what a primitive is, before anything runs. */

import { type Dtype, float32 } from '../core/dtype.js';
import type { Storage } from '../core/storage.js';
import type { Tensor } from '../tensor.js';
import type { KernelDeclaration, KernelDtype, ParamsOf } from './kernel.js';

/** Shape and dtype of one output, before it is allocated. */
export interface OutputSpec {
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  /** The layout of an output that shares a storage of `numel` elements with the others. */
  readonly within?: {
    readonly numel: number;
    readonly strides: readonly number[];
    readonly offset: number;
  };
}

const specs = [1, 2, 3, 4].map((count) =>
  Array.from({ length: count }, () => ({
    shape: [] as readonly number[],
    dtype: float32 as Dtype,
  })),
);

/**
 * Outputs of one dtype, at most four, as a list that all calls share: the gate reads it before the
 * next one. `dtype` can be changed in it.
 */
export function outputsOf(
  dtype: Dtype,
  a: readonly number[],
  b?: readonly number[],
  c?: readonly number[],
  d?: readonly number[],
): readonly { shape: readonly number[]; dtype: Dtype }[] {
  const list = specs[b === undefined ? 0 : c === undefined ? 1 : d === undefined ? 2 : 3];
  for (let i = 0; i < list.length; i++) {
    list[i].shape = (i < 2 ? (i === 0 ? a : b) : i === 2 ? c : d) as readonly number[];
    list[i].dtype = dtype;
  }
  return list;
}

/** A place in a storage: what a kernel's buffer word is made from. `offset` counts elements. */
export interface BufferRef {
  readonly storage: Storage;
  readonly offset: number;
  readonly dtype: Dtype;
}

/** Emits launches for one call of a primitive. Tensors are accepted as buffers. */
export interface Launcher {
  /**
   * Launches `<name>_<dtype>` over `range` work units.
   * `buffers` are in the order of the declaration; the list is taken (core/lend.ts). `params` may be
   * a list of the words in their order. Where an operation does much more than read and write them,
   * all its launches say how many products of numbers it computes: devices decide by it
   * how many threads and which tiles are worth it.
   */
  launch<K extends KernelDeclaration>(
    name: string,
    declaration: K,
    dtype: KernelDtype,
    buffers: readonly (Tensor | BufferRef)[],
    params: ParamsOf<K> | readonly number[],
    range: number,
    products?: number,
  ): void;
  /** Scratch memory of `count` elements for this call, freed when the call is done. */
  scratch(count: number, dtype: Dtype): BufferRef;
  /** One zeroed int32 word in which kernels leave what `check` is to look at. */
  status(): BufferRef;
  /** Throws what `explain` makes of the status word if the launches left it nonzero. */
  check(status: BufferRef, explain: (word: number) => Error): void;
  /** Throws IndexError if the launches left the position of one of `index` outside [0, size). */
  checkIndices(status: BufferRef, name: string, index: Tensor, size: number): void;
  /** Whether `readInts` can read at once. */
  readonly synchronous: boolean;
  /** Reads an int32 buffer back for a data-dependent shape (CPU only; a typed error elsewhere). */
  readInts(buffer: BufferRef | Tensor, count: number): Int32Array;
}

/**
 * A primitive with its own kernels. `Attributes` are the non-tensor arguments.
 * Inputs arrive with a compute dtype (float32, float64, int32, int64; bool and uint8 where `inputs`
 * says so).
 */
export interface Primitive<Attributes> {
  readonly kind: 'primitive';
  /** Kernel declarations by the name of their C function without the dtype suffix; not in bundles. */
  readonly kernels: Readonly<Record<string, KernelDeclaration>>;
  /** Names of the tensor inputs, in order; a trailing '?' marks one that may be absent. */
  readonly inputs: readonly string[];
  /** The dtypes the computation exists for. Smaller floats and integers are cast by the gate. */
  readonly dtypes: 'real' | 'number' | 'any';
  /**
   * Input positions that hold indices (int32 for the kernel) or masks (bool), kept out of
   * promotion.
   */
  readonly index?: readonly number[];
  readonly mask?: readonly number[];
  /** Whether indices may come as int64, where the device has that. */
  readonly wideIndex?: true;
  /** Output positions that hold positions or counts: int32 whatever the inputs were. */
  readonly positions?: readonly number[];
  /** Input positions whose strides the launch understands; the others arrive contiguous. */
  readonly strided?: readonly number[];
  /** Which layouts the launch understands at those positions; default all. */
  readonly readable?: (shape: readonly number[], strides: readonly number[]) => boolean;
  /**
   * Whether what `outputs` and `run` do follows from the attributes, which nobody changes, and from
   * the inputs' dtype and geometries alone: then it is recorded, and done again without them
   * (plans.ts).
   */
  readonly fixed?: true;
  /** The shape rule: checks the inputs and says what comes out. Throws typed errors. */
  outputs(inputs: readonly Tensor[], attributes: Attributes): readonly OutputSpec[];
  /** Emits the launches that fill the outputs, contiguous unless `within` says else. Not called if every output is empty. */
  run(
    launcher: Launcher,
    inputs: readonly Tensor[],
    outputs: readonly Tensor[],
    attributes: Attributes,
  ): void;
}

/** Declares a primitive, keeping its literal types. */
export function primitive<Attributes>() {
  return <const P extends Omit<Primitive<Attributes>, 'kind'>>(row: P) =>
    ({ kind: 'primitive', ...row }) as P & Primitive<Attributes>;
}
