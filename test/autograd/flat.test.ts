/** Gradients of slopes that are constant but for steps: differentiated again they give zeros. */

import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';

type Tensor = torch.Tensor;
const F = torch.nn.functional;

const functions: Record<string, (x: Tensor) => Tensor> = {
  hardtanh: (x) => F.hardtanh(x),
  relu6: (x) => F.relu6(x),
  hardshrink: (x) => F.hardshrink(x),
  threshold: (x) => F.threshold(x, 0.1, 2),
  relu: (x) => F.relu(x),
  leakyRelu: (x) => F.leakyRelu(x),
  prelu: (x) => F.prelu(x, torch.tensor([0.25])),
  maxPool2d: (x) => F.maxPool2d(x, 2),
  maxPool1d: (x) => F.maxPool1d(x.at(0), 2),
  avgPool2d: (x) => F.avgPool2d(x, 2),
  avgPool1d: (x) => F.avgPool1d(x.at(0), 2),
  adaptiveAvgPool2d: (x) => F.adaptiveAvgPool2d(x, 2),
  'adaptiveAvgPool2d of one image': (x) => F.adaptiveAvgPool2d(x.at(0), 2),
  'pad, reflect': (x) => F.pad(x, [1, 1, 1, 1], 'reflect'),
  'pad, replicate': (x) => F.pad(x, [1, 1], 'replicate').mul(2),
  nllLoss: (x) => F.nllLoss(x, torch.zeros(1, 4, 4, { dtype: torch.int32 })),
};

describe('a first gradient by its own input', () => {
  test.each(Object.entries(functions))('%s', (name, run) => {
    const x = torch.linspace(-1.9, 2.1, 32).view(1, 2, 4, 4).requiresGrad_();
    const input = name.startsWith('pad, replicate') ? x.at(0) : x;
    const plain = torch.autograd.grad(run(input).sum(), x)[0] as Tensor;
    expect(plain.requiresGrad).toBe(false);
    const [first] = torch.autograd.grad(run(input).sum(), x, { createGraph: true }) as [Tensor];
    expect(first.equal(plain)).toBe(true);
    expect(first.requiresGrad).toBe(true);
    const [second] = torch.autograd.grad(first.square().sum(), x) as [Tensor];
    expect(second.shape).toEqual(x.shape);
    expect(second.abs().sum().itemSync()).toBe(0);
  });

  test('what also depends on it smoothly keeps that derivative', () => {
    const x = torch.tensor([-2, 0.5, 3], { dtype: torch.float64 }).requiresGrad_();
    const y = F.hardtanh(x.square()).mul(x).sum();
    const [first] = torch.autograd.grad(y, x, { createGraph: true }) as [Tensor];
    const [second] = torch.autograd.grad(first.sum(), x) as [Tensor];
    // x^2 x within the bounds, x outside.
    expect(second.tolistSync()).toEqual([0, 3, 0]);
  });

  test('half precision: zeros in the dtype of the input', () => {
    const x = torch.ones(1, 1, 4, 4, { dtype: torch.float16 }).requiresGrad_();
    const [first] = torch.autograd.grad(F.avgPool2d(x, 2).sum(), x, { createGraph: true });
    const [second] = torch.autograd.grad((first as Tensor).sum(), x) as [Tensor];
    expect(second.dtype).toBe(torch.float16);
  });
});
