/** isotorch: PyTorch's way of working, in TypeScript. `import * as torch from 'isotorch'`. */

import './ops/methods.js';

export * as autograd from './autograd/index.js';
export { grad } from './autograd/backward.js';
export {
  enableGrad,
  inferenceMode,
  isGradEnabled,
  type ModeGuard,
  noGrad,
  setGradEnabled,
} from './autograd/mode.js';
export {
  bfloat16,
  bool,
  Dtype,
  type DtypeName,
  float16,
  float32,
  float64,
  getDefaultDtype,
  int8,
  int16,
  int32,
  int64,
  setDefaultDtype,
  uint8,
} from './core/dtype.js';
export * from './core/errors.js';
export {
  debugMemory,
  type MemoryReport,
  memory,
  resetPeakMemory,
  scope,
} from './core/memory.js';
export { setPrintoptions } from './core/print.js';
export { Tensor } from './tensor.js';
export * from './torch.js';
