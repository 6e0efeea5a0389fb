/** Results are the same to the bit on 1, 2, 3 and 4 threads: every row, and larger calls. */

import { beforeAll, describe, expect, it } from 'vitest';
import { cpu } from '../../ts/device/cpu/cpu.js';
import * as torch from '../../ts/index.js';
import { table } from '../../ts/ops/table.js';
import { callsOf, names } from '../ops/samples.js';
import { bytesOf, startThreads } from './threads.js';

const { nn } = torch;
const F = nn.functional;

beforeAll(() => startThreads(4));

/** Runs `work` with each number of threads, from the same seed. */
function sameOnAll(work: () => torch.Tensor[]): void {
  const results = [1, 2, 3, 4].map((threads) => {
    torch.setNumThreads(threads);
    torch.manualSeed(7);
    return bytesOf(work());
  });
  for (const result of results) expect(result === results[0]).toBe(true);
}

/** A result with the gradients of all inputs. */
function withGradients(inputs: torch.Tensor[], f: (inputs: torch.Tensor[]) => torch.Tensor) {
  const leaves = inputs.map((x) => x.detach().requiresGrad_());
  const out = f(leaves);
  out
    .mul(torch.linspace(-1, 1, out.numel()).reshape(out.shape))
    .sum()
    .backward();
  return [out, ...leaves.map((x) => x.grad as torch.Tensor)];
}

describe('every row', () => {
  it.each(names)('%s', (op) => {
    const row = table[op];
    const integers = 'domain' in row && row.domain === 'int';
    const dtypes = integers ? [torch.int32, torch.int64] : [torch.float32, torch.float64];
    for (const dtype of dtypes) {
      for (const call of callsOf(op, dtype)) sameOnAll(() => call.run(call.inputs));
    }
  });

  it('ran on several threads', () => {
    expect(cpu.helped).toBeGreaterThan(0);
  });
});

const rand = (...shape: number[]) => torch.randn(shape);
const model = (module: torch.nn.Module, ...inputs: torch.Tensor[]) => {
  const leaves = inputs.map((x) => x.requiresGrad_());
  let out = (module as unknown as (...x: torch.Tensor[]) => torch.Tensor | torch.Tensor[])(
    ...leaves,
  );
  if (Array.isArray(out)) out = out[0] as torch.Tensor;
  out.square().mean().backward();
  return [out, ...[...leaves, ...module.parameters()].map((x) => x.grad as torch.Tensor)];
};

const LARGER: Record<string, () => torch.Tensor[]> = {
  'elementwise, strided': () => [rand(301, 203).t().exp().add(rand(203, 1))],
  'elementwise, half': () => [rand(5003).half().mul(3), rand(5003).to(torch.uint8).add(1)],
  matmul: () => withGradients([rand(331, 217), rand(217, 285)], ([a, b]) => a.matmul(b)),
  'matmul, transposed': () =>
    withGradients([rand(217, 331), rand(285, 217)], ([a, b]) => a.t().matmul(b.t())),
  'matmul, batched': () => withGradients([rand(9, 65, 33), rand(9, 33, 70)], ([a, b]) => a.bmm(b)),
  linear: () => model(new nn.Linear(200, 300), rand(130, 200)),
  conv2d: () => model(new nn.Conv2d(3, 20, 5, { padding: 2 }), rand(6, 3, 29, 31)),
  'conv2d, strided, grouped': () =>
    model(new nn.Conv2d(8, 12, 3, { stride: 2, groups: 4 }), rand(5, 8, 33, 30)),
  pooling: () => withGradients([rand(5, 7, 30, 31)], ([x]) => F.maxPool2d(x, 3)),
  softmax: () => withGradients([rand(213, 301)], ([x]) => x.softmax(1)),
  reductions: () => {
    const x = rand(103, 211, 7);
    return [x.sum(), x.sum(0), x.sum(1), x.mean(2), x.amax(1), x.std(0), x.prod(2), x.norm()];
  },
  scans: () => [rand(40, 301).cumsum(1), rand(301, 40).cumprod(0), rand(40, 301).logcumsumexp(1)],
  'singular values': () => Object.values(torch.linalg.svd(rand(150, 9, 7))),
  sort: () => {
    const { values, indices } = rand(31, 501).sort(1);
    return [values, indices, ...Object.values(rand(31, 501).topk(7, 1))];
  },
  'batch norm': () => model(new nn.BatchNorm2d(9), rand(8, 9, 13, 12)),
  'layer norm': () => model(new nn.LayerNorm(65), rand(90, 65)),
  'group norm': () => model(new nn.GroupNorm(3, 9), rand(8, 9, 13, 12)),
  embedding: () => {
    const table = rand(50, 33).requiresGrad_();
    const out = F.embedding(torch.randint(0, 50, [700]), table);
    out.mul(rand(700, 33)).sum().backward();
    return [out, table.grad as torch.Tensor];
  },
  'cross entropy': () =>
    withGradients([rand(301, 70)], ([x]) => F.crossEntropy(x, torch.arange(301).remainder(70))),
  lstm: () => model(new nn.LSTM(20, 34, { numLayers: 2 }), rand(11, 9, 20)),
  gru: () => model(new nn.GRU(20, 34), rand(11, 9, 20)),
  attention: () =>
    withGradients([rand(3, 4, 70, 16), rand(3, 4, 70, 16), rand(3, 4, 70, 16)], ([q, k, v]) =>
      F.scaledDotProductAttention(q, k, v),
    ),
  dropout: () => [F.dropout(rand(9001), 0.3)],
  'an optimiser': () => {
    const net = new nn.Linear(90, 80);
    const optimizer = new torch.optim.Adam(net.parameters(), { lr: 0.1 });
    net(rand(20, 90)).square().sum().backward();
    optimizer.step();
    return [...net.parameters()];
  },
};

describe('larger calls', () => {
  it.each(Object.keys(LARGER))('%s', (name) => {
    sameOnAll(LARGER[name] as () => torch.Tensor[]);
  });
});
