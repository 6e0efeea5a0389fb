/**
 * Declarations of kernels: which buffers and parameters a launch carries, shared by C and the
 * callers.
 */

import type { Tensor } from '../tensor.js';
import type { BufferRef } from './row.js';

/**
 * Dtype suffixes of compiled kernels. `u8` serves bool and uint8; `b1` to `b8` are kernels that
 * only move elements (or look at their bits) and so know nothing but their size in bytes.
 */
export type KernelDtype =
  | 'f32'
  | 'f64'
  | 'f16'
  | 'i32'
  | 'i64'
  | 'u8'
  | 'b1'
  | 'b2'
  | 'b4'
  | 'b8'
  | 'any';

/** Kernels of floats, of all compute dtypes, and of elements by their size. */
export const REALS = ['f32', 'f64'] as const;
export const NUMBERS = ['f32', 'f64', 'i32', 'i64'] as const;
export const WIDTHS = ['b1', 'b2', 'b4', 'b8'] as const;

/** A 32-bit word, a 64-bit float in two words, or (last only) a counted tail of words. */
export type ParamType = 'u32' | 'i32' | 'f32' | 'f64' | 'u32[]';

/** What a kernel takes; the C struct `<name>_params` in build/kernels.h is generated from this. */
export interface KernelDeclaration {
  readonly dtypes: readonly KernelDtype[];
  /** Names of the buffer words, inputs first, then outputs and scratch. */
  readonly buffers: readonly string[];
  /** Parameters in the order of their words. */
  readonly params: Readonly<Record<string, ParamType>>;
}

/** Declares a kernel, keeping the literal names for the types of its launches. */
export function kernel<const K extends KernelDeclaration>(declaration: K): K {
  return declaration;
}

/** A tail may hold buffers too (the tensors of an optimiser step); the device places them. */
type ParamValue<T extends ParamType> = T extends 'u32[]'
  ? readonly (number | Tensor | BufferRef)[]
  : number;

/** The parameter values a launch of kernel `K` must give, by name. */
export type ParamsOf<K extends KernelDeclaration> = {
  readonly [P in keyof K['params']]: ParamValue<K['params'][P]>;
};
