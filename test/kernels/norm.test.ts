import { describe, expect, it } from 'vitest';
import * as rows from '../../ts/ops/primitives/norm.js';
import { call, close, dtypes, input, randoms, reset, results } from './harness.js';

const { float32, float64 } = dtypes;
const EPS = 1e-5;

/**
 * Normalises groups of positions and gives the gradients of sum(g * y), all in float64 by the
 * definition: xhat = (x - mean) / sqrt(var + eps), y = xhat * w + b.
 */
function reference(
  x: number[],
  g: number[],
  groups: number[][],
  channelOf: (at: number) => number,
  w: number[],
  b: number[],
) {
  const y = [...x];
  const gx = [...x];
  const gweight = w.map(() => 0);
  const gbias = w.map(() => 0);
  const mean: number[] = [];
  const variance: number[] = [];
  const average = (v: number[]) => v.reduce((a, c) => a + c, 0) / v.length;
  for (const group of groups) {
    const m = average(group.map((i) => x[i]!));
    const v = average(group.map((i) => (x[i]! - m) ** 2));
    const r = 1 / Math.sqrt(v + EPS);
    const hat = group.map((i) => (x[i]! - m) * r);
    const gw = group.map((i) => g[i]! * w[channelOf(i)]!);
    const a = average(gw);
    const d = average(gw.map((value, k) => value * hat[k]!));
    group.forEach((i, k) => {
      const c = channelOf(i);
      y[i] = hat[k]! * w[c]! + b[c]!;
      gx[i] = r * (gw[k]! - a - hat[k]! * d);
      gweight[c]! += g[i]! * hat[k]!;
      gbias[c]! += g[i]!;
    });
    mean.push(m);
    variance.push(v);
  }
  return {
    y,
    gx,
    gweight,
    gbias,
    mean,
    variance,
    rstd: variance.map((v) => 1 / Math.sqrt(v + EPS)),
  };
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

for (const dtype of [float32, float64]) {
  const relative = dtype === float32 ? 1e-5 : 1e-12;
  const absolute = dtype === float32 ? 1e-5 : 1e-12;
  const near = (actual: number[], expected: number[], scale = 1) =>
    close(actual, expected, relative, absolute * scale);

  describe(`group and layer norm, ${dtype.name}`, () => {
    for (const shape of [
      [3, 1, 10, 1],
      [130, 1, 67, 1],
      [2, 1, 5000, 1],
      [3, 3, 5, 1],
      [2, 3, 4, 7],
      [2, 2, 3, 1600],
      [1, 1, 1, 1],
    ] as [number, number, number, number][]) {
      it(`[${shape}]`, () => {
        reset();
        const [outer, groups, channels, length] = shape;
        const n = channels * length;
        const size = outer * groups * n;
        const x = randoms(size, 1, 3).map((v) => Math.fround(v + 5));
        const g = randoms(size, 2);
        const w = randoms(groups * channels, 3).map((v) => Math.fround(v + 1.5));
        const b = randoms(groups * channels, 4);
        const lists = range(outer * groups).map((u) => range(n).map((i) => u * n + i));
        const channelOf = (at: number) => Math.floor(at / length) % (groups * channels);
        const all = (weights: number[], biases: number[]) =>
          reference(x, g, lists, channelOf, weights, biases);
        const expected = all(w, b);
        const tx = input(x, shape, dtype);
        const tg = input(g, shape, dtype);
        const tw = input(w, [w.length], dtype);
        const tb = input(b, [b.length], dtype);
        const [y, mean, rstd] = results(rows.groupNorm, [tx, tw, tb], { eps: EPS });
        near(y!, expected.y, 3);
        near(mean!, expected.mean);
        near(rstd!, expected.rstd);
        const plain = all(
          w.map(() => 1),
          b.map(() => 0),
        );
        near(results(rows.groupNorm, [tx, undefined, undefined], { eps: EPS })[0]!, plain.y, 3);
        const saved = [
          input(expected.mean, [outer, groups], dtype),
          input(expected.rstd, [outer, groups], dtype),
        ];
        const backward = (weight: typeof tw | undefined, affine: boolean) =>
          results(rows.groupNormBackward, [tg, tx, ...saved, weight], { affine });
        const [gx, gweight, gbias] = backward(tw, true);
        near(gx!, expected.gx, 3);
        near(gweight!, expected.gweight, Math.sqrt(size));
        near(gbias!, expected.gbias, Math.sqrt(size));
        const [gplain, none] = backward(undefined, false);
        near(gplain!, plain.gx, 3);
        expect(none).toEqual([]);
      });
    }
  });

  describe(`batch norm, ${dtype.name}`, () => {
    for (const shape of [
      [4, 3, 1],
      [150, 67, 1],
      [70, 301, 1],
      [3, 5, 9],
      [2, 2, 5000],
      [1, 1, 2],
    ] as [number, number, number][]) {
      it(`[${shape}]`, () => {
        reset();
        const [outer, channels, length] = shape;
        const size = outer * channels * length;
        const x = randoms(size, 1, 3).map((v) => Math.fround(v + 5));
        const g = randoms(size, 2);
        const w = randoms(channels, 3).map((v) => Math.fround(v + 1.5));
        const b = randoms(channels, 4);
        const channelOf = (at: number) => Math.floor(at / length) % channels;
        const lists = range(channels).map((c) => range(size).filter((i) => channelOf(i) === c));
        const expected = reference(x, g, lists, channelOf, w, b);
        const tx = input(x, shape, dtype);
        const tg = input(g, shape, dtype);
        const tw = input(w, [channels], dtype);
        const tb = input(b, [channels], dtype);
        const [y, mean, variance, rstd] = results(rows.batchNorm, [tx, tw, tb], { eps: EPS });
        near(y!, expected.y, 3);
        near(mean!, expected.mean);
        near(variance!, expected.variance);
        near(rstd!, expected.rstd);
        const tm = input(expected.mean, [channels], dtype);
        const tv = input(expected.variance, [channels], dtype);
        const tr = input(expected.rstd, [channels], dtype);
        const [gx, gweight, gbias] = results(rows.batchNormBackward, [tg, tx, tm, tr, tw], {});
        near(gx!, expected.gx, 3);
        near(gweight!, expected.gweight, Math.sqrt(size));
        near(gbias!, expected.gbias, Math.sqrt(size));
        const inference = [tx, tm, tv, tw, tb];
        near(results(rows.batchNormInference, inference, { eps: EPS })[0]!, expected.y, 3);
        const bare = results(rows.batchNormInference, [tx, tm, tv, undefined, undefined], {
          eps: EPS,
        })[0]!;
        near(
          bare,
          x.map((v, i) => (v - expected.mean[channelOf(i)]!) * expected.rstd[channelOf(i)]!),
          3,
        );
      });
    }
  });
}

describe('hard points', () => {
  it('a constant group gives its bias; a large mean keeps the digits of the variance', () => {
    reset();
    const x = input([7, 7, 7, 4096, 4097, 4098], [2, 1, 3, 1], float32);
    const [y] = results(rows.groupNorm, [x, undefined, undefined], { eps: 0.0001 });
    expect(y!.slice(0, 3)).toEqual([0, 0, 0]);
    const r = 1 / Math.sqrt(2 / 3 + 0.0001);
    close(y!.slice(3), [-r, 0, r], 1e-6);
  });

  it('NaN stays in its own group', () => {
    reset();
    const x = input([Number.NaN, 1, 1, 3], [2, 1, 2, 1], float32);
    const [y] = results(rows.groupNorm, [x, undefined, undefined], { eps: 0 });
    expect(y).toEqual([Number.NaN, Number.NaN, -1, 1]);
    const [z] = results(rows.batchNorm, [input([Number.NaN, 1, 1, 3], [2, 2, 1], float32)], {
      eps: 0,
    });
    expect(z).toEqual([Number.NaN, -1, Number.NaN, 1]);
  });

  it('refuses weights of another size', () => {
    reset();
    const x = input([1, 2], [1, 2, 1], float32);
    const w = input([1, 2, 3], [3], float32);
    expect(() => call(rows.batchNorm, [x, w], { eps: 0 })).toThrow(/one value per channel \(2\)/);
  });
});
