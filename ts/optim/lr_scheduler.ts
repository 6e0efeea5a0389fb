/** torch.optim.lrScheduler: learning rate schedules over the groups of an optimiser. */

export { LRScheduler } from './lr_base.js';
export { ChainedScheduler, SequentialLR } from './lr_combined.js';
export { CosineAnnealingWarmRestarts, CyclicLR } from './lr_cycles.js';
export {
  ConstantLR,
  CosineAnnealingLR,
  ExponentialLR,
  LambdaLR,
  LinearLR,
  MultiplicativeLR,
  MultiStepLR,
  PolynomialLR,
  StepLR,
} from './lr_factors.js';
export { OneCycleLR } from './lr_one_cycle.js';
export { ReduceLROnPlateau } from './lr_plateau.js';
