/** Tensors of float16 on the GPU: read and written as they are stored, computed in float32. */

import { expect, test } from 'vitest';
import { deviceOf } from '../../ts/device/registry.js';
import type { WebGpuDevice } from '../../ts/device/webgpu/device.js';
import * as torch from '../../ts/index.js';
import type { Tensor } from '../../ts/tensor.js';
import { agree, withFeatures } from './agree.js';

const F = torch.nn.functional;
const exact = { exact: true, gradients: false };
const launches = () => torch.webgpu.info().launches;

/** All halves: of every exponent, infinities, NaN and subnormal ones; [256, 256]. */
function everyHalf(): Tensor {
  const x = torch.empty([256, 256], { dtype: torch.float16 });
  const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
  deviceOf('cpu').write(x.storage_.handle, 0, new Uint8Array(bits.buffer));
  return x;
}

const OPERATIONS: Readonly<Record<string, (x: Tensor, y: Tensor) => Tensor>> = {
  'x + y': (x, y) => x.add(y),
  'x * 3': (x) => x.mul(3),
  'x / 1024, which may be subnormal': (x) => x.div(1024),
  'x * 1024, which may be infinite': (x) => x.mul(1024),
  'max(x, y)': (x, y) => torch.maximum(x, y),
  'x < y': (x, y) => x.lt(y),
  'x where x > y, else y': (x, y) => torch.where(x.gt(y), x, y),
  'x + y, y an integer': (x, y) => x.add(y.clamp(-9, 9).nanToNum().int()),
  'x + y, y of float32': (x, y) => x.add(y.float()),
};

const LAYOUTS: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  contiguous: (x) => x,
  transposed: (x) => x.t(),
  'one further on': (x) => x.flatten().slice(0, 1, 65281).view([255, 256]),
  'part of rows': (x) => x.narrow(1, 3, 77),
  'one row': (x) => x.narrow(0, 200, 1).expand(x.shape),
  'one column': (x) => x.narrow(1, 70, 1).expand(x.shape),
  'an odd number of them': (x) => x.flatten().slice(0, 15000, 15007).view([7, 1]),
};

await withFeatures('halves on the GPU', () => {
  test('come back from float32 as they were, by bits', async () => {
    await agree([everyHalf()], (x) => [x.float(), x.float().half(), x.add(0).half()], exact);
  });

  test.each(Object.keys(LAYOUTS))('%s: the bits of the CPU', async (layout) => {
    const place = LAYOUTS[layout] as (x: Tensor) => Tensor;
    const given = [everyHalf(), everyHalf().t().contiguous()];
    for (const [name, compute] of Object.entries(OPERATIONS)) {
      await agree(given, (x, y) => compute(place(x), place(y)), exact).catch((error) => {
        throw new Error(`${name}: ${error.message}`);
      });
    }
  });

  test('in place, also between others of a word', async () => {
    const x = torch.arange(40, { dtype: torch.float32 }).half();
    for (const [start, count] of [
      [0, 40],
      [3, 5],
      [8, 16],
      [1, 1],
    ] as const) {
      const compute = (given: Tensor) => {
        const out = given.clone();
        out
          .narrow(0, start, count)
          .mul_(2)
          .add_(given.narrow(0, 0, count));
        return out;
      };
      await agree([x], compute, exact);
    }
  });

  test('one launch for an operation', async () => {
    const x = torch.ones([300], { dtype: torch.float16, device: 'webgpu' });
    const before = launches();
    const y = x.add(x);
    expect(launches() - before).toBe(1);
    expect(y.dtype).toBe(torch.float16);
    expect(await y.sum().item()).toBe(600);
  });

  test('products: those of float32, rounded', async () => {
    const sizes = [
      [64, 64, 64],
      [33, 70, 20],
      [1, 300, 40],
      [130, 17, 3],
      [20, 700, 20],
    ] as const;
    for (const [rows, depth, cols] of sizes) {
      const a = torch.randn([rows, depth]).half();
      const b = torch.randn([depth, cols]).half();
      const bias = torch.randn([cols]).half();
      await agree([a, b], (x, y) => x.matmul(y), { gradients: false });
      await agree([a.t().contiguous(), b.t().contiguous()], (x, y) => x.t().matmul(y.t()));
      await agree([a, b.t().contiguous(), bias], (x, y, z) => F.linear(x, y, z));
    }
  });

  test('packed or cast first, products have the same bits', async () => {
    const a = torch.randn([70, 90]).half().to('webgpu');
    const b = torch.randn([90, 70]).half().to('webgpu');
    const device = deviceOf('webgpu') as unknown as WebGpuDevice;
    const direct = a.matmul(b);
    const before = launches();
    a.matmul(b);
    const few = launches() - before;
    const cast = a.float().matmul(b.float()).half();
    expect(few).toBeLessThan(launches() - before - few);
    expect(device.packed.has(torch.float16)).toBe(true);
    expect(await direct.tolist()).toEqual(await cast.tolist());
  });
});
