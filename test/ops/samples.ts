/** Tensors for the samples of the judges. */

import * as torch from '../../ts/index.js';
import { applyPointwise, applyPrimitive, applyView } from '../../ts/ops/apply.js';
import type { PointwiseName } from '../../ts/ops/pointwise.js';
import type { OpName, PrimitiveName } from '../../ts/ops/table.js';
import { table } from '../../ts/ops/table.js';
import type { ViewName } from '../../ts/ops/views.js';
import {
  type InputSpec,
  type PointwiseJudge,
  type Range,
  type Sample,
  type SampledJudge,
  spread,
} from '../judges/judge.js';
import { judges } from '../judges.js';

export type Tensor = torch.Tensor;

export const names = Object.keys(table) as OpName[];

/** One input of a sample in a dtype; integers and masks keep theirs. */
export function inputOf(spec: InputSpec, dtype: torch.Dtype, seed: number): Tensor {
  const count = spec.shape.reduce((a, b) => a * b, 1);
  const values = spec.values ?? spread(count, spec.range as Range, seed);
  const own = spec.as === 'int' ? torch.int32 : spec.as === 'bool' ? torch.bool : dtype;
  return torch.tensor([...values], { dtype: own }).reshape([...spec.shape]);
}

export interface Call {
  readonly name: string;
  readonly inputs: Tensor[];
  /** Which of them take gradients. */
  readonly wanted: boolean[];
  /** The row on the inputs that are there. */
  run(inputs: readonly Tensor[]): Tensor[];
}

/** The calls that the judge of a row asks for, with float inputs in `dtype`. */
export function callsOf(op: OpName, dtype: torch.Dtype): Call[] {
  const judge = judges[op];
  if (judge.kind === 'pointwise') return [pointwiseCall(op as PointwiseName, judge, dtype)];
  return (judge as SampledJudge<object>).samples.map((sample) => sampledCall(op, sample, dtype));
}

function pointwiseCall(op: PointwiseName, judge: PointwiseJudge, dtype: torch.Dtype): Call {
  const { inputs: count } = table[op];
  const masks = maskedInputs(op);
  const ranges = judge.smooth ?? judge.domain;
  const inputs = Array.from({ length: count }, (_, i) =>
    masks.includes(i)
      ? torch.tensor([true, false, true, false])
      : torch.tensor(spread(4, ranges[i] ?? ranges[0]!, i), { dtype }),
  );
  const wanted = inputs.map((_, i) => !masks.includes(i));
  return {
    name: 'elements',
    inputs,
    wanted,
    run: (list) => [applyPointwise(op, list, judge.scalars)],
  };
}

export function maskedInputs(op: OpName): readonly number[] {
  const row = table[op] as { masks?: readonly number[] };
  return row.masks ?? [];
}

function sampledCall(op: OpName, sample: Sample<object>, dtype: torch.Dtype): Call {
  const { attributes, prepare } = sample;
  const inputs = sample.inputs.flatMap((spec, i) => (spec ? [inputOf(spec, dtype, i)] : []));
  const wanted = sample.inputs.flatMap((spec) => (spec ? [!spec.as && !spec.constant] : []));
  const run = (list: readonly Tensor[]): Tensor[] => {
    const rest = [...list];
    const full = prepare ? prepare(list) : sample.inputs.map((spec) => spec && rest.shift());
    if (table[op].kind === 'view') {
      return [applyView(op as ViewName, full[0] as Tensor, attributes as never)];
    }
    return applyPrimitive(op as PrimitiveName, full, attributes as never);
  };
  return { name: sample.name, inputs, wanted, run };
}
