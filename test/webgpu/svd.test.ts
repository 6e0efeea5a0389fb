/** Singular values on the GPU: signs and bases are its own, so what they compose is compared. */

import { expect, test } from 'vitest';
import * as torch from '../../ts/index.js';
import type { Tensor } from '../../ts/tensor.js';
import { agree, withGpu } from './agree.js';

const { linalg } = torch;

/** Singular values, the composed matrix, and the products that are identities. */
function facts(A: Tensor, fullMatrices: boolean): Tensor[] {
  const { U, S, Vh } = linalg.svd(A, { fullMatrices });
  const k = S.shape.at(-1) as number;
  const back = U.narrow(-1, 0, k)
    .mul(S.unsqueeze(-2))
    .matmul(Vh.narrow(-2, 0, k));
  return [S, back, U.mT.matmul(U), Vh.matmul(Vh.mT)];
}

const graded = () => torch.randn(8, 5).mul(torch.tensor([1, 1e-2, 1e-4, 1e-6, 1e-8]));

const MATRICES: Record<string, () => Tensor> = {
  square: () => torch.randn(6, 6),
  tall: () => torch.randn(2, 9, 4),
  wide: () => torch.randn(3, 2, 3, 7),
  'one element': () => torch.randn(1, 1),
  'one row': () => torch.randn(1, 40),
  zeros: () => torch.zeros(4, 3),
  ones: () => torch.ones(5, 5),
  identity: () => torch.eye(7),
  'rank 2': () => torch.randn(12, 2).matmul(torch.randn(2, 9)),
  graded,
  'no rows': () => torch.zeros(0, 3),
  'no columns': () => torch.zeros(2, 3, 0),
  'no matrices': () => torch.zeros(0, 3, 3),
  'many matrices': () => torch.randn(30, 3, 3),
  'several workgroups': () => torch.randn(37, 35),
};

await withGpu('singular values on the GPU', () => {
  for (const [name, make] of Object.entries(MATRICES)) {
    for (const full of [false, true]) {
      if (full && name === 'several workgroups') continue;
      test(`${name}${full ? ', full' : ''}`, async () => {
        await agree([make()], (A) => facts(A, full), { gradients: false });
      });
    }
  }

  test('numbers far from 1', async () => {
    for (const size of [1e30, 1e-30]) {
      const A = torch.randn(5, 4);
      const onGpu = linalg.svdvals(A.mul(size).to('webgpu')).div(size);
      const wanted = linalg.svdvals(A.mul(size).double()).div(size).float();
      expect(torch.allclose(await onGpu.cpu(), wanted, { rtol: 5e-6 })).toBe(true);
    }
  });

  test('small singular values keep their digits', async () => {
    const A = torch.tensor([
      [1, 2e-10],
      [1, 3e-10],
    ]);
    const wanted = linalg.svdvals(A.double()).float();
    const found = await linalg.svdvals(A.to('webgpu')).cpu();
    expect(torch.allclose(found, wanted, { rtol: 5e-6, atol: 0 })).toBe(true);
  });

  test('norms, with gradients', async () => {
    await agree([torch.randn(3, 5, 4)], (x) => x.norm('nuc', [0, 2], true));
    await agree([torch.randn(2, 5, 4)], (x) => [linalg.matrixNorm(x, 2), linalg.svdvals(x)]);
    await agree([torch.randn(4, 3)], (x) => {
      const { U, Vh } = linalg.svd(x, false);
      return U.matmul(Vh);
    });
  });

  test('NaN and infinity are told at the next read', async () => {
    for (const bad of [Number.NaN, 1 / 0]) {
      const A = torch.tensor([
        [1, bad],
        [0.5, 1],
      ]);
      const values = linalg.svdvals(A.to('webgpu'));
      await expect(values.tolist()).rejects.toThrow(/\[1, 2, 2\] hold NaN or infinity/);
    }
    const after = linalg.svdvals(torch.eye(2).to('webgpu'));
    expect(await after.tolist()).toEqual([1, 1]);
  });
});
