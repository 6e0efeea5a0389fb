/** isotorch: PyTorch's way of working, in TypeScript. `import * as torch from 'isotorch'`. */

import './ops/methods.js';
import './nn/own.js';

export { grad } from './autograd/backward.js';
export { graph } from './autograd/graph.js';
export {
  enableGrad,
  inferenceMode,
  isGradEnabled,
  type ModeGuard,
  noGrad,
  setGradEnabled,
} from './autograd/mode.js';
export * as autograd from './autograd.js';
export * from './checkpoint/index.js';
export {
  bfloat16,
  bool,
  Dtype,
  type DtypeName,
  float16,
  float16 as half,
  float32,
  float32 as float,
  float64,
  float64 as double,
  getDefaultDtype,
  int8,
  int16,
  int16 as short,
  int32,
  int32 as int,
  int64,
  int64 as long,
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
export * as data from './data/index.js';
export * as cpu from './device/cpu/index.js';
export { getNumThreads, setNumThreads } from './device/cpu/index.js';
export * as nn from './nn/index.js';
export * as linalg from './ops/linalg.js';
export * as amp from './optim/amp.js';
export * as optim from './optim/index.js';
export { isTensor, Tensor } from './tensor.js';
export * from './torch.js';
export * as vision from './vision/index.js';
export * as webgpu from './webgpu.js';
