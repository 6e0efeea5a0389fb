import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';

const { scaledDotProductAttention: fused, _scaledDotProductAttention: composite } =
  torch.nn.functional;

const SIZES = [2, 70, 3, 6] as const;

/** Queries, keys and values as views of one projection [N, L, 3 H E], and that projection. */
function heads(): { all: torch.Tensor; views: torch.Tensor[] } {
  const [n, rows, count, size] = SIZES;
  torch.manualSeed(3);
  const all = torch.randn([n, rows, 3 * count * size], { requiresGrad: true });
  const views = all.chunk(3, 2).map((x) => x.view(n, rows, count, size).transpose(1, 2));
  return { all, views };
}

const [N, L, H] = SIZES;
const masks: Record<string, () => torch.Tensor | null> = {
  'no mask': () => null,
  'a mask of keys': () =>
    torch
      .arange(N * L)
      .reshape(N, 1, 1, L)
      .remainder(3)
      .gt(0),
  'a mask of scores': () => torch.ones([L, L]).tril(5).ne(0),
  'a bias of scores': () => torch.randn([1, H, L, L]),
  'a bias of rows': () => torch.randn([L, 1]),
};

describe('fused attention against softmax(q k^T) v', () => {
  for (const [name, make] of Object.entries(masks)) {
    test(`${name}: results and gradients, of views`, () => {
      const { all, views } = heads();
      const [q, k, v] = views as [torch.Tensor, torch.Tensor, torch.Tensor];
      const mask = make();
      const actual = fused(q, k, v, mask);
      const [expected] = composite(q, k, v, mask);
      expect(torch.allclose(actual, expected, 1e-5, 1e-6)).toBe(true);
      const weights = torch.randn(expected.shape);
      const of = (out: torch.Tensor) => torch.autograd.grad([out.mul(weights).sum()], [all])[0]!;
      expect(torch.allclose(of(actual), of(expected), 1e-4, 1e-5)).toBe(true);
    });
  }

  test('causal, of any leading dimensions, broadcast', () => {
    const q = torch.randn([2, 1, 3, 9, 4]);
    const k = torch.randn([5, 1, 7, 4]);
    const v = torch.randn([3, 7, 2]);
    const actual = fused(q, k, v, null, 0, true);
    const [expected] = composite(
      q.expand(2, 5, 3, 9, 4),
      k.expand(2, 5, 3, 7, 4),
      v.expand(2, 5, 3, 7, 2),
      null,
      0,
      false,
      true,
    );
    expect(actual.shape).toEqual([2, 5, 3, 9, 2]);
    expect(torch.allclose(actual, expected, 1e-5, 1e-6)).toBe(true);
    const [x, y] = [torch.randn([9, 4]), torch.randn([7, 4])];
    expect(torch.allclose(fused(x, y, y), composite(x, y, y)[0], 1e-5, 1e-6)).toBe(true);
  });

  test('small floats are computed as float32', () => {
    const [q, k, v] = [1, 2, 3].map(() => torch.randn([2, 5, 4]).half()) as [
      torch.Tensor,
      torch.Tensor,
      torch.Tensor,
    ];
    const actual = fused(q, k, v);
    expect(actual.dtype).toBe(torch.float16);
    const exact = fused(q.float(), k.float(), v.float()).half();
    expect(actual.tolistSync()).toEqual(exact.tolistSync());
  });

  test('a bias that asks for a gradient gets one', () => {
    const [q, k, v] = [1, 2, 3].map(() => torch.randn([3, 4])) as [
      torch.Tensor,
      torch.Tensor,
      torch.Tensor,
    ];
    const bias = torch.zeros([3, 3], { requiresGrad: true });
    const grad = (out: torch.Tensor) => torch.autograd.grad([out.square().sum()], [bias])[0]!;
    expect(torch.allclose(grad(fused(q, k, v, bias)), grad(composite(q, k, v, bias)[0]))).toBe(
      true,
    );
  });

  test('second derivatives', () => {
    const inputs = [1, 2, 3].map(() =>
      torch.randn([1, 2, 3, 2], { dtype: torch.float64, requiresGrad: true }),
    );
    const { gradcheck, gradgradcheck } = torch.autograd;
    const f = (...x: torch.Tensor[]) => fused(x[0]!, x[1]!, x[2]!, null, 0, true);
    expect(gradcheck(f, inputs)).toBe(true);
    expect(gradgradcheck(f, inputs)).toBe(true);
  });
});

describe('self-attention of one projection', () => {
  for (const batchFirst of [true, false]) {
    test(`has the gradients of three projections, batchFirst: ${batchFirst}`, () => {
      torch.manualSeed(4);
      const attention = new torch.nn.MultiheadAttention(16, 4, { batchFirst });
      const x = torch.randn([5, 3, 16], { requiresGrad: true });
      const weights = torch.randn([5, 3, 16]);
      const leaves = [x, ...attention.parameters()];
      const of = (key: torch.Tensor, value: torch.Tensor) => {
        const [out] = attention(x, key, value, { needWeights: false });
        return torch.autograd.grad([out.mul(weights).sum()], leaves) as torch.Tensor[];
      };
      const [joined, apart] = [of(x, x), of(x.clone(), x.clone())];
      joined.forEach((grad, i) => {
        expect(torch.allclose(grad, apart[i]!, 1e-4, 1e-6)).toBe(true);
      });
    });
  }
});
