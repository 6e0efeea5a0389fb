import { test } from 'vitest';
import * as torch from '../../ts/index.js';
import type { Tensor } from '../../ts/tensor.js';
import { agree, withFeatures } from './agree.js';

const F = torch.nn.functional;

const values = (shape: readonly number[]) => torch.randn(shape).mul(3).add(5);
const vectors = (size: readonly number[]) => [torch.randn(size), torch.randn(size)];

await withFeatures('norms on the GPU', () => {
  test('layerNorm: short and long rows, with and without weights', async () => {
    const cases: readonly (readonly [readonly number[], number])[] = [
      [[0, 4], 1],
      [[3, 1], 1],
      [[5, 7], 1],
      [[300, 33], 1],
      [[6, 5000], 1],
      [[2, 40000], 1],
      [[3, 4, 6], 2],
      [[66000, 8], 1],
      [[301, 128], 1],
      [[2, 2000], 1],
    ];
    for (const [shape, count] of cases) {
      const size = shape.slice(shape.length - count);
      await agree([values(shape)], (x) => F.layerNorm(x, size));
      const affine = (x: Tensor, w: Tensor, b: Tensor) => F.layerNorm(x, size, w, b);
      await agree([values(shape), ...vectors(size)], affine);
    }
  });

  test('groupNorm: groups that one workgroup takes, and larger ones', async () => {
    const cases: readonly (readonly [readonly number[], number])[] = [
      [[5, 6], 2],
      [[4, 6, 5, 5], 3],
      [[51, 16], 2],
      [[2, 4, 300], 2],
      [[100, 8, 4], 4],
      [[1, 2, 100, 100], 1],
    ];
    for (const [shape, groups] of cases) {
      await agree([values(shape)], (x) => F.groupNorm(x, groups));
      const affine = (x: Tensor, w: Tensor, b: Tensor) => F.groupNorm(x, groups, w, b);
      await agree([values(shape), ...vectors([shape[1]])], affine);
    }
  });

  test('batchNorm in training moves the running statistics; inference uses them', async () => {
    const shapes = [
      [5, 7],
      [400, 33],
      [20000, 3],
      [4, 6, 5, 5],
      [2, 4, 300],
      [3, 2, 80, 80],
      [2, 1],
    ];
    for (const shape of shapes) {
      const inputs = [values(shape), ...vectors([shape[1]])];
      const statistics = [torch.randn([shape[1]]), torch.rand([shape[1]]).add(0.5)];
      const apply = (training: boolean) => (x: Tensor, w: Tensor, b: Tensor) => {
        const [mean, variance] = statistics.map((t) => t.to(x.detach()).clone());
        return [F.batchNorm(x, mean, variance, w, b, training), mean, variance];
      };
      await agree(inputs, apply(true));
      await agree(inputs, apply(false));
    }
  });

  test('instanceNorm', async () => {
    const affine = (x: Tensor, w: Tensor, b: Tensor) => F.instanceNorm(x, null, null, w, b);
    for (const shape of [
      [4, 3, 5, 5],
      [2, 4, 300],
    ]) {
      await agree([values(shape), ...vectors([shape[1]])], affine);
    }
  });

  test('NaN and infinity spoil their own row only, and equal values have no variance', async () => {
    const rows = [
      [Number.NaN, 1, 2],
      [Number.POSITIVE_INFINITY, 1, 2],
      [3, 3, 3],
      [1, 2, 4],
    ];
    await agree([torch.tensor(rows)], (x) => F.layerNorm(x, [3]));
    const batch = (x: Tensor) => F.batchNorm(x, null, null, null, null, true);
    await agree([torch.tensor(rows).t()], batch);
  });

  test('the variance of values far from zero is that of two passes', async () => {
    const x = torch.randn([4, 3000]).add(1000);
    await agree([x], (t) => F.layerNorm(t, [3000]), { gradients: false });
  });
});
