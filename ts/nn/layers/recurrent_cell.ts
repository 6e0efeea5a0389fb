/** Recurrent cells: one step at a time. */

import { ShapeError, showShape, ValueError } from '../../core/errors.js';
import type { Tensor } from '../../tensor.js';
import { type Arguments, bind, checkSize, type Factory } from '../arguments.js';
import { bool } from '../format.js';
import * as F from '../functional.js';
import { uniform_ } from '../init.js';
import { Module } from '../module.js';
import type { Parameter } from '../parameter.js';
import { unset } from './layer.js';
import { type CellKind, cellKinds, type State } from './recurrent_step.js';

const CELL = 'inputSize, hiddenSize, bias, device, dtype';
type CellArguments = [inputSize: number, hiddenSize: number, bias?: boolean, ...Factory];

/** What the cells share. Input [batch, inputSize] or [inputSize]; states likewise. */
abstract class Cell extends Module {
  static override readonly forwardArguments: string = 'input, hx';
  readonly inputSize: number;
  readonly hiddenSize: number;
  weight_ih: Parameter;
  weight_hh: Parameter;
  bias_ih: Parameter | null;
  bias_hh: Parameter | null;

  constructor(kind: CellKind, [inputSize, hiddenSize, bias = true, device, dtype]: CellArguments) {
    super();
    const name = new.target.name;
    this.inputSize = checkSize(name, 'inputSize', inputSize);
    this.hiddenSize = checkSize(name, 'hiddenSize', hiddenSize);
    const gates = kind.gates * hiddenSize;
    const factory = { device, dtype };
    this.weight_ih = unset([gates, inputSize], factory);
    this.weight_hh = unset([gates, hiddenSize], factory);
    this.bias_ih = bias ? unset([gates], factory) : null;
    this.bias_hh = bias ? unset([gates], factory) : null;
    const bound = 1 / Math.sqrt(hiddenSize);
    for (const parameter of this.parameters()) uniform_(parameter, -bound, bound);
  }

  protected run(kind: CellKind, input: Tensor, given: State | undefined): Tensor[] {
    const name = this.constructor.name;
    const width = input.shape[input.ndim - 1];
    if ((input.ndim !== 1 && input.ndim !== 2) || width !== this.inputSize) {
      throw new ShapeError(
        `${name}: expected input [batch, ${this.inputSize}] or [${this.inputSize}], got ` +
          showShape(input.shape),
      );
    }
    const batched = input.ndim === 2;
    const x = batched ? input : input.unsqueeze(0);
    const expected = [x.shape[0], this.hiddenSize];
    const state = Array.from({ length: kind.cells }, (_, i) => {
      const own = given?.[i];
      if (own === undefined) return x.newZeros(expected);
      const ready = batched ? own : own.unsqueeze(0);
      if (ready.ndim !== 2 || ready.shape[0] !== expected[0] || ready.shape[1] !== expected[1]) {
        throw new ShapeError(
          `${name}: expected a state of shape ${showShape(expected)}, got ${showShape(own.shape)}`,
        );
      }
      return ready;
    });
    const gi = F.linear(x, this.weight_ih, this.bias_ih);
    const gh = F.linear(state[0], this.weight_hh, this.bias_hh);
    const next = kind.step(gi, gh, state);
    return next.map((tensor) => (batched ? tensor : tensor.squeeze(0)));
  }

  override extraRepr(): string {
    const bias = this.bias_ih === null ? `, bias=${bool(false)}` : '';
    return `${this.inputSize}, ${this.hiddenSize}${bias}`;
  }
}

const RNN_CELL = 'inputSize, hiddenSize, bias, nonlinearity, device, dtype';
type RNNCellArguments = [
  inputSize: number,
  hiddenSize: number,
  bias?: boolean,
  nonlinearity?: 'tanh' | 'relu',
  ...factory: Factory,
];

/** h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu. */
export class RNNCell extends Cell {
  readonly nonlinearity: 'tanh' | 'relu';

  constructor(...args: Arguments<typeof RNN_CELL, RNNCellArguments>) {
    const given = bind<RNNCellArguments>('RNNCell', RNN_CELL, args, 2);
    const [inputSize, hiddenSize, bias, nonlinearity = 'tanh', device, dtype] = given;
    if (nonlinearity !== 'tanh' && nonlinearity !== 'relu') {
      throw new ValueError(
        `RNNCell: nonlinearity is 'tanh' or 'relu', got '${String(nonlinearity)}'`,
      );
    }
    super(cellKinds[nonlinearity], [inputSize, hiddenSize, bias, device, dtype]);
    this.nonlinearity = nonlinearity;
  }

  forward(input: Tensor, hx?: Tensor | null): Tensor {
    return this.run(cellKinds[this.nonlinearity], input, hx ? [hx] : undefined)[0];
  }

  override extraRepr(): string {
    const shown = this.nonlinearity === 'tanh' ? '' : `, nonlinearity=${this.nonlinearity}`;
    return super.extraRepr() + shown;
  }
}

/** One step of GRU. */
export class GRUCell extends Cell {
  constructor(...args: Arguments<typeof CELL, CellArguments>) {
    super(cellKinds.gru, bind<CellArguments>('GRUCell', CELL, args, 2));
  }

  forward(input: Tensor, hx?: Tensor | null): Tensor {
    return this.run(cellKinds.gru, input, hx ? [hx] : undefined)[0];
  }
}

/** One step of LSTM; the state is [h, c]. */
export class LSTMCell extends Cell {
  constructor(...args: Arguments<typeof CELL, CellArguments>) {
    super(cellKinds.lstm, bind<CellArguments>('LSTMCell', CELL, args, 2));
  }

  forward(input: Tensor, hx?: readonly [Tensor, Tensor] | null): [h: Tensor, c: Tensor] {
    const [h, c] = this.run(cellKinds.lstm, input, hx ?? undefined);
    return [h, c];
  }
}
