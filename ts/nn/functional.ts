/** torch.nn.functional: layers and losses as functions. */

export { bilinear, cosineSimilarity } from '../ops/distances.js';
export { embedding } from '../ops/embedding.js';
export { linear } from '../ops/linear.js';
export { oneHot, pad } from '../ops/padding.js';
export * from './functional_activations.js';
export { conv1d, conv2d } from './functional_conv.js';
export * from './functional_loss.js';
export * from './functional_margin.js';
export {
  _scaledDotProductAttention,
  dropout,
  dropout1d,
  dropout2d,
  normalize,
  pairwiseDistance,
  pixelShuffle,
  pixelUnshuffle,
  scaledDotProductAttention,
} from './functional_misc.js';
export {
  batchNorm,
  groupNorm,
  instanceNorm,
  layerNorm,
  nativeBatchNorm,
  nativeLayerNorm,
} from './functional_norm.js';
export {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  avgPool1d,
  avgPool2d,
  maxPool1d,
  maxPool2d,
} from './functional_pool.js';
