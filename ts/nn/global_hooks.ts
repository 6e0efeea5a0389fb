/** torch.nn.modules.module: hooks that run for every module, before its own. */

export {
  registerModuleForwardHook,
  registerModuleForwardPreHook,
  registerModuleFullBackwardHook,
  registerModuleFullBackwardPreHook,
} from './hooks.js';
