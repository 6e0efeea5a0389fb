/** torch.nn: modules, layers and losses. */

export * from './module.js';
export { Parameter } from './parameter.js';
