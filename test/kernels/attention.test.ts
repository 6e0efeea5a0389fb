import { describe, expect, it } from 'vitest';
import * as rows from '../../ts/ops/primitives/attention.js';
import { call, close, dtypes, input, randoms, reset, results } from './harness.js';

const { float32, float64, bool } = dtypes;

interface Sizes {
  readonly n: number;
  readonly rows: number;
  readonly keys: number;
  readonly heads: number;
  readonly size: number;
  readonly width: number;
  readonly causal?: boolean;
  readonly bias?: boolean;
  readonly mask?: boolean;
}

const SCALE = 0.4;

/** Attention and its gradients, written down in float64. */
function reference(s: Sizes, [q, k, v, g, bias, mask]: (number[] | undefined)[]) {
  const out: number[] = new Array(s.n * s.rows * s.heads * s.width).fill(0);
  const sums: number[] = new Array(s.n * s.heads * s.rows).fill(0);
  const [dq, dk, dv] = [q!, k!, v!].map((x) => new Array<number>(x.length).fill(0));
  for (let b = 0; b < s.n; b++) {
    for (let h = 0; h < s.heads; h++) {
      const at = (positions: number, i: number, size: number) =>
        ((b * positions + i) * s.heads + h) * size;
      for (let i = 0; i < s.rows; i++) {
        const plane = ((b * s.heads + h) * s.rows + i) * s.keys;
        const dot = (x: number[], from: number, y: number[], other: number, size: number) => {
          let sum = 0;
          for (let e = 0; e < size; e++) sum += x[from + e]! * y[other + e]!;
          return sum;
        };
        const [qi, oi] = [at(s.rows, i, s.size), at(s.rows, i, s.width)];
        const scores = Array.from({ length: s.keys }, (_, j) => {
          if ((s.causal && j > i) || (mask && !mask[plane + j])) return -Infinity;
          return SCALE * dot(q!, qi, k!, at(s.keys, j, s.size), s.size) + (bias?.[plane + j] ?? 0);
        });
        const most = Math.max(...scores);
        const total = scores.reduce((sum, x) => sum + Math.exp(x - most), 0);
        sums[(b * s.heads + h) * s.rows + i] = most + Math.log(total);
        const p = scores.map((x) => Math.exp(x - most) / total);
        const dp = p.map((_, j) => dot(g!, oi, v!, at(s.keys, j, s.width), s.width));
        const mean = p.reduce((sum, x, j) => sum + x * dp[j]!, 0);
        p.forEach((weight, j) => {
          const [kj, vj] = [at(s.keys, j, s.size), at(s.keys, j, s.width)];
          const ds = weight * (dp[j]! - mean) * SCALE;
          for (let e = 0; e < s.width; e++) {
            out[oi + e]! += weight * v![vj + e]!;
            dv![vj + e]! += weight * g![oi + e]!;
          }
          for (let e = 0; e < s.size; e++) {
            dq![qi + e]! += ds * k![kj + e]!;
            dk![kj + e]! += ds * q![qi + e]!;
          }
        });
      }
    }
  }
  return { out, sums, dq: dq!, dk: dk!, dv: dv! };
}

function values(s: Sizes): (number[] | undefined)[] {
  const positions = [s.rows, s.keys, s.keys, s.rows];
  const sizes = [s.size, s.size, s.width, s.width];
  const all = positions.map((p, i) => randoms(s.n * p * s.heads * sizes[i]!, i + 1, 2));
  const scores = s.n * s.heads * s.rows * s.keys;
  const bias = s.bias ? randoms(scores, 7) : undefined;
  // Every query sees its last key, so that none is blind.
  const mask = s.mask
    ? randoms(scores, 9).map((x, i) => Number(x > 0 || i % s.keys === s.keys - 1))
    : undefined;
  return [...all, bias, mask];
}

const cases: Sizes[] = [
  { n: 1, rows: 1, keys: 1, heads: 1, size: 1, width: 1 },
  { n: 2, rows: 5, keys: 7, heads: 3, size: 6, width: 10 },
  { n: 1, rows: 70, keys: 130, heads: 2, size: 17, width: 9 },
  { n: 2, rows: 64, keys: 64, heads: 2, size: 32, width: 32, causal: true },
  { n: 1, rows: 130, keys: 67, heads: 1, size: 3, width: 5, causal: true },
  { n: 1, rows: 66, keys: 200, heads: 2, size: 8, width: 8, causal: true, bias: true },
  { n: 1, rows: 33, keys: 140, heads: 9, size: 4, width: 16, mask: true },
  { n: 1, rows: 65, keys: 65, heads: 4, size: 64, width: 64, mask: true, bias: true },
];

for (const dtype of [float32, float64]) {
  describe(`attention in ${dtype.name}`, () => {
    const relative = dtype === float32 ? 3e-5 : 1e-11;
    for (const s of cases) {
      it(JSON.stringify(s), () => {
        reset();
        const given = values(s);
        const scores = [s.n, s.heads, s.rows, s.keys];
        const shapes = [
          [s.n, s.rows, s.heads, s.size],
          [s.n, s.keys, s.heads, s.size],
          [s.n, s.keys, s.heads, s.width],
          [s.n, s.rows, s.heads, s.width],
          scores,
          scores,
        ];
        const [q, k, v, g, bias, mask] = given.map(
          (x, i) => x && input(x, shapes[i]!, i === 5 ? bool : dtype),
        );
        const expected = reference(s, given);
        const attributes = { scale: SCALE, causal: s.causal ?? false };
        const [out, sums] = results(rows.attention, [q, k, v, bias, mask], attributes);
        close(out!, expected.out, relative, relative);
        close(sums!, expected.sums, relative, relative);
        const kept = call(rows.attention, [q, k, v, bias, mask], attributes);
        const inputs = [g, q, k, v, ...kept, bias, mask];
        const [dq, dk, dv] = results(rows.attentionBackward, inputs, attributes);
        close(dq!, expected.dq, relative, 10 * relative);
        close(dk!, expected.dk, relative, 10 * relative);
        close(dv!, expected.dv, relative, 10 * relative);
      });
    }
  });
}

it('gives NaN to queries that see nothing, and says what shapes it takes', () => {
  reset();
  const x = input([1, 2], [1, 2, 1, 1], float32);
  const mask = input([1, 1, 0, 0], [1, 1, 2, 2], bool);
  const attributes = { scale: 1, causal: false };
  const [out] = results(rows.attention, [x, x, x, undefined, mask], attributes);
  expect(out!.map(Number.isNaN)).toEqual([false, true]);
  expect(() => call(rows.attention, [x, x, mask], attributes)).toThrow(/q \[N, L, H, E\]/);
});
