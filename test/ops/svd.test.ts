/** Singular values, vectors and norms; recorded values of PyTorch are in test/conformance/cases. */

import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { floats, list, refuses, values, wanting } from './helpers.js';

const { float32, float64, linalg } = torch;
const { gradcheck, gradgradcheck } = torch.autograd;
type Tensor = torch.Tensor;

const wide = (...shape: number[]) => {
  torch.manualSeed(shape.reduce((a, b) => 10 * a + b, 1));
  return torch.randn(shape, { dtype: float64 });
};
const near = (a: Tensor, b: Tensor, atol: number) =>
  expect(torch.allclose(a, b, { rtol: 0, atol }) ? 'near' : `${a} is not ${b}`).toBe('near');

/** Expects A = U diag(S) Vh, with orthonormal columns of U and rows of Vh and S descending. */
function holds(A: Tensor, fullMatrices: boolean, atol: number): void {
  const { U, S, Vh } = linalg.svd(A, { fullMatrices });
  const [m, n] = A.shape.slice(-2) as [number, number];
  const k = Math.min(m, n);
  const batch = A.shape.slice(0, -2);
  expect(U.shape).toEqual([...batch, m, fullMatrices ? m : k]);
  expect(S.shape).toEqual([...batch, k]);
  expect(Vh.shape).toEqual([...batch, fullMatrices ? n : k, n]);
  for (const x of [U, S, Vh]) expect(x.dtype).toBe(A.dtype);
  const eye = (size: number) => torch.eye(size, { dtype: A.dtype }).expand(...batch, size, size);
  near(U.mT.matmul(U), eye(U.shape.at(-1) as number), atol);
  near(Vh.matmul(Vh.mT), eye(Vh.shape.at(-2) as number), atol);
  const back = U.narrow(-1, 0, k)
    .mul(S.unsqueeze(-2))
    .matmul(Vh.narrow(-2, 0, k));
  const size = values(A).reduce((a, b) => Math.max(a, Math.abs(b)), 0) || 1;
  near(back.div(size), A.div(size), atol * Math.max(1, k));
  expect(S.ge(0).all().itemSync()).toBe(true);
  if (k > 1) expect(S.diff({ dim: -1 }).le(0).all().itemSync()).toBe(true);
}

describe('linalg.svd', () => {
  const hilbert = torch.arange(1, 21, 1, { dtype: float64 });
  const matrices: Record<string, Tensor> = {
    square: wide(6, 6),
    tall: wide(9, 4),
    wide: wide(4, 9),
    batches: wide(3, 2, 5, 3),
    'one element': wide(1, 1),
    'one row': wide(1, 7),
    zeros: torch.zeros(4, 3, { dtype: float64 }),
    ones: torch.ones(5, 5, { dtype: float64 }),
    identity: torch.eye(7, { dtype: float64 }),
    'rank 2': wide(30, 2).matmul(wide(2, 20)),
    hilbert: hilbert.unsqueeze(1).add(hilbert).sub(1).reciprocal(),
    large: wide(5, 5).mul(1e300),
    small: wide(5, 5).mul(1e-300),
    'graded rows': wide(6, 6).mul(torch.arange(0, -90, -15, { dtype: float64 }).exp().unsqueeze(1)),
    'no rows': wide(0, 3),
    'no columns': wide(2, 3, 0),
    'no matrices': wide(0, 3, 3),
    hundred: wide(100, 100),
  };
  for (const [name, A] of Object.entries(matrices)) {
    for (const full of [false, true]) {
      it(`${name}${full ? ', full' : ''}`, () => {
        holds(A, full, 1e-14);
        if (name !== 'large' && name !== 'small') holds(A.float(), full, 1e-6);
      });
    }
  }

  it('float32 of 1e30 and 1e-30', () => {
    holds(wide(4, 4).mul(1e30).float(), false, 1e-6);
    holds(wide(4, 4).mul(1e-30).float(), false, 1e-6);
  });

  it('is full by default, as in PyTorch, and takes views', () => {
    const A = wide(5, 3, 4);
    expect(linalg.svd(A.select(0, 0)).Vh.shape).toEqual([4, 4]);
    const strided = A.permute(2, 0, 1);
    expect(list(linalg.svdvals(strided))).toEqual(list(linalg.svdvals(strided.contiguous())));
    expect(list(linalg.svd(A).S)).toEqual(list(linalg.svdvals(A)));
  });

  it('computes halves in float32', () => {
    const A = wide(4, 3).half();
    const { S } = linalg.svd(A, false);
    expect(S.dtype).toBe(torch.float16);
    expect(list(S)).toEqual(list(linalg.svdvals(A.double()).half()));
  });

  it('prints as in PyTorch', () => {
    const { U, S } = linalg.svd(wanting(wide(2, 2)));
    expect(String(S)).toMatch(/grad_fn=<LinalgSvdBackward0>/);
    expect(U.gradFn?.name).toBe('LinalgSvdBackward0');
  });
});

describe('torch.svd', () => {
  it('gives V, some vectors by default', () => {
    const A = wide(4, 3);
    const { U, S, V } = A.svd();
    const same = linalg.svd(A, false);
    expect([list(U), list(S), list(V)]).toEqual([list(same.U), list(same.S), list(same.Vh.mT)]);
    expect(torch.svd(A, { some: false }).U.shape).toEqual([4, 4]);
    const alone = torch.svd(A, true, false);
    expect(list(alone.S)).toEqual(list(S));
    expect(list(alone.U)).toEqual(list(torch.zeros(4, 4)));
    expect(list(alone.V)).toEqual(list(torch.zeros(3, 3)));
  });
});

describe('norms of matrices', () => {
  const A = floats([
    [3, 0, 0],
    [0, -4, 0],
  ]);

  it('by their singular values', () => {
    expect(A.norm('nuc').itemSync()).toBe(7);
    expect(list(A.norm('nuc', [0, 1], true))).toEqual([[7]]);
    expect(linalg.matrixNorm(A, 2).itemSync()).toBe(4);
    expect(linalg.matrixNorm(A, -2).itemSync()).toBe(3);
    expect(linalg.norm(A, 'nuc').itemSync()).toBe(7);
    const cube = wide(3, 4, 5);
    const found = cube.norm('nuc', [2, 0], true);
    expect(found.shape).toEqual([1, 4, 1]);
    near(found.flatten(), linalg.svdvals(cube.permute(1, 0, 2)).sum(-1), 1e-13);
    expect(torch.norm(cube, 'nuc', { dim: [0, -1] }).shape).toEqual([4]);
    expect(torch.zeros(0, 3).norm('nuc').itemSync()).toBe(0);
    expect(A.norm('nuc', null, false, float64).dtype).toBe(float64);
  });

  it('by their elements', () => {
    const B = floats([
      [1, -2, 3],
      [4, 5, -6],
    ]);
    const all = ['fro', 1, -1, 1 / 0, -1 / 0] as const;
    const found = all.map((ord) => linalg.matrixNorm(B, ord).itemSync());
    expect(found).toEqual([Math.fround(Math.sqrt(91)), 9, 5, 15, 6]);
    expect(linalg.matrixNorm(B, 1, [1, 0]).itemSync()).toBe(15);
    expect(linalg.matrixNorm(B, 1, [-2, -1], true).shape).toEqual([1, 1]);
    expect(linalg.norm(B).itemSync()).toBe(Math.fround(Math.sqrt(91)));
    expect(list(linalg.norm(B, 1, 1))).toEqual([6, 15]);
    expect(linalg.norm(B, 1).itemSync()).toBe(9);
    expect(list(linalg.norm(B, null, 0, true))).toEqual(list(B.norm(2, 0, true)));
    expect(linalg.vectorNorm(B, 1).itemSync()).toBe(21);
    expect(linalg.vectorNorm(B, { dtype: float64 }).dtype).toBe(float64);
  });
});

describe('mistakes', () => {
  it('name the operation, what was given and the way out', () => {
    const bad = floats([
      [1, Number.NaN],
      [0, 1],
    ]);
    refuses(
      () => linalg.svd(bad),
      torch.ValueError,
      /svd: .*\[1, 2, 2\] hold NaN or inf.*isfinite/,
    );
    refuses(() => bad.norm('nuc'), torch.ValueError, /hold NaN or infinity/);
    refuses(
      () => linalg.svd(floats([1])),
      torch.ShapeError,
      /linalg.svd: .*\[\.\.\., M, N\].*\[1\]/,
    );
    refuses(() => torch.svd(torch.ones(2, 2).int()), torch.DtypeError, /svd: .*int32.*use float/);
    const cube = torch.ones(2, 2, 2);
    refuses(() => cube.norm('nuc'), torch.ShapeError, /norm: .*two dims; got dims \[0, 1, 2\]/);
    refuses(() => cube.norm('nuc', 1), torch.ShapeError, /norm: .*got dims \[1\] of \[2, 2, 2\]/);
    refuses(() => linalg.matrixNorm(cube, 3), torch.ValueError, /matrixNorm: .*'nuc', got 3/);
    refuses(() => linalg.matrixNorm(cube, 2, [1, 1]), torch.ShapeError, /appears twice/);
    refuses(() => linalg.matrixNorm(torch.ones(0, 2), 2), torch.ShapeError, /at least one element/);
    const wrong = { full: true } as object;
    refuses(() => linalg.svd(cube, wrong), torch.ValueError, /linalg.svd: unknown option 'full'/);
  });
});

describe('gradients', () => {
  /** Functions that no choice of signs, or of bases, changes. */
  const functions: Record<string, (A: Tensor) => Tensor | Tensor[]> = {
    values: (A) => linalg.svdvals(A),
    'nuclear norm': (A) => A.norm('nuc', [-2, -1]),
    'largest and smallest': (A) => [linalg.matrixNorm(A, 2), linalg.matrixNorm(A, -2)],
    'U Vh': (A) => {
      const { U, Vh } = linalg.svd(A, false);
      return U.matmul(Vh);
    },
    'U alone': (A) => linalg.svd(A, false).U.square(),
    'Vh alone': (A) => linalg.svd(A, false).Vh.abs(),
    'all, full': (A) => {
      const { U, S, Vh } = linalg.svd(A);
      const k = S.shape.at(-1) as number;
      const part = U.narrow(-1, 0, k).mul(S.sin().unsqueeze(-2));
      return part.matmul(Vh.narrow(-2, 0, k));
    },
  };
  for (const [name, f] of Object.entries(functions)) {
    for (const shape of [
      [3, 3],
      [4, 2],
      [2, 2, 4],
    ]) {
      it(`${name} of [${shape}]`, () => {
        const A = wanting(wide(...shape));
        expect(gradcheck(f, [A], { atol: 1e-6, rtol: 1e-5 })).toBe(true);
        expect(gradgradcheck(f, [A], { atol: 1e-5, rtol: 1e-4 })).toBe(true);
      });
    }
  }

  it('of the values are finite where vectors have none', () => {
    // Equal and lost singular values: PyTorch's subgradient is U Vh.
    for (const A of [torch.zeros(3, 2), torch.eye(3), torch.ones(3, 3)]) {
      const leaf = wanting(A);
      const { U, Vh } = linalg.svd(A, false);
      leaf.norm('nuc').backward();
      near(leaf.grad as Tensor, U.matmul(Vh), 1e-6);
      expect((leaf.grad as Tensor).dtype).toBe(float32);
    }
  });

  it('ignore vectors that only complete a basis', () => {
    const A = wanting(wide(4, 2));
    linalg.svd(A).U.narrow(-1, 2, 2).sum().backward();
    expect(list(A.grad as Tensor)).toEqual(list(torch.zeros(4, 2)));
  });
});
