/** Reductions of [outer, n, inner] over n on the GPU. */

import extremeSource from '../../../kernels/extreme.wgsl';
import source from '../../../kernels/reduce.wgsl';
import columnsSource from '../../../kernels/reduce_columns.wgsl';
import { bool, type Dtype, int32, suffix } from '../../core/dtype.js';
import type { LaunchBlock } from '../../device/device.js';
import type { Uses } from '../../device/webgpu/features.js';
import { type Element, type GpuKernel, gpuKernel } from '../../device/webgpu/kernel.js';
import type { Tensor } from '../../tensor.js';
import type { KernelDtype, ParamType } from '../kernel.js';
import { truthMask } from '../primitives/mask.js';
import type { BufferRef, Launcher } from '../row.js';
import { castKernel } from './cast.js';
import { momentKernels, momentLaunches } from './moments.js';
import {
  aligned,
  groupsOf,
  powerOfTwo,
  type Split,
  split,
  splitParams,
  teamKernel,
} from './team.js';
import type { Twin, Twins } from './twin.js';

type Operand = Tensor | BufferRef;

/** Invocations of a workgroup that takes columns. */
const COLUMNS_WORKGROUP = 64;
/** Elements that a single workgroup reduces in no time. */
const FEW = 4096;
/** Contiguous lines from this length on are cut into columns. */
const LONG = 256;
type Sizes = readonly number[];

const quotient = { ...splitParams, divisor: 'f64', power: 'f64', exponent: 'f64' } as const;
const truth = { ...splitParams, mask: 'u32' } as const;

interface Fold {
  readonly dtypes: readonly KernelDtype[];
  readonly identity: string;
  readonly meet: string;
  readonly term?: string;
  /** What becomes of a result `v` of floats. */
  readonly finish?: string;
}

function text({ identity, meet, term = 'v', finish = 'v' }: Fold): string {
  return `fn identity() -> S { return ${identity}; }
fn term(v: S) -> S { return ${term}; }
fn meet(a: S, b: S) -> S { return ${meet}; }
fn finish_f32(v: f32) -> f32 { return ${finish}; }
fn finish_i32(v: i32) -> i32 { return v; }
fn finish_u32(v: u32) -> u32 { return v; }
`;
}

const common = { entry: 'reduce', buffers: { x: 'S', out: 'S' } as Record<string, Element> };

/**
 * Stand for the team of a launch that takes columns, see kernels/reduce_columns.wgsl: of one that
 * ends the reduction, and of one that does not.
 */
const LAST_COLUMNS = 0;
const COLUMNS = 3;

/** A reduction of words, by teams or by columns. */
function reduction<const P extends Readonly<Record<string, ParamType>> & typeof splitParams>(
  fold: Fold,
  params: P,
) {
  const { dtypes } = fold;
  const folded = text(fold);
  const teams = teamKernel({ ...common, dtypes, params, source: folded + source });
  const [whole, part] = ['finish_(v)', 'v'].map((end) =>
    gpuKernel({
      ...common,
      dtypes,
      params,
      source: `${folded}fn ended(v: S) -> S { return ${end}; }\n${columnsSource}`,
      workgroup: COLUMNS_WORKGROUP,
      wide: true,
    }),
  );
  const word = teams.buffers.length;
  const choose = (block: LaunchBlock, uses: Uses) => {
    const team = block.words[word];
    if (team === LAST_COLUMNS) return whole;
    return team === COLUMNS ? part : (teams.choose?.(block, uses) ?? teams);
  };
  return { ...teams, choose };
}

function sumOf(dtypes: readonly KernelDtype[], finish: string, term?: string) {
  return reduction({ dtypes, identity: 'S(0)', meet: 'a + b', term, finish }, quotient);
}

/** Sums of terms, of which the end is a power. */
function rootOf(term?: string) {
  return sumOf(['f32'], 'select(pow_f32(v, p.power), v, p.power == 1.0)', term);
}

function foldOf(identity: string, meet: string, term?: string) {
  const dtypes: readonly KernelDtype[] = term === undefined ? ['f32', 'i32'] : ['f32'];
  return reduction({ dtypes, identity, meet, term }, splitParams);
}

function truthOf(identity: string, meet: string) {
  const dtypes: readonly KernelDtype[] = ['b1', 'b2', 'b4'];
  const term = 'select(0u, 1u, (v & p.mask) != 0u)';
  return teamKernel({
    source: text({ dtypes, identity, meet, term }) + source,
    entry: 'reduce',
    dtypes,
    buffers: { x: 'S', out: 'u32' },
    params: truth,
  });
}

export const sumKernel = sumOf(['f32', 'i32'], 'select(v / p.divisor, v, p.divisor == 1.0)');
const kernels = {
  sum: sumKernel,
  prod: foldOf('S(1)', 'a * b'),
  amax: foldOf('lowest_()', 'max_(a, b)'),
  amin: foldOf('highest_()', 'min_(a, b)'),
  sumRoot: rootOf(),
  sumNonzero: rootOf('select(1.0, 0.0, (bitcast<u32>(v) << 1u) == 0u)'),
  sumAbs: rootOf('abs_f32(v)'),
  sumSquares: sumOf(['f32'], 'select(sqrt_f32(v), v, p.power == 1.0)', 'v * v'),
  sumPowers: rootOf('pow_f32(abs_f32(v), p.exponent)'),
  amaxAbs: foldOf('S(0)', 'max_(a, b)', 'abs_f32(v)'),
  aminAbs: foldOf('highest_()', 'min_(a, b)', 'abs_f32(v)'),
  any: truthOf('0u', 'a | b'),
  all: truthOf('1u', 'a & b'),
};

/** A level of a reduction tree, and how many of a line are left after it. */
interface Level extends Split {
  readonly left: number;
}

/** Rows an invocation takes where it takes columns. */
function rowsOf(n: number): number {
  return n <= 256 ? Math.max(n, 1) : Math.min(256, Math.max(64, Math.ceil(Math.sqrt(n))));
}

/** The next level for [outer, n, inner] if its elements are words that lie in whole vectors. */
function columns(outer: number, n: number, inner: number): Level | undefined {
  const line = n * inner;
  if (line % 4 !== 0 || outer * line <= FEW) return undefined;
  if (inner > 1) {
    if (inner % 4 !== 0) return undefined;
    const block = rowsOf(n);
    const blocks = Math.ceil(n / block);
    const results = (outer * blocks * inner) / 4;
    const team = blocks === 1 ? LAST_COLUMNS : COLUMNS;
    return { team, n: line, inner, block, blocks, results, left: blocks };
  }
  if (n < LONG) return undefined;
  // Neighbouring invocations read neighbours, and each leaves a sum of its own.
  const width = 4 * Math.max(8, powerOfTwo(n / 256));
  const block = Math.ceil(n / width);
  const results = (outer * width) / 4;
  return { team: COLUMNS, n, inner: width, block, blocks: 1, results, left: width };
}

type Emit = (depth: number, from: Operand, to: Operand, sizes: Split, last: boolean) => void;

function groups({ results, team }: Split): number {
  const byColumns = team === COLUMNS || team === LAST_COLUMNS;
  return byColumns ? Math.ceil(results / COLUMNS_WORKGROUP) : groupsOf(results, team);
}

/** The levels of a reduction tree, from x to out; `wide` if its kernel can take columns. */
function reduceTree(
  launcher: Launcher,
  x: Operand,
  out: Operand,
  [outer, size, inner]: Sizes,
  partial: Dtype,
  wide: boolean,
  emit: Emit,
): void {
  let from = x;
  let n = size;
  for (let depth = 0; ; depth++) {
    const vectors = wide && aligned(from) && aligned(out);
    const by = vectors ? columns(outer, n, inner) : undefined;
    const sizes = by ?? split(outer, n, inner);
    const left = by?.left ?? sizes.blocks;
    const last = left === 1;
    const to = last ? out : launcher.scratch(outer * left * inner, partial);
    const { team, n: line, inner: across, block, blocks, results } = sizes;
    emit(depth, from, to, { team, n: line, inner: across, block, blocks, results }, last);
    if (last) return;
    from = to;
    n = left;
  }
}

/** Emits out = sum(x) / divisor over the middle of `sizes`; float32 or int32. */
export function emitSum(
  launcher: Launcher,
  x: Operand,
  out: Operand,
  sizes: Sizes,
  divisor = 1,
): void {
  const dtype = suffix(x.dtype);
  reduceTree(launcher, x, out, sizes, x.dtype, true, (_, from, to, level, last) => {
    const values = { ...level, divisor: last ? divisor : 1, power: 1, exponent: 1 };
    launcher.launch('sum', sumKernel, dtype, [from, to], values, groups(level));
  });
}

function fold(name: 'prod' | 'amax' | 'amin'): Twin<'prod' | 'amax' | 'amin'> {
  const kernel = kernels[name];
  return {
    kernels: { [name]: kernel },
    run(launcher, [x], [out]) {
      reduceTree(launcher, x, out, x.shape, x.dtype, true, (_, from, to, level) => {
        launcher.launch(name, kernel, suffix(x.dtype), [from, to], level, groups(level));
      });
    },
  };
}

/** Truths are words until the last step packs them into bytes. */
function truthTwin(name: 'any' | 'all'): Twin<'any' | 'all'> {
  const kernel = kernels[name];
  return {
    kernels: { [name]: kernel, cast: castKernel },
    run(launcher, [x], [out]) {
      const results = x.shape[0] * x.shape[2];
      const words = launcher.scratch(results, int32);
      reduceTree(launcher, x, words, x.shape, int32, false, (depth, from, to, level) => {
        const dtype = depth === 0 ? x.dtype : int32;
        const values = { ...level, mask: truthMask(dtype).maskLow };
        const width = `b${dtype.size}` as KernelDtype;
        launcher.launch(name, kernel, width, [from, to], values, groups(level));
      });
      const codes = { source: int32.code, goal: bool.code };
      launcher.launch('cast', castKernel, 'any', [words, out], codes, results);
    },
  };
}

const extremeKernel = teamKernel({
  source: extremeSource,
  entry: 'extreme',
  dtypes: ['f32', 'i32'],
  buffers: { x: 'S', picked: 'u32', values: 'S', places: 'i32' },
  params: { ...splitParams, size: 'u32', least: 'u32', level: 'u32', valued: 'u32' },
});

/** Places of the largest (or least) of n, and the values there if they are wanted. */
function emitExtreme(
  launcher: Launcher,
  x: Tensor,
  values: Operand | undefined,
  places: Operand,
  least: number,
): void {
  const size = x.shape[1];
  reduceTree(launcher, x, places, x.shape, int32, false, (depth, from, to, sizes, last) => {
    const valued = Number(last && values !== undefined);
    const params = { ...sizes, size, least, level: depth, valued };
    const buffers = [x, from, values ?? to, to];
    launcher.launch('extreme', extremeKernel, suffix(x.dtype), buffers, params, groups(sizes));
  });
}

type ExtremeName = 'argmax' | 'argmin' | 'maxDim' | 'minDim';

function extreme(least: number, valued: boolean): Twin<ExtremeName> {
  return {
    kernels: { extreme: extremeKernel },
    run(launcher, [x], outputs) {
      const [values, places] = valued ? outputs : [undefined, outputs[0]];
      emitExtreme(launcher, x, values, places, least);
    },
  };
}

const normKernels: Readonly<Record<string, GpuKernel>> = kernels;

type ReduceName =
  | 'sum'
  | 'prod'
  | 'amax'
  | 'amin'
  | 'any'
  | 'all'
  | 'varMean'
  | 'vectorNorm'
  | ExtremeName;

export const reduceTwins: Twins<ReduceName> = {
  sum: {
    kernels: { sum: sumKernel },
    run(launcher, [x], [out], { divisor = 1 }) {
      emitSum(launcher, x, out, x.shape, divisor);
    },
  },
  prod: fold('prod'),
  amax: fold('amax'),
  amin: fold('amin'),
  any: truthTwin('any'),
  all: truthTwin('all'),
  argmax: extreme(0, false),
  argmin: extreme(1, false),
  maxDim: extreme(0, true),
  minDim: extreme(1, true),
  varMean: {
    kernels: momentKernels,
    run(launcher, [x], [variance, mean], { correction }) {
      const [outer, n, inner] = x.shape;
      const from = { base: n * inner, length: Math.max(n, 1), step: 0 };
      const divisor = Math.max(0, n - correction);
      momentLaunches(launcher, x, split(outer, n, inner), from, { variance, mean, divisor });
    },
  },
  vectorNorm: {
    kernels: normKernels,
    run(launcher, [x], [out], { p }) {
      const infinite = Math.abs(p) === Number.POSITIVE_INFINITY;
      const plain = !infinite ? 'sumRoot' : p > 0 ? 'amax' : 'amin';
      const named = ({ 0: 'sumNonzero', 1: 'sumAbs', 2: 'sumSquares' } as const)[p] ?? 'sumPowers';
      const first = infinite ? (p > 0 ? 'amaxAbs' : 'aminAbs') : named;
      reduceTree(launcher, x, out, x.shape, x.dtype, true, (depth, from, to, level, last) => {
        const name = depth === 0 ? first : plain;
        const power = last && p !== 0 ? 1 / p : 1;
        const values = { ...level, divisor: 1, power, exponent: p };
        launcher.launch(name, normKernels[name], 'f32', [from, to], values, groups(level));
      });
    },
  },
};
