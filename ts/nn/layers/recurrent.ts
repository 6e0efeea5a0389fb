/** Recurrent layers over whole sequences: RNN, LSTM, GRU. */

import { ShapeError, showShape, ValueError } from '../../core/errors.js';
import { sameShape } from '../../core/layout.js';
import { cat, stack } from '../../ops/joining.js';
import type { Tensor } from '../../tensor.js';
import { type Arguments, bind, checkSize, type Factory } from '../arguments.js';
import { bool, float } from '../format.js';
import * as F from '../functional.js';
import { uniform_ } from '../init.js';
import { Module } from '../module.js';
import type { Parameter } from '../parameter.js';
import { unset } from './layer.js';
import { type CellKind, cellKinds, type State } from './recurrent_step.js';

const SIGNATURE =
  'inputSize, hiddenSize, numLayers, bias, batchFirst, dropout, bidirectional, projSize, ' +
  'device, dtype, nonlinearity';

type RecurrentArguments = [
  inputSize: number,
  hiddenSize: number,
  numLayers?: number,
  bias?: boolean,
  batchFirst?: boolean,
  dropout?: number,
  bidirectional?: boolean,
  projSize?: number,
  ...factory: Factory,
  nonlinearity?: 'tanh' | 'relu',
];

type Given = Arguments<typeof SIGNATURE, RecurrentArguments>;

/**
 * What RNN, LSTM and GRU share: stacked layers, one or two directions, initial states.
 *
 * Input: [length, batch, inputSize], with `batchFirst` [batch, length, inputSize], or unbatched
 * [length, inputSize]. Output: the same with hiddenSize (projSize if given) times the number of
 * directions. States: [numLayers * directions, batch, size].
 */
abstract class Recurrent extends Module {
  static override readonly forwardArguments: string = 'input, hx';
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly bias: boolean;
  readonly batchFirst: boolean;
  readonly dropout: number;
  readonly bidirectional: boolean;
  readonly projSize: number;

  constructor(
    private readonly kind: CellKind,
    args: readonly unknown[],
  ) {
    super();
    const name = new.target.name;
    const given = bind<RecurrentArguments>(name, SIGNATURE, args, 2);
    const [inputSize, hiddenSize, numLayers = 1, bias = true, batchFirst = false] = given;
    const [dropout = 0, bidirectional = false, projSize = 0, device, dtype] = given.slice(5) as [
      number?,
      boolean?,
      number?,
      ...Factory,
    ];
    if (!(dropout >= 0 && dropout <= 1)) {
      throw new ValueError(`${name}: dropout is a probability, between 0 and 1, got ${dropout}`);
    }
    if (projSize !== 0 && !(kind.cells === 2 && projSize > 0 && projSize < hiddenSize)) {
      throw new ValueError(
        `${name}: projSize is for LSTM only, above 0 and below hiddenSize ${hiddenSize}, got ${projSize}`,
      );
    }
    this.inputSize = checkSize(name, 'inputSize', inputSize);
    this.hiddenSize = checkSize(name, 'hiddenSize', hiddenSize);
    this.numLayers = checkSize(name, 'numLayers', numLayers);
    this.bias = bias;
    this.batchFirst = batchFirst;
    this.dropout = dropout;
    this.bidirectional = bidirectional;
    this.projSize = projSize;
    this.makeParameters({ device, dtype });
    this.resetParameters();
  }

  private makeParameters(factory: { device?: Factory[0]; dtype?: Factory[1] }): void {
    const gates = this.kind.gates * this.hiddenSize;
    for (let layer = 0; layer < this.numLayers; layer++) {
      for (const suffix of this.suffixes(layer)) {
        const width = layer === 0 ? this.inputSize : this.outputSize * this.directions;
        this.registerParameter(`weight_ih${suffix}`, unset([gates, width], factory));
        this.registerParameter(`weight_hh${suffix}`, unset([gates, this.outputSize], factory));
        if (this.bias) {
          this.registerParameter(`bias_ih${suffix}`, unset([gates], factory));
          this.registerParameter(`bias_hh${suffix}`, unset([gates], factory));
        }
        if (this.projSize > 0) {
          const shape = [this.projSize, this.hiddenSize];
          this.registerParameter(`weight_hr${suffix}`, unset(shape, factory));
        }
      }
    }
  }

  /** Draws all parameters uniformly from +-1 / sqrt(hiddenSize). */
  resetParameters(): void {
    const bound = 1 / Math.sqrt(this.hiddenSize);
    for (const parameter of this.parameters()) uniform_(parameter, -bound, bound);
  }

  private get directions(): number {
    return this.bidirectional ? 2 : 1;
  }

  private get outputSize(): number {
    return this.projSize > 0 ? this.projSize : this.hiddenSize;
  }

  private suffixes(layer: number): string[] {
    return this.bidirectional ? [`_l${layer}`, `_l${layer}_reverse`] : [`_l${layer}`];
  }

  private weight(name: string): Parameter | null {
    return ((this as unknown as Record<string, Parameter | undefined>)[name] ??
      null) as Parameter | null;
  }

  /** Runs all layers; returns the output and the last states, stacked. */
  protected run(input: Tensor, initial: readonly Tensor[] | undefined): [Tensor, Tensor[]] {
    const name = this.constructor.name;
    if (input.ndim !== 2 && input.ndim !== 3) {
      throw new ShapeError(
        `${name}: expected input [length, batch, ${this.inputSize}] or unbatched ` +
          `[length, ${this.inputSize}], got ${showShape(input.shape)}`,
      );
    }
    if (input.shape[input.ndim - 1] !== this.inputSize) {
      throw new ShapeError(
        `${name}: the last dimension of the input is inputSize ${this.inputSize}, got ` +
          showShape(input.shape),
      );
    }
    const batched = input.ndim === 3;
    const swaps = batched && this.batchFirst;
    let x = batched ? input : input.unsqueeze(1);
    if (swaps) x = x.transpose(0, 1);
    const states = this.initialStates(x, initial, batched);
    const last: Tensor[][] = states.map(() => []);
    for (let layer = 0; layer < this.numLayers; layer++) {
      const outputs = this.suffixes(layer).map((suffix, direction) => {
        const place = layer * this.directions + direction;
        const start = states.map((state) => state.select(0, place));
        const [output, end] = this.runDirection(x, suffix, start, direction === 1);
        end.forEach((state, i) => {
          last[i].push(state);
        });
        return output;
      });
      x = outputs.length === 1 ? outputs[0] : cat(outputs, 2);
      const between = layer < this.numLayers - 1;
      if (between && this.dropout > 0) x = F.dropout(x, this.dropout, this.training);
    }
    const ends = last.map((list) => stack(list, 0));
    if (!batched) return [x.squeeze(1), ends.map((state) => state.squeeze(1))];
    return [swaps ? x.transpose(0, 1) : x, ends];
  }

  private initialStates(
    x: Tensor,
    given: readonly Tensor[] | undefined,
    batched: boolean,
  ): Tensor[] {
    const count = this.numLayers * this.directions;
    const sizes = this.kind.cells === 2 ? [this.outputSize, this.hiddenSize] : [this.outputSize];
    return sizes.map((size, i) => {
      const expected = [count, x.shape[1], size];
      if (given === undefined) return x.newZeros(expected);
      const state = given[i];
      const wanted = batched ? expected : [count, size];
      if (!sameShape(state.shape, wanted)) {
        throw new ShapeError(
          `${this.constructor.name}: expected an initial state of shape ${showShape(wanted)}, got ` +
            showShape(state.shape),
        );
      }
      return batched ? state : state.unsqueeze(1);
    });
  }

  /** One layer in one direction: the input side of all steps is one product. */
  private runDirection(
    x: Tensor,
    suffix: string,
    start: Tensor[],
    reverse: boolean,
  ): [Tensor, Tensor[]] {
    const [length, batch] = x.shape;
    const weightIh = this.weight(`weight_ih${suffix}`) as Parameter;
    const weightHh = this.weight(`weight_hh${suffix}`) as Parameter;
    const biasHh = this.weight(`bias_hh${suffix}`);
    const projection = this.weight(`weight_hr${suffix}`);
    const flat = x.reshape(length * batch, x.shape[2]);
    const all = F.linear(flat, weightIh, this.weight(`bias_ih${suffix}`));
    const steps = all.view(length, batch, weightIh.shape[0]).unbind(0);
    const outputs = new Array<Tensor>(length);
    let state: State = start;
    for (let i = 0; i < length; i++) {
      const t = reverse ? length - 1 - i : i;
      state = this.kind.step(steps[t], F.linear(state[0], weightHh, biasHh), state);
      if (projection !== null) state = [F.linear(state[0], projection), ...state.slice(1)];
      outputs[t] = state[0];
    }
    const output = length > 0 ? stack(outputs, 0) : x.newZeros([0, batch, this.outputSize]);
    return [output, [...state]];
  }

  override extraRepr(): string {
    const parts = [`${this.inputSize}, ${this.hiddenSize}`];
    if (this.projSize !== 0) parts.push(`proj_size=${this.projSize}`);
    if (this.numLayers !== 1) parts.push(`num_layers=${this.numLayers}`);
    if (!this.bias) parts.push(`bias=${bool(this.bias)}`);
    if (this.batchFirst) parts.push(`batch_first=${bool(this.batchFirst)}`);
    if (this.dropout !== 0) parts.push(`dropout=${float(this.dropout)}`);
    if (this.bidirectional) parts.push(`bidirectional=${bool(this.bidirectional)}`);
    return parts.join(', ');
  }
}

/** The nonlinearity among the arguments of RNN, by position or by name. */
function nonlinearityOf(args: readonly unknown[]): 'tanh' | 'relu' {
  const last = args[args.length - 1];
  const given =
    typeof last === 'object' && last !== null
      ? (last as { nonlinearity?: string }).nonlinearity
      : args[10];
  if (given === undefined || given === 'tanh') return 'tanh';
  if (given === 'relu') return 'relu';
  throw new ValueError(`RNN: nonlinearity is 'tanh' or 'relu', got '${String(given)}'`);
}

/** h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh), or relu. Returns [output, h]. */
export class RNN extends Recurrent {
  readonly nonlinearity: 'tanh' | 'relu';

  constructor(...args: Given) {
    super(cellKinds[nonlinearityOf(args)], args);
    this.nonlinearity = nonlinearityOf(args);
  }

  forward(input: Tensor, hx?: Tensor | null): [Tensor, Tensor] {
    const [output, [h]] = this.run(input, hx ? [hx] : undefined);
    return [output, h];
  }
}

/** Gated recurrent unit (Cho et al., 2014), gates in the order r z n. Returns [output, h]. */
export class GRU extends Recurrent {
  constructor(...args: Given) {
    super(cellKinds.gru, args);
  }

  forward(input: Tensor, hx?: Tensor | null): [Tensor, Tensor] {
    const [output, [h]] = this.run(input, hx ? [hx] : undefined);
    return [output, h];
  }
}

/**
 * Long short-term memory (Hochreiter and Schmidhuber, 1997), gates in the order i f g o.
 * Returns [output, [h, c]]; the initial state is [h, c].
 */
export class LSTM extends Recurrent {
  constructor(...args: Given) {
    super(cellKinds.lstm, args);
  }

  forward(input: Tensor, hx?: readonly [Tensor, Tensor] | null): [Tensor, [h: Tensor, c: Tensor]] {
    const [output, [h, c]] = this.run(input, hx ?? undefined);
    return [output, [h, c]];
  }
}
