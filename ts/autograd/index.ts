/** torch.autograd: gradients without `backward()`, and tools to check and look at graphs. */

export { type BackwardOptions, type GradOptions, grad } from './backward.js';
export { type GradHook, Node, setDetectAnomaly } from './node.js';
