/** torch.autograd: gradients without `backward()`, and tools to check and look at graphs. */

export { type BackwardOptions, type GradOptions, grad } from './backward.js';
export { type GradcheckOptions, gradcheck, gradgradcheck, type TensorFunction } from './check.js';
export { Function, type FunctionClass, FunctionContext } from './function.js';
export { hessian, type JacobianOptions, jacobian } from './functional.js';
export { type DrawnGraph, graph } from './graph.js';
export { enableGrad, inferenceMode, isGradEnabled, noGrad, setGradEnabled } from './mode.js';
export { type GradHook, isAnomalyEnabled, Node, setDetectAnomaly } from './node.js';
