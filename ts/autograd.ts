/** torch.autograd: gradients without `backward()`, and tools to check and look at graphs. */

export { type BackwardOptions, type GradOptions, grad } from './autograd/backward.js';
export {
  type GradcheckOptions,
  gradcheck,
  gradgradcheck,
  type TensorFunction,
} from './autograd/check.js';
export { Function, type FunctionClass, FunctionContext } from './autograd/function.js';
export { type DrawnGraph, graph } from './autograd/graph.js';
export {
  enableGrad,
  inferenceMode,
  isGradEnabled,
  noGrad,
  setGradEnabled,
} from './autograd/mode.js';
export { type GradHook, isAnomalyEnabled, Node, setDetectAnomaly } from './autograd/node.js';
export { hessian, type JacobianOptions, jacobian } from './ops/jacobian.js';
