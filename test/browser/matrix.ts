/** The operator matrix without a test runner: every row of the table against its judge. */

import * as torch from '../../ts/index.js';
import { applyPointwise } from '../../ts/ops/apply.js';
import { type OpName, table } from '../../ts/ops/table.js';
import type { PointwiseJudge, SampledJudge } from '../judges/judge.js';
import { judges } from '../judges.js';
import {
  blocks,
  columnsOf,
  compare,
  compareIntegers,
  EPSILON,
  GPU,
  integerTuples,
  LAYOUTS,
  operands,
  pointwiseNames,
  relaid,
  rowOf,
  strided,
  tuples,
} from '../ops/matrix.js';
import { callsOf, names, type Tensor } from '../ops/samples.js';
import type { Check, MatrixReport } from './report.js';

type PointwiseOp = (typeof pointwiseNames)[number];

export type Where = 'cpu' | 'webgpu';

/** What a device computes in, and how far off it may be. */
interface Target {
  readonly device: Where;
  readonly floats: readonly torch.Dtype[];
  readonly integers: readonly torch.Dtype[];
  readonly layouts: readonly string[];
  readonly arithmetic: typeof GPU | undefined;
  /** What a row with kernels of its own may be off whose judge says `rtol`. */
  tolerance(rtol: number, dtype: torch.Dtype): Tolerance;
}

interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** Four times PyTorch's tolerance for float32. */
const GPU_MOST: Tolerance = { rtol: 4 * 1.3e-6, atol: 4e-5 };

const TARGETS: Record<Where, Target> = {
  cpu: {
    device: 'cpu',
    floats: [...EPSILON.keys()],
    integers: [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8],
    layouts: Object.keys(LAYOUTS),
    arithmetic: undefined,
    tolerance: (judged, dtype) => {
      const rtol = dtype === torch.float32 ? judged : 3 * (EPSILON.get(dtype) as number);
      return { rtol, atol: rtol };
    },
  },
  // A processor that plays a GPU compiles slowly: the other layouts are asked in Node.
  webgpu: {
    device: 'webgpu',
    floats: [torch.float32],
    integers: [torch.int32],
    layouts: ['transposed'],
    arithmetic: GPU,
    tolerance: (judged) => ({
      rtol: Math.min(judged, GPU_MOST.rtol),
      atol: judged === 0 ? 0 : GPU_MOST.atol,
    }),
  },
};

type Finding = Omit<Check, 'row' | 'device'>;

const found = (dtype: torch.Dtype, layout: string, failures: readonly string[]): Finding => ({
  dtype: dtype.name,
  layout,
  failures,
});

/** A check that ends in an error fails with it. */
async function attempt(
  dtype: torch.Dtype,
  layout: string,
  run: () => Promise<readonly string[]>,
): Promise<Finding> {
  const failures = await run().catch((error: Error) => [`${error.name}: ${error.message}`]);
  return found(dtype, layout, failures);
}

const move = (list: readonly Tensor[], { device }: Target) => list.map((x) => x.to(device));

/** What `out` is instead of being on the device and in the dtype asked for. */
function misplaced(out: Tensor, dtype: torch.Dtype, { device }: Target): string[] {
  const wrong = [];
  if (out.device !== device) wrong.push(`the result is on ${out.device}`);
  if (out.dtype !== dtype) wrong.push(`the result is ${out.dtype.name}, not ${dtype.name}`);
  return wrong;
}

async function floats(op: PointwiseOp, dtype: torch.Dtype, target: Target): Promise<string[]> {
  const judge = judges[op] as PointwiseJudge;
  const list = tuples(op, judge, dtype);
  const inputs = move(operands(op, columnsOf(list), dtype), target);
  const out = applyPointwise(op, inputs, judge.scalars);
  const result = rowOf(op).result === 'bool' ? torch.bool : dtype;
  return [
    ...misplaced(out, result, target),
    ...compare(op, judge, dtype, list, await out.data(), target.arithmetic),
  ];
}

async function integers(op: PointwiseOp, dtype: torch.Dtype, target: Target): Promise<string[]> {
  const values = dtype === torch.uint8 ? [1, 2, 3, 7, 0, 100] : [1, -2, 3, -7, 0, 100];
  const list = integerTuples(op, values);
  const inputs = move(operands(op, columnsOf(list), dtype), target);
  const { scalars } = judges[op] as PointwiseJudge;
  const out = applyPointwise(op, inputs, scalars?.map(Math.ceil));
  const result = rowOf(op).result === 'bool' ? torch.bool : dtype;
  return [...misplaced(out, result, target), ...compareIntegers(op, dtype, list, await out.data())];
}

/** Another layout of all operands gives the very same values. */
async function relayout(op: PointwiseOp, layout: string, target: Target): Promise<string[]> {
  const lay = LAYOUTS[layout] as (x: Tensor) => Tensor;
  const { scalars } = judges[op] as PointwiseJudge;
  const plain = move(blocks(op), target);
  const all = plain.map((x) => relaid(x, lay));
  const [expected, actual] = await Promise.all(
    [plain, all].map((inputs) => applyPointwise(op, inputs, scalars).tolist()),
  );
  const [want, got] = [expected, actual].map((x) => String(x));
  return got === want ? [] : [`is ${got}, not ${want}`];
}

async function pointwiseFindings(op: PointwiseOp, target: Target): Promise<Finding[]> {
  const { domain } = rowOf(op);
  const findings: Promise<Finding>[] = [];
  for (const dtype of domain === 'int' ? [] : target.floats) {
    findings.push(attempt(dtype, 'contiguous', () => floats(op, dtype, target)));
  }
  for (const dtype of domain === 'real' ? [] : target.integers) {
    findings.push(attempt(dtype, 'contiguous', () => integers(op, dtype, target)));
  }
  const dtype = domain === 'int' ? torch.int32 : torch.float32;
  for (const layout of target.layouts) {
    findings.push(attempt(dtype, layout, () => relayout(op, layout, target)));
  }
  return Promise.all(findings);
}

/** How the outputs differ from those of the CPU's float64. */
async function differences(
  outputs: readonly Tensor[],
  references: readonly Tensor[],
  dtype: torch.Dtype,
  tolerance: Tolerance,
): Promise<string[]> {
  const actual = await Promise.all(outputs.map((x) => x.cpu()));
  return references.flatMap((reference, i) => {
    const out = actual[i] as Tensor;
    const same = reference.dtype === torch.float64 ? reference.to(dtype) : reference;
    if (String(out.shape) !== String(same.shape)) {
      return [`output ${i} is [${out.shape}], not [${same.shape}]`];
    }
    if (out.dtype !== same.dtype) {
      return [`output ${i} is ${out.dtype.name}, not ${same.dtype.name}`];
    }
    if (torch.allclose(out.double(), same.double(), { ...tolerance, equalNan: true })) return [];
    return [`output ${i} is ${out.tolistSync()}, not ${same.tolistSync()}`];
  });
}

const filled = (x: Tensor) => (x.numel() > 0 ? strided(x) : x);

async function sampledFindings(op: OpName, target: Target): Promise<Finding[]> {
  const { rtol } = judges[op] as SampledJudge<object>;
  const exact = callsOf(op, torch.float64);
  const findings: Promise<Finding>[] = [];
  for (const dtype of target.floats) {
    const calls = callsOf(op, dtype);
    for (const [k, { name, inputs, run }] of calls.entries()) {
      const wide = () => run(inputs.map((x) => (x.dtype === dtype ? x.double() : x)));
      const most = target.tolerance(rtol, dtype);
      const check = (given: readonly Tensor[]) => async () =>
        differences(run(move(given, target)), wide(), dtype, most);
      findings.push(attempt(dtype, `${name}, contiguous`, check(inputs)));
      if (dtype !== torch.float32 || table[op].kind === 'view') continue;
      const other = exact[k]?.inputs.map((x, i) => filled(x.to((inputs[i] as Tensor).dtype)));
      findings.push(attempt(dtype, `${name}, strided`, check(other as Tensor[])));
    }
  }
  return Promise.all(findings);
}

/** The rows on a device, in the dtypes and layouts it is asked for; nothing stops the rest. */
export async function runMatrix(
  device: Where,
  rows: readonly OpName[] = names,
): Promise<MatrixReport> {
  const target = TARGETS[device];
  const checks: Check[] = [];
  const pointwise: readonly string[] = pointwiseNames;
  for (const row of rows) {
    const findings = pointwise.includes(row)
      ? await pointwiseFindings(row as PointwiseOp, target)
      : await sampledFindings(row, target);
    checks.push(...findings.map((finding) => ({ row, device, ...finding })));
  }
  return {
    isolated: globalThis.crossOriginIsolated === true,
    threads: torch.getNumThreads(),
    checks,
  };
}
