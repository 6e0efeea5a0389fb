import { describe, expect, it } from 'vitest';
import * as rows from '../../ts/ops/primitives/pool.js';
import { close, count, dtypes, input, randoms, reset, results } from './harness.js';

const { float32, float64 } = dtypes;

type Pair = [number, number];

interface Case {
  readonly size: Pair;
  readonly kernelSize: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly ceilMode: boolean;
}

function poolCase(size: Pair, kernelSize: Pair, options: Partial<Case> = {}): Case {
  const plain = { padding: [0, 0] as Pair, dilation: [1, 1] as Pair, ceilMode: false };
  return { size, kernelSize, stride: kernelSize, ...plain, ...options };
}

const CASES: Case[] = [
  poolCase([1, 1], [1, 1]),
  poolCase([24, 24], [2, 2]),
  poolCase([8, 9], [2, 2], { ceilMode: true }),
  poolCase([7, 30], [3, 3], { stride: [2, 2], padding: [1, 1] }),
  poolCase([7, 30], [3, 3], { stride: [2, 2], padding: [1, 1], ceilMode: true }),
  poolCase([9, 13], [3, 2], { stride: [1, 1], padding: [0, 1] }),
  poolCase([9, 23], [2, 3], { stride: [2, 3], dilation: [2, 1] }),
  poolCase([12, 23], [3, 3], { stride: [1, 1], dilation: [2, 3], padding: [2, 3] }),
  poolCase([5, 6], [5, 6]),
  poolCase([5, 40], [4, 17], { stride: [3, 2], padding: [2, 8], ceilMode: true }),
];

/** The places of each window inside the plane, and its size with padding. */
function windows(c: Case): { out: Pair; places: number[][]; padded: number[] } {
  const size = ([0, 1] as const).map((d) => {
    const room = c.size[d] + 2 * c.padding[d] - c.dilation[d] * (c.kernelSize[d] - 1) - 1;
    const floor = Math.floor(room / c.stride[d]) + 1;
    const ceil = Math.ceil(room / c.stride[d]) + 1;
    const starts = (ceil - 1) * c.stride[d] < c.size[d] + c.padding[d];
    return c.ceilMode && starts ? ceil : floor;
  });
  const places: number[][] = [];
  const padded: number[] = [];
  for (let oy = 0; oy < size[0]; oy++) {
    for (let ox = 0; ox < size[1]; ox++) {
      const [y0, x0] = [oy * c.stride[0] - c.padding[0], ox * c.stride[1] - c.padding[1]];
      const inside: number[] = [];
      for (let ky = 0; ky < c.kernelSize[0]; ky++) {
        for (let kx = 0; kx < c.kernelSize[1]; kx++) {
          const [y, x] = [y0 + ky * c.dilation[0], x0 + kx * c.dilation[1]];
          if (y >= 0 && y < c.size[0] && x >= 0 && x < c.size[1]) inside.push(y * c.size[1] + x);
        }
      }
      places.push(inside);
      const end = (start: number, d: 0 | 1) =>
        Math.min(start + c.kernelSize[d], c.size[d] + c.padding[d]) - start;
      padded.push(end(y0, 0) * end(x0, 1));
    }
  }
  return { out: size as Pair, places, padded };
}

const N = 2;
const C = 3;

/** The values of plane `p`. */
function plane(values: readonly number[], p: number, size: Pair): number[] {
  return values.slice(p * size[0] * size[1], (p + 1) * size[0] * size[1]);
}

for (const dtype of [float32, float64]) {
  describe(`pooling of ${dtype.name}`, () => {
    for (const { size, ...attributes } of CASES) {
      const c = { size, ...attributes };
      const text = `${size} by ${JSON.stringify(attributes)}`;
      const { out, places, padded } = windows(c);
      const data = randoms(N * C * count(size), 3);
      const gradient = randoms(N * C * count(out), 4);

      it(`maxima: ${text}`, () => {
        reset();
        const values = [...data];
        values[count(size) - 1] = Number.NaN;
        values.fill(Number.NEGATIVE_INFINITY, count(size), 2 * count(size));
        const x = input(values, [N, C, ...size], dtype);
        const [best, indices] = results(rows.maxPool2d, [x], attributes);
        const expected: number[] = [];
        const from: number[] = [];
        for (let p = 0; p < N * C; p++) {
          const own = plane(values, p, size);
          for (const window of places) {
            const nan = window.filter((i) => Number.isNaN(own[i]));
            const top = window.reduce((a, i) => Math.max(a, own[i]), Number.NEGATIVE_INFINITY);
            expected.push(top);
            from.push(nan.at(-1) ?? window.find((i) => own[i] === top)!);
          }
        }
        expect(best).toEqual(expected);
        expect(indices).toEqual(from);

        const g = input(gradient, [N, C, ...out], dtype);
        const index = input(indices, [N, C, ...out], dtypes.int32);
        const [dx] = results(rows.maxPool2dBackward, [g, index], {
          ...attributes,
          inputSize: size,
        });
        const grads = values.map(() => 0);
        from.forEach((place, i) => {
          grads[Math.floor(i / count(out)) * count(size) + place] += gradient[i];
        });
        close(dx, grads);
      });

      if (attributes.dilation.some((d) => d > 1)) continue;
      for (const [countIncludePad, divisorOverride] of [
        [true, 0],
        [false, 0],
        [true, 7],
      ] as const) {
        it(`averages (${countIncludePad}, ${divisorOverride}): ${text}`, () => {
          reset();
          const { dilation, ...own } = { ...attributes, countIncludePad, divisorOverride };
          const grads = data.map(() => 0);
          const expected: number[] = [];
          for (let p = 0; p < N * C; p++) {
            places.forEach((window, i) => {
              const size_ = countIncludePad ? padded[i] : window.length;
              const divisor = divisorOverride || size_;
              const at = p * count(size);
              const share = gradient[p * places.length + i] / divisor;
              expected.push(window.reduce((a, k) => a + data[at + k], 0) / divisor);
              for (const k of window) grads[at + k] += share;
            });
          }
          const x = input(data, [N, C, ...size], dtype);
          const g = input(gradient, [N, C, ...out], dtype);
          close(results(rows.avgPool2d, [x], own)[0], expected);
          close(results(rows.avgPool2dBackward, [g], { ...own, inputSize: size })[0], grads);
        });
      }
    }

    for (const [size, outputSize] of [
      [
        [8, 8],
        [1, 1],
      ],
      [
        [7, 10],
        [3, 4],
      ],
      [
        [3, 5],
        [6, 5],
      ],
    ] as [Pair, Pair][]) {
      it(`adaptive averages: ${size} to ${outputSize}`, () => {
        reset();
        const data = randoms(N * C * count(size), 5);
        const gradient = randoms(N * C * count(outputSize), 6);
        const span = (i: number, d: 0 | 1) => [
          Math.floor((i * size[d]) / outputSize[d]),
          Math.ceil(((i + 1) * size[d]) / outputSize[d]),
        ];
        const expected: number[] = [];
        const grads = data.map(() => 0);
        for (let i = 0; i < N * C * count(outputSize); i++) {
          const p = Math.floor(i / count(outputSize));
          const [y0, y1] = span(Math.floor(i / outputSize[1]) % outputSize[0], 0);
          const [x0, x1] = span(i % outputSize[1], 1);
          let sum = 0;
          for (let y = y0; y < y1; y++) {
            for (let x = x0; x < x1; x++) {
              const at = (p * size[0] + y) * size[1] + x;
              sum += data[at];
              grads[at] += gradient[i] / ((y1 - y0) * (x1 - x0));
            }
          }
          expected.push(sum / ((y1 - y0) * (x1 - x0)));
        }
        const x = input(data, [N, C, ...size], dtype);
        const g = input(gradient, [N, C, ...outputSize], dtype);
        close(results(rows.adaptiveAvgPool2d, [x], { outputSize })[0], expected);
        close(results(rows.adaptiveAvgPool2dBackward, [g], { inputSize: size })[0], grads);
      });
    }
  });
}

describe('pooling', () => {
  const attributes = {
    kernelSize: [2, 2],
    stride: [2, 2],
    padding: [0, 0],
    dilation: [1, 1],
    ceilMode: false,
  } as const;
  const run = (shape: number[], options: object = {}) =>
    results(rows.maxPool2d, [input(randoms(count(shape), 1), shape, float32)], {
      ...attributes,
      ...options,
    });

  it('takes an empty batch', () => {
    reset();
    expect(run([0, 3, 4, 4])).toEqual([[], []]);
  });

  it('says what does not fit', () => {
    reset();
    expect(() => run([3, 4, 4])).toThrow('maxPool2d: expected images [N, C, H, W], got [3, 4, 4]');
    expect(() => run([1, 3, 0, 4])).toThrow('only the batch may be empty');
    expect(() => run([1, 3, 1, 4])).toThrow('the output would be [0, 2]');
    expect(() => run([1, 3, 9, 9], { padding: [2, 0] })).toThrow('at most half of the kernel');
    expect(() => run([1, 3, 9, 9], { stride: [0, 1] })).toThrow('stride must be two integers');
    const g = input([1], [1, 1, 1, 1], float32);
    const own = { ...attributes, countIncludePad: true, divisorOverride: 0.5 };
    expect(() => results(rows.avgPool2d, [g], own)).toThrow('divisorOverride');
  });
});
