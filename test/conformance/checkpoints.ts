/** Loads recorded checkpoint files and compares what is in them. */

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { type Callable, dtypeName, isTensorValue, requireFunction } from './adapter.js';
import { ACCUMULATED, type CompareOptions, compareResult, compareTensor } from './compare.js';
import { storedDtype } from './device.js';
import { type Encoded, type EncodedTensor, isTensor } from './format.js';
import { Checks, describeError, isBareError, type Outcome } from './report.js';
import { makeTensor } from './values.js';

/** The recorded contents: a state dict, and a whole model's input and output. */
export interface ExpectedCheckpoints {
  readonly state_dict?: Readonly<Record<string, EncodedTensor>>;
  readonly input?: EncodedTensor;
  readonly output?: Encoded;
  readonly [file: string]: unknown;
}

const OPTIONS: CompareOptions = { tolerance: ACCUMULATED, int64: true };

/** All string-keyed objects inside loaded data, the outermost first. */
function* dictionaries(value: unknown, depth = 0): Generator<Record<string, unknown>> {
  if (value === null || typeof value !== 'object' || isTensorValue(value) || depth > 4) return;
  const entries =
    value instanceof Map ? Object.fromEntries(value) : (value as Record<string, unknown>);
  yield entries;
  for (const inner of Object.values(entries)) yield* dictionaries(inner, depth + 1);
}

/** Loads to a device. Throws NotApplicable if it has no dtype for a tensor of the file. */
async function load(path: string, device = 'cpu'): Promise<unknown> {
  const read = (options: object) =>
    requireFunction('load')(new Uint8Array(readFileSync(path)), options);
  if (device === 'cpu') return read({});
  for (const dictionary of dictionaries(await read({}))) {
    for (const value of Object.values(dictionary)) {
      if (isTensorValue(value)) storedDtype(dtypeName(value.dtype), device);
    }
  }
  return read({ mapLocation: device });
}

async function checkHostile(path: string): Promise<string | undefined> {
  try {
    await load(path);
  } catch (error) {
    if (error instanceof Error && error.name === 'Missing') throw error;
    if (error instanceof Error && !isBareError(error)) return undefined;
    return `threw ${describeError(error)}, expected a typed error`;
  }
  return 'loaded a file that must be refused';
}

async function checkState(
  loaded: unknown,
  expected: Readonly<Record<string, EncodedTensor>>,
): Promise<string | undefined> {
  const names = Object.keys(expected);
  for (const dictionary of dictionaries(loaded)) {
    if (!names.every((name) => name in dictionary)) continue;
    for (const name of names) {
      const difference = await compareTensor(dictionary[name], expected[name]!, OPTIONS);
      if (difference) return `${name}: ${difference}`;
    }
    return undefined;
  }
  return 'the recorded state dict is not in it';
}

/** The state of a loaded module, or what was loaded. */
function stateOf(loaded: unknown): unknown {
  if (typeof loaded !== 'function') return loaded;
  return (loaded as unknown as { stateDict(): unknown }).stateDict();
}

async function checkModel(
  loaded: unknown,
  expected: ExpectedCheckpoints,
  device: string,
): Promise<string | undefined> {
  if (typeof loaded !== 'function' || !expected.input || expected.output === undefined) return;
  (loaded as unknown as { eval(): void }).eval();
  const output = await (loaded as Callable)(makeTensor(expected.input, device));
  return compareResult(output, expected.output, OPTIONS);
}

async function checkFile(
  path: string,
  expected: ExpectedCheckpoints,
  device: string,
): Promise<string | undefined> {
  const name = basename(path).replace(/\.[^.]+$/, '');
  if (name.startsWith('hostile')) return checkHostile(path);
  const loaded = await load(path, device);
  const own = expected[name];
  if (own !== undefined && name !== 'state_dict') {
    if (isTensor(own as Encoded)) return compareTensor(loaded, own as EncodedTensor, OPTIONS);
    return checkState(stateOf(loaded), own as Record<string, EncodedTensor>);
  }
  const model = await checkModel(loaded, expected, device);
  if (model) return `output of the loaded model: ${model}`;
  const state = stateOf(loaded);
  if (!expected.state_dict || !holdsState(state)) return undefined;
  const [outermost] = dictionaries(state);
  const recorded = Object.keys(expected.state_dict);
  if (recorded.every((key) => key in outermost!)) return checkState(state, expected.state_dict);
  return checkShapes(state, expected.state_dict);
}

/** A state dict inside a training checkpoint was taken after other steps: only its form is known. */
function checkShapes(
  loaded: unknown,
  expected: Readonly<Record<string, EncodedTensor>>,
): string | undefined {
  const fits = ([name, { shape }]: [string, EncodedTensor], found: Record<string, unknown>) => {
    const tensor = found[name];
    return isTensorValue(tensor) && String(tensor.shape) === String(shape);
  };
  for (const dictionary of dictionaries(loaded)) {
    if (Object.entries(expected).every((entry) => fits(entry, dictionary))) return undefined;
  }
  return 'no state dict of the recorded names and shapes is in it';
}

/** Files of other kinds (views, dtypes) have no recorded contents: loading them is the check. */
function holdsState(loaded: unknown): boolean {
  for (const dictionary of dictionaries(loaded)) {
    if (Object.keys(dictionary).some((key) => /\.(weight|bias)$/.test(key))) return true;
  }
  return false;
}

/** Runs one checkpoint file. */
export async function runCheckpoint(
  path: string,
  expected: ExpectedCheckpoints,
  device: string,
): Promise<Outcome> {
  const checks = new Checks();
  await checks.check('load', () => checkFile(path, expected, device));
  return checks.outcome();
}
