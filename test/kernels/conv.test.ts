import { describe, expect, it } from 'vitest';
import type { Dtype } from '../../ts/core/dtype.js';
import { conv2d, conv2dInputGrad, conv2dWeightGrad } from '../../ts/ops/primitives/conv.js';
import type { ConvAttributes } from '../../ts/ops/primitives/conv_geometry.js';
import { close, count, dtypes, input, randoms, reset, results } from './harness.js';

const { float32, float64 } = dtypes;

interface Case extends ConvAttributes {
  readonly x: [number, number, number, number];
  readonly weight: [number, number, number, number];
}

function convCase(
  x: Case['x'],
  weight: Case['weight'],
  options: Partial<ConvAttributes> = {},
): Case {
  const plain: ConvAttributes = { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 };
  return { x, weight, ...plain, ...options };
}

const CASES: Case[] = [
  convCase([1, 1, 1, 1], [1, 1, 1, 1]),
  convCase([2, 1, 9, 9], [10, 1, 5, 5]),
  convCase([3, 10, 12, 12], [20, 10, 5, 5]),
  convCase([2, 3, 7, 11], [5, 3, 3, 3], { padding: [1, 1] }),
  convCase([2, 3, 7, 11], [6, 3, 3, 2], { padding: [1, 0], stride: [2, 1] }),
  convCase([2, 3, 9, 10], [7, 3, 3, 3], { padding: [2, 1], stride: [1, 2] }),
  convCase([1, 2, 13, 14], [3, 2, 3, 3], { stride: [3, 2], padding: [1, 1], dilation: [2, 1] }),
  convCase([1, 2, 13, 14], [3, 2, 2, 3], { stride: [2, 3], dilation: [1, 3] }),
  convCase([2, 4, 8, 8], [4, 1, 3, 3], { groups: 4, padding: [1, 1] }),
  convCase([2, 4, 8, 9], [8, 2, 3, 3], { groups: 2, padding: [1, 1], stride: [2, 2] }),
  convCase([2, 5, 6, 7], [9, 5, 1, 1]),
  // Planes read where they lie: rows in tiles of five and six, in tiles that overlap; blocks.
  convCase([3, 17, 16, 20], [20, 17, 1, 1]),
  convCase([1, 6, 16, 16], [11, 6, 1, 1]),
  convCase([2, 40, 28, 28], [16, 40, 1, 1]),
  convCase([2, 12, 48, 48], [14, 6, 1, 1], { groups: 2 }),
  convCase([2, 5, 6, 7], [9, 5, 1, 1], { stride: [2, 2] }),
  convCase([1, 3, 1, 40], [4, 3, 1, 7], { padding: [0, 3] }),
  convCase([2, 2, 5, 5], [3, 2, 3, 4]),
  convCase([2, 2, 5, 4], [3, 2, 2, 2], { stride: [4, 3], padding: [1, 1] }),
  convCase([2, 8, 13, 13], [64, 4, 5, 5], { stride: [2, 2], groups: 2 }),
  convCase([1, 20, 9, 7], [300, 20, 3, 3]),
  convCase([1, 70, 6, 6], [67, 70, 2, 2], { padding: [1, 1] }),
  convCase([1, 1, 70, 50], [2, 1, 3, 3], { padding: [3, 4] }),
  convCase([40, 2, 5, 6], [3, 2, 2, 3]),
  // Small planes of all images summed at once, in blocks.
  convCase([23, 12, 4, 5], [70, 6, 3, 3], { groups: 2, padding: [1, 1] }),
  convCase([2, 2, 11, 21], [5, 2, 3, 3]),
  convCase([3, 2, 4, 13], [6, 2, 1, 1], { stride: [2, 2] }),
  convCase([2, 6, 9, 10], [6, 1, 3, 3], { groups: 6, stride: [2, 2], padding: [1, 1] }),
  convCase([1, 3, 7, 7], [3, 1, 3, 2], { groups: 3, padding: [1, 0] }),
  convCase([2, 3, 6, 8], [3, 1, 2, 3], { groups: 3, padding: [3, 4], stride: [1, 2] }),
  convCase([1, 2, 12, 9], [2, 1, 3, 3], { groups: 2, dilation: [2, 3], stride: [3, 2] }),
  convCase([3, 4, 7, 14], [4, 1, 5, 5], { groups: 4, padding: [2, 2] }),
  convCase([2, 3, 15, 37], [3, 1, 3, 3], { groups: 3, padding: [1, 1], stride: [2, 2] }),
  convCase([2, 2, 8, 22], [2, 1, 3, 3], { groups: 2, stride: [2, 2] }),
  convCase([1, 3, 9, 10], [3, 1, 2, 2], { groups: 3, padding: [1, 2], stride: [3, 3] }),
  // More padding than the kernel reaches, and outputs as long as the input's places and reach.
  convCase([1, 5, 9, 5], [5, 5, 2, 1], { stride: [1, 3], padding: [2, 2], dilation: [1, 3] }),
  convCase([3, 2, 1, 11], [3, 2, 1, 2], { stride: [1, 2], padding: [0, 3], dilation: [1, 2] }),
  convCase([1, 24, 4, 2], [3, 8, 2, 2], { groups: 3, stride: [1, 2], padding: [2, 1] }),
  convCase([2, 2, 5, 6], [2, 1, 1, 1], { groups: 2, padding: [1, 2], stride: [1, 2] }),
  convCase([2, 2, 10, 16], [2, 1, 3, 3], { groups: 2, padding: [1, 1], stride: [2, 2] }),
  convCase([1, 2, 101, 100], [2, 1, 3, 3], { groups: 2, padding: [1, 1] }),
  convCase([1, 2, 101, 100], [2, 1, 3, 3], { groups: 2, padding: [1, 0], stride: [2, 2] }),
  convCase([1, 2, 101, 100], [2, 1, 3, 3], { groups: 2, padding: [2, 1] }),
  convCase([3, 3, 7, 7], [3, 1, 3, 3], { groups: 3, padding: [1, 1] }),
  convCase([2, 3, 9, 5], [3, 1, 3, 3], { groups: 3, padding: [1, 1] }),
  convCase([2, 3, 1, 13], [3, 1, 3, 3], { groups: 3, padding: [1, 1] }),
  convCase([2, 3, 2, 6], [3, 1, 3, 3], { groups: 3, padding: [1, 1] }),
  convCase([2, 3, 8, 4], [3, 1, 3, 3], { groups: 3, padding: [1, 1] }),
  convCase([2, 3, 3, 14], [3, 1, 3, 3], { groups: 3, padding: [1, 1] }),
  convCase([2, 3, 2, 17], [3, 1, 3, 3], { groups: 3, padding: [1, 1] }),
  convCase([2, 3, 9, 20], [3, 1, 3, 3], { groups: 3, padding: [1, 1] }),
  convCase([2, 3, 5, 23], [3, 1, 3, 3], { groups: 3, padding: [1, 1] }),
  convCase([2, 3, 4, 27], [3, 1, 3, 3], { groups: 3, padding: [1, 1] }),
  convCase([2, 3, 5, 30], [3, 1, 3, 3], { groups: 3, padding: [1, 1] }),
  convCase([2, 3, 1, 26], [3, 1, 3, 3], { groups: 3, padding: [1, 1] }),
  convCase([2, 3, 2, 21], [3, 1, 3, 3], { groups: 3, padding: [1, 1] }),
  convCase([1, 2, 72, 33], [2, 1, 3, 3], { groups: 2, padding: [1, 1] }),
  convCase([2, 3, 14, 14], [3, 1, 3, 3], { groups: 3, padding: [1, 1], stride: [2, 2] }),
  convCase([2, 3, 2, 10], [3, 1, 3, 3], { groups: 3, padding: [1, 1], stride: [2, 2] }),
  convCase([2, 3, 8, 8], [3, 1, 3, 3], { groups: 3, padding: [1, 1], stride: [2, 2] }),
  convCase([1, 2, 120, 136], [2, 1, 3, 3], { groups: 2, padding: [1, 1], stride: [2, 2] }),
  convCase([2, 2, 9, 10], [2, 1, 3, 3], { groups: 2 }),
  convCase([2, 2, 9, 10], [2, 1, 3, 3], { groups: 2, padding: [2, 3] }),
  convCase([9, 6, 14, 14], [16, 6, 5, 5]),
  convCase([1, 3, 21, 75], [6, 3, 3, 3], { padding: [1, 1], stride: [2, 2] }),
  convCase([2, 3, 37, 76], [5, 3, 3, 3], { padding: [1, 1], stride: [2, 2] }),
  convCase([2, 6, 18, 32], [8, 3, 3, 3], { padding: [1, 1], stride: [2, 2], groups: 2 }),
  convCase([1, 3, 1, 50], [2, 3, 3, 3], { padding: [1, 1], stride: [2, 2] }),
  convCase([1, 40, 7, 7], [40, 40, 3, 3], { padding: [1, 1] }),
  convCase([1, 40, 7, 7], [30, 40, 3, 3], { padding: [1, 1], stride: [2, 2] }),
  convCase([1, 1, 5, 120], [200, 1, 3, 3], { padding: [1, 1] }),
  convCase([2, 2, 12, 13], [9, 2, 3, 3], { padding: [4, 4], stride: [3, 3], dilation: [5, 4] }),
  convCase([1, 3, 14, 14], [70, 3, 3, 3], { padding: [1, 1] }),
  convCase([1, 3, 28, 15], [70, 3, 3, 3], { padding: [1, 1] }),
  convCase([2, 4, 9, 9], [140, 2, 2, 3], { groups: 2, padding: [1, 2], stride: [2, 3] }),
  convCase([2, 5, 7, 7], [70, 5, 1, 1], { stride: [2, 2] }),
  convCase([1, 2, 12, 13], [300, 2, 3, 3], { padding: [4, 4], stride: [3, 3], dilation: [5, 4] }),
  convCase([2, 40, 16, 22], [130, 40, 1, 1], { stride: [2, 2] }),
  convCase([9, 8, 4, 3], [20, 8, 1, 1], { stride: [2, 3] }),
  convCase([3, 9, 8, 10], [12, 9, 1, 1], { stride: [4, 2] }),
  convCase([19, 6, 14, 14], [16, 6, 5, 5]),
  convCase([3, 4, 10, 10], [16, 4, 5, 5], { padding: [2, 2] }),
  // Single taps of planes of whole vectors; those of the last are read in parts.
  convCase([2, 6, 8, 10], [58, 3, 1, 1], { groups: 2 }),
  convCase([1, 40, 8, 16], [13, 40, 1, 1]),
  convCase([1, 80, 128, 128], [1, 80, 1, 1]),
  // Input gradients that wait for their places; of more planes than one block holds.
  convCase([2, 9, 28, 28], [40, 9, 1, 1], { stride: [2, 2] }),
  convCase([1, 7, 28, 30], [320, 7, 1, 1], { stride: [2, 2] }),
  // Weight gradients of planes: parts of an image, of several, with fewer filters than channels.
  convCase([1, 20, 40, 51], [37, 20, 1, 1]),
  convCase([3, 49, 9, 11], [35, 49, 1, 1]),
  convCase([2, 33, 16, 19], [7, 33, 1, 1], { stride: [2, 2] }),
  // Bands of rows that are padded by the kernels, with columns in up to three phases; short lines.
  convCase([2, 3, 61, 75], [5, 3, 3, 3], { padding: [1, 1], stride: [2, 2] }),
  convCase([1, 6, 40, 66], [10, 3, 3, 3], { padding: [1, 2], groups: 2 }),
  convCase([1, 2, 100, 103], [4, 2, 3, 4], { padding: [2, 1], stride: [3, 3] }),
  convCase([9, 1, 28, 28], [8, 1, 3, 3], { padding: [1, 1] }),
  // Kernels that cover the whole image.
  convCase([2, 2, 4, 3], [3, 2, 4, 3]),
  convCase([65, 16, 5, 5], [120, 16, 5, 5], { stride: [3, 2] }),
  convCase([1, 90, 1, 1], [33, 90, 1, 1], { stride: [2, 1] }),
  convCase([7, 3, 1, 40], [1, 3, 1, 40]),
  convCase([1, 6, 1, 1], [9, 6, 1, 1], { dilation: [2, 3] }),
  // These do not: groups, borders, and a kernel as large as the image but of another shape.
  convCase([3, 4, 3, 3], [6, 2, 3, 3], { groups: 2 }),
  convCase([2, 3, 3, 3], [4, 3, 3, 3], { padding: [1, 1], stride: [3, 3] }),
  convCase([2, 3, 2, 6], [4, 3, 4, 3], { padding: [2, 0], stride: [9, 9] }),
];

function show(c: Case): string {
  return (
    `[${c.x}] by [${c.weight}], stride ${c.stride}, padding ${c.padding}, ` +
    `dilation ${c.dilation}, groups ${c.groups}`
  );
}

function outputShape(c: Case): [number, number, number, number] {
  const size = (d: 0 | 1) =>
    Math.floor(
      (c.x[2 + d] + 2 * c.padding[d] - c.dilation[d] * (c.weight[2 + d] - 1) - 1) / c.stride[d],
    ) + 1;
  return [c.x[0], c.weight[0], size(0), size(1)];
}

/** Visits every product of a convolution: the places in x, weight and output. */
function visit(c: Case, see: (x: number, w: number, out: number) => void): void {
  const [batch, channels, height, width] = c.x;
  const [filters, depth, kh, kw] = c.weight;
  const [, , outH, outW] = outputShape(c);
  const each = (sizes: number[], f: (...at: number[]) => void, at: number[] = []): void => {
    if (at.length === sizes.length) f(...at);
    else for (let i = 0; i < sizes[at.length]; i++) each(sizes, f, [...at, i]);
  };
  each([batch, filters, outH, outW, depth, kh, kw], (n, o, oy, ox, d, ky, kx) => {
    const y = oy * c.stride[0] + ky * c.dilation[0] - c.padding[0];
    const x = ox * c.stride[1] + kx * c.dilation[1] - c.padding[1];
    if (y < 0 || y >= height || x < 0 || x >= width) return;
    const channel = Math.floor(o / (filters / c.groups)) * depth + d;
    see(
      ((n * channels + channel) * height + y) * width + x,
      ((o * depth + d) * kh + ky) * kw + kx,
      ((n * filters + o) * outH + oy) * outW + ox,
    );
  });
}

for (const dtype of [float32, float64] as Dtype[]) {
  const close_ = (actual: number[], expected: number[], terms: number) => {
    const absolute = dtype === float32 ? 5e-7 * Math.sqrt(terms) : 1e-12;
    close(actual, expected, 1e-6, absolute);
  };
  describe(`conv2d of ${dtype.name}`, () => {
    for (const c of CASES) {
      it(show(c), () => {
        reset();
        const shape = outputShape(c);
        const [x, w, g] = [
          randoms(count(c.x), 1),
          randoms(count(c.weight), 2),
          randoms(count(shape), 3),
        ];
        const bias = randoms(c.weight[0], 4);
        const [out, dx, dw] = [g.map(() => 0), x.map(() => 0), w.map(() => 0)];
        visit(c, (i, j, k) => {
          out[k] += x[i] * w[j];
          dx[i] += g[k] * w[j];
          dw[j] += x[i] * g[k];
        });
        const plane = shape[2] * shape[3];
        const biased = out.map((v, i) => v + bias[Math.floor(i / plane) % c.weight[0]]);
        const { x: xShape, weight: wShape, ...attributes } = c;
        const [tx, tw] = [input(x, xShape, dtype), input(w, wShape, dtype)];
        const [tg, tb] = [input(g, shape, dtype), input(bias, [c.weight[0]], dtype)];
        const depth = wShape[1] * wShape[2] * wShape[3];
        close_(results(conv2d, [tx, tw], attributes)[0], out, depth);
        close_(results(conv2d, [tx, tw, tb], attributes)[0], biased, depth);
        const inputSize: [number, number] = [xShape[2], xShape[3]];
        close_(
          results(conv2dInputGrad, [tg, tw], { ...attributes, inputSize })[0],
          dx,
          c.weight[0] * wShape[2] * wShape[3],
        );
        const kernelSize: [number, number] = [wShape[2], wShape[3]];
        const weightGrad = results(conv2dWeightGrad, [tx, tg], { ...attributes, kernelSize })[0];
        close_(weightGrad, dw, plane * xShape[0]);
      });
    }
  });
}

describe('conv2d', () => {
  const plain = convCase([1, 3, 5, 5], [2, 3, 3, 3]);
  const { x, weight, ...attributes } = plain;

  it('keeps an infinity where it belongs', () => {
    reset();
    const data = new Array(75).fill(1);
    data[4] = Number.POSITIVE_INFINITY;
    const images = input(data, x, float32);
    const g = input(new Array(18).fill(1), [1, 2, 3, 3], float32);
    const [grad] = results(conv2dWeightGrad, [images, g], { ...attributes, kernelSize: [3, 3] });
    // Column 4 of row 0 meets only tap (0, 2) of channel 0.
    grad.forEach((v, at) => {
      expect(v).toBe(at % 27 === 2 ? Number.POSITIVE_INFINITY : 9);
    });
  });

  it('keeps an infinity where it belongs in depthwise gradients', () => {
    reset();
    const shape = [1, 2, 5, 6];
    const data = new Array(60).fill(1);
    data[5] = Number.POSITIVE_INFINITY;
    const [images, g] = [input(data, shape, float32), input(new Array(60).fill(1), shape, float32)];
    const same = { ...attributes, padding: [1, 1] as const, groups: 2 };
    const [grad] = results(conv2dWeightGrad, [images, g], { ...same, kernelSize: [3, 3] });
    // The last column of row 0 meets taps of rows 0 and 1, of columns 1 and 2.
    expect(grad.map((v) => (Number.isFinite(v) ? v : 0))).toEqual([
      ...[20, 0, 0, 25, 0, 0, 20, 24, 20, 20, 24, 20, 25, 30, 25, 20, 24, 20],
    ]);
    for (const at of [1, 2, 4, 5]) expect(grad[at]).toBe(Number.POSITIVE_INFINITY);
  });

  it('computes large depthwise convolutions in bands', () => {
    const [channels, many] = [2, 456];
    const same = { ...attributes, padding: [1, 1] as const, groups: channels };
    for (const [h, w, step] of [
      [49, 50, 1],
      [98, 96, 2],
    ]) {
      reset();
      const repeat = (v: number[], times = many / channels) => Array(times).fill(v).flat();
      const [x, weights] = [randoms(channels * h * w, 1), randoms(channels * 9, 2)];
      const g = randoms((channels * h * w) / step / step, 3);
      const run = (n: number) => {
        const all = { ...same, stride: [step, step] as const, groups: n };
        const tx = input(repeat(x, n / channels), [1, n, h, w], float32);
        const tw = input(repeat(weights, n / channels), [n, 1, 3, 3], float32);
        const tg = input(repeat(g, n / channels), [1, n, h / step, w / step], float32);
        return [
          results(conv2d, [tx, tw], all)[0],
          results(conv2dInputGrad, [tg, tw], { ...all, inputSize: [h, w] })[0],
          results(conv2dWeightGrad, [tx, tg], { ...all, kernelSize: [3, 3] })[0],
        ];
      };
      const few = run(channels);
      run(many).forEach((all, i) => {
        const last = all.slice(-few[i].length);
        expect(all.length).toBe((few[i].length * many) / channels);
        if (i < 2) expect(last).toEqual(few[i]);
        else close(last, few[i], 1e-5, 1e-4);
      });
    }
  });

  it('reads planes that no cache keeps', () => {
    reset();
    const [channels, filters, size, batch] = [40, 6, 64, 20];
    const one = { ...attributes, padding: [0, 0] as const };
    const image = randoms(channels * size * size, 1);
    const w = input(randoms(filters * channels, 2), [filters, channels, 1, 1], float32);
    const run = (n: number) => {
      const x = input(Array(n).fill(image).flat(), [n, channels, size, size], float32);
      return results(conv2d, [x, w], one)[0];
    };
    const few = run(1);
    expect(run(batch).slice(-few.length)).toEqual(few);
  });

  it('takes an empty batch', () => {
    reset();
    const images = input([], [0, 3, 5, 5], float32);
    const g = input([], [0, 2, 3, 3], float32);
    const [grad] = results(conv2dWeightGrad, [images, g], { ...attributes, kernelSize: [3, 3] });
    expect(grad).toEqual(new Array(54).fill(0));
  });

  it('says what does not fit', () => {
    reset();
    const w = input(randoms(54, 1), weight, float32);
    const run = (shape: number[], options: Partial<ConvAttributes> = {}) =>
      results(conv2d, [input(randoms(count(shape), 1), shape, float32), w], {
        ...attributes,
        ...options,
      });
    expect(() => run([8, 1, 28, 28])).toThrow(
      'expected input [N, 3, H, W] for weight [2, 3, 3, 3] and groups 1, got [8, 1, 28, 28]',
    );
    expect(() => run([3, 28, 28])).toThrow('unsqueeze(0)');
    expect(() => run([1, 3, 2, 9])).toThrow('larger than the padded input [2, 9]');
    expect(() => run([1, 3, 9, 9], { stride: [0, 1] })).toThrow('stride must be positive');
    expect(() => run([1, 3, 9, 9], { padding: [-1, 1] })).toThrow('padding must not be negative');
    expect(() => run([1, 3, 9, 9], { groups: 0 })).toThrow('groups must be a positive integer');
    expect(() => run([1, 9, 9, 9], { groups: 3 })).toThrow('do not divide into 3 groups');
  });
});
