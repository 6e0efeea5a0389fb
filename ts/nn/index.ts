/** torch.nn: modules, layers and losses. */

export { deepcopy } from './copy.js';
export * as functional from './functional.js';
export {
  type BackwardHook,
  type BackwardPreHook,
  type ForwardHook,
  type ForwardHookOptions,
  type ForwardPreHook,
  type Gradients,
  type Hook,
  type HookOptions,
  type RemovableHandle,
  registerModuleForwardHook,
  registerModuleForwardPreHook,
  registerModuleFullBackwardHook,
  registerModuleFullBackwardPreHook,
} from './hooks.js';
export * as init from './init.js';
export * from './layers/activation.js';
export * from './layers/attention.js';
export * from './layers/container.js';
export * from './layers/conv.js';
export * from './layers/embedding.js';
export * from './layers/linear.js';
export * from './layers/loss.js';
export * from './layers/loss_margin.js';
export * from './layers/norm.js';
export * from './layers/padding.js';
export * from './layers/parameters.js';
export * from './layers/pool.js';
export { GRU, LSTM, RNN } from './layers/recurrent.js';
export { GRUCell, LSTMCell, RNNCell } from './layers/recurrent_cell.js';
export * from './layers/shrink.js';
export * from './layers/similarity.js';
export * from './layers/transformer.js';
export * from './module.js';
export * as modules from './modules.js';
export { Parameter } from './parameter.js';
export * as utils from './utils.js';
