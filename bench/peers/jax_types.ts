/** The part of jax-js that the cases call. Functions take ownership; `ref` keeps an array. */

export interface JaxArray {
  readonly ref: JaxArray;
  reshape(shape: readonly number[]): JaxArray;
  transpose(axes?: number[]): JaxArray;
  add(other: JaxArray): JaxArray;
  sub(other: JaxArray): JaxArray;
  mul(other: JaxArray | number): JaxArray;
  sum(): JaxArray;
  mean(): JaxArray;
  neg(): JaxArray;
  data(): Promise<Float32Array>;
  blockUntilReady(): Promise<JaxArray>;
  dispose(): void;
}

export interface Jax {
  readonly numpy: {
    readonly float32: unknown;
    array(data: Float32Array | Int32Array): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
    exp(x: JaxArray): JaxArray;
    sum(x: JaxArray, axis?: number): JaxArray;
  };
  readonly nn: {
    relu(x: JaxArray): JaxArray;
    softmax(x: JaxArray, axis: number): JaxArray;
    logSoftmax(x: JaxArray, axis: number): JaxArray;
    oneHot(x: JaxArray, classes: number): JaxArray;
  };
  readonly lax: {
    conv(x: JaxArray, weight: JaxArray, strides: number[], padding: string): JaxArray;
  };
  jit<A extends unknown[], R>(f: (...args: A) => R): (...args: A) => R;
  valueAndGrad(
    f: (params: JaxArray[], x: JaxArray, y: JaxArray) => JaxArray,
  ): (params: JaxArray[], x: JaxArray, y: JaxArray) => [JaxArray, JaxArray[]];
}
