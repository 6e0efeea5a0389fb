/** Runs the recordings that are lists: optim, lr_scheduler, repr and random. */

import {
  construct,
  findFunction,
  findMethod,
  isTensorValue,
  type LooseTensor,
  Missing,
  requireFunction,
  withoutGrad,
} from './adapter.js';
import {
  ACCUMULATED,
  type CompareOptions,
  compareResult,
  compareTensor,
  EXACTING,
} from './compare.js';
import { NotApplicable, requireNamedDtypes } from './device.js';
import { type Encoded, type EncodedMap, type EncodedTensor, fieldsOf } from './format.js';
import { compareState } from './modules.js';
import { DEVICE, evaluate, evaluateResults } from './python.js';
import { Checks, type Outcome } from './report.js';
import { decodeMap, makeTensor } from './values.js';

const VALUES: CompareOptions = { tolerance: EXACTING, int64: false };

interface Optimizer {
  step(closure?: () => unknown): unknown;
  zeroGrad(): void;
  readonly paramGroups: { lr: number }[];
}

interface OptimRecord {
  readonly optimizer: string;
  readonly kwargs: EncodedMap;
  readonly init?: readonly EncodedTensor[];
  readonly grads?: readonly (readonly EncodedTensor[])[];
  readonly params?: Readonly<Record<string, readonly EncodedTensor[]>>;
  readonly rosenbrock_start?: readonly number[];
  readonly losses?: readonly number[];
  readonly final?: readonly number[];
}

function optimizer(name: string, parameters: LooseTensor[], kwargs: EncodedMap): Optimizer {
  const options = decodeMap(kwargs, { device: 'cpu', layout: 'contiguous' });
  const args = Object.keys(options).length === 0 ? [parameters] : [parameters, options];
  return construct(`optim.${name}`, args) as Optimizer;
}

/** Parameters after some of the steps with fixed gradients. */
async function checkSteps(record: OptimRecord, device: string): Promise<string | undefined> {
  const parameters = record.init!.map((value) => makeTensor(value, device).requiresGrad_());
  const opt = optimizer(record.optimizer, parameters, record.kwargs);
  for (const [index, grads] of record.grads!.entries()) {
    parameters.forEach((parameter, i) => {
      parameter.grad = makeTensor(grads[i]!, device);
    });
    await opt.step();
    const expected = record.params![String(index + 1)] ?? [];
    for (const [i, value] of expected.entries()) {
      const difference = await compareTensor(parameters[i], value, VALUES);
      if (difference) return `parameter ${i} after step ${index + 1}: ${difference}`;
    }
  }
  return undefined;
}

function isNear(actual: number, expected: number, tolerance = ACCUMULATED): boolean {
  const bound = tolerance.absolute + tolerance.relative * Math.abs(expected);
  return Math.abs(actual - expected) <= bound;
}

/** Losses and the end of steps with a closure on Rosenbrock's function, in float64. */
async function checkRosenbrock(record: OptimRecord, device: string): Promise<string | undefined> {
  const start = { tensor: 'float64', shape: [2], data: record.rosenbrock_start! };
  const point = makeTensor(start, device).requiresGrad_();
  const opt = optimizer(record.optimizer, [point], record.kwargs);
  const closure = (): unknown => {
    opt.zeroGrad();
    const loss = evaluate('(1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2', { p: point });
    (loss as LooseTensor).backward();
    return loss;
  };
  for (const [index, expected] of record.losses!.entries()) {
    const loss = await opt.step(closure);
    const value = isTensorValue(loss) ? Number(await loss.item()) : Number(loss);
    if (!isNear(value, expected)) return `loss ${value} at step ${index}, expected ${expected}`;
  }
  const final = { tensor: 'float64', shape: [2], data: record.final! };
  const actual = point.to(requireDtype('float32'));
  const rounded = { ...final, tensor: 'float32' };
  return compareTensor(actual, rounded, { tolerance: ACCUMULATED, int64: false });
}

function requireDtype(name: string): unknown {
  return evaluate(`torch.${name}`);
}

async function checkOptim(record: OptimRecord, device: string): Promise<string | undefined> {
  if (record.rosenbrock_start) return checkRosenbrock(record, device);
  return checkSteps(record, device);
}

interface SchedulerRecord {
  readonly scheduler: string;
  readonly kwargs: Readonly<Record<string, unknown>>;
  readonly base_lr: number;
  readonly lrs: readonly number[];
  readonly metrics?: readonly number[];
}

/** `['StepLR', {...}]`: a scheduler inside another one's arguments. */
function isNested(value: unknown): value is [string, Record<string, unknown>] {
  return Array.isArray(value) && typeof value[0] === 'string' && fieldsOf(value[1]) !== undefined;
}

function schedulerArgument(value: unknown, opt: Optimizer): unknown {
  if (Array.isArray(value) && value.every(isNested)) {
    return value.map(([name, kwargs]) => scheduler(name, kwargs, opt));
  }
  return value;
}

function scheduler(name: string, kwargs: Readonly<Record<string, unknown>>, opt: Optimizer) {
  const plain: Record<string, Encoded> = {};
  const made: Record<string, unknown> = {};
  let nested: unknown;
  for (const [key, value] of Object.entries(kwargs)) {
    if (key.endsWith('_lambda') && typeof value === 'string') {
      made[key.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase())] = (epoch: number) =>
        evaluate(value, { epoch });
    } else if (key === 'schedulers') nested = schedulerArgument(value, opt);
    else plain[key] = value as Encoded;
  }
  const options = { ...decodeMap(plain, { device: 'cpu', layout: 'contiguous' }), ...made };
  // ChainedScheduler takes its schedulers alone; the others take the optimiser first.
  const first =
    name === 'ChainedScheduler' ? [nested] : nested === undefined ? [opt] : [opt, nested];
  const args = Object.keys(options).length === 0 ? first : [...first, options];
  return construct(`optim.lr_scheduler.${name}`, args) as { step(metric?: number): void };
}

async function checkScheduler(
  record: SchedulerRecord,
  device: string,
): Promise<string | undefined> {
  const zero = () => makeTensor({ tensor: 'float32', shape: [1], data: [0] }, device);
  const parameter = zero().requiresGrad_();
  const kwargs = { lr: record.base_lr, momentum: 0.9 };
  const opt = optimizer('SGD', [parameter], kwargs);
  const rates = scheduler(record.scheduler, record.kwargs, opt);
  for (const [index, expected] of record.lrs.entries()) {
    const actual = opt.paramGroups[0]!.lr;
    const bound = 1e-9 * Math.abs(expected) + 1e-12;
    if (!(Math.abs(actual - expected) <= bound)) {
      return `rate ${actual} after ${index} steps, expected ${expected}`;
    }
    parameter.grad = zero();
    opt.step();
    if (record.metrics) rates.step(record.metrics[index]);
    else rates.step();
  }
  return undefined;
}

interface ReprRecord {
  readonly tensor: EncodedTensor;
  readonly requires_grad: boolean;
  readonly op: string | null;
  readonly repr: string;
}

/** `mul by 2`, `exp`: an operation with at most one number. */
function applyOperation(tensor: LooseTensor, operation: string): LooseTensor {
  const [, name, operand] = /^(\w+)(?: (?:by )?(-?[\d.]+))?$/.exec(operation) ?? [];
  const method = name === undefined ? undefined : findMethod(tensor, name);
  if (!method) throw new Missing(`Tensor.${name ?? operation}`);
  return method(...(operand === undefined ? [] : [Number(operand)])) as LooseTensor;
}

async function checkRepr(record: ReprRecord, device: string): Promise<string | undefined> {
  if (device !== 'cpu') throw new NotApplicable('the text of a tensor is made on the CPU');
  let tensor = makeTensor(record.tensor, device);
  if (record.requires_grad) tensor = tensor.requiresGrad_();
  if (record.op !== null) {
    tensor = applyOperation(tensor, record.op);
    // The recorded tensor is the result: what stays is how it came about.
    const { shape } = tensor;
    if (shape.join() === record.tensor.shape.join()) {
      withoutGrad(() => tensor.detach().copy_(makeTensor(record.tensor, device)));
    }
  }
  const printed = String(tensor);
  if (printed === record.repr) return undefined;
  return `${JSON.stringify(printed)}, expected ${JSON.stringify(record.repr)}`;
}

interface RandomRecord {
  readonly seed: number;
  readonly torch: string;
  readonly values?: Encoded;
  readonly state_dict?: Readonly<Record<string, EncodedTensor>>;
  /** The double drawn next. */
  readonly next?: number;
}

/** Rounding of logarithms, sines and sums. */
const DRAWN = { relative: 1e-6, absolute: 1e-6 };
const DRAWN_DOUBLE = { relative: 1e-12, absolute: 1e-12 };

/** What is drawn by the device itself, or needs numbers read back. */
const DRAWN_THERE = /dropout|rrelu|gumbel|poisson/;

async function checkRandom(record: RandomRecord, device: string): Promise<string | undefined> {
  const elsewhere = device !== 'cpu';
  if (elsewhere && DRAWN_THERE.test(record.torch)) {
    throw new NotApplicable(`${device} draws no numbers of PyTorch's CPU for ${DRAWN_THERE}`);
  }
  requireNamedDtypes(record.torch, device);
  requireFunction('manual_seed')(record.seed);
  const results = evaluateResults(record.torch, elsewhere ? { [DEVICE]: device } : {});
  const wide = record.torch.includes('int64');
  const options =
    record.next === undefined
      ? VALUES
      : { tolerance: DRAWN, doubles: DRAWN_DOUBLE, int64: wide, float64: false };
  let difference: string | undefined;
  if (record.state_dict) {
    const module = results.at(-1) as { stateDict(): unknown };
    difference = await compareState(module.stateDict(), record.state_dict, {
      ...options,
      int64: true,
    });
  } else {
    const tensors = results.filter(isTensorValue);
    const actual = tensors.length === 1 ? tensors[0] : tensors;
    difference = await compareResult(actual, record.values ?? null, options);
  }
  if (difference || record.next === undefined) return difference;
  const next = await (evaluate('torch.rand((), dtype=torch.float64)') as LooseTensor).item();
  return next === record.next ? undefined : `draws ${next} next, expected ${record.next}`;
}

async function single(run: () => Promise<string | undefined>): Promise<Outcome> {
  const checks = new Checks();
  await checks.check('', run);
  const outcome = checks.outcome();
  return { ...outcome, reasons: outcome.reasons.map((reason) => reason.replace(/^: /, '')) };
}

/** An entry to run, by name. */
export interface Entry {
  readonly name: string;
  /** What `--list` compares with: an operator, a module, a class; or the record's kind. */
  readonly subject: string;
  run(): Promise<Outcome>;
}

/** Kinds whose recordings are one list, with the name and the check of each record. */
const KINDS = {
  optim: {
    subject: (record: OptimRecord) => record.optimizer,
    check: checkOptim,
  },
  lr_scheduler: {
    subject: (record: SchedulerRecord) => record.scheduler,
    check: checkScheduler,
  },
  repr: {
    subject: (record: ReprRecord) => record.repr.split('\n')[0]!.slice(0, 50),
    check: checkRepr,
  },
  random: {
    subject: (record: RandomRecord) => `${record.torch} seed ${record.seed}`,
    check: checkRandom,
  },
} as const;

export type ListKind = keyof typeof KINDS;
export const LIST_KINDS = Object.keys(KINDS) as ListKind[];

/** The entries of a recorded list. Names that occur twice are numbered. */
export function listEntries(kind: ListKind, records: readonly unknown[], device: string): Entry[] {
  const { subject, check } = KINDS[kind] as unknown as {
    subject(record: unknown): string;
    check(record: unknown, device: string): Promise<string | undefined>;
  };
  return records.map((record, index) => ({
    name: `${kind}/${subject(record)} #${index}`,
    subject: subject(record),
    run: () => single(() => check(record, device)),
  }));
}

/** Whether the library can do what a whole kind needs. */
export function available(name: string): boolean {
  return findFunction(name) !== undefined;
}
