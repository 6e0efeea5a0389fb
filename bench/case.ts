/** What a benchmark case is: inputs, one program per library, and what the result must be. */

import type * as Torch from '../ts/index.js';
import type { Jax } from './peers/jax_types.js';
import type { Tf } from './peers/tfjs_types.js';

/** A named input; all libraries get the same numbers. */
export interface Input {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}
export type Inputs = Readonly<Record<string, Input>>;

/** Work prepared by one library. */
export interface Program {
  /** One unit of work. May be asynchronous where the library is, or where users await too. */
  readonly run: () => unknown;
  /** The numbers that must be right. Called before anything is timed. */
  readonly check: () => ArrayLike<number> | Promise<ArrayLike<number>>;
}

/** A node of an ONNX graph: its inputs are those of the case, or `node0`, `node1`... before it. */
export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
}

/** A function of bench/ladder/naive.c: sizes, then the inputs' names; it writes `count` floats. */
export interface NaiveCall {
  readonly name: string;
  readonly sizes: readonly number[];
  readonly inputs: readonly string[];
  readonly count: number;
}

export interface Case {
  /** Group and variant: 'matmul/256 NT'. */
  readonly name: string;
  /** Floating point operations of one run, for a rate. */
  readonly flops?: number;
  readonly inputs: () => Inputs;
  /** The right numbers: computed naively, or recorded from native PyTorch. */
  readonly expected: (inputs: Inputs) => ArrayLike<number>;
  /** Largest allowed |got - expected| / (1 + |expected|). */
  readonly tolerance: number;
  readonly isotorch: (torch: typeof Torch, inputs: Inputs) => Program;
  readonly tfjs?: (tf: Tf, inputs: Inputs) => Program;
  readonly jax?: (jax: Jax, inputs: Inputs) => Program;
  /** The graph whose last node is the result. */
  readonly onnx?: readonly OnnxNode[];
  /** A plain kernel of bench/ladder/naive.c: the smoke test's measure. */
  readonly naive?: NaiveCall;
  /**
   * Python that defines run() and, where its result is not what is checked, check(). The inputs
   * are tensors by their names; torch, nn and F are imported.
   */
  readonly pytorch: string;
}

/** Uniform numbers in [-scale, scale), the same on every machine (mulberry32). */
export function uniform(seed: number, shape: readonly number[], scale = 1): Input {
  let state = seed;
  const count = shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return scale * (((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1);
  });
  return { shape, data };
}

/** The class of each row of a batch. */
export function classes(seed: number, count: number, of: number): Input {
  const { data } = uniform(seed, [count]);
  return { shape: [count], data: Int32Array.from(data, (u) => Math.floor(((u + 1) / 2) * of)) };
}

/** Devices the cases run on. */
export type DeviceName = 'cpu' | 'webgpu';

let device: DeviceName = 'cpu';

/** Where the tensors and modules of this library go. */
export function deviceInUse(): DeviceName {
  return device;
}

/** Has `toTensor` put its tensors there. */
export function useDevice(name: DeviceName): void {
  device = name;
}

/** An input as a tensor of this library. */
export function toTensor(torch: typeof Torch, { data, shape }: Input): Torch.Tensor {
  return torch.tensor(data, { device }).view([...shape]);
}

/** The elements of a float tensor. */
export function values(tensor: Torch.Tensor): Promise<ArrayLike<number>> {
  return tensor.toArray() as Promise<Float32Array>;
}

/** Throws where a result is wrong; `who` names the library and the case. */
export function verify(
  who: string,
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): void {
  if (got.length !== expected.length) {
    throw new Error(`${who}: expected ${expected.length} numbers, got ${got.length}`);
  }
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(got[i] - expected[i]) / (1 + Math.abs(expected[i]));
    if (!(error <= tolerance)) {
      throw new Error(`${who}: wrong at ${i}: expected ${expected[i]}, got ${got[i]}`);
    }
  }
}
