import { describe, expect, it } from 'vitest';
import * as rows from '../../ts/ops/primitives/recurrent.js';
import { call, close, dtypes, input, randoms, read, reset, results } from './harness.js';

const { float32, float64 } = dtypes;
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** The outputs of one cell, from the values of its inputs. */
type Cell = (inputs: number[][], size: number) => number[][];

const rnn =
  (relu: boolean): Cell =>
  ([gi, gh]) => [gi!.map((v, i) => (relu ? Math.max(0, v + gh![i]!) : Math.tanh(v + gh![i]!)))];

const lstm: Cell = ([gi, gh, c], size) => {
  const at = (i: number, gate: number) =>
    Math.floor(i / size) * 4 * size + gate * size + (i % size);
  const sum = (i: number, gate: number) => gi![at(i, gate)]! + gh![at(i, gate)]!;
  const next = c!.map((v, i) => sigmoid(sum(i, 1)) * v + sigmoid(sum(i, 0)) * Math.tanh(sum(i, 2)));
  return [next.map((v, i) => sigmoid(sum(i, 3)) * Math.tanh(v)), next];
};

const gru: Cell = ([gi, gh, h], size) => {
  const at = (i: number, gate: number) =>
    Math.floor(i / size) * 3 * size + gate * size + (i % size);
  const gate = (i: number, k: number) => sigmoid(gi![at(i, k)]! + gh![at(i, k)]!);
  return [
    h!.map((v, i) => {
      const n = Math.tanh(gi![at(i, 2)]! + gate(i, 0) * gh![at(i, 2)]!);
      return (1 - gate(i, 1)) * n + gate(i, 1) * v;
    }),
  ];
};

/** Gradients of sum(g * output) by central differences in float64. */
function differences(cell: Cell, inputs: number[][], size: number, g: number[][]): number[][] {
  const loss = (values: number[][]) => {
    const outputs = cell(values, size);
    return g.reduce((s, w, k) => s + w.reduce((t, v, i) => t + v * outputs[k]![i]!, 0), 0);
  };
  return inputs.map((values, k) =>
    values.map((_, i) => {
      const moved = (step: number) =>
        loss(inputs.map((v, j) => (j === k ? v.with(i, v[i]! + step) : v)));
      return (moved(1e-5) - moved(-1e-5)) / 2e-5;
    }),
  );
}

for (const dtype of [float32, float64]) {
  describe(`cells in ${dtype.name}`, () => {
    const relative = dtype === float32 ? 2e-6 : 1e-13;
    const of = (v: number[], batch: number) => input(v, [batch, v.length / batch], dtype);

    for (const [batch, size] of [
      [1, 1],
      [3, 5],
      [2, 8],
    ] as const) {
      const wide = (gates: number, seed: number) => randoms(batch * gates * size, seed, 2);
      const state = (seed: number) => randoms(batch * size, seed);

      it(`rnn [${batch}, ${size}]`, () => {
        for (const relu of [false, true]) {
          reset();
          const values = [wide(1, 1), wide(1, 2)];
          const g = state(3);
          const [h] = rnn(relu)(values, size);
          const inputs = values.map((v) => of(v, batch));
          close(results(rows.rnnCell, inputs, { relu })[0]!, h!, relative);
          const saved = [of(g, batch), of(h!, batch)];
          const [gx] = results(rows.rnnCellBackward, saved, { relu });
          close(gx!, differences(rnn(relu), values, size, [g])[0]!, 1e-5, 1e-5);
        }
      });

      it(`lstm [${batch}, ${size}]`, () => {
        reset();
        const values = [wide(4, 1), wide(4, 2), state(3)];
        const [h, next] = lstm(values, size);
        const inputs = values.map((v) => of(v, batch));
        const actual = results(rows.lstmCell, inputs, {});
        close(actual[0]!, h!, relative);
        close(actual[1]!, next!, relative);
        const [, state1, gates] = call(rows.lstmCell, inputs, {});
        const [gh, gnext] = [state(4), state(5)];
        const zero = gh.map(() => 0);
        for (const [a, b] of [
          [gh, gnext],
          [gh, undefined],
          [undefined, gnext],
        ] as const) {
          const given = [a && of(a, batch), b && of(b, batch)];
          const out = results(rows.lstmCellBackward, [gates, inputs[2], state1, ...given], {});
          const expected = differences(lstm, values, size, [a ?? zero, b ?? zero]);
          close(out[0]!, expected[0]!, 1e-5, 1e-5);
          close(out[1]!, expected[2]!, 1e-5, 1e-5);
        }
      });

      it(`gru [${batch}, ${size}]`, () => {
        reset();
        const values = [wide(3, 1), wide(3, 2), state(3)];
        const inputs = values.map((v) => of(v, batch));
        close(results(rows.gruCell, inputs, {})[0]!, gru(values, size)[0]!, relative);
        const [, gates] = call(rows.gruCell, inputs, {});
        const g = state(4);
        const saved = [of(g, batch), gates, inputs[1], inputs[2]];
        const out = results(rows.gruCellBackward, saved, {});
        const expected = differences(gru, values, size, [g]);
        out.forEach((values, k) => {
          close(values, expected[k]!, 1e-5, 1e-5);
        });
      });
    }
  });
}

it('saturates without NaN, and refuses other shapes', () => {
  reset();
  const huge = input([1e30, 1e30, -1e30, 1e30], [1, 4], float32);
  const zero = input([0, 0, 0, 0], [1, 4], float32);
  const c = input([2], [1, 1], float32);
  const [h, next] = call(rows.lstmCell, [huge, zero, c], {});
  expect(read(next!)).toEqual([1]);
  close(read(h!), [Math.tanh(1)], 1e-6);
  expect(() => call(rows.gruCell, [huge, zero, c], {})).toThrow(/\[batch, 3 \* size\]/);
});
