import { describe, expect, it } from 'vitest';
import * as cells from '../../ts/ops/primitives/recurrent.js';
import * as rows from '../../ts/ops/primitives/recurrent_sequence.js';
import type { Primitive } from '../../ts/ops/row.js';
import {
  call,
  close,
  dtypes,
  input,
  type Operand,
  randoms,
  read,
  reset,
  results,
} from './harness.js';

const { float32, float64 } = dtypes;

interface Sizes {
  readonly steps: number;
  readonly batch: number;
  readonly size: number;
}

/** [steps, batch, size]: less than a tile, several parts of the batch, several blocks of depth. */
const cases: Sizes[] = [
  { steps: 1, batch: 1, size: 1 },
  { steps: 3, batch: 5, size: 7 },
  { steps: 2, batch: 37, size: 16 },
  { steps: 2, batch: 64, size: 30 },
  { steps: 2, batch: 3, size: 270 },
];

interface Kind {
  readonly gates: number;
  readonly forward: Primitive<object>;
  readonly backward: Primitive<object>;
  readonly attributes: object;
}

const row = (given: unknown) => given as Primitive<object>;
const kinds: Record<string, Kind> = {
  tanh: {
    gates: 1,
    forward: row(rows.rnnSequence),
    backward: row(rows.rnnSequenceBackward),
    attributes: { relu: false },
  },
  relu: {
    gates: 1,
    forward: row(rows.rnnSequence),
    backward: row(rows.rnnSequenceBackward),
    attributes: { relu: true },
  },
  gru: {
    gates: 3,
    forward: row(rows.gruSequence),
    backward: row(rows.gruSequenceBackward),
    attributes: {},
  },
  lstm: {
    gates: 4,
    forward: row(rows.lstmSequence),
    backward: row(rows.lstmSequenceBackward),
    attributes: {},
  },
};

/** x [n, depth] times the transpose of w [width, depth], plus a bias; or times w itself. */
function product(x: number[], w: number[], n: number, depth: number, bias?: number[]): number[] {
  const width = w.length / depth;
  return Array.from({ length: n * width }, (_, i) => {
    const [r, j] = [Math.floor(i / width), i % width];
    let sum = bias?.[j] ?? 0;
    for (let k = 0; k < depth; k++) sum += x[r * depth + k]! * w[j * depth + k]!;
    return sum;
  });
}

function transpose(w: number[], columns: number): number[] {
  const count = w.length / columns;
  return Array.from(w, (_, i) => w[(i % count) * columns + Math.floor(i / count)]!);
}

/** Runs the float64 cells step by step: all outputs, and gradients by their backward cells. */
function stepwise(name: string, s: Sizes, reverse: boolean, given: Record<string, number[]>) {
  const { gates, attributes } = kinds[name]!;
  const { steps, batch, size } = s;
  const of = (values: number[], width: number) => input(values, [batch, width], float64);
  const wide = gates * size;
  const at = (values: number[], t: number, width: number) =>
    values.slice(t * batch * width, (t + 1) * batch * width);
  const order = Array.from({ length: steps }, (_, i) => (reverse ? steps - 1 - i : i));
  let h = given.h0!;
  let c = given.c0!;
  const out: number[][] = [];
  const saved: Operand[][] = [];
  for (const t of order) {
    const gi = of(at(given.gi!, t, wide), wide);
    const bias = name === 'gru' ? given.bias : undefined;
    const gh = of(product(h, given.weight!, batch, size, bias), wide);
    if (name === 'lstm') {
      const state = of(c, size);
      const [next, cell, kept] = call(cells.lstmCell, [gi, gh, state], {});
      saved[t] = [kept!, state, cell!];
      c = read(cell!);
      h = read(next!);
    } else if (name === 'gru') {
      const state = of(h, size);
      const [next, kept] = call(cells.gruCell, [gi, gh, state], {});
      saved[t] = [kept!, gh, state];
      h = read(next!);
    } else {
      const [next] = call(cells.rnnCell, [gi, gh], attributes as { relu: boolean });
      saved[t] = [next!];
      h = read(next!);
    }
    out[t] = h;
  }
  const add = (a: number[], b: number[]) => a.map((x, i) => x + b[i]!);
  const turned = transpose(given.weight!, size);
  let [dh, dc] = [given.glast!, given.gcell!];
  const [ggi, ggh]: number[][][] = [[], []];
  for (const t of order.reverse()) {
    dh = add(dh, at(given.g!, t, size));
    const g = of(dh, size);
    if (name === 'lstm') {
      const inputs = [...saved[t]!, g, of(dc, size)];
      const [gx, gc] = call(cells.lstmCellBackward, inputs, {}).map(read);
      ggi![t] = gx!;
      dc = gc!;
      dh = product(gx!, turned, batch, wide);
    } else if (name === 'gru') {
      const [a, b, own] = call(cells.gruCellBackward, [g, ...saved[t]!], {}).map(read);
      ggi![t] = a!;
      ggh![t] = b!;
      dh = add(own!, product(b!, turned, batch, wide));
    } else {
      const relu = attributes as { relu: boolean };
      const [gx] = call(cells.rnnCellBackward, [g, ...saved[t]!], relu).map(read);
      ggi![t] = gx!;
      dh = product(gx!, turned, batch, wide);
    }
  }
  return { out: out.flat(), h, c, ggi: ggi!.flat(), ggh: ggh!.flat(), dh, dc };
}

function values({ steps, batch, size }: Sizes, gates: number): Record<string, number[]> {
  const state = (seed: number) => randoms(batch * size, seed);
  return {
    gi: randoms(steps * batch * gates * size, 1),
    weight: randoms(gates * size * size, 2, 1 / Math.sqrt(size)),
    bias: randoms(gates * size, 3),
    h0: state(4),
    c0: state(5),
    g: randoms(steps * batch * size, 6),
    glast: state(7),
    gcell: state(8),
  };
}

for (const dtype of [float32, float64]) {
  const relative = dtype === float32 ? 3e-5 : 1e-11;
  const near = (actual: number[] | undefined, expected: number[]) => {
    close(actual!, expected, relative, relative);
  };
  describe.each(Object.keys(kinds))(`%s in ${dtype.name}`, (name) => {
    const { gates, forward, backward, attributes } = kinds[name]!;
    for (const s of cases) {
      it.each([false, true])(`${JSON.stringify(s)}, reverse %s`, (reverse) => {
        reset();
        const { steps, batch, size } = s;
        const given = values(s, gates);
        const expected = stepwise(name, s, reverse, given);
        const [state, all] = [
          [batch, size],
          [steps, batch, size],
        ];
        const of = (key: string, shape: number[]) => input(given[key]!, shape, dtype);
        const [weight, h0, c0] = [
          of('weight', [gates * size, size]),
          of('h0', state),
          of('c0', state),
        ];
        const gi = of('gi', [steps, batch, gates * size]);
        const [g, glast, gcell] = [of('g', all), of('glast', state), of('gcell', state)];
        const full = { ...attributes, reverse };
        const bias = of('bias', [gates * size]);
        const inputs = { gru: [gi, weight, bias, h0], lstm: [gi, weight, h0, c0] };
        const forwardInputs = inputs[name as 'gru'] ?? [gi, weight, h0];
        const made = results(forward, forwardInputs, full);
        near(made[0], expected.out);
        near(made[1], expected.h);
        if (name === 'lstm') near(made[2], expected.c);
        const kept = call(forward, forwardInputs, full);
        const backwardInputs = {
          gru: [kept[2], kept[0], weight, h0, g, glast],
          lstm: [kept[3], kept[4], weight, c0, g, glast, gcell],
        };
        const plain = [kept[0], weight, g, glast];
        const grads = results(backward, backwardInputs[name as 'gru'] ?? plain, full);
        near(grads[0], expected.ggi);
        if (name === 'gru') near(grads[1], expected.ggh);
        near(grads[name === 'gru' ? 2 : 1], expected.dh);
        if (name === 'lstm') near(grads[2], expected.dc);
      });
    }
  });
}

it('takes absent states and gradients for zeros, and says what shapes it takes', () => {
  reset();
  const s = { steps: 3, batch: 5, size: 6 };
  const given = values(s, 4);
  const zero = input(new Array(30).fill(0), [5, 6], float32);
  const gi = input(given.gi!, [3, 5, 24], float32);
  const weight = input(given.weight!, [24, 6], float32);
  const attributes = { reverse: false };
  const absent = results(rows.lstmSequence, [gi, weight], attributes);
  expect(results(rows.lstmSequence, [gi, weight, zero, zero], attributes)).toEqual(absent);
  const [, , , gates, states] = call(rows.lstmSequence, [gi, weight], attributes);
  const g = input(given.g!, [3, 5, 6], float32);
  const short = [gates, states, weight, undefined, g];
  const long = [gates, states, weight, zero, g, zero, zero];
  expect(results(rows.lstmSequenceBackward, short, attributes)).toEqual(
    results(rows.lstmSequenceBackward, long, attributes),
  );
  expect(() => call(rows.gruSequence, [gi, weight], attributes)).toThrow(/weight \[3 \* H, H\]/);
});

it.each(Object.keys(kinds))('%s: rows that end early keep their state', (name) => {
  reset();
  const { gates, forward, backward, attributes } = kinds[name]!;
  const s = { steps: 4, batch: 37, size: 5 };
  const { steps, batch, size } = s;
  const given = values(s, gates);
  const ends = Array.from({ length: batch }, (_, i) => 1 + ((i * 7) % steps));
  const lengths = input(ends, [batch], dtypes.int32);
  const weight = input(given.weight!, [gates * size, size], float64);
  const part = (values: number[], row: number, width: number, count: number) =>
    input(
      Array.from({ length: count }, (_, t) =>
        values.slice((t * batch + row) * width, (t * batch + row + 1) * width),
      ).flat(),
      [count, 1, width],
      float64,
    );
  for (const reverse of [false, true]) {
    const full = { ...attributes, reverse };
    const absent: undefined[] = name === 'gru' || name === 'lstm' ? [undefined] : [];
    const run = (gi: Operand, n?: Operand) => {
      const inputs = [gi, weight, ...absent, undefined, n];
      results(forward, inputs, full);
      return call(forward, inputs, full);
    };
    const back = (kept: Operand[], g: Operand, n?: Operand) => {
      const start = {
        gru: [kept[2], kept[0], weight, undefined, g, undefined],
        lstm: [kept[3], kept[4], weight, undefined, g, undefined, undefined],
      };
      const plain = [kept[0], weight, g, undefined];
      return results(backward, [...(start[name as 'gru'] ?? plain), n], full)[0]!;
    };
    const wide = gates * size;
    const all = run(input(given.gi!, [steps, batch, wide], float64), lengths);
    // Outputs past the end are the kept state: their gradients would reach it too.
    const g = given.g!.map((v, i) => {
      const [t, row] = [Math.floor(i / (batch * size)), Math.floor(i / size) % batch];
      return t < ends[row]! ? v : 0;
    });
    const ggi = back(all, input(g, [steps, batch, size], float64), lengths);
    for (let row = 0; row < batch; row++) {
      const count = ends[row]!;
      const alone = run(part(given.gi!, row, wide, count));
      close(read(all[1]!).slice(row * size, (row + 1) * size), read(alone[1]!), 1e-12);
      const expected = back(alone, part(g, row, size, count));
      const actual = Array.from({ length: steps }, (_, t) =>
        ggi.slice((t * batch + row) * wide, (t * batch + row + 1) * wide),
      ).flat();
      close(actual.slice(0, count * wide), expected, 1e-12);
      expect(actual.slice(count * wide).every((v) => v === 0)).toBe(true);
    }
  }
});
