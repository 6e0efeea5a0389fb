/** Rows with kernels of their own, and every gradient, on the GPU against the CPU's float64. */

import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';
import { gradients } from '../../ts/ops/gradients.js';
import { type OpName, table } from '../../ts/ops/table.js';
import { judges } from '../judges.js';
import { strided } from '../ops/matrix.js';
import { type Call, callsOf, names, type Tensor } from '../ops/samples.js';
import { withGpu } from './agree.js';

/** Four times what PyTorch allows float32. */
const MOST = { rtol: 4 * 1.3e-6, atol: 4e-5 };

/** Relative error of a row on the GPU: what its judge says, the CPU's unless it says more. */
function tolerance(op: OpName): number {
  const judge = judges[op];
  if (judge.kind === 'pointwise') return MOST.rtol;
  return Math.min(judge.rtol, MOST.rtol);
}

const toGpu = (x: Tensor) => x.to('webgpu');
const elements = (x: Tensor) => x.numel() > 0;

/** Expects values of the GPU near those of float64, or the same where `rtol` is 0. */
function near(name: string, found: Tensor, wanted: Tensor, rtol: number): void {
  expect(found.shape, name).toEqual(wanted.shape);
  const narrow = wanted.dtype === torch.float64 ? torch.float32 : wanted.dtype;
  expect(found.dtype, name).toBe(narrow);
  const [a, b] = [found.double(), (rtol === 0 ? wanted.to(narrow) : wanted).double()];
  const atol = rtol === 0 ? 0 : MOST.atol;
  const same = torch.allclose(a, b, { rtol, atol, equalNan: true });
  expect(same ? 'near' : `${a} is not ${b}`, name).toBe('near');
}

/** A row on the GPU, its inputs as they are and in other layouts. */
async function values(op: OpName, call: Call, inputs: readonly Tensor[]): Promise<void> {
  const wide = inputs.map((x) => (x.isFloatingPoint() ? x.double() : x));
  const expected = call.run(wide);
  const found = call.run(inputs.map(toGpu));
  const laid = inputs.map(toGpu).map((x) => (elements(x) ? strided(x) : x));
  const other = table[op].kind === 'view' ? [] : call.run(laid);
  const results = await Promise.all([...found, ...other].map((x) => x.cpu()));
  results.forEach((x, i) => {
    near(`output ${i}`, x, expected[i % expected.length] as Tensor, tolerance(op));
  });
}

/** Integers and masks: the CPU's results to the bit, or a refusal where the CPU refuses. */
async function whole(call: Call, dtype: torch.Dtype): Promise<void> {
  const inputs = call.inputs.map((x) => (x.isFloatingPoint() ? x.round().to(dtype) : x));
  const attempt = (list: readonly Tensor[]) => {
    try {
      return call.run(list);
    } catch (error) {
      if (error instanceof torch.TorchError) return undefined;
      throw error;
    }
  };
  const wanted = attempt(inputs);
  const found = attempt(inputs.map(toGpu));
  expect(found?.length).toBe(wanted?.length);
  const results = await Promise.all((found ?? []).map((x) => x.cpu()));
  results.forEach((x, i) => {
    const want = (wanted as Tensor[])[i] as Tensor;
    expect(x.dtype).toBe(want.dtype);
    near(`output ${i}`, x, want, want.isFloatingPoint() ? MOST.rtol : 0);
  });
}

const weightsFor = (x: Tensor, seed: number) =>
  torch
    .arange(x.numel(), { dtype: torch.float64 })
    .add(seed)
    .mul(0.7)
    .sin()
    .view(x.shape)
    .to(x.dtype)
    .to(x.device);

/** A weighted sum of the outputs that carry gradients. */
function weighted(outputs: readonly Tensor[]): Tensor | undefined {
  const grown = outputs.filter((x) => x.requiresGrad && elements(x));
  const terms = grown.map((x, k) => x.mul(weightsFor(x, k)).sum());
  return terms.length === 0 ? undefined : terms.reduce((a, b) => a.add(b));
}

function outputsOf(op: OpName, call: Call, inputs: readonly Tensor[]): Tensor[] {
  const judge = judges[op];
  const wanted = judge.kind === 'sampled' ? judge.differentiable : undefined;
  const outputs = call.run(inputs);
  return wanted === undefined ? outputs : wanted.map((i) => outputs[i] as Tensor);
}

/** First and second derivatives, as far as they depend on the inputs. */
function derivatives(op: OpName, call: Call, inputs: readonly Tensor[]): (Tensor | null)[] {
  const leaves = inputs.map((x, i) => x.detach().requiresGrad_(call.wanted[i]));
  const taken = leaves.filter((x) => x.requiresGrad);
  const sum = weighted(outputsOf(op, call, leaves));
  if (sum === undefined) return [];
  const grad = (x: Tensor, createGraph: boolean) =>
    torch.autograd.grad([x], taken, { createGraph, allowUnused: true });
  const first = grad(sum, true);
  const total = weighted(first.filter((x) => x !== null));
  return total === undefined ? first : [...first, ...grad(total, false)];
}

/** Derivatives on the GPU against those of the CPU in float64. */
async function gradient(op: OpName, call: Call): Promise<void> {
  const expected = derivatives(
    op,
    call,
    call.inputs.map((x) => (x.isFloatingPoint() ? x.double() : x)),
  );
  const found = derivatives(op, call, call.inputs.map(toGpu));
  expect(found.length).toBe(expected.length);
  const results = await Promise.all(found.map((x) => x?.cpu()));
  results.forEach((x, i) => {
    const want = expected[i];
    expect(x === undefined, `derivative ${i}`).toBe(want === null);
    if (x !== undefined && want) near(`derivative ${i}`, x, want, MOST.rtol);
  });
}

const CHECKED: readonly OpName[] = [
  'exp',
  'divTrue',
  'powTensors',
  'geluErf',
  'prod',
  'varMean',
  'softmax',
  'logcumsumexp',
  'cumprod',
  'matmul',
  'scatterAdd',
  'conv2d',
  'avgPool2d',
  'groupNorm',
  'batchNorm',
  'crossEntropy',
  'lstmCell',
  'gruSequence',
  'attention',
];

/** The derivative along one direction against differences of float32 values. */
async function difference(op: OpName, call: Call): Promise<void> {
  const inputs = call.inputs.map(toGpu);
  const leaves = inputs.map((x, i) => x.detach().requiresGrad_(call.wanted[i]));
  const sum = weighted(outputsOf(op, call, leaves)) as Tensor;
  const taken = leaves.filter((x) => x.requiresGrad);
  const first = torch.autograd.grad([sum], taken, { allowUnused: true });
  // The step balances the curvature against the rounding of float32 values.
  const step = 4e-3;
  const moved = (sign: number) =>
    leaves.map((x, i) => x.detach().add(call.wanted[i] ? weightsFor(x, i).mul(sign * step) : 0));
  const ends = [1, -1].map((sign) => {
    const list = moved(sign).map((x, i) =>
      call.wanted[i] ? x.requiresGrad_() : (leaves[i] as Tensor),
    );
    return (weighted(outputsOf(op, call, list)) as Tensor).item();
  });
  const slopes = taken.map((x, k) => {
    const i = leaves.indexOf(x);
    return first[k] === null ? 0 : (first[k] as Tensor).mul(weightsFor(x, i)).sum().item();
  });
  const [up, down] = (await Promise.all(ends)) as number[];
  const along = (await Promise.all(slopes)) as number[];
  const slope = along.reduce((a, b) => a + b, 0);
  const size = along.reduce((a, b) => a + Math.abs(b), 1e-2);
  const found = ((up as number) - (down as number)) / (2 * step);
  expect(Math.abs(found - slope)).toBeLessThan(5e-3 * size + 2e-3);
}

await withGpu('rows on the GPU', () => {
  const sampled = names.filter((op) => judges[op].kind === 'sampled');
  describe.each(sampled)('%s', (op) => {
    for (const call of callsOf(op, torch.float32)) {
      test(`${call.name}: float32, also in another layout`, () => values(op, call, call.inputs));
      test(`${call.name}: int32`, () => whole(call, torch.int32));
      test(`${call.name}: bool`, () => whole(call, torch.bool));
    }
  });
  describe.each(names.filter((op) => gradients[op].kind !== 'none'))('%s', (op) => {
    for (const call of callsOf(op, torch.float32)) {
      test(`${call.name}: first and second derivatives`, () => gradient(op, call));
    }
  });
  describe.each(CHECKED)('%s', (op) => {
    for (const call of callsOf(op, torch.float32)) {
      if (call.inputs.every(elements)) {
        test(`${call.name}: differences`, () => difference(op, call));
      }
    }
  });
});
