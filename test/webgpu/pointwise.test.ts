/** Elementwise kernels on the GPU: the same bits in every form, and forms that no shape adds to. */

import { expect, test } from 'vitest';
import * as torch from '../../ts/index.js';
import type { Tensor } from '../../ts/tensor.js';
import { agree, withGpu } from './agree.js';

const { webgpu } = torch;
const exact = { exact: true, gradients: false };

/** Values among which are all that is special but denormals, which WGSL may flush; [rows, columns]. */
function special(rows: number, columns: number, seed: number): Tensor {
  const list = [0, -0, 1, -1, Number.NaN, 1e38, -1e38, 1e-30, Infinity, -Infinity, 0.5, -2.25];
  const count = rows * columns;
  const data = Float32Array.from({ length: count }, (_, i) => list[(i * 7 + seed) % list.length]);
  return torch.tensor(data).view([rows, columns]);
}

/** The elements of [rows, columns] in other layouts. */
const LAYOUTS: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  contiguous: (x) => x,
  'one further on': (x) =>
    torch
      .cat([x.newZeros([1]), x.flatten()])
      .slice(0, 1)
      .view(x.shape),
  'four further on': (x) =>
    torch
      .cat([x.newZeros([4]), x.flatten()])
      .slice(0, 4)
      .view(x.shape),
  transposed: (x) => x.t().contiguous().t(),
  'part of longer rows': (x) => torch.cat([x, x.narrow(1, 0, 1)], 1).narrow(1, 0, x.shape[1]),
  'part of rows longer by four': (x) =>
    torch.cat([x.newZeros([x.shape[0], 4]), x], 1).narrow(1, 4, x.shape[1]),
  'one row': (x) => x.narrow(0, 0, 1).expand(x.shape),
  'one column': (x) => x.narrow(1, 0, 1).expand(x.shape),
  'one element': (x) => x.narrow(0, 0, 1).narrow(1, 0, 1).expand(x.shape),
};
/** Elements that fill vectors, words of bools, neither; more than one workgroup. */
const SIZES = [
  [1, 1],
  [3, 5],
  [5, 8],
  [3, 48],
  [67, 64],
  [33, 129],
] as const;

const OPERATIONS: Readonly<Record<string, (x: Tensor, y: Tensor) => Tensor>> = {
  'x + y': (x, y) => x.add(y),
  'max(x, y)': (x, y) => torch.maximum(x, y),
  'x < y': (x, y) => x.lt(y),
  'x != 1': (x) => x.ne(1),
  'x where x > y, else 2': (x, y) => torch.where(x.gt(y), x, 2),
  'y where a mask in the layout of x, else x': (x, y) => torch.where(x.gt(0).t().t(), y, x),
  copies: (x) => x.clone(),
  'copies of bools': (x) => x.gt(0).clone(),
  'y from x, in place': (x, y) => {
    const out = y.clone();
    out.copy_(x);
    return out.mul_(0.5);
  },
};

await withGpu('elementwise kernels on the GPU', () => {
  test('results lie as on the CPU, permuted ones in the form of row-major ones', async () => {
    const layouts: ((x: Tensor) => Tensor)[] = [
      (x) => x.permute(2, 0, 1),
      (x) => x.permute(1, 2, 0).neg().permute(1, 2, 0),
      (x) => x.transpose(0, 2).slice(0, 0, null, 2),
      (x) => x.narrow(1, 0, 1).expand(x.shape).permute(1, 2, 0),
    ];
    const values = torch.randn(4, 6, 8);
    for (const layout of layouts) {
      const compute = (x: Tensor) => {
        const a = layout(x);
        return [a.add(1), a.add(a), a.lt(0), a.half().mul(2), a.clone(), a.add(a.contiguous())];
      };
      const [there, here] = [compute(values.to('webgpu')), compute(values)];
      expect(there.map((x) => x.strides)).toEqual(here.map((x) => x.strides));
      for (let i = 0; i < here.length; i++) {
        expect(await there[i].toArray()).toEqual(here[i].dataSync());
      }
      const moved = layout(values).neg();
      expect(moved.to('webgpu').strides).toEqual(moved.strides);
      expect(await moved.to('webgpu').toArray()).toEqual(moved.dataSync());
    }
  });

  test.each(Object.keys(LAYOUTS))('%s: the bits of the CPU', async (layout) => {
    const place = LAYOUTS[layout] as (x: Tensor) => Tensor;
    for (const [rows, columns] of SIZES) {
      const given = [special(rows, columns, 3), special(rows, columns, 8)];
      for (const compute of Object.values(OPERATIONS)) {
        await agree(given, (x, y) => compute(place(x), y), exact);
        await agree(given, (x, y) => compute(x, place(y)), exact);
      }
    }
  });

  test('halves and bytes: copies and fills, also of parts', async () => {
    for (const dtype of [torch.float16, torch.uint8, torch.bool]) {
      for (const count of [1, 7, 16, 40, 64, 100]) {
        const x = torch.arange(count, { dtype: torch.float32 }).remainder(5).to(dtype);
        for (const start of [0, 1, 4, 16]) {
          const compute = (given: Tensor) => {
            const out = torch.cat([given, given]).clone();
            if (start < count) {
              out.narrow(0, start, count - start).fill_(1);
              out.narrow(0, count + start, count - start).copy_(given.narrow(0, 0, count - start));
            }
            return out;
          };
          await agree([x], compute, exact);
        }
      }
    }
  });

  test('casts: the values of the CPU, from any place', async () => {
    const { float32, float16, bfloat16, int32, int16, int8, uint8, bool } = torch;
    const floats = [float32, float16, bfloat16];
    const dtypes = [...floats, int32, int16, int8, uint8, bool];
    const list = [
      0,
      1,
      -1,
      2.5,
      -100.7,
      300,
      65520,
      7e4,
      1e-5,
      NaN,
      Infinity,
      -Infinity,
      3e9,
      -3e9,
    ];
    const data = Float32Array.from({ length: 57 }, (_, i) => list[(5 * i) % list.length]);
    const whole = data.map((v) => (Math.abs(v) < 1e9 ? Math.trunc(v) : 0));
    for (const from of dtypes) {
      const given = torch.tensor(floats.includes(from) ? data : whole).to(from);
      for (const start of [0, 1, 4, 16]) {
        for (const to of dtypes) {
          await agree([given], (x) => x.narrow(0, start, 41 - start).to(to), exact);
        }
      }
    }
  });

  test('what lies behind the result stays', async () => {
    for (const count of [1, 3, 5, 18]) {
      const around = torch.full([64], 7, { device: 'webgpu' });
      around.narrow(0, 16, count).copy_(torch.zeros([count], { device: 'webgpu' }));
      const mask = around.gt(5);
      mask.narrow(0, 40, count).copy_(torch.zeros([count], { device: 'webgpu' }).gt(0));
      expect(await around.sum().item()).toBe(7 * (64 - count));
      expect(await mask.int().sum().item()).toBe(64 - 2 * count);
    }
  });

  test('pipelines belong to forms, not to shapes', async () => {
    const through = (rows: number, columns: number) =>
      torch.scope(() => {
        const x = torch.ones([rows, columns], { device: 'webgpu' });
        const row = torch.ones([columns], { device: 'webgpu' });
        const column = torch.ones([rows, 1], { device: 'webgpu' });
        x.mul(x).mul(row).mul(column).mul(2).gt(row).clone();
        x.t().clone();
      });
    for (const [rows, columns] of SIZES) through(rows, columns);
    for (const columns of [1, 4, 16, 20]) for (const rows of [1, 2, 4]) through(rows, columns);
    await webgpu.synchronize();
    const before = webgpu.info().pipelines;
    for (let k = 1; k < 60; k++) through(1 + ((7 * k) % 40), 1 + ((11 * k) % 97));
    await webgpu.synchronize();
    expect(webgpu.info().pipelines).toBe(before);
  });
});
