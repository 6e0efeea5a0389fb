/** The part of TensorFlow.js that the cases call; its types are not installed with the library. */

export interface TfTensor {
  readonly shape: number[];
  data(): Promise<Float32Array>;
  dispose(): void;
  add(other: TfTensor | number): TfTensor;
  sub(other: TfTensor): TfTensor;
  mean(axis: number): TfTensor;
  rsqrt(): TfTensor;
  exp(): TfTensor;
  sum(): TfTensor;
  reshape(shape: readonly number[]): TfTensor;
  relu(): TfTensor;
  mul(other: TfTensor | number): TfTensor;
}

export interface TfVariable extends TfTensor {
  readonly trainable: boolean;
}

interface TfOptimizer {
  minimize(loss: () => TfTensor, returnCost: true): TfTensor;
}

export interface Tf {
  readonly version_core: string;
  tensor(data: Float32Array | Int32Array, shape: readonly number[], dtype?: string): TfTensor;
  variable(value: TfTensor): TfVariable;
  tidy<R>(body: () => R): R;
  matMul(a: TfTensor, b: TfTensor, transposeA?: boolean, transposeB?: boolean): TfTensor;
  softmax(x: TfTensor, dim: number): TfTensor;
  conv2d(
    x: TfTensor,
    filter: TfTensor,
    strides: number,
    pad: number | string,
    dataFormat?: string,
  ): TfTensor;
  maxPool(x: TfTensor, size: number, strides: number, pad: string): TfTensor;
  transpose(x: TfTensor, perm: number[]): TfTensor;
  split(x: TfTensor, parts: number, axis: number): TfTensor[];
  moments(
    x: TfTensor,
    axis: number | number[],
    keepDims: boolean,
  ): { mean: TfTensor; variance: TfTensor };
  gather(x: TfTensor, indices: TfTensor): TfTensor;
  oneHot(indices: TfTensor, depth: number): TfTensor;
  grads(f: (...inputs: TfTensor[]) => TfTensor): (inputs: TfTensor[], dy: TfTensor) => TfTensor[];
  readonly losses: { softmaxCrossEntropy(onehot: TfTensor, logits: TfTensor): TfTensor };
  readonly train: {
    sgd(lr: number): TfOptimizer;
    adam(lr: number, beta1: number, beta2: number, epsilon: number): TfOptimizer;
  };
}
