/** Copies on the GPU that transpose. */

import { test } from 'vitest';
import * as torch from '../../ts/index.js';
import type { Tensor } from '../../ts/tensor.js';
import { agree, withFeatures } from './agree.js';

await withFeatures('copies on the GPU', () => {
  test('copies that transpose', async () => {
    const cases = [
      { shape: [100, 70], order: [1, 0] },
      { shape: [33, 33], order: [1, 0] },
      { shape: [4, 40, 50], order: [0, 2, 1] },
      { shape: [40, 4, 50], order: [2, 1, 0] },
      { shape: [3, 20, 5, 36], order: [3, 1, 2, 0] },
      { shape: [2, 20, 17, 30], order: [0, 3, 1, 2] },
      { shape: [2, 3, 20, 5, 20], order: [4, 1, 2, 3, 0] },
    ];
    for (const { shape, order } of cases) {
      const turn = (x: Tensor) => x.permute(order);
      const copies = (x: Tensor) => [turn(x).contiguous(), torch.cat([turn(x), turn(x)], -1)];
      await agree([torch.randn(shape)], copies, { exact: true, gradients: false });
    }
  });
});
