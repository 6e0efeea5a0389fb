import { expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { withGpu } from './agree.js';

/** The time of a product, after one that compiles the kernel. */
async function timeOfProduct(size: number): Promise<number> {
  const x = torch.randn([size, size], { device: 'webgpu' });
  x.matmul(x);
  return torch.webgpu.measure(() => x.matmul(x));
}

await withGpu('the time the GPU takes', () => {
  it.each([
    ['by the clock of the GPU', undefined],
    ['by waiting, without optional features', []],
  ])('is longer for larger products: %s', async (_, features) => {
    torch.webgpu.destroy();
    await torch.webgpu.synchronize().catch(() => {});
    await torch.webgpu.init({ features });
    expect(torch.webgpu.info().features.includes('timestamp-query')).toBe(features === undefined);
    const small = await timeOfProduct(32);
    const large = await timeOfProduct(384);
    expect(small).toBeGreaterThan(0);
    expect(large).toBeGreaterThan(small);
  });
});
