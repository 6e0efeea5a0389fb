/** The gradients of the cells of recurrent networks. */

import type { Tensor } from '../tensor.js';
import { applyPointwise, applyPrimitive } from './apply.js';
import { cat } from './joining.js';
import type * as recurrent from './primitives/recurrent.js';
import type { RowsOf } from './rows.js';
import type { GradientRow } from './rule.js';
import type { AttributesOf } from './table.js';
import { throughComposite } from './through_composite.js';

type Cells = RowsOf<typeof recurrent>;

/** Slope of a sigmoid with the value y. */
function bell(y: Tensor): Tensor {
  return y.mul(y.neg().add(1));
}

/** Slope of a tanh with the value y. */
function steep(y: Tensor): Tensor {
  return y.square().neg().add(1);
}

/** Slopes of gates [batch, n * size], the ones of `tanh` number being hyperbolic tangents. */
function slopes(gates: Tensor, count: number, tanh: number): Tensor {
  const parts = gates.chunk(count, 1);
  return cat(
    parts.map((part, i) => (i === tanh ? steep(part) : bell(part))),
    1,
  );
}

function total(...terms: (Tensor | undefined)[]): Tensor | undefined {
  let sum: Tensor | undefined;
  for (const term of terms) {
    if (term !== undefined) sum = sum === undefined ? term : sum.add(term);
  }
  return sum;
}

export const recurrentGradients: {
  readonly [K in keyof Cells]: GradientRow<AttributesOf<K>>;
} = {
  rnnCell: {
    kind: 'joint',
    saves: { outputs: [0] },
    grads: ([g], s) => {
      if (g === undefined) return [];
      const [gx] = applyPrimitive('rnnCellBackward', [g, s.output(0)], s.attributes);
      return [gx, gx];
    },
  },
  rnnCellBackward: throughComposite(2, ([g, h], { relu }) => {
    const [grad, y] = [g as Tensor, h as Tensor];
    return [relu ? applyPointwise('reluBackward', [grad, y]) : grad.mul(steep(y))];
  }),

  // The gates are an output too: second derivatives come back through them.
  lstmCell: {
    kind: 'joint',
    saves: { inputs: [2], outputs: [1, 2] },
    grads: ([gh, gnext, ggates], s) => {
      const [c, next, gates] = [s.input(2), s.output(1), s.output(2)];
      const own = ggates?.mul(slopes(gates, 4, 2));
      if (gh === undefined && gnext === undefined) return [own, own, undefined];
      const [gx, gc] = applyPrimitive('lstmCellBackward', [gates, c, next, gh, gnext], {});
      const all = total(gx, own);
      return [all, all, gc];
    },
  },
  lstmCellBackward: throughComposite(5, ([gates, c, next, gh, gnext]) => {
    const [i, f, g, o] = (gates as Tensor).chunk(4, 1);
    const tanh = (next as Tensor).tanh();
    const through = gh?.mul(o).mul(steep(tanh));
    const state = total(gnext, through) as Tensor;
    const gi = state.mul(g).mul(bell(i));
    const gf = state.mul(c as Tensor).mul(bell(f));
    const gg = state.mul(i).mul(steep(g));
    const go = gh === undefined ? o.mul(0) : gh.mul(tanh).mul(bell(o));
    return [cat([gi, gf, gg, go], 1), state.mul(f)];
  }),

  gruCell: {
    kind: 'joint',
    saves: { inputs: [1, 2], outputs: [1] },
    grads: ([g, ggates], s) => {
      const [gh, h, gates] = [s.input(1), s.input(2), s.output(1)];
      let results: (Tensor | undefined)[] = [];
      if (g !== undefined) results = applyPrimitive('gruCellBackward', [g, gates, gh, h], {});
      if (ggates === undefined) return results;
      // n = tanh(gi_n + r gh_n) depends on r, which has a gradient of its own.
      const [r, z, n] = gates.chunk(3, 1);
      const [gr, gz, gn] = ggates.chunk(3, 1);
      const dn = gn.mul(steep(n));
      const hidden = gh.chunk(3, 1)[2];
      const dr = gr.add(dn.mul(hidden)).mul(bell(r));
      const dz = gz.mul(bell(z));
      const [gi, ghGrad] = [cat([dr, dz, dn], 1), cat([dr, dz, dn.mul(r)], 1)];
      return [total(results[0], gi), total(results[1], ghGrad), results[2]];
    },
  },
  gruCellBackward: throughComposite(4, ([g, gates, gh, h]) => {
    const grad = g as Tensor;
    const [r, z, n] = (gates as Tensor).chunk(3, 1);
    const hidden = (gh as Tensor).chunk(3, 1)[2];
    const gn = grad.mul(z.neg().add(1)).mul(steep(n));
    const gz = grad.mul((h as Tensor).sub(n)).mul(bell(z));
    const gr = gn.mul(hidden).mul(bell(r));
    return [cat([gr, gz, gn], 1), cat([gr, gz, gn.mul(r)], 1), grad.mul(z)];
  }),
};
