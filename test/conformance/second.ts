/** Gradients of gradients: recorded cases, differentiated twice here and by a live PyTorch. */

import {
  type Callable,
  dtypeName,
  findFunction,
  isTensorValue,
  type LooseTensor,
  pairs,
  requireFunction,
} from './adapter.js';
import { callForms } from './calls.js';
import { type CompareOptions, compareGradient } from './compare.js';
import {
  type Encoded,
  type EncodedTensor,
  fieldsOf,
  isTensor,
  type ModuleCase,
  type ModuleFile,
  type OpCase,
  type OpFile,
} from './format.js';
import { buildModule, loadState, prepareInputs, withOptions } from './modules.js';
import { prepare, seedAsRecorded } from './ops.js';
import { flattenResult, makeTensor } from './values.js';

/** What record_second.py prints of a case; null where it has no gradients. */
export type SecondRecord =
  | { readonly error: string }
  | {
      /** The leaves whose gradients can be differentiated by them. */
      readonly own: readonly string[];
      /** The gradients of the weighted sum of first gradients; none where nothing is to be had. */
      readonly grads: Readonly<Record<string, EncodedTensor | null>>;
    }
  | null;

type Leaves = Readonly<Record<string, LooseTensor>>;
const CLOSE: CompareOptions = {
  tolerance: { relative: 1e-6, absolute: 1e-7 },
  int64: false,
  float64: true,
};

/** A recorded value with float64 in the place of float32. */
function widened<T>(value: T): T {
  const encoded = value as Encoded;
  if (isTensor(encoded)) {
    return (encoded.tensor === 'float32' ? { ...encoded, tensor: 'float64' } : encoded) as T;
  }
  if (Array.isArray(encoded)) return encoded.map(widened) as T;
  const fields = fieldsOf(encoded);
  if (fields === undefined) return value;
  if (fields.dtype === 'float32') return { dtype: 'float64' } as T;
  return Object.fromEntries(Object.entries(fields).map(([key, x]) => [key, widened(x)])) as T;
}

function weighted(gradient: LooseTensor): LooseTensor {
  const weights = Float64Array.from(
    { length: gradient.shape.reduce((a, b) => a * b, 1) },
    (_, i) => (i % 5) - 1.5,
  );
  const tensor = requireFunction('tensor')(weights) as LooseTensor;
  return gradient.mul(tensor.reshape(gradient.shape)).sum();
}

async function compareSecond(
  output: unknown,
  leaves: Leaves,
  cotangents: readonly EncodedTensor[],
  expected: SecondRecord,
): Promise<string | undefined> {
  if (expected === null || 'error' in expected) return undefined;
  const grad = findFunction('autograd.grad') as Callable;
  const outs = flattenResult(output).filter(
    (x): x is LooseTensor =>
      isTensorValue(x) && x.requiresGrad && dtypeName(x.dtype).includes('float'),
  );
  const names = Object.keys(expected.grads);
  const inputs = names.map((name) => leaves[name]);
  const given = cotangents.map((each) => makeTensor(each, 'cpu'));
  const first = grad(outs, inputs, { gradOutputs: given, createGraph: true, allowUnused: true });
  const firsts = first as (LooseTensor | null)[];
  for (const [i, name] of names.entries()) {
    if (!expected.own.includes(name)) continue;
    const again = firsts[i]?.requiresGrad
      ? grad(weighted(firsts[i]), inputs[i], { allowUnused: true, retainGraph: true })
      : [null];
    if ((again as unknown[])[0] === null) return `the gradient of ${name} does not depend on it`;
  }
  const joined = firsts.flatMap((g) => (g?.requiresGrad ? [weighted(g)] : []));
  if (joined.length === 0) return undefined;
  const total = joined.reduce((sum, each) => sum.add(each));
  const second = grad([total], inputs, { allowUnused: true }) as (LooseTensor | null)[];
  for (const [i, name] of names.entries()) {
    const wanted = expected.grads[name] ?? null;
    const difference = await compareGradient(second[i], wanted, CLOSE);
    if (difference) return `second gradient of ${name}: ${difference}`;
  }
  return undefined;
}

async function ofOp(file: OpFile, recorded: OpCase, expected: SecondRecord) {
  const call = prepare(recorded, 'cpu', 'contiguous', true);
  const [[, form]] = callForms(file) as [[string, Callable]];
  seedAsRecorded();
  const output = await form(call.args, call.kwargs);
  return compareSecond(
    output,
    Object.fromEntries(call.tensors),
    recorded.cotangents ?? [],
    expected,
  );
}

async function ofModule(file: ModuleFile, recorded: ModuleCase, expected: SecondRecord) {
  const module = buildModule(file.module, recorded.args, recorded.kwargs, 'cpu').double();
  loadState(module, recorded.state_dict, 'cpu');
  if (recorded.train) module.train();
  else module.eval();
  const inputs = prepareInputs(recorded, 'cpu', 'contiguous');
  const output = await (module as Callable)(...withOptions(inputs.args, inputs.kwargs));
  const parameters = pairs(module.namedParameters()).map(([name, p]) => [`p:${name}`, p]);
  const leaves = { ...Object.fromEntries(inputs.tensors), ...Object.fromEntries(parameters) };
  return compareSecond(output, leaves, recorded.cotangents ?? [], expected);
}

/** What is wrong with the case's second gradients. */
export function checkSecond(
  file: OpFile | ModuleFile,
  index: number,
  expected: SecondRecord,
): Promise<string | undefined> {
  const recorded = widened(file.cases[index]);
  if ('op' in file) return ofOp(file, recorded as OpCase, expected);
  return ofModule(file, recorded as ModuleCase, expected);
}
