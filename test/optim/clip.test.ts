/** Clipping of gradients, and gradients gathered over several batches. */

import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { cases, decode, expectClose, gradient, parameter } from './recorded.js';

const { nn } = torch;
const { clipGradNorm_, clipGradValue_ } = nn.utils;

function withGrads(): torch.Tensor[] {
  const params = [parameter(0), parameter(1)];
  params.forEach((param, i) => {
    param.grad = gradient(i, 0);
  });
  return params;
}

describe('clipGradNorm_', () => {
  it.each(cases.norms)('order $norm to at most $max, as PyTorch', ({ norm, max, total, grads }) => {
    const params = [...withGrads(), parameter(0)];
    expectClose(clipGradNorm_(params, max, decode(norm) as number), total, 'norm');
    expectClose(
      params.slice(0, 2).map((param) => param.grad),
      grads,
      'gradients',
    );
  });

  it('takes one tensor, orders by name, and nothing to clip', () => {
    const [param] = withGrads();
    const largest = clipGradNorm_(param, 0.5, { normType: 'inf' }).itemSync();
    expect(largest).toBeCloseTo(gradient(0, 0).abs().max().itemSync(), 12);
    expect(param.grad?.abs().max().itemSync()).toBeCloseTo(0.5, 5);
    expect(clipGradNorm_([parameter(0)], 1).itemSync()).toBe(0);
  });

  it('leaves the gradients alone if the norm is to be finite and is not', () => {
    const params = withGrads();
    params[1].grad?.fill_(Number.NaN);
    const before = params[0].grad?.tolistSync();
    const clip = () => clipGradNorm_(params, 1, 2, true);
    expect(clip).toThrow(torch.ValueError);
    expect(clip).toThrow(/norm of order 2 of the gradients is NaN/);
    expect(params[0].grad?.tolistSync()).toEqual(before);
    expect(clipGradNorm_(params, 1).itemSync()).toBeNaN();
    expect(params[0].grad?.isnan().all().itemSync()).toBe(true);
  });

  it('keeps nothing but the norm', () => {
    const params = withGrads();
    clipGradNorm_(params, 1).dispose();
    const before = torch.memory().storages;
    clipGradNorm_(params, 1).dispose();
    expect(torch.memory().storages).toBe(before);
  });
});

it('clipGradValue_ holds every element between its bounds', () => {
  const params = withGrads();
  clipGradValue_(params, 0.25);
  params.forEach((param, i) => {
    expect(param.grad?.tolistSync()).toEqual(gradient(i, 0).clamp(-0.25, 0.25).tolistSync());
  });
});

it('gradients of small batches add up to those of the whole', () => {
  torch.manualSeed(3);
  const make = () => {
    torch.manualSeed(1);
    return new nn.Sequential(new nn.Linear(5, 8), new nn.Tanh(), new nn.Linear(8, 2)).double();
  };
  const [x, y] = [torch.randn(12, 5).double(), torch.randn(12, 2).double()];
  const [whole, parts] = [make(), make()];
  const optimizers = [whole, parts].map(
    (net) => new torch.optim.Adam(net.parameters(), { lr: 0.05 }),
  );
  for (let step = 0; step < 5; step++) {
    for (const optimizer of optimizers) optimizer.zeroGrad();
    nn.functional.mseLoss(whole(x), y).backward();
    for (let start = 0; start < 12; start += 4) {
      const [few, wanted] = [x.narrow(0, start, 4), y.narrow(0, start, 4)];
      nn.functional.mseLoss(parts(few), wanted).div(3).backward();
    }
    for (const optimizer of optimizers) optimizer.step();
  }
  const own = [...parts.parameters()];
  [...whole.parameters()].forEach((param, i) => {
    expect(torch.allclose(param, own[i], 1e-10, 1e-12)).toBe(true);
  });
});

describe('sparse gradients', () => {
  it('are refused where they are asked for', () => {
    const index = torch.tensor([0, 1]);
    const weight = torch.ones(3, 2);
    const dense = /sparse\w* is not supported, all gradients are dense/;
    expect(() => new nn.Embedding(3, 2, { sparse: true })).toThrow(dense);
    expect(() => nn.functional.embedding(index, weight, { sparse: true })).toThrow(dense);
    expect(() => torch.gather(weight, 0, index.view(1, 2), { sparseGrad: true })).toThrow(dense);
    expect(() => new nn.Embedding(3, 2, { sparse: true })).toThrow(torch.ValueError);
  });
});
