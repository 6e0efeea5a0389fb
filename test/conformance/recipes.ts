/** Runs recorded trainings whose model and steps are written down as Python expressions. */

import { type LooseModule, type LooseTensor, lookup, requireFunction } from './adapter.js';
import type { CompareOptions, Tolerance } from './compare.js';
import { requireDtype, requireNamedDtypes } from './device.js';
import type { EncodedTensor } from './format.js';
import { compareState } from './modules.js';
import { evaluate } from './python.js';
import { makeTensor } from './values.js';

interface Run {
  readonly losses: readonly number[];
  readonly final: Readonly<Record<string, EncodedTensor>>;
}

export interface RecipeRecord {
  readonly name: string;
  readonly recipe: {
    readonly modules: Readonly<Record<string, string>>;
    readonly forward: string;
    readonly loss: string;
    readonly optimizer: string;
    readonly scheduler?: string;
    /** What happens between backward() and step(). */
    readonly backward?: string;
  };
  readonly seed: number;
  readonly batches: readonly (readonly EncodedTensor[])[];
  /** By dtype. */
  readonly runs: Readonly<Record<string, Run>>;
}

/** How far losses and weights may go apart: relative to a loss, and to the size of a tensor. */
export function trainingTolerance(dtype: string, device: string): number {
  if (dtype === 'float64') return 1e-9;
  return device === 'cpu' ? 1e-4 : 1e-3;
}

/** The children, made in the order of construction under the seed. */
function build({ recipe, seed }: RecipeRecord, dtype: string, device: string): LooseModule {
  const Base = lookup('nn.Module') as new () => LooseModule;
  const model = new Base() as LooseModule & Record<string, unknown>;
  requireFunction('manual_seed')(seed);
  const setDefault = requireFunction('set_default_dtype');
  setDefault(lookup(dtype));
  try {
    for (const [name, source] of Object.entries(recipe.modules)) model[name] = evaluate(source);
  } finally {
    setDefault(lookup('float32'));
  }
  return device === 'cpu' ? model : model.to(device);
}

/** A recorded input: floats are of the run's dtype, with the values they have in float32. */
function input(value: EncodedTensor, dtype: string, device: string): LooseTensor {
  if (value.tensor !== 'float32') return makeTensor(value, device);
  const data = value.data.map((x) => Math.fround(Number(x)));
  return makeTensor({ ...value, tensor: dtype, data }, device);
}

interface Stepper {
  zeroGrad(): void;
  step(): void;
}

/** Compares weights to a share of the largest one of a tensor. */
async function compareWeights(
  module: LooseModule,
  expected: Run['final'],
  relative: number,
): Promise<string | undefined> {
  for (const [name, value] of Object.entries(expected)) {
    const largest = Math.max(...value.data.map((x) => Math.abs(Number(x))));
    const tolerance: Tolerance = { relative, absolute: relative * largest };
    const options: CompareOptions = { tolerance, doubles: tolerance, int64: true };
    const difference = await compareState(module.stateDict(), { [name]: value }, options);
    if (difference) return difference;
  }
  return undefined;
}

/** Runs a recipe in a dtype; returns where it leaves the recorded way. */
export async function checkRecipe(
  record: RecipeRecord,
  dtype: string,
  device: string,
): Promise<string | undefined> {
  requireDtype(dtype, device);
  requireNamedDtypes(JSON.stringify(record.recipe), device);
  const { recipe, runs } = record;
  const module = build(record, dtype, device);
  const params = [...(module.parameters() as Iterable<LooseTensor>)];
  const opt = evaluate(recipe.optimizer, { params }) as Stepper;
  const scheduler = recipe.scheduler && (evaluate(recipe.scheduler, { opt }) as Stepper);
  const batches = record.batches.map((batch) => batch.map((x) => input(x, dtype, device)));
  const relative = trainingTolerance(dtype, device);
  for (const [index, expected] of runs[dtype]!.losses.entries()) {
    const [x, y] = batches[index % batches.length]!;
    opt.zeroGrad();
    const out = evaluate(recipe.forward, { self: module, x });
    const loss = evaluate(recipe.loss, { out, y }) as LooseTensor;
    loss.backward();
    if (recipe.backward) evaluate(recipe.backward, { params });
    opt.step();
    if (scheduler) scheduler.step();
    const actual = Number(await loss.item());
    if (!(Math.abs(actual - expected) <= relative * Math.abs(expected))) {
      return `loss ${actual} at step ${index}, expected ${expected}`;
    }
  }
  return compareWeights(module, runs[dtype]!.final, relative);
}
