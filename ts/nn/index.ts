/** torch.nn: modules, layers and losses. */

export * as functional from './functional.js';
export * from './module.js';
export { Parameter } from './parameter.js';
