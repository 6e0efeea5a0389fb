/** Recurrent networks over sequences. */

import { int32 } from '../../core/dtype.js';
import { ShapeError, showShape, ValueError } from '../../core/errors.js';
import { tensor, zeros } from '../../ops/creation.js';
import { cat, stack } from '../../ops/joining.js';
import { linear } from '../../ops/linear.js';
import { checkProbability } from '../../ops/random_fill.js';
import { type Arguments, bind } from '../../ops/signature.js';
import type { Tensor } from '../../tensor.js';
import { checkSize, type Factory, type FactoryOptions } from '../arguments.js';
import { bool, float } from '../format.js';
import { dropout } from '../functional.js';
import { uniform_ } from '../init.js';
import { Module } from '../module.js';
import { PackedSequence } from '../packed.js';
import { unset } from './layer.js';
import {
  GATES,
  type Mode,
  modeOf,
  type Nonlinearity,
  type States,
  sequence,
  step,
} from './recurrent_cell.js';

interface Shape {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers?: number;
  readonly bias?: boolean;
  readonly batchFirst?: boolean;
  readonly dropout?: number;
  readonly bidirectional?: boolean;
  readonly projSize?: number;
}

/** What a run over a sequence gives: [T, N, D * H], and the last states [D * layers, N, ...]. */
interface Outcome {
  readonly output: Tensor;
  readonly h: Tensor;
  readonly c?: Tensor;
}

/** The next states where a sequence goes on, its last ones where it has ended. */
function held(active: Tensor, next: States, last: States): States {
  const keep = (a: Tensor, b: Tensor) => a.where(active, b);
  return { h: keep(next.h, last.h), c: next.c && keep(next.c, last.c as Tensor) };
}

/** Output as the input came: packed again, or padded. */
function like(input: Tensor | PackedSequence, output: Tensor): Tensor & PackedSequence {
  return (input instanceof PackedSequence ? input.with(output) : output) as Tensor & PackedSequence;
}

/** Layers and directions of RNN, LSTM and GRU. */
abstract class Recurrent extends Module {
  static override readonly forwardArguments: string = 'input, hx';
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly projSize: number;
  readonly numLayers: number;
  readonly bias: boolean;
  readonly batchFirst: boolean;
  readonly dropout: number;
  readonly bidirectional: boolean;
  protected readonly mode: Mode;

  constructor(mode: Mode, shape: Shape, factory: FactoryOptions) {
    super();
    const name = this.constructor.name;
    const { inputSize, hiddenSize, numLayers = 1, projSize = 0 } = shape;
    this.mode = mode;
    this.inputSize = checkSize(name, 'inputSize', inputSize);
    this.hiddenSize = checkSize(name, 'hiddenSize', hiddenSize);
    this.numLayers = checkSize(name, 'numLayers', numLayers);
    this.projSize = checkSize(name, 'projSize', projSize, 0);
    if (projSize >= hiddenSize && projSize > 0) {
      throw new ValueError(
        `${name}: projSize must be smaller than hiddenSize, got ${projSize} and ${hiddenSize}`,
      );
    }
    this.bias = shape.bias ?? true;
    this.batchFirst = shape.batchFirst ?? false;
    this.dropout = shape.dropout ?? 0;
    checkProbability(name, this.dropout);
    this.bidirectional = shape.bidirectional ?? false;
    this.makeParameters(factory);
    this.resetParameters();
  }

  /** Size of what a direction of a layer gives. */
  private get outputSize(): number {
    return this.projSize > 0 ? this.projSize : this.hiddenSize;
  }

  private get directions(): readonly string[] {
    return this.bidirectional ? ['', '_reverse'] : [''];
  }

  private makeParameters(factory: FactoryOptions): void {
    const rows = GATES[this.mode] * this.hiddenSize;
    for (let layer = 0; layer < this.numLayers; layer++) {
      for (const direction of this.directions) {
        const width = layer === 0 ? this.inputSize : this.outputSize * this.directions.length;
        const add = (name: string, ...shape: number[]) => {
          this.registerParameter(`${name}_l${layer}${direction}`, unset(shape, factory));
        };
        add('weight_ih', rows, width);
        add('weight_hh', rows, this.outputSize);
        if (this.bias) {
          add('bias_ih', rows);
          add('bias_hh', rows);
        }
        if (this.projSize > 0) add('weight_hr', this.projSize, this.hiddenSize);
      }
    }
  }

  /** Draws all parameters from +-1 / sqrt(hiddenSize). */
  resetParameters(): void {
    const bound = 1 / Math.sqrt(this.hiddenSize);
    for (const parameter of this.parameters()) uniform_(parameter, -bound, bound);
  }

  /** Exists for programs written for PyTorch: weights need no special layout here. */
  flattenParameters(): void {}

  private parameter(name: string): Tensor | null {
    return (this as unknown as Record<string, Tensor | undefined>)[name] ?? null;
  }

  private checkInput(input: Tensor): void {
    const { inputSize, batchFirst } = this;
    const fits = input.ndim === 2 || input.ndim === 3;
    if (fits && input.shape[input.ndim - 1] === inputSize) return;
    const form = batchFirst ? 'batch, time' : 'time, batch';
    throw new ShapeError(
      `${this.constructor.name}: expected input [${form}, ${inputSize}] ` +
        `(or [time, ${inputSize}]), got ${showShape(input.shape)}`,
    );
  }

  private checkState(what: string, state: Tensor, expected: readonly number[]): void {
    if (showShape(state.shape) === showShape(expected)) return;
    throw new ShapeError(
      `${this.constructor.name}: expected ${what} ${showShape(expected)}, got ` +
        `${showShape(state.shape)}`,
    );
  }

  /** The given states of every layer and direction, checked; none stand for zeros. */
  private initial(
    input: Tensor,
    hx: readonly Tensor[] | null,
    single: boolean,
    order: Tensor | null = null,
  ): States[] {
    if (hx === null) return [];
    const count = this.numLayers * this.directions.length;
    const batch = input.shape[1];
    const sizes = this.mode === 'LSTM' ? [this.outputSize, this.hiddenSize] : [this.outputSize];
    if (!Array.isArray(hx) || hx.length !== sizes.length) {
      throw new ValueError(`${this.constructor.name}: the state is [h, c], got ${String(hx)}`);
    }
    const states = sizes.map((size, i) => {
      const expected = single ? [count, size] : [count, batch, size];
      this.checkState(i === 0 ? 'a hidden state' : 'a cell state', hx[i], expected);
      if (order !== null) return hx[i].indexSelect(1, order);
      return single ? hx[i].unsqueeze(1) : hx[i];
    });
    const parts = states.map((state) => state.unbind(0));
    return Array.from({ length: count }, (_, i) => ({ h: parts[0][i], c: parts[1]?.[i] }));
  }

  /** One direction of one layer over [T, N, width]: its outputs in time order, and last states. */
  private sweep(
    input: Tensor,
    suffix: string,
    reverse: boolean,
    start: States | undefined,
    lengths: Tensor | undefined,
  ): [Tensor, States] {
    const parameter = (name: string) => this.parameter(name + suffix);
    const weight = parameter('weight_hh') as Tensor;
    const [biasIn, bias, projection] = ['bias_ih', 'bias_hh', 'weight_hr'].map(parameter);
    const weights = { weight, bias, projection };
    const project = (biases: Tensor | null) =>
      linear(input, parameter('weight_ih') as Tensor, biases);
    if (projection === null) {
      // What knows no state is added to the products of the inputs, once for all steps.
      const biases = this.mode === 'GRU' || bias === null ? biasIn : bias.add(biasIn as Tensor);
      return sequence(this.mode, project(biases), weights, reverse, start, lengths);
    }
    const products = project(biasIn).unbind(0);
    const outputs: Tensor[] = new Array(products.length);
    let states = start ?? this.zero(input);
    for (let i = 0; i < products.length; i++) {
      const t = reverse ? products.length - 1 - i : i;
      const active = lengths?.gt(t).unsqueeze(1);
      const next = step(this.mode, products[t], states, weights);
      states = active === undefined ? next : held(active, next, states);
      outputs[t] = states.h;
    }
    return [stack(outputs, 0), states];
  }

  /** Zero states for an input [T, N, width]. */
  private zero({ shape, dtype, device }: Tensor): States {
    const of = (size: number) => zeros([shape[1], size], { dtype, device });
    return { h: of(this.outputSize), c: of(this.hiddenSize) };
  }

  /** Runs over a sequence [T, N, inputSize]. */
  private sequence(input: Tensor, initial: readonly States[], lengths?: Tensor): Outcome {
    const last: States[] = [];
    let x = input;
    for (let layer = 0; layer < this.numLayers; layer++) {
      const sweeps = this.directions.map((direction, d) => {
        const start = initial[layer * this.directions.length + d];
        return this.sweep(x, `_l${layer}${direction}`, d === 1, start, lengths);
      });
      last.push(...sweeps.map(([, states]) => states));
      const outputs = sweeps.map(([output]) => output);
      x = outputs.length === 1 ? outputs[0] : cat(outputs, -1);
      if (layer < this.numLayers - 1) x = dropout(x, this.dropout, this.training);
    }
    const cells = this.mode === 'LSTM' ? stack(last.map(({ c }) => c as Tensor)) : undefined;
    return { output: x, h: stack(last.map(({ h }) => h)), c: cells };
  }

  /** Runs over packed sequences; the outputs are their data. */
  private packed(input: PackedSequence, hx: readonly Tensor[] | null): Outcome {
    const { data, counts, sortedIndices, unsortedIndices } = input;
    const [steps, batch] = [counts.length, counts[0]];
    const { dtype, device } = data;
    const even = counts.every((n) => n === batch);
    const places = input.places(steps, false, null);
    const rows = even
      ? data
      : zeros([steps * batch, this.inputSize], { dtype, device }).indexCopy(0, places, data);
    const x = rows.reshape([steps, batch, this.inputSize]);
    const lengths = even ? undefined : tensor(input.lengths, { dtype: int32, device });
    const result = this.sequence(x, this.initial(x, hx, false, sortedIndices), lengths);
    const flat = result.output.flatten(0, 1);
    const unsort = (state: Tensor) =>
      unsortedIndices === null ? state : state.indexSelect(1, unsortedIndices);
    return {
      output: even ? flat : flat.indexSelect(0, places),
      h: unsort(result.h),
      c: result.c && unsort(result.c),
    };
  }

  /** Runs over any input that forward takes; of packed sequences the output is their data. */
  protected run(input: Tensor | PackedSequence, hx: readonly Tensor[] | null): Outcome {
    if (input instanceof PackedSequence) {
      this.checkInput(input.data);
      return this.packed(input, hx);
    }
    this.checkInput(input);
    const single = input.ndim === 2;
    let x = single ? input.unsqueeze(1) : input;
    if (this.batchFirst && !single) x = x.transpose(0, 1);
    if (x.shape[0] === 0) {
      throw new ShapeError(
        `${this.constructor.name}: the sequence is empty, input ${showShape(input.shape)}`,
      );
    }
    const result = this.sequence(x, this.initial(x, hx, single));
    if (single) {
      const { output, h, c } = result;
      return { output: output.squeeze(1), h: h.squeeze(1), c: c?.squeeze(1) };
    }
    return this.batchFirst ? { ...result, output: result.output.transpose(0, 1) } : result;
  }

  override extraRepr(): string {
    const parts = [`${this.inputSize}, ${this.hiddenSize}`];
    if (this.projSize !== 0) parts.push(`proj_size=${this.projSize}`);
    if (this.numLayers !== 1) parts.push(`num_layers=${this.numLayers}`);
    if (!this.bias) parts.push(`bias=${bool(this.bias)}`);
    if (this.batchFirst) parts.push('batch_first=True');
    if (this.dropout !== 0) parts.push(`dropout=${float(this.dropout)}`);
    if (this.bidirectional) parts.push('bidirectional=True');
    return parts.join(', ');
  }
}

const SIZES = 'inputSize, hiddenSize, numLayers';
const FLAGS = 'bias, batchFirst, dropout, bidirectional';
const RNN_NAMES = `${SIZES}, nonlinearity, ${FLAGS}, device, dtype` as const;
type RnnArguments = [
  inputSize: number,
  hiddenSize: number,
  numLayers?: number,
  nonlinearity?: Nonlinearity,
  bias?: boolean,
  batchFirst?: boolean,
  dropout?: number,
  bidirectional?: boolean,
  ...Factory,
];

/**
 * h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh), or relu, over [time, batch, inputSize] (with
 * `batchFirst` [batch, time, inputSize]; without a batch [time, inputSize]), or over packed
 * sequences (nn.utils.rnn), which give packed outputs.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: calls take packed sequences too
export class RNN extends Recurrent {
  readonly nonlinearity: Nonlinearity;

  constructor(...args: Arguments<typeof RNN_NAMES, RnnArguments>) {
    const given = bind<RnnArguments>('RNN', RNN_NAMES, args, 2);
    const [inputSize, hiddenSize, numLayers, nonlinearity = 'tanh', bias, batchFirst] = given;
    const [dropout, bidirectional, device, dtype] = given.slice(6) as [
      number?,
      boolean?,
      ...Factory,
    ];
    const shape = { inputSize, hiddenSize, numLayers, bias, batchFirst, dropout, bidirectional };
    super(modeOf('RNN', nonlinearity), shape, { device, dtype });
    this.nonlinearity = nonlinearity;
  }

  /**
   * The outputs of the last layer [time, batch, directions * hiddenSize], and the last states
   * [directions * numLayers, batch, hiddenSize]. `hx` are the first states, default zeros.
   */
  forward(input: PackedSequence, hx?: Tensor | null): [output: PackedSequence, hn: Tensor];
  forward(input: Tensor, hx?: Tensor | null): [output: Tensor, hn: Tensor];
  forward(
    input: Tensor | PackedSequence,
    hx: Tensor | null = null,
  ): [Tensor & PackedSequence, Tensor] {
    const { output, h } = this.run(input, hx === null ? null : [hx]);
    return [like(input, output), h];
  }
}

export interface RNN {
  // biome-ignore lint/style/useShorthandFunctionType: it merges with the class
  (input: PackedSequence, hx?: Tensor | null): [output: PackedSequence, hn: Tensor];
}

const GRU_NAMES = `${SIZES}, ${FLAGS}, device, dtype` as const;
type GruArguments = [
  inputSize: number,
  hiddenSize: number,
  numLayers?: number,
  bias?: boolean,
  batchFirst?: boolean,
  dropout?: number,
  bidirectional?: boolean,
  ...Factory,
];

/** Gated recurrent units over a sequence; shapes as in RNN. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: calls take packed sequences too
export class GRU extends Recurrent {
  constructor(...args: Arguments<typeof GRU_NAMES, GruArguments>) {
    const given = bind<GruArguments>('GRU', GRU_NAMES, args, 2);
    const [inputSize, hiddenSize, numLayers, bias, batchFirst, dropout, bidirectional] = given;
    const shape = { inputSize, hiddenSize, numLayers, bias, batchFirst, dropout, bidirectional };
    super('GRU', shape, { device: given[7], dtype: given[8] });
  }

  /** The outputs of the last layer, and the last states; `hx` are the first, default zeros. */
  forward(input: PackedSequence, hx?: Tensor | null): [output: PackedSequence, hn: Tensor];
  forward(input: Tensor, hx?: Tensor | null): [output: Tensor, hn: Tensor];
  forward(
    input: Tensor | PackedSequence,
    hx: Tensor | null = null,
  ): [Tensor & PackedSequence, Tensor] {
    const { output, h } = this.run(input, hx === null ? null : [hx]);
    return [like(input, output), h];
  }
}

export interface GRU {
  // biome-ignore lint/style/useShorthandFunctionType: it merges with the class
  (input: PackedSequence, hx?: Tensor | null): [output: PackedSequence, hn: Tensor];
}

/** Hidden states and cells. */
type LstmStates = [hn: Tensor, cn: Tensor];
const LSTM_NAMES = `${SIZES}, ${FLAGS}, projSize, device, dtype` as const;
type LstmArguments = [
  inputSize: number,
  hiddenSize: number,
  numLayers?: number,
  bias?: boolean,
  batchFirst?: boolean,
  dropout?: number,
  bidirectional?: boolean,
  projSize?: number,
  ...Factory,
];

/** Long short-term memory over a sequence; with `projSize` hidden states are projected. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: calls take packed sequences too
export class LSTM extends Recurrent {
  constructor(...args: Arguments<typeof LSTM_NAMES, LstmArguments>) {
    const given = bind<LstmArguments>('LSTM', LSTM_NAMES, args, 2);
    const [inputSize, hiddenSize, numLayers, bias, batchFirst, dropout, bidirectional] = given;
    const shape = { inputSize, hiddenSize, numLayers, bias, batchFirst, dropout, bidirectional };
    super('LSTM', { ...shape, projSize: given[7] }, { device: given[8], dtype: given[9] });
  }

  /**
   * The outputs of the last layer, and the last states [h, c], each
   * [directions * numLayers, batch, size]; `hx` are the first ones, default zeros.
   */
  forward(
    input: PackedSequence,
    hx?: Readonly<LstmStates> | null,
  ): [output: PackedSequence, LstmStates];
  forward(input: Tensor, hx?: Readonly<LstmStates> | null): [output: Tensor, states: LstmStates];
  forward(
    input: Tensor | PackedSequence,
    hx: Readonly<LstmStates> | null = null,
  ): [Tensor & PackedSequence, LstmStates] {
    const { output, h, c } = this.run(input, hx);
    return [like(input, output), [h, c as Tensor]];
  }
}

export interface LSTM {
  // biome-ignore lint/style/useShorthandFunctionType: it merges with the class
  (
    input: PackedSequence,
    hx?: Readonly<LstmStates> | null,
  ): [output: PackedSequence, states: LstmStates];
}
