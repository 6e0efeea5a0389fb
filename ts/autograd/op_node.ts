/** The node of a table operator: it runs the operator's row of the gradient table. */

import type { Dtype } from '../core/dtype.js';
import { type Geometry, rowMajor, type Shape } from '../core/layout.js';
import { lend } from '../core/lend.js';
import type { Device } from '../device/device.js';
import type { GradContext, JointRule, RuleByInput } from '../ops/rule.js';
import { emptyTensor, isTensor, type Tensor } from '../tensor.js';
import { flatIn } from './flat.js';
import { freedGraphError, type Grads, isAnomalyEnabled, Node, SavedTensor } from './node.js';
import { sumToShape } from './undo.js';

type Operand = Tensor | number | bigint | boolean | undefined;
type Rule = RuleByInput<never> | JointRule<never>;

export class OpNode extends Node implements GradContext<never> {
  private saved: readonly (SavedTensor | number | undefined)[] | undefined;
  private savedOutputs: (SavedTensor | undefined)[] | undefined = undefined;
  /** Of the first output: the node must not hold the output itself. */
  private readonly dtype: Dtype;
  private readonly device: Device;
  readonly geometries: Geometry[];
  /** Of the inputs, where one has another than the first output. */
  private dtypes: Dtype[] | undefined = undefined;

  constructor(
    name: string,
    private readonly rule: Rule,
    readonly attributes: never,
    inputs: readonly Operand[],
    outputs: readonly Tensor[],
  ) {
    const count = inputs.length;
    super(name, outputs.length, count);
    this.dtype = outputs[0].dtype;
    this.device = outputs[0].backend;
    let saved: (SavedTensor | number | undefined)[] | undefined;
    this.geometries = new Array(count).fill(SCALAR);
    for (let i = 0; i < count; i++) {
      const input = inputs[i];
      if (isTensor(input)) {
        this.connect(input, i);
        this.geometries[i] = input.geometry;
        if (input.dtype !== this.dtype) {
          this.dtypes ??= new Array(count).fill(this.dtype);
          this.dtypes[i] = input.dtype;
        }
      } else {
        this.connect(undefined, i);
        saved ??= new Array(count).fill(undefined);
        saved[i] = input === undefined ? input : Number(input);
      }
    }
    const { onlyFor } = rule.saves;
    for (const i of rule.saves.inputs ?? NONE) {
      const input = inputs[i];
      if (onlyFor !== undefined && i in onlyFor && !this.needs(onlyFor[i])) continue;
      if (!isTensor(input)) continue;
      saved ??= new Array(count).fill(undefined);
      saved[i] = new SavedTensor(input);
    }
    this.saved = saved ?? NONE;
    if (isAnomalyEnabled())
      this.origin = new Error('forward').stack?.split('\n').slice(4).join('\n');
  }

  /** Keeps the outputs the rule asks for; called once they have their final version. */
  saveOutputs(outputs: readonly Tensor[]): void {
    const { outputsFor } = this.rule.saves;
    if (outputsFor !== undefined && !this.needs(outputsFor)) return;
    for (const i of this.rule.saves.outputs ?? NONE) {
      this.savedOutputs ??= new Array(outputs.length).fill(undefined);
      this.savedOutputs[i] = new SavedTensor(outputs[i], this, i);
    }
  }

  run(grads: Grads): Grads {
    const { rule } = this;
    // A rule that saves nothing can run again, as in PyTorch.
    const { inputs, outputs } = rule.saves;
    if (this.saved === undefined && (inputs ?? outputs)) throw freedGraphError(this.name);
    if (rule.kind === 'joint') {
      return rule.grads(grads, this).map((grad, i) => this.finish(grad, i));
    }
    const g = grads[0];
    if (g === undefined) return [];
    const results = lend<Tensor | undefined>(rule.grads.length);
    for (let i = 0; i < results.length; i++) {
      const formula = rule.grads[i];
      const wanted = formula !== undefined && this.needs(i);
      results[i] = wanted ? this.finish(formula(g, this), i) : undefined;
    }
    return results;
  }

  private finish(grad: Tensor | undefined, input: number): Tensor | undefined {
    return grad === undefined || !this.needs(input) ? undefined : this.undo(grad, input);
  }

  /** A gradient as that of the input: broadcasting and casts are undone. */
  protected undo(grad: Tensor, input: number): Tensor {
    return this.sumTo(grad, this.geometries[input].shape, input);
  }

  protected sumTo(grad: Tensor, shape: Shape, input: number): Tensor {
    const dtype = this.dtypes === undefined ? this.dtype : this.dtypes[input];
    const result = sumToShape(grad, shape, dtype);
    return this.rule.saves.flat ? flatIn(result, this, input) : result;
  }

  override release(): void {
    for (const saved of this.saved ?? NONE) if (saved instanceof SavedTensor) saved.release();
    for (const saved of this.savedOutputs ?? NONE) saved?.release();
    this.saved = undefined;
    this.savedOutputs = undefined;
  }

  // --- What the rule sees ----------------------------------------------------------------------

  get x(): Tensor {
    return this.input(0);
  }

  get y(): Tensor {
    return this.input(1);
  }

  get z(): Tensor {
    return this.input(2);
  }

  get operandX(): Tensor | number {
    return this.operand(0);
  }

  get operandY(): Tensor | number {
    return this.operand(1);
  }

  private operand(position: number): Tensor | number {
    const saved = (this.saved ?? NONE)[position];
    return typeof saved === 'number' ? saved : this.input(position);
  }

  input(position: number): Tensor {
    const tensor = this.optional(position);
    if (tensor === undefined) throw new Error(`${this.name}: input ${position} was not saved`);
    return tensor;
  }

  optional(position: number): Tensor | undefined {
    if (this.saved === undefined) throw freedGraphError(this.name);
    const saved = this.saved[position];
    if (typeof saved === 'number') {
      return emptyTensor([], this.dtype, this.device).fill_(saved);
    }
    return saved?.unpack(this.name);
  }

  output(position = 0): Tensor {
    const saved = this.savedOutputs?.[position];
    if (saved === undefined) throw freedGraphError(this.name);
    return saved.unpack(this.name);
  }
}

const NONE: readonly never[] = [];
const SCALAR = rowMajor([]);
