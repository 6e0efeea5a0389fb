/**
 * Runs whole recorded trainings. The model is rebuilt from what it prints. A recording of an own
 * class has its children but not its `forward`: the usual readings are tried, and the one whose
 * first loss is nearest to the recorded one is trained.
 */

import {
  construct,
  findMethod,
  isTensorValue,
  type LooseModule,
  type LooseTensor,
  lookup,
  Missing,
  requireFunction,
  withoutGrad,
} from './adapter.js';
import { ACCUMULATED } from './compare.js';
import { NotApplicable } from './device.js';
import type { EncodedMap, EncodedTensor } from './format.js';
import { compareState, loadState } from './modules.js';
import { checkRecipe, type RecipeRecord, trainingTolerance } from './recipes.js';
import { Checks, type Outcome } from './report.js';
import { buildTree, parseTree, type TreeNode } from './tree.js';
import { decodeMap, makeTensor } from './values.js';

export interface TrainingRecord {
  readonly name: string;
  readonly init: Readonly<Record<string, EncodedTensor>>;
  readonly batches: readonly (readonly EncodedTensor[])[];
  readonly loss: string;
  readonly optimizer: string;
  readonly kwargs: EncodedMap;
  readonly losses: readonly number[];
  readonly final: Readonly<Record<string, EncodedTensor>>;
  readonly repr: string;
}

type Forward = (x: LooseTensor) => LooseTensor;
type Step = (x: unknown) => unknown;

/** A model: what holds its state, and how it computes. */
interface Model {
  readonly module: LooseModule;
  readonly forward: Forward;
}

const apply = (name: string, ...args: unknown[]): Step => {
  return (x) => requireFunction(name)(x, ...args);
};

const method = (name: string, ...args: unknown[]): Step => {
  return (x) => findMethod(x, name)!(...args);
};

/** What may follow a layer, by the shape of what it gives. */
function between(value: unknown): Step[][] {
  if (Array.isArray(value)) return [[lastStep], [lastState]];
  const tensor = value as LooseTensor;
  const activations: Step[][] = [[], [apply('relu')], [apply('tanh')], [apply('sigmoid')]];
  if (tensor.shape.length !== 4) return activations;
  const pools: Step[][] = [
    [],
    [apply('nn.functional.max_pool2d', 2)],
    [apply('nn.functional.avg_pool2d', 2)],
  ];
  return activations.flatMap((activation) => pools.map((pool) => [...activation, ...pool]));
}

/** Recurrent layers give outputs and states: the last output, or the last layer's state. */
const lastStep: Step = (x) => ((x as unknown[])[0] as LooseTensor).select(1, -1);
const lastState: Step = (x) => {
  const state = (x as unknown[])[1];
  return ((Array.isArray(state) ? state[0] : state) as LooseTensor).select(0, -1);
};

/** How a layer may take what comes: a linear one flattens images or averages over them. */
function into(node: TreeNode, value: unknown): Step[][] {
  if (!isTensorValue(value) || node.type !== 'Linear') return [[]];
  if (value.shape.length === 4) return [[method('flatten', 1)], [method('mean', [2, 3])]];
  return value.shape.length === 3 ? [[], [method('mean', 1)]] : [[]];
}

/** Every usual forward over the children in order that gives a result of two dimensions. */
function* readings(
  nodes: readonly TreeNode[],
  layers: readonly Step[],
  input: unknown,
  taken: readonly Step[] = [],
): Generator<readonly Step[]> {
  const depth = layers.length - nodes.length;
  const [node, ...rest] = nodes;
  if (!node) {
    yield taken;
    return;
  }
  for (const before of into(node, input)) {
    const output = attempt([...before, layers[depth]!], input);
    if (output === undefined) continue;
    const follow = rest.length === 0 && isTensorValue(output) ? [[]] : between(output);
    for (const after of follow) {
      const next = attempt(after, output);
      if (next === undefined) continue;
      yield* readings(rest, layers, next, [...taken, ...before, layers[depth]!, ...after]);
    }
  }
}

/** Runs steps; undefined where the shapes do not fit. */
function attempt(steps: readonly Step[], input: unknown): unknown {
  try {
    return steps.reduce((x, step) => step(x), input);
  } catch (error) {
    if (error instanceof Missing) throw error;
    return undefined;
  }
}

/** A module of an own class with the given children. */
function container(node: TreeNode): { module: LooseModule; layers: Step[] } {
  const Base = lookup('nn.Module');
  if (typeof Base !== 'function') throw new Missing('torch.nn.Module');
  const module = Reflect.construct(Base, []) as LooseModule & Record<string, unknown>;
  const layers: Step[] = [];
  for (const child of node.children) {
    const built = buildTree(child);
    if (!built) throw new Missing(`torch.nn.${child.type}`);
    module[child.name] = built;
    layers.push(built as unknown as Step);
  }
  return { module, layers };
}

function lossOf(record: TrainingRecord): (output: unknown, target: unknown) => LooseTensor {
  return construct(`nn.${record.loss}`, []) as (output: unknown, target: unknown) => LooseTensor;
}

async function buildModel(record: TrainingRecord, device: string): Promise<Model> {
  const node = parseTree(record.repr);
  const whole = buildTree(node);
  if (whole) {
    const placed = device === 'cpu' ? whole : whole.to(device);
    loadState(placed, record.init, device);
    placed.train();
    return { module: placed, forward: placed as unknown as Forward };
  }
  const { module, layers } = container(node);
  if (device !== 'cpu') module.to(device);
  module.train();
  const [x, y] = record.batches[0]!.map((value) => makeTensor(value, device));
  const loss = lossOf(record);
  loadState(module, record.init, device);
  const candidates = [...withoutGrad(() => [...readings(node.children, layers, x)])];
  let best: { away: number; forward: Forward } | undefined;
  for (const steps of candidates) {
    const forward: Forward = (input) => steps.reduce<unknown>((v, s) => s(v), input) as LooseTensor;
    loadState(module, record.init, device);
    const result = attempt([forward as Step, (output) => loss(output, y)], x);
    if (!isTensorValue(result)) continue;
    const first = Number(await result.item());
    const away = Math.abs(first - record.losses[0]!);
    if (isNear(first, record.losses[0]!, device) && !(best && best.away <= away)) {
      best = { away, forward };
    }
  }
  if (best) {
    loadState(module, record.init, device);
    return { module, forward: best.forward };
  }
  throw new Error(
    `none of ${candidates.length} usual forwards of ${node.type} gives the first loss`,
  );
}

function isNear(actual: number, expected: number, device: string): boolean {
  const relative = trainingTolerance('float32', device);
  return Math.abs(actual - expected) <= relative * Math.abs(expected);
}

async function raisePeaks(module: LooseModule, peaks: Map<string, number>): Promise<void> {
  for (const [name, { grad }] of module.namedParameters() as Iterable<[string, LooseTensor]>) {
    const values = grad ? Array.from(await grad.data(), (g) => Math.abs(Number(g))) : [];
    peaks.set(name, Math.max(...values, peaks.get(name) ?? 0));
  }
}

/**
 * Trains a model as recorded; `double` in float64. Gives the state, or says which loss differs.
 * `peaks` is given the largest gradient of each parameter.
 */
async function train(
  record: TrainingRecord,
  device: string,
  double: boolean,
  peaks?: Map<string, number>,
): Promise<string | LooseModule> {
  const { module, forward } = await buildModel(record, device);
  const printed = String(buildTree(parseTree(record.repr)) ?? record.repr);
  if (printed !== record.repr) return `printed ${JSON.stringify(printed)}`;
  if (double) (module as LooseModule & { double(): unknown }).double();
  const loss = lossOf(record);
  const options = decodeMap(record.kwargs, { device, layout: 'contiguous' });
  const parameters = module.parameters();
  const opt = construct(`optim.${record.optimizer}`, [parameters, options]) as {
    zeroGrad(): void;
    step(): void;
  };
  const made = (value: EncodedTensor) => {
    const tensor = makeTensor(value, device);
    return double && value.tensor === 'float32' ? tensor.to(lookup('float64')) : tensor;
  };
  const batches = record.batches.map((batch) => batch.map(made));
  for (const [index, expected] of record.losses.entries()) {
    const [x, y] = batches[index % batches.length]!;
    opt.zeroGrad();
    const value = loss(forward(x!), y);
    value.backward();
    if (peaks) await raisePeaks(module, peaks);
    opt.step();
    const actual = Number(await value.item());
    if (!isNear(actual, expected, device))
      return `loss ${actual} at step ${index}, expected ${expected}`;
  }
  return module;
}

/** Hundreds of steps of rounding: the state is compared as what a long sum gives. */
const WEIGHTS = { relative: 1e-4, absolute: ACCUMULATED.absolute * 10 };
const WEIGHTS_ELSEWHERE = { ...WEIGHTS, relative: 1e-3 };

/** The names of the state that differ from the recorded end, with how. */
async function differing(
  record: TrainingRecord,
  trained: LooseModule,
  tolerance: typeof WEIGHTS,
): Promise<Map<string, string>> {
  const result = new Map<string, string>();
  const options = { tolerance, int64: true, float64: true };
  for (const [name, value] of Object.entries(record.final)) {
    const difference = await compareState(trained.stateDict(), { [name]: value }, options);
    if (difference) result.set(name, difference);
  }
  return result;
}

/**
 * What float32 leaves open: where a gradient is rounding noise (a bias in front of a batch norm),
 * Adam makes steps of it, also in PyTorch's float32; and running means contain such biases. In
 * float64 these gradients are next to nothing.
 */
async function leftOpen(record: TrainingRecord): Promise<Set<string>> {
  const peaks = new Map<string, number>();
  await train(record, 'cpu', true, peaks);
  const noise = Math.max(...peaks.values()) * 1e-12;
  const open = [...peaks.keys()].filter((name) => peaks.get(name)! < noise);
  const means = Object.keys(record.final).filter((name) => name.endsWith('running_mean'));
  return new Set(open.length > 0 ? [...open, ...means] : open);
}

/** Losses and what float32 settles of the state; all of it in float64 where the device has that. */
async function checkTraining(
  record: TrainingRecord,
  device: string,
  open: ReadonlySet<string>,
): Promise<string | undefined> {
  const tolerance = device === 'cpu' ? WEIGHTS : WEIGHTS_ELSEWHERE;
  for (const double of device === 'cpu' ? [false, true] : [false]) {
    const trained = await train(record, device, double);
    if (typeof trained === 'string') return trained;
    for (const [name, difference] of await differing(record, trained, tolerance)) {
      if (double || !open.has(name)) return difference;
    }
  }
  return undefined;
}

/** Runs one recorded training. */
export async function runTraining(
  record: TrainingRecord | RecipeRecord,
  device: string,
): Promise<Outcome> {
  const checks = new Checks();
  if ('recipe' in record) {
    for (const dtype of Object.keys(record.runs)) {
      await checks.check(dtype, () => checkRecipe(record, dtype, device));
    }
    return checks.outcome();
  }
  const open = await leftOpen(record);
  await checks.check('training', () => checkTraining(record, device, open));
  for (const name of device === 'cpu' ? [] : open) {
    await checks.check(name, async () => {
      throw new NotApplicable(`rounding in float32 decides ${name}`);
    });
  }
  return checks.outcome();
}
