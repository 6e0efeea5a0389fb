/** Runs the recorded cases of one operator: every form, every layout, values and gradients. */

import { isTensorValue, type LooseTensor, Missing, requireFunction } from './adapter.js';
import { callForms, type Form, inplaceForm } from './calls.js';
import {
  ACCUMULATED,
  type CompareOptions,
  compareContents,
  compareGradient,
  compareResult,
  EXACTING,
} from './compare.js';
import { NotApplicable, requireDtype, storedDtype } from './device.js';
import {
  type EncodedTensor,
  type ErrorCase,
  eachTensor,
  fieldsOf,
  isTensor,
  type OpCase,
  type OpFile,
} from './format.js';
import { backward } from './gradients.js';
import { withOrder } from './order.js';
import { Checks, describeError, isBareError, type Outcome } from './report.js';
import { withSigns } from './signs.js';
import { decode, decodeMap, flattenResult, LAYOUTS, type Layout, read } from './values.js';

/** The arguments of one call, with the tensors made for them by path. */
interface Call {
  readonly args: unknown[];
  readonly kwargs: Record<string, unknown>;
  readonly tensors: Map<string, LooseTensor>;
}

type Recorded = Pick<OpCase, 'args' | 'kwargs' | 'grads'>;

/** Decodes a case's arguments; those with recorded gradients are made to require them. */
export function prepare(recorded: Recorded, device: string, layout: Layout, grads: boolean): Call {
  const tensors = new Map<string, LooseTensor>();
  const options = {
    device,
    layout,
    onTensor: (tensor: LooseTensor, path: string) => {
      const wanted = grads && recorded.grads !== undefined && path in recorded.grads;
      const made = wanted ? tensor.detach().requiresGrad_() : tensor;
      tensors.set(path, made);
      return made;
    },
  };
  const args = recorded.args.map((arg, index) => decode(arg, options, `${index}`));
  // Gradients are recorded dense, which is the only kind here.
  const { sparse: _sparse, ...kwargs } = decodeMap(recorded.kwargs, options);
  return { args, kwargs, tensors };
}

/** Operators whose values are long sums or factorisations, by what their names say. */
const ACCUMULATING = new RegExp(
  [
    '^(linalg|special)\\.',
    'conv|linear|bilinear|attention|embedding_bag|norm|pool|interpolate|upsample|grid_sample',
    'matmul|mm\\b|^(addmv|addr|mv|dot|vdot|inner|outer|tensordot|einsum|cdist|cov|corrcoef)',
    'chol|inverse|pinv|^(det|logdet|slogdet|lu|qr|svd|symeig|solve|lstsq|matrix_exp|triangular)',
    'sum|prod|mean|std|var|median|loss|entropy|kl_div|softmax|softmin|dist$|renorm',
    'cumulative|trapz|trapezoid|^(trace|hist|igamma|lgamma|digamma|polygamma|mvlgamma)',
  ].join('|'),
);

export function toleranceFor(op: string): CompareOptions['tolerance'] {
  return ACCUMULATING.test(op) ? ACCUMULATED : EXACTING;
}

/** Operators whose name or nature is a dtype. */
const DTYPE_OF: Readonly<Record<string, string>> = {
  long: 'int64',
  double: 'float64',
  float_power: 'float64',
};

/** Whether a call asks for a dtype: by the operator's name or by a dtype among its arguments. */
function asksFor(dtype: string, op: string, recorded: Recorded): boolean {
  if (DTYPE_OF[op] === dtype) return true;
  return JSON.stringify([recorded.args, recorded.kwargs]).includes(`{"dtype":"${dtype}"}`);
}

function holdsDtype(dtype: string, recorded: Recorded): boolean {
  let found = false;
  for (const value of [...recorded.args, ...Object.values(recorded.kwargs)]) {
    eachTensor(value, (tensor) => {
      found ||= tensor.tensor === dtype;
    });
  }
  return found;
}

/** int64 results may stay int64 where an input was, or the call asks for it; float64 likewise. */
function optionsFor(recorded: Recorded, context: OpContext): CompareOptions {
  const { op, tolerance } = context;
  const wants = (dtype: string) => holdsDtype(dtype, recorded) || asksFor(dtype, op, recorded);
  return { tolerance, int64: wants('int64'), float64: wants('float64') };
}

async function checkGradients(
  outputs: unknown,
  recorded: OpCase,
  call: Call,
  device: string,
  options: CompareOptions,
): Promise<string | undefined> {
  const problem = backward(flattenResult(outputs), recorded.cotangents ?? [], device);
  if (problem) return problem;
  const widest = Math.max(...(recorded.cotangents ?? []).map((c) => c.data.length));
  for (const [path, expected] of Object.entries(recorded.grads ?? {})) {
    const input = call.tensors.get(path);
    if (!input) return `gradient for ${path}, which is no tensor`;
    // An input smaller than the output has a gradient that is a sum.
    const summed = expected !== null && expected.data.length < widest;
    const tolerance = summed ? ACCUMULATED : options.tolerance;
    const difference = await compareGradient(input.grad, expected, { ...options, tolerance });
    if (difference) return `gradient of ${path}: ${difference}`;
  }
  return undefined;
}

/** Operators that read the memory of their input, whatever its strides. */
const READS_MEMORY = /^as_strided/;
/** Operators that PyTorch itself refuses where the input's strides do not allow a view. */
const VIEWS = /^view(_as)?$/;

function layoutsFor(op: string): readonly Layout[] {
  return READS_MEMORY.test(op) ? ['contiguous'] : LAYOUTS;
}

/** Recordings of operators that draw random numbers were made under this seed. */
export function seedAsRecorded(): void {
  requireFunction('manual_seed')(42);
}

/** Runs a form; undefined where a view of these strides is rightly refused. */
async function runForm(form: Form, call: Call, layout: Layout, op: string): Promise<unknown> {
  seedAsRecorded();
  try {
    return await form(call.args, call.kwargs);
  } catch (error) {
    const refusal = error instanceof Error && !(error instanceof Missing) && !isBareError(error);
    if (VIEWS.test(op) && layout !== 'contiguous' && refusal) return REFUSED;
    throw error;
  }
}
const REFUSED = Symbol('refused');

async function checkForm(
  form: Form,
  recorded: OpCase,
  layout: Layout,
  context: OpContext,
): Promise<string | undefined> {
  const grads = recorded.grads !== undefined && recorded.cotangents !== undefined;
  const call = prepare(recorded, context.device, layout, grads);
  const options = optionsFor(recorded, context);
  requireResults(recorded, context);
  const output = await runForm(form, call, layout, context.op);
  if (output === REFUSED) return undefined;
  const expected = await withSigns(context.op, output, withOrder(recorded));
  const difference = await compareResult(output, expected.output, options);
  if (difference || !grads) return difference;
  return checkGradients(output, expected, call, context.device, options);
}

/** Throws NotApplicable if the device has no dtype for a result, or draws numbers of its own. */
function requireResults(recorded: OpCase, { op, device }: OpContext): void {
  const dropout = fieldsOf(recorded.kwargs.dropout_p ?? null)?.float ?? 0;
  if (device !== 'cpu' && dropout !== 0) {
    throw new NotApplicable(`${device} draws no numbers of PyTorch's CPU for dropout`);
  }
  const own = DTYPE_OF[op];
  if (own !== undefined) requireDtype(own, device);
  eachTensor(recorded.output, ({ tensor }) => storedDtype(tensor, device));
}

interface OpContext {
  readonly op: string;
  readonly device: string;
  readonly tolerance: CompareOptions['tolerance'];
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i]);
}

const KIND = (dtype: string): number => (dtype === 'bool' ? 0 : dtype.includes('float') ? 2 : 1);

/** A result of another shape may be refused in place; one of a higher kind must be. */
function refusal(input: EncodedTensor, output: EncodedTensor): 'must' | 'may' | 'no' {
  if (KIND(output.tensor) > KIND(input.tensor)) return 'must';
  return sameShape(input.shape, output.shape) ? 'no' : 'may';
}

async function checkInplace(
  form: Form,
  recorded: OpCase,
  layout: Layout,
  context: OpContext,
  grads: boolean,
): Promise<string | undefined> {
  const input = recorded.args[0]!;
  const output = recorded.output;
  if (!isTensor(input) || !isTensor(output)) return undefined;
  const call = prepare(recorded, context.device, layout, grads);
  const [first, ...rest] = call.args;
  const target = grads ? (first as LooseTensor).clone() : (first as LooseTensor);
  let result: unknown;
  seedAsRecorded();
  try {
    result = await form([target, ...rest], call.kwargs);
  } catch (error) {
    const typed = error instanceof Error && !(error instanceof Missing) && !isBareError(error);
    if (typed && refusal(input, output) !== 'no') return undefined;
    throw error;
  }
  if (refusal(input, output) === 'must') {
    return `accepted a ${output.tensor} result, which ${input.tensor} cannot hold`;
  }
  const expected = { ...output, tensor: input.tensor };
  const options = { tolerance: context.tolerance, int64: true };
  const difference = compareContents(await read(target), expected, options);
  if (difference) return `the changed input: ${difference}`;
  const returned = await compareResult(result, expected, options);
  if (returned) return `what it returned: ${returned}`;
  return grads ? checkGradients(result, recorded, call, context.device, options) : undefined;
}

/**
 * Refusals that do not carry over: for different dtypes, where the recording has only one floating
 * dtype; for int32 indices, which are the default here; and for a float in an integer's place,
 * which is one number in JavaScript.
 */
function isInexpressible(recorded: ErrorCase): boolean {
  if (/expected dtype int64 for index/i.test(recorded.error)) return true;
  if (/dtype.* equal /.test(recorded.error)) return floatingDtypes(recorded) === 1;
  if (!/not float/.test(recorded.error)) return false;
  const values = [...recorded.args, ...Object.values(recorded.kwargs)];
  return values.some((value) => Number.isInteger(fieldsOf(value)?.float));
}

function floatingDtypes(recorded: ErrorCase): number {
  const dtypes = new Set<string>();
  for (const arg of recorded.args) {
    eachTensor(arg, (tensor) => {
      if (tensor.tensor.includes('float')) dtypes.add(tensor.tensor);
    });
  }
  return dtypes.size;
}

async function checkError(
  form: Form,
  recorded: ErrorCase,
  context: OpContext,
): Promise<string | undefined> {
  const call = prepare(recorded, context.device, 'contiguous', false);
  const before = new Map<LooseTensor, string>();
  for (const tensor of call.tensors.values()) before.set(tensor, await contents(tensor));
  try {
    const output = await form(call.args, call.kwargs);
    // A device that works ahead says what is wrong when its results are read.
    for (const result of flattenResult(output)) if (isTensorValue(result)) await read(result);
  } catch (error) {
    if (error instanceof Missing) throw error;
    if (!(error instanceof Error) || isBareError(error)) {
      return `threw ${describeError(error)}, expected a typed error (PyTorch: ${recorded.error})`;
    }
    for (const [tensor, was] of before) {
      if ((await contents(tensor)) !== was) return 'changed an input before it threw';
    }
    return undefined;
  }
  return `accepted what PyTorch refuses: ${recorded.error || 'no message recorded'}`;
}

async function contents(tensor: LooseTensor): Promise<string> {
  const { dtype, shape, data } = await read(tensor);
  return `${dtype} ${shape.join(',')} ${data.join(',')}`;
}

/** Runs every case and error of one operator file. */
export async function runOp(file: OpFile, device: string): Promise<Outcome> {
  const checks = new Checks();
  const context = { op: file.op, device, tolerance: toleranceFor(file.op) };
  const forms = callForms(file);
  for (const [name, form] of forms) {
    for (const [index, recorded] of file.cases.entries()) {
      for (const layout of layoutsFor(file.op)) {
        const label = `${name}, case ${index}, ${layout}`;
        await checks.check(label, () => checkForm(form, recorded, layout, context));
      }
    }
  }
  if (file.inplace) await runInplace(file, context, checks);
  for (const [index, recorded] of file.errors.entries()) {
    if (isInexpressible(recorded)) continue;
    for (const [name, form] of forms) {
      if (name === 'method' && !isTensor(recorded.args[0] ?? null)) continue;
      const label = `${name}, error ${index}`;
      await checks.check(label, () => checkError(form, recorded, context));
    }
  }
  return checks.outcome();
}

async function runInplace(file: OpFile, context: OpContext, checks: Checks): Promise<void> {
  const form = inplaceForm(file);
  for (const [index, recorded] of file.cases.entries()) {
    for (const layout of layoutsFor(file.op)) {
      const label = `in place, case ${index}, ${layout}`;
      await checks.check(label, () => checkInplace(form, recorded, layout, context, false));
    }
    if (recorded.grads?.['0'] === undefined || recorded.cotangents === undefined) continue;
    const label = `in place, case ${index}, gradients`;
    await checks.check(label, () => checkInplace(form, recorded, 'contiguous', context, true));
  }
}
