/** One step of a recurrent network, as functions and as layers. */

import { ShapeError, showShape, ValueError } from '../../core/errors.js';
import { applyPrimitive } from '../../ops/apply.js';
import { zeros } from '../../ops/creation.js';
import { linear } from '../../ops/linear.js';
import { type Arguments, bind } from '../../ops/signature.js';
import type { Tensor } from '../../tensor.js';
import { checkSize, type Factory, type FactoryOptions } from '../arguments.js';
import { uniform_ } from '../init.js';
import { Module } from '../module.js';
import type { Parameter } from '../parameter.js';
import { setParameters, unset } from './layer.js';

export type Mode = 'RNN_TANH' | 'RNN_RELU' | 'LSTM' | 'GRU';
export type Nonlinearity = 'tanh' | 'relu';

/** Products of input and hidden state that a step needs, as multiples of the hidden size. */
export const GATES: Readonly<Record<Mode, number>> = { RNN_TANH: 1, RNN_RELU: 1, LSTM: 4, GRU: 3 };

/** Weights of the hidden state in a step. */
export interface HiddenWeights {
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  /** Of an LSTM with projections: [projSize, hiddenSize]. */
  readonly projection?: Tensor | null;
}

/** The states after a step: the hidden one, and that of an LSTM's cells. */
export interface States {
  readonly h: Tensor;
  readonly c?: Tensor;
}

/** One step: `gi` [batch, gates * size] is the product of the input with its weight and bias. */
export function step(mode: Mode, gi: Tensor, states: States, weights: HiddenWeights): States {
  const { h, c } = states;
  const gh = linear(h, weights.weight, weights.bias);
  if (mode === 'LSTM') {
    const [hidden, next] = applyPrimitive('lstmCell', [gi, gh, c], {});
    const { projection } = weights;
    return { h: projection ? linear(hidden, projection) : hidden, c: next };
  }
  if (mode === 'GRU') return { h: applyPrimitive('gruCell', [gi, gh, h], {})[0] };
  return { h: applyPrimitive('rnnCell', [gi, gh], { relu: mode === 'RNN_RELU' })[0] };
}

/**
 * All steps at once: `gi` [T, N, gates * H] are the products of the inputs, with both biases but
 * for a GRU. Without states it starts from zeros; row n ends at lengths[n]. The outputs [T, N, H]
 * and the last states.
 */
export function sequence(
  mode: Mode,
  gi: Tensor,
  { weight, bias }: HiddenWeights,
  reverse: boolean,
  start: States | undefined,
  lengths: Tensor | undefined,
): [Tensor, States] {
  if (mode === 'LSTM') {
    const inputs = [gi, weight, start?.h, start?.c, lengths];
    const [out, h, c] = applyPrimitive('lstmSequence', inputs, { reverse });
    return [out, { h, c }];
  }
  if (mode === 'GRU') {
    const inputs = [gi, weight, bias ?? undefined, start?.h, lengths];
    const [out, h] = applyPrimitive('gruSequence', inputs, { reverse });
    return [out, { h }];
  }
  const relu = mode === 'RNN_RELU';
  const [out, h] = applyPrimitive('rnnSequence', [gi, weight, start?.h, lengths], {
    reverse,
    relu,
  });
  return [out, { h }];
}

export function modeOf(name: string, nonlinearity: Nonlinearity): Mode {
  if (nonlinearity === 'tanh') return 'RNN_TANH';
  if (nonlinearity === 'relu') return 'RNN_RELU';
  throw new ValueError(`${name}: nonlinearity is 'tanh' or 'relu', got '${String(nonlinearity)}'`);
}

/** Weights, checks and printing of the cells. */
abstract class Cell extends Module {
  static override readonly forwardArguments: string = 'input, hx';
  readonly inputSize: number;
  readonly hiddenSize: number;
  declare weight_ih: Parameter;
  declare weight_hh: Parameter;
  declare bias_ih: Parameter | null;
  declare bias_hh: Parameter | null;

  constructor(
    inputSize: number,
    hiddenSize: number,
    bias: boolean,
    gates: number,
    factory: FactoryOptions,
  ) {
    super();
    const name = this.constructor.name;
    this.inputSize = checkSize(name, 'inputSize', inputSize);
    this.hiddenSize = checkSize(name, 'hiddenSize', hiddenSize);
    setParameters(this, {
      weight_ih: unset([gates * hiddenSize, inputSize], factory),
      weight_hh: unset([gates * hiddenSize, hiddenSize], factory),
      bias_ih: bias ? unset([gates * hiddenSize], factory) : null,
      bias_hh: bias ? unset([gates * hiddenSize], factory) : null,
    });
    this.resetParameters();
  }

  /** Draws all parameters from +-1 / sqrt(hiddenSize). */
  resetParameters(): void {
    const bound = 1 / Math.sqrt(this.hiddenSize);
    for (const parameter of this.parameters()) uniform_(parameter, -bound, bound);
  }

  /** Runs a step on a batch, or on one sample without a batch dimension. */
  protected run(mode: Mode, input: Tensor, hx: readonly Tensor[] | null): States {
    const name = this.constructor.name;
    const { inputSize, hiddenSize } = this;
    const fits = input.ndim === 1 || input.ndim === 2;
    if (!fits || input.shape[input.ndim - 1] !== inputSize) {
      throw new ShapeError(
        `${name}: expected input [batch, ${inputSize}] or [${inputSize}], got ` +
          showShape(input.shape),
      );
    }
    const lead = input.shape.slice(0, -1);
    const expected = [...lead, hiddenSize];
    for (const state of hx ?? []) {
      if (showShape(state.shape) === showShape(expected)) continue;
      throw new ShapeError(
        `${name}: expected a state ${showShape(expected)} for input ${showShape(input.shape)}, ` +
          `got ${showShape(state.shape)}`,
      );
    }
    const none = () => zeros(expected, { dtype: input.dtype, device: input.device });
    const given = hx ?? (mode === 'LSTM' ? [none(), none()] : [none()]);
    const single = input.ndim === 1;
    const [h, c] = single ? given.map((state) => state.unsqueeze(0)) : given;
    const x = single ? input.unsqueeze(0) : input;
    const gi = linear(x, this.weight_ih, this.bias_ih);
    const result = step(mode, gi, { h, c }, { weight: this.weight_hh, bias: this.bias_hh });
    if (!single) return result;
    return { h: result.h.squeeze(0), c: result.c?.squeeze(0) };
  }

  override extraRepr(): string {
    const bias = this.bias_ih === null ? ', bias=False' : '';
    return `${this.inputSize}, ${this.hiddenSize}${bias}`;
  }
}

const RNN_CELL = 'inputSize, hiddenSize, bias, nonlinearity, device, dtype';
type RnnCellArguments = [
  inputSize: number,
  hiddenSize: number,
  bias?: boolean,
  nonlinearity?: Nonlinearity,
  ...Factory,
];

/** h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu. */
export class RNNCell extends Cell {
  readonly nonlinearity: Nonlinearity;
  private readonly mode: Mode;

  constructor(...args: Arguments<typeof RNN_CELL, RnnCellArguments>) {
    const given = bind<RnnCellArguments>('RNNCell', RNN_CELL, args, 2);
    const [inputSize, hiddenSize, bias = true, nonlinearity = 'tanh', device, dtype] = given;
    super(inputSize, hiddenSize, bias, 1, { device, dtype });
    this.nonlinearity = nonlinearity;
    this.mode = modeOf('RNNCell', nonlinearity);
  }

  /** The next hidden state [batch, hiddenSize]; `hx` is the last one, default zeros. */
  forward(input: Tensor, hx: Tensor | null = null): Tensor {
    return this.run(this.mode, input, hx === null ? null : [hx]).h;
  }

  override extraRepr(): string {
    const own = this.nonlinearity === 'tanh' ? '' : `, nonlinearity=${this.nonlinearity}`;
    return super.extraRepr() + own;
  }
}

const GATED_CELL = 'inputSize, hiddenSize, bias, device, dtype';
type GatedCellArguments = [inputSize: number, hiddenSize: number, bias?: boolean, ...Factory];

/** A gated recurrent unit: one step. */
export class GRUCell extends Cell {
  constructor(...args: Arguments<typeof GATED_CELL, GatedCellArguments>) {
    const given = bind<GatedCellArguments>('GRUCell', GATED_CELL, args, 2);
    const [inputSize, hiddenSize, bias = true, device, dtype] = given;
    super(inputSize, hiddenSize, bias, 3, { device, dtype });
  }

  /** The next hidden state [batch, hiddenSize]; `hx` is the last one, default zeros. */
  forward(input: Tensor, hx: Tensor | null = null): Tensor {
    return this.run('GRU', input, hx === null ? null : [hx]).h;
  }
}

/** A long short-term memory: one step. */
export class LSTMCell extends Cell {
  constructor(...args: Arguments<typeof GATED_CELL, GatedCellArguments>) {
    const given = bind<GatedCellArguments>('LSTMCell', GATED_CELL, args, 2);
    const [inputSize, hiddenSize, bias = true, device, dtype] = given;
    super(inputSize, hiddenSize, bias, 4, { device, dtype });
  }

  /** The next states [h, c], each [batch, hiddenSize]; `hx` are the last ones, default zeros. */
  forward(input: Tensor, hx: readonly [Tensor, Tensor] | null = null): [Tensor, Tensor] {
    const { h, c } = this.run('LSTM', input, hx);
    return [h, c as Tensor];
  }
}
