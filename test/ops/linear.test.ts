import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { floats, list, refuses, values, wanting } from './helpers.js';

const { float64 } = torch;
type Tensor = torch.Tensor;

function random(...shape: number[]): Tensor {
  return torch.randn(shape, { dtype: float64 });
}

/** Expects equal shapes and nearly equal elements. */
function expectClose(actual: Tensor, expected: Tensor): void {
  expect(actual.shape).toEqual(expected.shape);
  expect(values(actual)).toEqual(values(expected).map((v) => expect.closeTo(v, 9)));
}

/** The product of two batches of matrices by its definition. */
function naive(a: Tensor, b: Tensor): Tensor {
  return a.unsqueeze(-1).mul(b.unsqueeze(-3)).sum(-2);
}

describe('matmul', () => {
  const shapes: [number[], number[]][] = [
    [
      [2, 3],
      [3, 4],
    ],
    [
      [5, 2, 3],
      [3, 4],
    ],
    [
      [2, 3],
      [5, 3, 4],
    ],
    [
      [5, 2, 3],
      [5, 3, 4],
    ],
    [
      [1, 2, 3],
      [5, 3, 4],
    ],
    [
      [2, 1, 2, 3],
      [5, 3, 4],
    ],
    [
      [2, 5, 2, 3],
      [5, 3, 4],
    ],
    [
      [2, 0],
      [0, 3],
    ],
    [
      [0, 2, 3],
      [3, 4],
    ],
  ];
  for (const [left, right] of shapes) {
    it(`multiplies [${left}] by [${right}] in every layout`, () => {
      torch.manualSeed(4);
      const [a, b] = [random(...left), random(...right)];
      const wanted = naive(a, b);
      const turned = (x: Tensor) => x.transpose(-1, -2).contiguous().transpose(-1, -2);
      const reversed = (x: Tensor) => {
        const order = x.shape.map((_, i) => x.ndim - 1 - i);
        return x.permute(order).contiguous().permute(order);
      };
      const spaced = (x: Tensor) => x.repeatInterleave(2, -1).at('...', '::2');
      for (const layout of [(x: Tensor) => x, turned, reversed, spaced]) {
        expectClose(layout(a).matmul(layout(b)), wanted);
        expectClose(layout(a).matmul(b), wanted);
        expectClose(a.matmul(layout(b)), wanted);
      }
    });
  }

  it('takes vectors as a row in front and a column behind', () => {
    const v = torch.tensor([1, 2, 3]);
    const m = torch.arange(6).reshape(3, 2);
    expect(list(v.matmul(v))).toBe(14);
    expect(list(v.matmul(m))).toEqual([16, 22]);
    expect(list(m.t().matmul(v))).toEqual([16, 22]);
    expect(v.matmul(torch.ones(4, 5, 3, 2).int()).shape).toEqual([4, 5, 2]);
    expect(torch.ones(4, 5, 2, 3).int().matmul(v).shape).toEqual([4, 5, 2]);
    expect(list(torch.tensor([2n ** 40n]).dot(torch.tensor([3n])))).toBe(3 * 2 ** 40);
  });

  it('repeats a broadcast batch by strides', () => {
    const a = random(1, 2, 3).expand(4, 2, 3);
    const b = random(4, 3, 2);
    expectClose(a.matmul(b), naive(a, b));
    expectClose(a.bmm(b), naive(a, b));
  });

  it('refuses what does not fit', () => {
    const [a, b] = [torch.ones(2, 3), torch.ones(4, 5)];
    refuses(() => a.matmul(b), torch.ShapeError, /matmul: shapes \[2, 3\] and \[4, 5\].*Transpose/);
    refuses(() => a.mm(torch.ones(3)), torch.ShapeError, /mm: expected a matrix and a matrix, got/);
    refuses(() => a.mv(torch.ones(2)), torch.ShapeError, /mv: shapes \[2, 3\] and \[2\]/);
    refuses(() => a.bmm(a), torch.ShapeError, /bmm: expected a batch of matrices/);
    refuses(() => a.matmul(torch.tensor(1.5)), torch.ShapeError, /at least 1 dimension; use mul/);
    refuses(() => a.matmul(b.double()), torch.DtypeError, /one dtype, got torch.float32 and torch/);
    const batch = torch.ones(2, 3, 4);
    const other = torch.ones(3, 4, 2);
    refuses(() => batch.matmul(other), torch.ShapeError, /matmul: .* cannot be broadcast/);
    refuses(() => batch.bmm(other), torch.ShapeError, /bmm: .*the batch sizes differ/);
    refuses(
      () => batch.trace(),
      torch.ShapeError,
      /trace: expected a matrix, got shape \[2, 3, 4\]/,
    );
  });
});

describe('linear', () => {
  it('takes any leading dimensions, in one launch with its bias', () => {
    torch.manualSeed(5);
    const [x, w, b] = [random(2, 3, 4), random(5, 4), random(5)];
    expectClose(torch.linear(x, w, b), x.matmul(w.t()).add(b));
    expectClose(torch.linear(x.at(0, 0), w), w.mv(x.at(0, 0)));
    expect(torch.linear(random(0, 4), w, b).shape).toEqual([0, 5]);
    const leaf = wanting(w);
    const out = torch.linear(x.at(0), leaf, wanting(b));
    expect(out.gradFn?.name).toBe('AddmmBackward0');
    out.sum().backward();
    expect(leaf.grad?.isContiguous()).toBe(true);
    expect(leaf.grad?.shape).toEqual([5, 4]);
    refuses(
      () => torch.linear(random(2, 3), w),
      torch.ShapeError,
      /linear: shapes \[2, 3\] and \[5, 4\] .* ends with size 3, the weight takes 4/,
    );
  });
});

describe('products added to something', () => {
  it('take beta and alpha', () => {
    torch.manualSeed(6);
    const [m, a, b] = [random(2, 4), random(2, 3), random(3, 4)];
    expectClose(torch.addmm(m, a, b, { beta: 0.5, alpha: 2 }), m.mul(0.5).add(a.mm(b).mul(2)));
    expectClose(torch.addmm(m.at(0), a, b), m.at(0).add(a.mm(b)));
    const holes = torch.full([2, 4], Number.NaN, { dtype: float64 });
    expectClose(holes.addmm(a, b, { beta: 0 }), a.mm(b));
    expectClose(random(2).zero_().addmv(a, b.at(':', 0)), a.mv(b.at(':', 0)));
    const [p, q] = [random(5, 2, 3), random(5, 3, 4)];
    expectClose(torch.baddbmm(m, p, q), p.bmm(q).add(m));
    expectClose(torch.addbmm(m, p, q), p.bmm(q).sum(0).add(m));
    expectClose(
      m.clone().addr_(a.at(':', 0), b.at(0), 2),
      m.mul(2).add(a.at(':', 0).outer(b.at(0))),
    );
    expectClose(m.clone().addmm_(a, b), m.add(a.mm(b)));
    refuses(() => torch.ones(3, 2, 4).addmm(a.float(), b.float()), torch.ShapeError, /addmm: /);
    const whole = torch.ones(2, 2).int();
    // PyTorch cuts the fractions of the factors off.
    expectClose(whole.addmm(whole, whole, { beta: 0.5, alpha: 1.9 }), whole.mm(whole));
  });
});

describe('sums over several dimensions', () => {
  it('tensordot, inner, outer, kron, trace, cross', () => {
    torch.manualSeed(7);
    const [a, b] = [random(2, 3, 4), random(4, 3, 5)];
    const dims = [
      [1, 2],
      [1, 0],
    ] as const;
    expectClose(torch.tensordot(a, b, dims), torch.einsum('ijk,kjl->il', a, b));
    expectClose(torch.tensordot(a, b, 1), torch.einsum('ijk,klm->ijlm', a, b));
    expectClose(a.inner(random(5, 4).zero_().add(1)), a.sum(-1, true).expand(2, 3, 5));
    const v = torch.tensor([1, 2]);
    expect(list(v.outer(torch.tensor([3, 4])))).toEqual([
      [3, 4],
      [6, 8],
    ]);
    expect(list(torch.kron(v, torch.tensor([[1, 10]])))).toEqual([[1, 10, 2, 20]]);
    expect(list(torch.arange(6).reshape(2, 3).trace())).toBe(4);
    const [i, j] = [torch.tensor([1, 0, 0]), torch.tensor([0, 1, 0])];
    expect(list(i.cross(j))).toEqual([0, 0, 1]);
    refuses(() => torch.tensordot(a, b, 3), torch.ShapeError, /tensordot: shapes .* pairs/);
    refuses(() => v.cross(v), torch.ShapeError, /cross: .* 3 elements/);
  });

  it('einsum: every kind of term', () => {
    torch.manualSeed(8);
    const [a, b] = [random(3, 3), random(3, 4)];
    const batch = random(5, 2, 3);
    expectClose(torch.einsum('ii', a), a.trace());
    expectClose(torch.einsum('ii->i', a), a.diagonal());
    expectClose(torch.einsum('ij,jk', a, b), a.mm(b));
    expectClose(torch.einsum('ba', b), b.t());
    expectClose(torch.einsum('...ij,jk->...ik', batch, b), batch.matmul(b));
    expectClose(torch.einsum('i...->...', batch), batch.sum(0));
    expectClose(
      torch.einsum('bij, kj, bi -> k', [batch, a, random(5, 2).zero_()]),
      a.sum(1).mul(0),
    );
    expectClose(torch.einsum('i,j->ij', a.at(0), b.at(0)), a.at(0).outer(b.at(0)));
    expectClose(torch.einsum('ij,ij->', a, a), a.square().sum());
    refuses(() => torch.einsum('ij,jk->ik', a), torch.ValueError, /names 2 operands, 1 were given/);
    refuses(() => torch.einsum('ijk->i', a), torch.ShapeError, /term 'ijk' names 3 dimensions/);
    refuses(() => torch.einsum('ij->iz', a), torch.ValueError, /label 'z' is in no operand/);
    refuses(() => torch.einsum('ij,jk', b, b), torch.ShapeError, /label 'j' has sizes 4 and 3/);
    refuses(() => torch.einsum('i1', a), torch.ValueError, /'1' is no label/);
  });

  it('chains multiply in the cheapest order', () => {
    const [a, b, c] = [random(10, 2), random(2, 30), random(30, 3)];
    expectClose(torch.chainMatmul(a, b, c), a.mm(b).mm(c));
    expectClose(torch.multiDot([a.at(0), b, c, c.at(0)]), a.at(0).matmul(b.mm(c)).dot(c.at(0)));
    refuses(() => torch.chainMatmul(a, a.at(0)), torch.ShapeError, /operand 1 is no matrix/);
  });
});

describe('distances', () => {
  it('are norms of differences, also by way of a product', () => {
    torch.manualSeed(9);
    const [a, b] = [random(2, 30, 3), random(2, 40, 3)];
    const direct = torch.cdist(a, b, { computeMode: 'donot_use_mm_for_euclid_dist' });
    expectClose(torch.cdist(a, b), direct);
    expectClose(torch.cdist(a, b, 1), a.unsqueeze(-2).sub(b.unsqueeze(-3)).abs().sum(-1));
    const v = floats([[3, 4]]);
    expect(list(torch.cosineSimilarity(v, floats([[4, 3]])))).toEqual([expect.closeTo(0.96, 6)]);
    refuses(
      () => torch.cdist(v, torch.ones(2, 3)),
      torch.ShapeError,
      /cdist: expected .* \[1, 2\]/,
    );
  });
});

describe('gradients', () => {
  const cases: [string, (a: Tensor, b: Tensor) => Tensor, number[], number[]][] = [
    ['mm', (a, b) => a.mm(b), [2, 3], [3, 2]],
    ['mm of transposes', (a, b) => a.t().mm(b.t()), [3, 2], [2, 3]],
    ['matmul, batch by matrix', (a, b) => a.matmul(b), [2, 2, 3], [3, 2]],
    ['matmul, broadcast', (a, b) => a.matmul(b), [2, 1, 2, 3], [2, 3, 2]],
    ['matmul, vector', (a, b) => a.matmul(b), [3], [2, 3, 2]],
    ['dot', (a, b) => a.dot(b), [3], [3]],
    ['linear', (a, b) => torch.linear(a, b, b.at(':', 0)), [2, 2, 3], [4, 3]],
    ['tensordot', (a, b) => torch.tensordot(a, b, 2), [2, 3, 2], [3, 2, 2]],
    ['einsum', (a, b) => torch.einsum('bij,kji->bk', a, b), [2, 2, 3], [2, 3, 2]],
    ['cdist', (a, b) => torch.cdist(a, b), [3, 2], [2, 2]],
    ['cosine', (a, b) => torch.cosineSimilarity(a, b), [2, 3], [2, 3]],
    ['cross', (a, b) => a.cross(b), [2, 3], [2, 3]],
    ['kron', (a, b) => torch.kron(a, b), [2, 1], [2, 2]],
    ['addmm', (a, b) => torch.addmm(b.at(0), a, b, { beta: 0.5, alpha: 2 }), [2, 3], [3, 2]],
  ];
  for (const [name, f, left, right] of cases) {
    it(`of ${name} are those of finite differences, twice`, () => {
      torch.manualSeed(10);
      const inputs = [wanting(random(...left)), wanting(random(...right))];
      expect(torch.autograd.gradcheck(f, inputs)).toBe(true);
      expect(torch.autograd.gradgradcheck(f, inputs)).toBe(true);
    });
  }

  it('lie in memory as their inputs do', () => {
    for (const shape of [[6, 4], [2, 3, 4], [4]]) {
      const [x, w] = [wanting(random(...shape)), wanting(random(5, 4))];
      const grads = torch.autograd.grad(torch.linear(x, w).square().sum(), [x, w]);
      expect(grads.map((g) => g?.strides)).toEqual([x.strides, w.strides]);
    }
    const [a, b] = [wanting(random(4, 6)), wanting(random(5, 4))];
    const grads = torch.autograd.grad(a.t().mm(b.t()).square().sum(), [a, b]);
    expect(grads.map((g) => g?.strides)).toEqual([a.strides, b.strides]);
  });
});
