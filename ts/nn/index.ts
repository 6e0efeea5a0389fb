/** torch.nn: modules, layers and losses. */

export * as functional from './functional.js';
export * as init from './init.js';
export * from './layers/activation.js';
export * from './layers/container.js';
export * from './layers/conv.js';
export * from './layers/embedding.js';
export * from './layers/linear.js';
export * from './layers/loss.js';
export * from './layers/norm.js';
export * from './layers/pool.js';
export * from './module.js';
export { Parameter } from './parameter.js';
