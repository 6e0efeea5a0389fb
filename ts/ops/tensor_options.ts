/** Keyword arguments of functions that make tensors, and sizes before them. */

import type { Dtype } from '../core/dtype.js';
import type { Shape } from '../core/layout.js';
import { checkOptions, isOptions } from '../core/options.js';
import type { DeviceType } from '../device/device.js';
import type { MemoryFormat } from './memory_format.js';
import { listOf } from './signature.js';

/** Keyword arguments of every function that makes a tensor. */
export interface TensorOptions {
  dtype?: Dtype | null;
  /** Default 'cpu'. */
  device?: DeviceType | null;
  requiresGrad?: boolean;
  /** Of functions like another tensor: its order of dimensions (default), or row-major. */
  memoryFormat?: MemoryFormat | null;
}

/** Their names, and those of PyTorch that change nothing here. */
export const TENSOR_OPTIONS = [
  'dtype',
  'device',
  'requiresGrad',
  'layout',
  'pinMemory',
  'memoryFormat',
  'names',
  'size',
];

/** Sizes one by one or as an array, then perhaps options. */
export type SizeArgs = (number | readonly number[] | TensorOptions)[];

/** Sizes given one by one or as an array, then perhaps options. */
export function sizesAndOptions(name: string, args: SizeArgs): [Shape, TensorOptions | undefined] {
  const last = args[args.length - 1];
  if (!isOptions(last)) return [listOf(args as (number | readonly number[])[]), undefined];
  checkOptions(name, last, TENSOR_OPTIONS);
  const given = last as TensorOptions & { size?: readonly number[] };
  const sizes = given.size ?? listOf(args.slice(0, -1) as (number | readonly number[])[]);
  return [sizes, last as TensorOptions];
}
