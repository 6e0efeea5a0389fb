/** Every operator as a function of the `torch` namespace. */

export * from '../build/functions.js';
export { nativeBatchNorm, nativeLayerNorm } from './nn/functional_norm.js';
export * from './ops/arithmetic.js';
export * from './ops/convert.js';
export * from './ops/creation.js';
export * from './ops/einsum.js';
export * from './ops/indexing.js';
export * from './ops/joining.js';
export * from './ops/linear.js';
export * from './ops/patterns.js';
export * from './ops/random.js';
export * from './ops/random_creation.js';
export * from './ops/rearrange.js';
export * from './ops/reductions.js';
export * from './ops/scans.js';
export * from './ops/shape.js';
export * from './ops/sorting.js';
export * from './ops/splitting.js';
export * from './ops/typed_tensors.js';
