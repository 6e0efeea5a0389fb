/** torch.optim: optimisers and learning rate schedules. */

export { Adam, Adamax, type AdamOptions, AdamW, NAdam, RAdam } from './adam.js';
export { Adadelta, Adagrad, ASGD, RMSprop, type RMSpropOptions, Rprop } from './adaptive.js';
export { LBFGS, type LBFGSOptions } from './lbfgs.js';
export * as lrScheduler from './lr_scheduler.js';
export { Optimizer, type OptimizerStateDict } from './optimizer.js';
export { SGD, type SGDOptions } from './sgd.js';
