import { describe, expect, it } from 'vitest';
import { IndexError } from '../../ts/core/errors.js';
import * as rows from '../../ts/ops/primitives/loss.js';
import { call, close, dtypes, input, randoms, reset, results } from './harness.js';

const { float32, float64, int32 } = dtypes;
const add = (v: number[]) => v.reduce((a, b) => a + b, 0);

function logSoftmax(x: number[]): number[] {
  const most = Math.max(...x);
  const total = Math.log(add(x.map((v) => Math.exp(v - most))));
  return x.map((v) => v - most - total);
}

/** Loss, scale and logit gradient of one position, by the definition. */
function position(x: number[], t: number, w: number[], e: number, g: number, ignore: number) {
  if (t === ignore) return { loss: 0, scale: 0, gx: x.map(() => 0) };
  const logp = logSoftmax(x);
  const even = e / x.length;
  const q = w.map((v, c) => even * v + (c === t ? (1 - e) * v : 0));
  return {
    loss: -add(q.map((v, c) => v * logp[c]!)),
    scale: w[t]!,
    gx: logp.map((l, c) => g * (Math.exp(l) * add(q) - q[c]!)),
  };
}

for (const dtype of [float32, float64]) {
  const relative = dtype === float32 ? 2e-6 : 1e-13;
  describe(`losses, ${dtype.name}`, () => {
    for (const shape of [
      [1, 1, 1],
      [65, 10, 1],
      [3, 37, 1],
      [2, 5, 3],
      [2, 4, 150],
      [3, 4, 0],
    ] as [number, number, number][]) {
      it(`[${shape}]`, () => {
        const [outer, classes, inner] = shape;
        const x = randoms(outer * classes * inner, 1, 5);
        const g = randoms(outer * inner, 2);
        const w = randoms(classes, 3).map((v) => Math.fround(v + 1.5));
        const target = randoms(outer * inner, 4).map((v, i) =>
          i % 5 === 4 ? -7 : Math.floor(Math.abs(v) * classes),
        );
        for (const e of [0, 0.1]) {
          for (const weighted of [true, false]) {
            reset();
            const weights = weighted ? w : w.map(() => 1);
            const gx = [...x];
            const logs = [...x];
            const each = target.map((t, i) => {
              const at = (c: number) => (Math.floor(i / inner) * classes + c) * inner + (i % inner);
              const line = w.map((_, c) => x[at(c)]!);
              const result = position(line, t, weights, e, g[i]!, -7);
              result.gx.forEach((v, c) => {
                gx[at(c)] = v;
              });
              logSoftmax(line).forEach((v, c) => {
                logs[at(c)] = v;
              });
              return result;
            });
            const tx = input(x, shape, dtype);
            const tt = input(target, [outer, inner], int32);
            const tg = input(g, [outer, inner], dtype);
            const tw = weighted ? input(w, [classes], dtype) : undefined;
            const attributes = { ignoreIndex: -7, labelSmoothing: e };
            const outputs = call(rows.crossEntropy, [tx, tt, tw], attributes);
            const [loss, scale] = results(rows.crossEntropy, [tx, tt, tw], attributes);
            const losses = each.map((r) => r.loss);
            const scales = each.map((r) => r.scale);
            close(loss!, losses, 3 * relative, 2e-6);
            close(scale!, scales);
            const saved = [tg, tx, tt, outputs[2], outputs[3], tw];
            close(results(rows.crossEntropyBackward, saved, attributes)[0]!, gx, 5e-6, 1e-6);
            if (e > 0) continue;
            const tl = input(logs, shape, dtype);
            const nll = results(rows.nllLoss, [tl, tt, tw], { ignoreIndex: -7 });
            close(nll[0]!, losses, relative, 2e-6);
            close(nll[1]!, scales);
            const gl = logs.map(() => 0);
            target.forEach((t, i) => {
              if (t === -7) return;
              const o = Math.floor(i / inner);
              gl[(o * classes + t) * inner + (i % inner)] = -weights[t]! * g[i]!;
            });
            const back = { ignoreIndex: -7, classes };
            close(results(rows.nllLossBackward, [tg, tt, tw], back)[0]!, gl, relative);
          }
        }
      });
    }
  });
}

describe('all losses as one', () => {
  const numbers = (values: readonly unknown[]) => values.map(Number);

  it.each([0, 1, 3, 31, 64, 4096, 4097, 9000])(
    'of %d positions, also where none counts',
    (count) => {
      for (const dtype of [float32, float64]) {
        for (const ignored of [false, true]) {
          reset();
          const scores = input(randoms(count * 3, 4), [count, 3, 1], dtype);
          const classes = Array.from({ length: count }, (_, i) => (ignored ? -100 : (i * 7) % 3));
          const target = input(classes, [count, 1], int32);
          const weight = input([0.5, 2, 1.25], [3], dtype);
          const relative = dtype === float32 ? 2e-6 : 1e-13;
          for (const row of [rows.crossEntropy, rows.nllLoss]) {
            const inputs = [scores, target, weight];
            const [each, scales] = results(row, inputs, {}).map(numbers);
            const loss = each.reduce((a, b) => a + b, 0);
            const scale = scales.reduce((a, b) => a + b, 0);
            const [sum, total] = results(row, inputs, { reduction: 'sum' }).map(numbers);
            close(sum, [loss], relative, relative * count);
            close(total, [scale], relative);
            const [mean] = results(row, inputs, { reduction: 'mean' }).map(numbers);
            close(mean, [loss / scale], relative, relative);
          }
        }
      }
    },
  );
});

describe('hard points', () => {
  it('large logits do not overflow, -inf has probability 0', () => {
    reset();
    const x = input([1e30, 0, -1 / 0, 88, 89, 0], [2, 3, 1], float32);
    const target = input([0, 1], [2, 1], int32);
    const [loss, , most, logSum] = call(rows.crossEntropy, [x, target], {});
    close(results(rows.crossEntropy, [x, target], {})[0]!, [0, Math.log1p(Math.exp(-1))], 1e-6);
    const g = input([1, 1], [2, 1], float32);
    const saved = [g, x, target, most, logSum];
    const gx = results(rows.crossEntropyBackward, saved, {})[0]!;
    const p = 1 / (1 + Math.exp(1));
    close(gx, [0, 0, 0, p, -p, 0], 1e-5, 1e-30);
    expect(loss!.shape).toEqual([2, 1]);
  });

  it('an ignored row of NaN has no gradient; a class out of range is named', () => {
    reset();
    const x = input([Number.NaN, 1, 0, 0], [2, 2, 1], float32);
    const target = input([-100, 1], [2, 1], int32);
    const [loss, , most, logSum] = call(rows.crossEntropy, [x, target], {});
    const g = input([1, 1], [2, 1], float32);
    const gx = results(rows.crossEntropyBackward, [g, x, target, most, logSum], {})[0]!;
    close(gx, [0, 0, 0.5, -0.5]);
    expect(loss!.shape).toEqual([2, 1]);
    for (const row of [rows.crossEntropy, rows.nllLoss]) {
      const bad = input([0, 2], [2, 1], int32);
      expect(() => call(row, [x, bad], {})).toThrow(IndexError);
      expect(() => call(row, [x, bad], {})).toThrow(/index 2 at position 1 .* size 2/);
    }
  });

  it('refuses shapes that do not fit', () => {
    reset();
    const x = input([1, 2], [1, 2, 1], float32);
    const target = input([0, 1], [2, 1], int32);
    expect(() => call(rows.crossEntropy, [x, target], {})).toThrow(/got \[1, 2, 1\] and \[2, 1\]/);
  });
});
