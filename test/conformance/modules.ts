/** Runs the recorded cases of one nn module. */

import {
  type Callable,
  construct,
  isTensorValue,
  type LooseModule,
  type LooseTensor,
  pairs,
} from './adapter.js';
import {
  ACCUMULATED,
  type CompareOptions,
  compareGradient,
  compareResult,
  compareTensor,
} from './compare.js';
import {
  type Encoded,
  type EncodedMap,
  type EncodedTensor,
  elements,
  isTensor,
  type ModuleCase,
  type ModuleFile,
} from './format.js';
import { backward } from './gradients.js';
import { Checks, type Outcome } from './report.js';
import {
  type DecodeOptions,
  decode,
  decodeMap,
  flattenResult,
  LAYOUTS,
  type Layout,
  makeTensor,
} from './values.js';

const SUMS: CompareOptions = { tolerance: ACCUMULATED, int64: true };

/** Where terms cancel, what float32 loses of the largest elements is left in the smallest ones. */
function forSums(expected: EncodedTensor | null): CompareOptions {
  const largest = Math.max(0, ...(expected?.data ?? []).map((x) => Math.abs(Number(x)) || 0));
  const absolute = Math.max(ACCUMULATED.absolute, 5e-7 * largest);
  return { ...SUMS, tolerance: { ...ACCUMULATED, absolute } };
}

export function withOptions(args: unknown[], kwargs: Record<string, unknown>): unknown[] {
  return Object.keys(kwargs).length === 0 ? args : [...args, kwargs];
}

/** `new nn.<name>(...args, kwargs)`, on the tested device. */
export function buildModule(
  name: string,
  args: readonly Encoded[],
  kwargs: EncodedMap,
  device: string,
): LooseModule {
  const options: DecodeOptions = { device, layout: 'contiguous' };
  const decoded = args.map((arg) => decode(arg, options));
  const made = construct(`nn.${name}`, withOptions(decoded, decodeMap(kwargs, options)));
  const module = made as LooseModule;
  return device === 'cpu' ? module : module.to(device);
}

/** Loads recorded tensors as the module's state. */
export function loadState(
  module: LooseModule,
  state: Readonly<Record<string, EncodedTensor>>,
  device: string,
): void {
  const tensors: Record<string, LooseTensor> = {};
  for (const [name, value] of Object.entries(state)) tensors[name] = makeTensor(value, device);
  module.loadStateDict(tensors);
}

/** Compares a state dict with recorded tensors. */
export async function compareState(
  actual: unknown,
  expected: Readonly<Record<string, EncodedTensor>>,
  options: CompareOptions,
): Promise<string | undefined> {
  const state = new Map(pairs(actual));
  for (const [name, value] of Object.entries(expected)) {
    if (!state.has(name)) return `no ${name} in the state dict`;
    const difference = await compareTensor(state.get(name), value, options);
    if (difference) return `${name}: ${difference}`;
  }
  return undefined;
}

export interface Inputs {
  readonly args: unknown[];
  readonly kwargs: Record<string, unknown>;
  readonly tensors: Map<string, LooseTensor>;
}

export function prepareInputs(recorded: ModuleCase, device: string, layout: Layout): Inputs {
  const tensors = new Map<string, LooseTensor>();
  const wanted = recorded.input_grads ?? {};
  const options: DecodeOptions = {
    device,
    layout,
    onTensor: (tensor, path) => {
      const made = path in wanted ? tensor.detach().requiresGrad_() : tensor;
      tensors.set(path, made);
      return made;
    },
  };
  const input = recorded.input;
  const list = isTensor(input) ? [input] : (elements(input) ?? [input]);
  const args = list.map((arg, index) => decode(arg, options, `${index}`));
  return { args, kwargs: decodeMap(recorded.input_kwargs ?? {}, options), tensors };
}

function prepareModule(name: string, recorded: ModuleCase, device: string): LooseModule {
  const module = buildModule(name, recorded.args, recorded.kwargs, device);
  // As when it was recorded: whatever was given to the constructor, the module itself is float32.
  if (!Object.values(recorded.state_dict).some(({ tensor }) => tensor === 'float64'))
    module.float();
  loadState(module, recorded.state_dict, device);
  if (recorded.train) module.train();
  else module.eval();
  return module;
}

async function checkRun(
  name: string,
  recorded: ModuleCase,
  device: string,
  layout: Layout,
): Promise<string | undefined> {
  const module = prepareModule(name, recorded, device);
  const inputs = prepareInputs(recorded, device, layout);
  const call = module as unknown as Callable;
  const output = await call(...withOptions(inputs.args, inputs.kwargs));
  const difference = await compareResult(output, recorded.output, { ...SUMS, indices: true });
  if (difference) return `output: ${difference}`;
  const after = recorded.state_dict_after ?? {};
  const changed = await compareState(module.stateDict(), after, SUMS);
  if (changed) return `state afterwards: ${changed}`;
  return checkGradients(module, output, recorded, inputs, device);
}

async function checkGradients(
  module: LooseModule,
  output: unknown,
  recorded: ModuleCase,
  inputs: Inputs,
  device: string,
): Promise<string | undefined> {
  const cotangents = recorded.cotangents ?? [];
  if (cotangents.length === 0) return undefined;
  const problem = backward(flattenResult(output), cotangents, device);
  if (problem) return problem;
  for (const [path, expected] of Object.entries(recorded.input_grads ?? {})) {
    const difference = await compareGradient(inputs.tensors.get(path)?.grad, expected, SUMS);
    if (difference) return `gradient of input ${path}: ${difference}`;
  }
  const parameters = new Map(pairs(module.namedParameters()));
  for (const [path, expected] of Object.entries(recorded.param_grads ?? {})) {
    const parameter = parameters.get(path);
    if (!isTensorValue(parameter)) return `no parameter ${path}`;
    const difference = await compareGradient(parameter.grad, expected, forSums(expected));
    if (difference) return `gradient of ${path}: ${difference}`;
  }
  return undefined;
}

/** Runs every case of one module file, with its inputs in every layout. */
export async function runModule(file: ModuleFile, device: string): Promise<Outcome> {
  const checks = new Checks();
  for (const [index, recorded] of file.cases.entries()) {
    const label = recorded.label ? `case ${index} (${recorded.label})` : `case ${index}`;
    for (const layout of LAYOUTS) {
      const run = () => checkRun(file.module, recorded, device, layout);
      await checks.check(`${label}, ${layout}`, run);
    }
    const { repr } = recorded;
    if (repr === undefined) continue;
    await checks.check(`${label}, printed`, async () => {
      const printed = String(prepareModule(file.module, recorded, device));
      return printed === repr
        ? undefined
        : `${JSON.stringify(printed)}, expected ${JSON.stringify(repr)}`;
    });
  }
  return checks.outcome();
}
