/** Operations with gradients written by the user. */

import type { Dtype } from '../core/dtype.js';
import { AutogradError, showShape, ValueError } from '../core/errors.js';
import type { Shape } from '../core/layout.js';
import type { Device } from '../device/device.js';
import { emptyTensor, isTensor, type Tensor } from '../tensor.js';
import { isGradEnabled, setRecording } from './mode.js';
import { freedGraphError, type Grads, Node, SavedTensor, setHistory } from './node.js';
import { sumToShape } from './undo.js';

/** What forward keeps for backward. Own fields may be added for values that are not tensors. */
export class FunctionContext {
  /** @internal */
  toSave: readonly (Tensor | null)[] = [];
  /** @internal */
  readonly nonDifferentiable = new Set<Tensor>();
  /** @internal */
  readonly dirty = new Set<Tensor>();
  /** @internal */
  materializeGrads = true;
  /** @internal */
  unpack: () => (Tensor | null)[] = () => {
    throw new AutogradError('savedTensors: there are none yet; forward is still running');
  };
  /** Which inputs of forward want a gradient. */
  needsInputGrad: boolean[] = [];
  [field: string]: unknown;

  /** Keeps tensors (inputs or outputs of forward) until backward. */
  saveForBackward(...tensors: (Tensor | null)[]): void {
    this.toSave = tensors;
  }

  /** What saveForBackward was given. */
  get savedTensors(): (Tensor | null)[] {
    return this.unpack();
  }

  /** Says that outputs have no gradient. */
  markNonDifferentiable(...tensors: Tensor[]): void {
    for (const tensor of tensors) this.nonDifferentiable.add(tensor);
  }

  /** Says which inputs forward has changed in place; it must return them. */
  markDirty(...tensors: Tensor[]): void {
    for (const tensor of tensors) this.dirty.add(tensor);
  }

  /** Whether backward gets zeros (the default) or null for outputs without a gradient. */
  setMaterializeGrads(on: boolean): void {
    this.materializeGrads = on;
  }
}

type Results = Tensor | readonly Tensor[];

/** The two halves of a custom operation. */
export interface FunctionClass<A extends unknown[], R extends Results> {
  readonly name: string;
  forward(ctx: FunctionContext, ...args: A): R;
  backward(ctx: FunctionContext, ...gradOutputs: Tensor[]): unknown;
}

/** Whether a gradient is the argument's shape, or would broadcast from it. */
function fitsInto(shape: Shape, grad: Shape): boolean {
  const lead = grad.length - shape.length;
  return lead >= 0 && shape.every((size, i) => size === 1 || size === grad[lead + i]);
}

/** What zeros like a tensor are made from, without holding its memory. */
interface Made {
  readonly shape: Shape;
  readonly dtype: Dtype;
  readonly device: Device;
}

function madeOf({ shape, dtype, backend }: Tensor): Made {
  return { shape, dtype, device: backend };
}

function zerosOf({ shape, dtype, device }: Made): Tensor {
  return emptyTensor(shape, dtype, device).zero_();
}

class CustomNode extends Node {
  override runsUserCode = true;
  private saved: (SavedTensor | null)[] | undefined = [];
  private readonly given: readonly (Made | undefined)[];

  constructor(
    private readonly definition: FunctionClass<never, Results>,
    private readonly context: FunctionContext,
    private readonly args: number,
    inputs: readonly unknown[],
    private readonly made: readonly Made[],
  ) {
    super(`${definition.name}Backward`, made.length);
    for (const input of inputs) this.connect(isTensor(input) ? input : undefined);
    this.given = inputs.map((input) => (isTensor(input) ? madeOf(input) : undefined));
  }

  keep(outputs: readonly Tensor[]): void {
    this.saved = this.context.toSave.map((tensor) => {
      if (tensor === null) return null;
      const index = outputs.indexOf(tensor);
      return new SavedTensor(tensor, index < 0 ? undefined : this, index);
    });
    this.context.unpack = () => {
      if (this.saved === undefined) throw freedGraphError(this.name);
      return this.saved.map((saved) => saved?.unpack(this.name) ?? null);
    };
    this.context.toSave = [];
  }

  run(grads: Grads): Grads {
    if (this.saved === undefined) throw freedGraphError(this.name);
    const full = this.context.materializeGrads
      ? grads.map((grad, i) => grad ?? zerosOf(this.made[i]))
      : grads.map((grad) => grad ?? null);
    const result = this.definition.backward(this.context, ...(full as Tensor[]));
    const list = (Array.isArray(result) ? result : [result]) as (Tensor | null | undefined)[];
    if (list.length !== this.args) {
      throw new AutogradError(
        `${this.name}: backward returned ${list.length} gradients for the ${this.args} ` +
          'arguments of forward; return one per argument, null for those without',
      );
    }
    return list.map((grad, i) => (grad && this.needs(i) ? this.fitted(grad, i) : undefined));
  }

  /** A gradient of backward in the shape and dtype of its argument. */
  private fitted(grad: Tensor, position: number): Tensor {
    const { shape, dtype } = this.given[position] as Made;
    if (!isTensor(grad) || !fitsInto(shape, grad.shape)) {
      const got = isTensor(grad) ? `a tensor of shape ${showShape(grad.shape)}` : String(grad);
      throw new AutogradError(
        `${this.name}: backward returned ${got} as the gradient of argument ${position}, which ` +
          `has shape ${showShape(shape)}; a gradient has the shape of its argument`,
      );
    }
    return sumToShape(grad, shape, dtype);
  }

  override release(): void {
    for (const saved of this.saved ?? []) saved?.release();
    this.saved = undefined;
  }
}

function checkDirty(name: string, tensor: Tensor, outputs: readonly Tensor[]): void {
  if (!outputs.includes(tensor)) {
    throw new AutogradError(
      `${name}: forward must return every tensor it names in ctx.markDirty(), got one of shape ` +
        `${showShape(tensor.shape)} that it does not return`,
    );
  }
  if (tensor.isLeaf && tensor.requiresGrad) {
    throw new AutogradError(
      `${name}: a leaf that requires gradients was changed in place; give a clone() of it`,
    );
  }
}

function checkDefined(type: object, name: 'forward' | 'backward'): void {
  const { name: title, [name]: rule } = type as Record<string, unknown>;
  if (typeof rule === 'function') return;
  throw new ValueError(`${title}: there is no static ${name}(ctx, ...args)`);
}

/** Makes a result of forward the output `index` of the node. */
function becomeOutput(output: Tensor, node: Node, index: number, dirty: boolean): void {
  if (dirty) output.storage_.written(node.name);
  if (!dirty || output.meta?.base === undefined) {
    setHistory(output, node, index);
    return;
  }
  // Written through the view, so that what it shows of gets the new history too.
  const handle = output.bare();
  setHistory(handle, node, index);
  output.copy_(handle);
}

/**
 * Base class of custom operations: static `forward(ctx, ...args)` computes (unrecorded), static
 * `backward(ctx, ...gradOutputs)` returns one gradient per argument of forward. Call it with
 * `MyFunction.apply(...args)`.
 */
export class Function {
  static apply<A extends unknown[], R extends Results>(this: FunctionClass<A, R>, ...args: A): R {
    checkDefined(this, 'forward');
    const context = new FunctionContext();
    const recording = isGradEnabled();
    context.needsInputGrad = args.map((arg) => recording && isTensor(arg) && arg.requiresGrad);
    setRecording(false);
    let result: R;
    try {
      result = this.forward(context, ...args);
    } finally {
      setRecording(recording);
    }
    const outputs = (Array.isArray(result) ? result : [result]) as Tensor[];
    if (!outputs.every(isTensor)) {
      throw new ValueError(`${this.name}: forward must return a tensor or an array of tensors`);
    }
    if (!context.needsInputGrad.includes(true)) return result;
    checkDefined(this, 'backward');
    const definition = this as unknown as FunctionClass<never, Results>;
    const { dirty, nonDifferentiable } = context;
    for (const tensor of dirty) checkDirty(this.name, tensor, outputs);
    const fresh = outputs.map((output) =>
      args.includes(output) && !dirty.has(output) ? output.bare() : output,
    );
    const node = new CustomNode(definition, context, args.length, args, fresh.map(madeOf));
    fresh.forEach((output, i) => {
      const skips = nonDifferentiable.has(outputs[i]) || !output.dtype.isFloatingPoint;
      if (!skips) becomeOutput(output, node, i, dirty.has(output));
    });
    node.keep(outputs);
    return (Array.isArray(result) ? fresh : fresh[0]) as R;
  }
}
