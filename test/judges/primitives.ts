/** Judges of the rows with kernels of their own: canonical calls with small inputs. */

import { noGrad, type Tensor } from '../../ts/index.js';
import type { attentionGradients } from '../../ts/ops/gradients_attention.js';
import type { recurrentGradients } from '../../ts/ops/gradients_recurrent.js';
import type { sequenceGradients } from '../../ts/ops/gradients_sequence.js';
import type { nnPrimitives } from '../../ts/ops/primitives/nn.js';
import type { AttributesOf, PrimitiveName } from '../../ts/ops/table.js';
import type { InputSpec, Range, Sample, SampledJudge } from './judge.js';

/** Floats of a range, all different. */
export function real(shape: readonly number[], range: Range = [-2, 2]): InputSpec {
  return { shape, range };
}

export function int(shape: readonly number[], ...values: number[]): InputSpec {
  return { shape, values, as: 'int' };
}

function bits(shape: readonly number[], ...values: number[]): InputSpec {
  return { shape, values, as: 'bool' };
}

function given(shape: readonly number[], ...values: number[]): InputSpec {
  return { shape, values };
}

export function call<A>(
  name: string,
  inputs: readonly (InputSpec | undefined)[],
  attributes: A,
  prepare?: Sample<A>['prepare'],
): Sample<A> {
  return { name, inputs, attributes, ...(prepare && { prepare }) };
}

export function judge<A>(
  rtol: number,
  samples: readonly Sample<NoInfer<A>>[],
  differentiable?: readonly number[],
): SampledJudge<A> {
  return { kind: 'sampled', samples, rtol, ...(differentiable && { differentiable }) };
}

const MIDDLE = [2, 4, 3];

/** Rows over the middle of [outer, n, inner] without attributes of their own. */
function along<A>(attributes: A, range?: Range): Sample<A>[] {
  return [
    call('a middle dimension', [real(MIDDLE, range)], attributes),
    call('a last dimension', [real([2, 5, 1], range)], attributes),
    call('one element', [real([1, 1, 1], range)], attributes),
  ];
}

const PRODUCTS: Sample<Record<never, never>>[] = [
  call('no zero', [real([1, 4, 2])], {}),
  call('one zero', [given([1, 4, 1], 2, 0, -1, 3)], {}),
  call('two zeros', [given([1, 4, 1], 0, 2, 0, 3)], {}),
];

const INDEX = int([2, 2, 3], 0, 3, 1, 2, 2, 0, 1, 1, 3, 0, 2, 1);
const ROWS = int([3], 2, 0, 2);
const OWN_ROWS = int([2], 3, 1);
const MASK = bits([2, 3], 1, 0, 1, 1, 0, 0);
const STARTS = int([2], 0, 3);

type Kernels = Exclude<PrimitiveName, keyof typeof nnPrimitives>;

export const kernelJudges: { readonly [K in Kernels]: SampledJudge<AttributesOf<K>> } = {
  sum: judge(1e-6, [
    ...along({}),
    call('mean', [real(MIDDLE)], { divisor: 4 }),
    call('nothing to add', [real([2, 0, 2])], {}),
  ]),
  prod: judge(1e-6, [...PRODUCTS, call('nothing to multiply', [real([2, 0, 2])], {})]),
  amax: judge(0, along({})),
  amin: judge(0, along({})),
  any: judge(0, [call('a middle dimension', [real(MIDDLE)], {})]),
  all: judge(0, [call('a middle dimension', [real(MIDDLE)], {})]),
  argmax: judge(0, [call('a middle dimension', [real(MIDDLE)], {})]),
  argmin: judge(0, [call('a middle dimension', [real(MIDDLE)], {})]),
  maxDim: judge(0, along({})),
  minDim: judge(0, along({})),
  varMean: judge(1e-5, [
    call('unbiased', [real(MIDDLE)], { correction: 1 }),
    call('biased', [real([2, 5, 1])], { correction: 0 }),
  ]),
  vectorNorm: judge(1e-5, [
    call('2', [real(MIDDLE)], { p: 2 }),
    call('1', [real(MIDDLE)], { p: 1 }),
    call('3', [real(MIDDLE, [0.5, 2])], { p: 3 }),
    call('0.5', [real(MIDDLE, [0.5, 2])], { p: 0.5 }),
    call('infinity', [real(MIDDLE)], { p: Number.POSITIVE_INFINITY }),
    call('minus infinity', [real(MIDDLE)], { p: Number.NEGATIVE_INFINITY }),
    call('-1', [real(MIDDLE, [0.5, 2])], { p: -1 }),
  ]),

  softmax: judge(1e-5, along({})),
  logSoftmax: judge(1e-5, along({})),
  softmaxBackward: judge(1e-5, [
    call('a middle dimension', [real(MIDDLE), real(MIDDLE, [0.1, 0.5])], {}),
  ]),
  logSoftmaxBackward: judge(1e-5, [
    call('a middle dimension', [real(MIDDLE), real(MIDDLE, [-3, -0.5])], {}),
  ]),

  cumsum: judge(1e-5, [...along({}), call('reverse', [real(MIDDLE)], { reverse: true })]),
  cumprod: judge(1e-5, [
    ...along({}),
    call('reverse', [real(MIDDLE)], { reverse: true }),
    call('a zero', [given([1, 4, 1], 2, 0, -1, 3)], {}),
    call('exclusive', [given([1, 4, 1], 2, 0, -1, 3)], { exclusive: true }),
    call('exclusive, reversed', [real(MIDDLE)], { exclusive: true, reverse: true }),
  ]),
  recurrence: judge(
    1e-5,
    [0, 1].flatMap((lag) =>
      [false, true].map((reverse) =>
        call(`lag ${lag}, reverse ${reverse}`, [real(MIDDLE), real(MIDDLE)], { lag, reverse }),
      ),
    ),
  ),
  logcumsumexp: judge(1e-5, [...along({}), call('reverse', [real(MIDDLE)], { reverse: true })]),
  cummax: judge(0, along({})),
  cummin: judge(0, along({})),

  sort: judge(0, [
    call('ascending', [real(MIDDLE)], { descending: false }),
    call('descending', [real([1, 5, 2])], { descending: true }),
  ]),
  topk: judge(0, [
    call('largest', [real(MIDDLE)], { k: 2, largest: true }),
    call('the third', [real(MIDDLE)], { k: 3, largest: false, first: 2 }),
    call('smallest', [real([1, 5, 2])], { k: 3, largest: false }),
  ]),
  searchsorted: judge(0, [
    call('left', [given([4], 0, 1, 2, 3), real([3], [0, 3])], { right: false }),
  ]),
  runStarts: judge(0, [call('runs', [given([5], 1, 1, 2, 2, 1)], {})]),

  matmul: judge(1e-5, [
    call('batched', [real([2, 3, 4]), real([2, 4, 2]), undefined], {}),
    call('with a bias', [real([1, 3, 4]), real([1, 4, 2]), real([2])], {}),
    call('outer product', [real([1, 3, 1]), real([1, 1, 2]), undefined], {}),
    call('no depth', [real([1, 3, 0]), real([1, 0, 2]), undefined], {}),
    call('activated', [real([2, 3, 4]), real([2, 4, 5]), undefined], { activation: 'relu' }),
    call('activated, with a bias', [real([1, 3, 4]), real([1, 4, 2]), real([2])], {
      activation: 'relu',
    }),
  ]),

  // Given values, so that as integers and bools too the singular values are distinct and not 0.
  svd: judge(1e-5, [
    call('square', [given([1, 3, 3], 2.5, 1, 0, 0, 1.25, -1, 0, 0, -0.75)], { full: true }),
    call('tall', [given([2, 3, 2], 2.5, 1, 0, 1.75, 0, 1, 1, 0, -2.5, 0.75, -1, 0)], {
      full: false,
    }),
    call('wide', [given([1, 2, 3], 3, -1.5, 1, 0, 1.25, -2)], { full: false }),
    call('one column', [given([1, 3, 1], 1, -2, 0.75)], { full: false }),
    call('no rows', [given([1, 0, 2])], { full: false }),
  ]),

  gather: judge(0, [call('every column its own', [real(MIDDLE), INDEX], {})]),
  gatherBackward: judge(1e-6, [call('repeated places', [real([2, 2, 3]), INDEX], { n: 4 })]),
  scatter: judge(0, [
    call('distinct places', [real([1, 4, 1]), int([1, 2, 1], 3, 1), real([1, 2, 1])], {}),
  ]),
  scatterAdd: judge(1e-6, [call('repeated places', [real(MIDDLE), INDEX, real([2, 2, 3])], {})]),
  scatterReduce: judge(1e-5, [
    call('prod', [real([1, 4, 1], [1, 2]), int([1, 2, 1], 3, 3), real([1, 2, 1], [1, 2])], {
      mode: 'prod',
    }),
    call('amax', [real([1, 4, 1]), int([1, 2, 1], 3, 1), real([1, 2, 1], [-1.9, 2.1])], {
      mode: 'amax',
    }),
    call('amin', [real([1, 4, 1]), int([1, 2, 1], 3, 1), real([1, 2, 1], [-1.9, 2.1])], {
      mode: 'amin',
    }),
  ]),
  indexSelect: judge(0, [
    call('repeated rows', [real(MIDDLE), ROWS], {}),
    call('negative rows', [real(MIDDLE), int([2], -1, 0)], { wrap: true }),
  ]),
  indexSelectBackward: judge(1e-6, [
    call('repeated rows', [real([2, 3, 3]), ROWS], { n: 4 }),
    call('a row left out', [real([2, 3, 3]), ROWS], { n: 4, skip: 0 }),
  ]),
  indexAdd: judge(1e-5, [
    call('repeated rows', [real(MIDDLE), ROWS, real([2, 3, 3])], {}),
    call('scaled', [real(MIDDLE), ROWS, real([2, 3, 3])], { alpha: -0.5 }),
  ]),
  indexCopy: judge(0, [call('own rows', [real(MIDDLE), OWN_ROWS, real([2, 2, 3])], {})]),
  indexFill: judge(0, [call('own rows', [real(MIDDLE), OWN_ROWS], { value: 2 })]),
  takeFlat: judge(0, [call('repeated places', [real([2, 3]), int([4], 5, 0, 5, 2)], {})]),
  putFlat: judge(0, [call('own places', [real([2, 3]), int([2], 4, 1), real([2])], {})]),
  putAddFlat: judge(1e-6, [
    call('repeated places', [real([2, 3]), int([3], 4, 1, 4), real([3])], {}),
  ]),
  takeBackward: judge(1e-6, [
    call('repeated places', [real([4]), int([4], 5, 0, 5, 2)], { shape: [2, 3] }),
  ]),
  triangle: judge(0, [
    call('upper', [real([2, 3, 4])], { diagonal: 1, upper: true }),
    call('lower', [real([3, 3])], { diagonal: -1, upper: false }),
  ]),
  countTrue: judge(0, [call('some', [given([5], 1, 0, 2, 0, 0)], {})]),
  nonzeroFill: judge(0, [call('some', [given([5], 1, 0, 2, 0, 3), int([2], 0, 3)], { count: 3 })]),
  maskedSelect: judge(0, [call('some', [real([2, 3]), MASK, STARTS], { count: 3 })]),
  maskedScatter: judge(0, [call('some', [real([2, 3]), MASK, STARTS, real([4])], { count: 3 })]),
};

const CONV = { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 } as const;
const STRIDED = { stride: [2, 1], padding: [1, 2], dilation: [1, 2], groups: 2 } as const;
const POOL = { kernelSize: [2, 2], stride: [2, 2], padding: [0, 0], ceilMode: false } as const;
const UNEVEN = { kernelSize: [3, 2], stride: [2, 1], padding: [1, 1], ceilMode: true } as const;
const AVERAGE = { countIncludePad: true, divisorOverride: 0 } as const;

const EPS = 1e-3;

/** g, x and a weight as the inputs of a norm's backward; statistics over `dims` of x. */
function withStatistics(dims: number[]) {
  return ([g, x, weight]: readonly Tensor[]): Tensor[] => {
    const [mean, rstd] = noGrad(() => {
      const m = x.mean(dims);
      return [m, x.var_(dims, { correction: 0 }).add(EPS).rsqrt()];
    });
    return [g, x, mean, rstd, weight];
  };
}

/** g, x, target, weight and total as the inputs of the backward of cross-entropy. */
function withLogSum([g, x, target, weight, total]: readonly Tensor[]): (Tensor | undefined)[] {
  const [most, logSum] = noGrad(() => {
    const m = x.amax(1);
    return [m, x.sub(m.unsqueeze(1)).exp().sum(1).log()];
  });
  return [g, x, target, most, logSum, weight, total];
}

const TARGET = int([2, 3], 1, 0, 3, 2, 1, 0);
const WEIGHT: InputSpec = { shape: [4], range: [0.5, 1.5], constant: true };
const TOTAL: InputSpec = { shape: [1], range: [2, 3], constant: true };

export const nnJudges: {
  readonly [K in Exclude<
    keyof typeof nnPrimitives,
    | keyof typeof recurrentGradients
    | keyof typeof sequenceGradients
    | keyof typeof attentionGradients
  >]: SampledJudge<AttributesOf<K>>;
} = {
  conv2d: judge(1e-5, [
    call('plain, with a bias', [real([2, 2, 4, 4]), real([3, 2, 3, 2]), real([3])], CONV),
    call(
      'strided, padded, dilated, grouped',
      [real([1, 4, 5, 4]), real([2, 2, 3, 2]), undefined],
      STRIDED,
    ),
    call('whole', [real([2, 3, 2, 3]), real([4, 3, 2, 3]), real([4])], CONV),
  ]),
  conv2dInputGrad: judge(1e-5, [
    call('plain', [real([2, 3, 2, 3]), real([3, 2, 3, 2])], { ...CONV, inputSize: [4, 4] }),
    call('strided', [real([1, 2, 3, 6]), real([2, 2, 3, 2])], { ...STRIDED, inputSize: [5, 4] }),
    call('whole', [real([2, 4, 1, 1]), real([4, 3, 2, 3])], { ...CONV, inputSize: [2, 3] }),
  ]),
  conv2dWeightGrad: judge(1e-5, [
    call('plain', [real([2, 2, 4, 4]), real([2, 3, 2, 3])], { ...CONV, kernelSize: [3, 2] }),
    call('strided', [real([1, 4, 5, 4]), real([1, 2, 3, 6])], { ...STRIDED, kernelSize: [3, 2] }),
    call('whole', [real([2, 3, 2, 3]), real([2, 4, 1, 1])], { ...CONV, kernelSize: [2, 3] }),
  ]),
  maxPool2d: judge(
    0,
    [
      call('plain', [real([1, 2, 4, 4])], { ...POOL, dilation: [1, 1] }),
      call('overlapping, padded', [real([1, 1, 5, 4])], { ...UNEVEN, dilation: [1, 1] }),
      call('dilated', [real([1, 1, 5, 5])], { ...POOL, stride: [1, 1], dilation: [2, 2] }),
    ],
    [0],
  ),
  maxPool2dBackward: judge(0, [
    call('plain', [real([1, 1, 2, 2]), int([1, 1, 2, 2], 1, 2, 12, 15)], {
      ...POOL,
      dilation: [1, 1],
      inputSize: [4, 4],
    }),
  ]),
  avgPool2d: judge(1e-5, [
    call('plain', [real([1, 2, 4, 4])], { ...POOL, ...AVERAGE }),
    call('padding not counted', [real([1, 1, 5, 4])], {
      ...UNEVEN,
      ...AVERAGE,
      countIncludePad: false,
    }),
    call('own divisor', [real([1, 1, 5, 4])], { ...UNEVEN, ...AVERAGE, divisorOverride: 3 }),
  ]),
  avgPool2dBackward: judge(1e-5, [
    call('plain', [real([1, 2, 2, 2])], { ...POOL, ...AVERAGE, inputSize: [4, 4] }),
  ]),
  adaptiveAvgPool2d: judge(1e-5, [
    call('uneven windows', [real([1, 2, 5, 4])], { outputSize: [3, 2] }),
    call('larger than the input', [real([1, 1, 2, 2])], { outputSize: [3, 3] }),
  ]),
  adaptiveAvgPool2dBackward: judge(1e-5, [
    call('uneven windows', [real([1, 2, 3, 2])], { inputSize: [5, 4] }),
  ]),
  groupNorm: judge(
    1e-4,
    [
      call('affine', [real([2, 2, 2, 3]), real([4]), real([4])], { eps: EPS }),
      call('plain', [real([2, 1, 5, 1]), undefined, undefined], { eps: EPS }),
    ],
    [0],
  ),
  groupNormBackward: judge(1e-4, [
    call(
      'affine',
      [real([2, 2, 2, 3]), real([2, 2, 2, 3], [-1, 3]), real([4], [0.5, 2])],
      { affine: true },
      withStatistics([2, 3]),
    ),
    call(
      'plain',
      [real([2, 1, 5, 1]), real([2, 1, 5, 1], [-1, 3])],
      { affine: false },
      withStatistics([2, 3]),
    ),
  ]),
  batchNorm: judge(
    1e-4,
    [
      call('affine', [real([2, 3, 2]), real([3]), real([3])], { eps: EPS }),
      call('plain', [real([4, 2, 1]), undefined, undefined], { eps: EPS }),
    ],
    [0],
  ),
  batchNormBackward: judge(1e-4, [
    call(
      'affine',
      [real([2, 3, 2]), real([2, 3, 2], [-1, 3]), real([3], [0.5, 2])],
      {},
      withStatistics([0, 2]),
    ),
  ]),
  batchNormInference: judge(1e-5, [
    call('affine', [real([2, 3, 2]), real([3]), real([3], [0.5, 2]), real([3]), real([3])], {
      eps: EPS,
    }),
    call('plain', [real([2, 3, 2]), real([3]), real([3], [0.5, 2]), undefined, undefined], {
      eps: EPS,
    }),
  ]),
  crossEntropy: judge(
    1e-5,
    [
      call('plain', [real([2, 4, 3]), TARGET, undefined], {}),
      call('weights, smoothing, one ignored', [real([2, 4, 3]), TARGET, WEIGHT], {
        ignoreIndex: 3,
        labelSmoothing: 0.1,
      }),
      call('their sum', [real([2, 4, 3]), TARGET, undefined], { reduction: 'sum' }),
      call('their mean', [real([2, 4, 3]), TARGET, WEIGHT], {
        ignoreIndex: 3,
        labelSmoothing: 0.1,
        reduction: 'mean',
      }),
    ],
    [0],
  ),
  crossEntropyBackward: judge(1e-5, [
    call('plain', [real([2, 3]), real([2, 4, 3]), TARGET], {}, withLogSum),
    call('sum', [real([1]), real([2, 4, 3]), TARGET], { reduction: 'sum' }, withLogSum),
    call(
      'mean',
      [real([1]), real([2, 4, 3]), TARGET, WEIGHT, TOTAL],
      { reduction: 'mean', ignoreIndex: 0 },
      withLogSum,
    ),
  ]),
  nllLoss: judge(
    1e-5,
    [
      call('plain', [real([2, 4, 3]), TARGET, undefined], {}),
      call('weights, one ignored', [real([2, 4, 3]), TARGET, WEIGHT], { ignoreIndex: 0 }),
      call('their sum', [real([2, 4, 3]), TARGET, WEIGHT], { reduction: 'sum' }),
      call('their mean', [real([2, 4, 3]), TARGET, WEIGHT], { reduction: 'mean', ignoreIndex: 0 }),
    ],
    [0],
  ),
  nllLossBackward: judge(1e-5, [
    call('plain', [real([2, 3]), TARGET, undefined], { classes: 4 }),
    call('mean', [real([1]), TARGET, WEIGHT, TOTAL], { classes: 4, reduction: 'mean' }),
  ]),
};
