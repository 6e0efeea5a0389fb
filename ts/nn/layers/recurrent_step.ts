/** One step of each kind of recurrent cell, as one kernel. */

import { applyPrimitive } from '../../ops/apply.js';
import type { Tensor } from '../../tensor.js';

/** The hidden state [batch, size], and for LSTM the cell state behind it. */
export type State = readonly Tensor[];

/** What tells the kinds of cell apart. */
export interface CellKind {
  /** Gates per hidden unit: rows of the weights are `gates` times the hidden size. */
  readonly gates: number;
  /** Tensors of state. */
  readonly cells: 1 | 2;
  /** The next state from the input's and the state's sides of the gates, [batch, gates * size]. */
  step(fromInput: Tensor, fromState: Tensor, state: State): State;
}

function elman(relu: boolean): CellKind {
  return {
    gates: 1,
    cells: 1,
    step: (gi, gh) => applyPrimitive('rnnCell', [gi, gh], { relu }),
  };
}

export const cellKinds = {
  tanh: elman(false),
  relu: elman(true),
  gru: {
    gates: 3,
    cells: 1,
    step: (gi, gh, [h]) => applyPrimitive('gruCell', [gi, gh, h], {}).slice(0, 1),
  },
  lstm: {
    gates: 4,
    cells: 2,
    step: (gi, gh, [, c]) => applyPrimitive('lstmCell', [gi, gh, c], {}).slice(0, 2),
  },
} as const satisfies Record<string, CellKind>;
