/** The gradients of the operators with kernels of their own. */

import { numelOf, type Shape } from '../core/layout.js';
import type { Tensor } from '../tensor.js';
import {
  call,
  FACTORS,
  keepSame,
  NONE,
  none,
  OUT,
  PLAIN,
  rule,
  withShape,
  X,
  X_OUT,
  XY,
  Y,
} from './gradient_rules.js';
import {
  cumprodGradient,
  logcumsumexpGradient,
  productBefore,
  recurrenceGradient,
} from './gradients_scans.js';
import { svdGradient } from './gradients_svd.js';
import type { nnPrimitives } from './primitives/nn.js';
import type { GradContext, GradientRow } from './rule.js';
import type { AttributesOf, PrimitiveName } from './table.js';

/**
 * a @ b as the gradient of an operand that has strides `like`: where that is a transposed matrix,
 * so is the result, and contiguous once it is transposed back.
 */
function product(a: Tensor, b: Tensor, like: readonly number[]): Tensor {
  const transposed = like[1] === 1 && like[2] !== 1;
  if (!transposed) return call('matmul', [a, b, undefined], PLAIN);
  return call('matmul', [b.transpose(1, 2), a.transpose(1, 2), undefined], PLAIN).transpose(1, 2);
}

const INTEGER = none('its result is an integer or bool');

/** A reduced gradient [outer, inner] back over the n values it came from. */
function spread(g: Tensor, shape: readonly number[]): Tensor {
  return g.unsqueeze(1).expand(shape);
}

const WRAPS = { wrap: true };

function wrapOf(s: { attributes: { wrap?: boolean } }): { wrap?: boolean } {
  return s.attributes.wrap ? WRAPS : PLAIN;
}

/** For each value the product of all the others over dim 1, also where some are 0. */
function productOfOthers(x: Tensor): Tensor {
  return productBefore(x).mul(productBefore(x, true));
}

/** Values taken from positions along n give their gradient back there. */
function fromPosition<A>(): GradientRow<A> {
  return {
    kind: 'joint',
    saves: { outputs: [1] },
    grads: ([g], s) => {
      if (g === undefined) return [undefined];
      const [index, values] = [s.output(1), g].map((t) => (t.ndim === 2 ? t.unsqueeze(1) : t));
      return [call('gatherBackward', [values, index], { n: s.geometries[0].shape[1] })];
    },
  };
}

/** d|x|_p / dx = sign(x) |x|^(p-1) / |x|_p^(p-1), 0 where the norm is 0. */
function normGradient(g: Tensor, x: Tensor, out: Tensor, p: number): Tensor {
  if (p === 0) return x.zerosLike();
  if (p === 1) return x.sign().mul(spread(g, x.shape));
  if (Math.abs(p) === Number.POSITIVE_INFINITY) {
    const hit = x.abs().eq(spread(out, x.shape)).to(g.dtype);
    return x
      .sign()
      .mul(hit)
      .mul(spread(g.div(hit.sum(1)), x.shape));
  }
  // What a line shares is computed once for it.
  const each = g.div(p === 2 ? out : out.pow(p - 1));
  const some = spread(out.ne(0), x.shape);
  // Second gradients at 0 are PyTorch's: NaN up to p = 2, else 0.
  if (p === 2) return x.mul(spread(each, x.shape)).where(some, 0);
  const share = spread(p > 2 ? each.maskedFill(out.eq(0), 0) : each, x.shape);
  if (p === 3) return x.mul(x.abs()).mul(share);
  const slope = x
    .sign()
    .mul(x.abs().pow(p - 1))
    .mul(share);
  return p > 2 ? slope : slope.where(p < 1 ? some.logicalAnd(x.ne(0)) : some, 0);
}

/** sum passes both gradients on; the others give it to the values that made the result. */
const scatterReduceGradient: GradientRow<AttributesOf<'scatterReduce'>> = {
  kind: 'rule',
  saves: { inputs: [0, 1, 2], outputs: [0] },
  grads: [
    (g, s) => {
      const { mode = 'sum' } = s.attributes;
      if (mode === 'sum') return g;
      if (mode === 'prod') return factorToSelf(g, s);
      return g.mul(s.x.eq(s.output())).div(winners(s));
    },
    undefined,
    (g, s) => {
      const { mode = 'sum' } = s.attributes;
      const gathered = (t: Tensor) => call('gather', [t, s.y], wrapOf(s));
      if (mode === 'sum') return gathered(g);
      if (mode === 'prod') return factorToSource(g, s);
      return gathered(g.div(winners(s))).mul(s.z.eq(gathered(s.output())));
    },
  ],
};

/** The product of all values but the tensor's own, which may be 0. */
function factorToSelf(g: Tensor, s: GradContext<AttributesOf<'scatterReduce'>>): Tensor {
  const safe = s.x.where(s.x.ne(0), 1);
  return g.mul(call('scatterReduce', [safe, s.y, s.z], s.attributes)).div(safe);
}

/** The product of all values but one of the source; a single 0 among them is left out first. */
function factorToSource(g: Tensor, s: GradContext<AttributesOf<'scatterReduce'>>): Tensor {
  const gathered = (t: Tensor) => call('gather', [t, s.y], wrapOf(s));
  const zero = s.z.eq(0);
  const none = s.x.detach().zerosLike();
  const zeros = gathered(call('scatterAdd', [none, s.y, zero.to(g.dtype)], wrapOf(s)));
  const single = zero.logicalAnd(zeros.eq(1));
  const others = s.z.where(single.logicalNot(), 1);
  const without = call('scatterReduce', [s.x, s.y, others], s.attributes);
  const share = gathered(g.mul(s.output())).div(s.z.where(zero.logicalNot(), 1));
  return gathered(g.mul(without)).where(single, share);
}

/** How many values, x itself among them, share the extreme of each place. */
function winners(s: GradContext<AttributesOf<'scatterReduce'>>): Tensor {
  const out = s.output();
  const mine = s.x.eq(out).to(out.dtype);
  const hits = s.z.eq(call('gather', [out, s.y], wrapOf(s))).to(out.dtype);
  return call('scatterAdd', [mine, s.y, hits], wrapOf(s));
}

/** Shares a gradient evenly among the values equal to the extreme one. */
function toExtremes(g: Tensor, x: Tensor, out: Tensor): Tensor {
  const best = spread(out, x.shape);
  const count = keepSame(x, best, 1).sum(1);
  return keepSame(x, best, spread(g.div(count), x.shape));
}

const count = (shape: Shape) => ({ n: shape[1] });

export const kernelGradients: {
  readonly [K in Exclude<PrimitiveName, keyof typeof nnPrimitives>]: GradientRow<AttributesOf<K>>;
} = {
  // Reductions of [outer, n, inner] over n.
  sum: rule(NONE, (g, s) => {
    const { divisor = 1 } = s.attributes;
    return spread(divisor === 1 ? g : g.div(divisor), s.geometries[0].shape);
  }),
  prod: rule(X, (g, s) => spread(g, s.geometries[0].shape).mul(productOfOthers(s.x))),
  amax: { kind: 'rule', saves: X_OUT, grads: [(g, s) => toExtremes(g, s.x, s.output())] },
  amin: { kind: 'rule', saves: X_OUT, grads: [(g, s) => toExtremes(g, s.x, s.output())] },
  any: INTEGER,
  all: INTEGER,
  argmax: INTEGER,
  argmin: INTEGER,
  maxDim: fromPosition(),
  minDim: fromPosition(),
  varMean: {
    kind: 'joint',
    saves: X,
    grads: ([gVar, gMean], s) => {
      const shape = s.geometries[0].shape;
      const n = shape[1];
      let result: Tensor | undefined;
      if (gVar !== undefined) {
        const centred = s.x.sub(s.x.mean(1, true));
        const scale = 2 / Math.max(0, n - s.attributes.correction);
        result = centred.mul(spread(gVar.mul(scale), shape));
      }
      if (gMean !== undefined) {
        const share = spread(gMean.div(n), shape);
        result = result === undefined ? share : result.add(share);
      }
      return [result];
    },
  },
  vectorNorm: {
    kind: 'rule',
    saves: X_OUT,
    grads: [(g, s) => normGradient(g, s.x, s.output(), s.attributes.p)],
  },

  // Softmax over n of [outer, n, inner].
  softmax: rule(OUT, (g, s) => call('softmaxBackward', [g, s.output()], PLAIN)),
  logSoftmax: rule(OUT, (g, s) => call('logSoftmaxBackward', [g, s.output()], PLAIN)),
  softmaxBackward: rule(
    XY,
    (g, s) => call('softmaxBackward', [g, s.y], PLAIN),
    (g, s) => {
      const { x, y } = s;
      const inner = x.mul(y).sum(1, true);
      return g.mul(x.sub(inner)).sub(g.mul(y).sum(1, true).mul(x));
    },
  ),
  logSoftmaxBackward: rule(
    XY,
    (g, s) => g.sub(g.mul(s.y.exp()).sum(1, true)),
    (g, s) => g.mul(s.x.sum(1, true)).mul(s.y.exp()).neg(),
  ),

  // Running totals of [outer, n, inner] along n.
  cumsum: rule(NONE, (g, s) => call('cumsum', [g], { reverse: !s.attributes.reverse })),
  cumprod: rule(X, (g, s) => cumprodGradient(g, s.x, s.attributes)),
  recurrence: recurrenceGradient,
  logcumsumexp: {
    kind: 'rule',
    saves: X_OUT,
    grads: [(g, s) => logcumsumexpGradient(g, s.x, s.output(), s.attributes.reverse)],
  },
  cummax: fromPosition(),
  cummin: fromPosition(),

  // Sorting along n of [outer, n, inner].
  sort: fromPosition(),
  topk: fromPosition(),
  searchsorted: INTEGER,
  runStarts: INTEGER,

  // Products of [batch, m, k] and [batch, k, n], with a bias [n].
  matmul: rule(
    FACTORS,
    (g, s) => product(g, s.y.transpose(1, 2), s.geometries[0].strides),
    (g, s) => product(s.x.transpose(1, 2), g, s.geometries[1].strides),
    (g) => g.sum([0, 1]),
  ),
  svd: { kind: 'joint', saves: { outputs: [0, 1, 2] }, grads: svdGradient },

  // Indexing of [outer, n, inner].
  gather: rule(Y, (g, s) =>
    call('gatherBackward', [g, s.y], withShape(s.attributes, s.geometries[0], count)),
  ),
  gatherBackward: rule(Y, (g, s) => call('gather', [g, s.y], wrapOf(s))),
  scatter: rule(
    Y,
    (g, s) => call('scatter', [g, s.y, s.y.zerosLike({ dtype: g.dtype })], wrapOf(s)),
    undefined,
    (g, s) => call('gather', [g, s.y], wrapOf(s)),
  ),
  scatterAdd: rule(
    Y,
    (g) => g,
    undefined,
    (g, s) => call('gather', [g, s.y], wrapOf(s)),
  ),
  scatterReduce: scatterReduceGradient,
  indexSelect: rule(Y, (g, s) =>
    call('indexSelectBackward', [g, s.y], withShape(s.attributes, s.geometries[0], count)),
  ),
  indexSelectBackward: {
    kind: 'rule',
    saves: Y,
    grads: [
      (g, s) => {
        const { skip = -1, wrap } = s.attributes;
        const rows = call('indexSelect', [g, s.y], { wrap });
        return skip < 0 ? rows : rows.where(s.y.ne(skip).view(1, -1, 1), 0);
      },
    ],
  },
  indexAdd: rule(
    Y,
    (g) => g,
    undefined,
    (g, s) => {
      const rows = call('indexSelect', [g, s.y], wrapOf(s));
      return s.attributes.alpha === undefined ? rows : rows.mul(s.attributes.alpha);
    },
  ),
  indexCopy: rule(
    Y,
    (g, s) => call('indexFill', [g, s.y], { ...wrapOf(s), value: 0 }),
    undefined,
    (g, s) => call('indexSelect', [g, s.y], wrapOf(s)),
  ),
  indexFill: rule(Y, (g, s) => call('indexFill', [g, s.y], { ...wrapOf(s), value: 0 })),
  takeFlat: rule(Y, (g, s) => call('takeBackward', [g, s.y], { shape: s.geometries[0].shape })),
  takeBackward: rule(Y, (g, s) => call('takeFlat', [g, s.y], PLAIN)),
  putFlat: rule(
    Y,
    (g, s) => call('putFlat', [g, s.y, s.y.zerosLike({ dtype: g.dtype })], PLAIN),
    undefined,
    (g, s) => call('takeFlat', [g, s.y], PLAIN).reshape(s.geometries[2].shape),
  ),
  putAddFlat: rule(
    Y,
    (g) => g,
    undefined,
    (g, s) => call('takeFlat', [g, s.y], PLAIN).reshape(s.geometries[2].shape),
  ),
  triangle: rule(NONE, (g, s) => {
    const { diagonal, upper } = s.attributes;
    return upper ? g.triu(diagonal) : g.tril(diagonal);
  }),
  countTrue: INTEGER,
  nonzeroFill: INTEGER,
  maskedSelect: {
    kind: 'rule',
    saves: { inputs: [1, 2] },
    grads: [
      (g, s) => {
        const zeros = g.newZeros(s.geometries[0].shape);
        return call('maskedScatter', [zeros, s.y, s.z, g], s.attributes);
      },
    ],
  },
  maskedScatter: {
    kind: 'rule',
    saves: { inputs: [1, 2] },
    grads: [
      (g, s) => g.maskedFill(s.y, 0),
      undefined,
      undefined,
      (g, s) => {
        const taken = call('maskedSelect', [g, s.y, s.z], s.attributes);
        const rest = numelOf(s.geometries[3].shape) - taken.numel();
        return taken.constantPadNd([0, rest]).reshape(s.geometries[3].shape);
      },
    ],
  },
};
