/** What the cases of a million elements must give, computed plainly in double precision. */

import type { Inputs } from '../case.js';

export const SIDE = 1024;
export const EPS = 1e-5;
type Numbers = ArrayLike<number>;

/** f of every element and of the same element of another input. */
export function map(f: (v: number, w: number) => number, other: 'y' | 'g' = 'g') {
  return ({ x, [other]: given }: Inputs): Float64Array =>
    Float64Array.from(x.data, (v, i) => f(v, given.data[i]));
}

/** f of each row, which gives a number or a row. */
export function rows(f: (x: Float64Array, g: Numbers, row: number) => Numbers) {
  return ({ x, g }: Inputs): number[] =>
    Array.from({ length: SIDE }, (_, r) => {
      const [a, b] = [x, g].map(({ data }) => data.subarray(r * SIDE, (r + 1) * SIDE));
      return Array.from(f(Float64Array.from(a), b, r));
    }).flat();
}

export function softmax(x: Float64Array): Float64Array {
  const total = x.reduce((sum, v) => sum + Math.exp(v), 0);
  return x.map((v) => Math.exp(v) / total);
}

/** Places of the elements in ascending order, the first of equals first. */
export function order(x: Numbers): number[] {
  return Array.from(x, (_, i) => i).sort((a, b) => x[a] - x[b] || a - b);
}

/** The error function by its series. */
export function erf(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 30; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

/** Density of the normal distribution. */
export const density = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** What is normalised together, and which weight an element has. */
interface Norm {
  readonly group: (i: number) => number;
  readonly channel: (i: number) => number;
}
export const LAYER: Norm = { group: (i) => Math.floor(i / SIDE), channel: (i) => i % SIDE };
/** Images of 16 channels of 32 x 32. */
export const BATCH: Norm = {
  group: (i) => (i >> 10) & 15,
  channel: (i) => (i >> 10) & 15,
};

function means(values: (i: number) => number, count: number, { group }: Norm): number[] {
  const sums: number[] = [];
  const counts: number[] = [];
  for (let i = 0; i < count; i++) {
    const at = group(i);
    sums[at] = (sums[at] ?? 0) + values(i);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return sums.map((sum, i) => sum / counts[i]);
}

function units({ x }: Inputs, norm: Norm) {
  const mean = means((i) => x.data[i], x.data.length, norm);
  const variance = means((i) => (x.data[i] - mean[norm.group(i)]) ** 2, x.data.length, norm);
  const scale = variance.map((v) => 1 / Math.sqrt(v + EPS));
  const unit = Float64Array.from(
    x.data,
    (v, i) => (v - mean[norm.group(i)]) * scale[norm.group(i)],
  );
  return { scale, unit };
}

export function normalised(norm: Norm) {
  return (inputs: Inputs): Numbers =>
    units(inputs, norm).unit.map((u, i) => {
      const at = norm.channel(i);
      return u * inputs.weight.data[at] + inputs.bias.data[at];
    });
}

/** The gradients of input, weight and bias, one after the other. */
export function normalisedBackward(norm: Norm) {
  return (inputs: Inputs): Numbers => {
    const { weight, g } = inputs;
    const { scale, unit } = units(inputs, norm);
    const given = (i: number) => g.data[i] * weight.data[norm.channel(i)];
    const mean = means(given, unit.length, norm);
    const along = means((i) => given(i) * unit[i], unit.length, norm);
    const ofWeight = new Float64Array(weight.data.length);
    const ofBias = new Float64Array(weight.data.length);
    const ofInput = unit.map((u, i) => {
      const [at, channel] = [norm.group(i), norm.channel(i)];
      ofWeight[channel] += g.data[i] * u;
      ofBias[channel] += g.data[i];
      return scale[at] * (given(i) - mean[at] - u * along[at]);
    });
    return [...ofInput, ...ofWeight, ...ofBias];
  };
}
