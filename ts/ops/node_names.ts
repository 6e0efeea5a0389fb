/** Nodes whose name in PyTorch is not the operator's own with 'Backward0' behind it. */

import type { OpName } from './table.js';

const names: { readonly [K in OpName]?: string } = {
  square: 'PowBackward0',
  cube: 'PowBackward0',
  roundEven: 'RoundBackward0',
  addTensors: 'AddBackward0',
  addScaled: 'AddBackward0',
  subTensors: 'SubBackward0',
  divTrue: 'DivBackward0',
  divFloor: 'DivBackward0',
  divTrunc: 'DivBackward0',
  powTensors: 'PowBackward0',
  select3: 'WhereBackward0',
  clampScalars: 'ClampBackward1',
  hardtanhScalars: 'HardtanhBackward0',
  clampTensors: 'ClampBackward0',
  addcmulTensors: 'AddcmulBackward0',
  addcdivTensors: 'AddcdivBackward0',
  lerpTensors: 'LerpBackward0',
  leakyReluScalar: 'LeakyReluBackward0',
  geluErf: 'GeluBackward0',
  geluTanh: 'GeluBackward0',
  softplusScalar: 'SoftplusBackward0',
  eluScalar: 'EluBackward0',
  sliceDim: 'SliceBackward0',
  selectDim: 'SelectBackward0',
  diagonalView: 'DiagonalBackward0',
  unfoldView: 'UnfoldBackward0',
  asStridedView: 'AsStridedBackward0',
  maxDim: 'MaxBackward0',
  minDim: 'MinBackward0',
  vectorNorm: 'LinalgVectorNormBackward0',
  matmul: 'BmmBackward0',
  svd: 'LinalgSvdBackward0',
  conv2d: 'ConvolutionBackward0',
  maxPool2d: 'MaxPool2DWithIndicesBackward0',
  avgPool2d: 'AvgPool2DBackward0',
  adaptiveAvgPool2d: 'AdaptiveAvgPool2DBackward0',
};

const nodeNames = new Map<OpName, string>();

/** As PyTorch prints it: `MulBackward0`. */
export function nodeName(op: OpName): string {
  let name = nodeNames.get(op);
  if (name === undefined) {
    name = names[op] ?? `${op[0].toUpperCase()}${op.slice(1)}Backward0`;
    nodeNames.set(op, name);
  }
  return name;
}

/** Rows whose public function is not their name without the part that tells rows apart. */
const functions: { readonly [K in OpName]?: string } = {
  select3: 'where',
  roundEven: 'round',
  invertBits: 'bitwiseNot',
  cube: 'pow',
  logSigmoid: 'logsigmoid',
  vectorNorm: 'norm',
  varMean: 'var',
  countTrue: 'nonzero',
  nonzeroFill: 'nonzero',
  putAddFlat: 'put',
  runStarts: 'unique',
  triangle: 'triu',
};

const PART =
  /(Backward|InputGrad|WeightGrad|Inference|Tensors|Scaled|Scalars?|True|Floor|Trunc|Erf|Tanh|Dim|View|Flat)$/;

const publicNames = new Map<OpName, string>();

/** The function that users know a row by, for errors: 'add' for addTensors. */
export function publicName(op: OpName): string {
  let name = publicNames.get(op);
  if (name === undefined) {
    name = functions[op] ?? op.replace(PART, '');
    publicNames.set(op, name);
  }
  return name;
}
