/** torch.nn.modules: hooks of all modules at once are in its `module`. */

export * as module from './global_hooks.js';
