/** Reductions of [outer, n, inner] over n on the GPU. */

import extremeSource from '../../../kernels/extreme.wgsl';
import source from '../../../kernels/reduce.wgsl';
import { bool, type Dtype, int32, suffix } from '../../core/dtype.js';
import type { Element, GpuKernel } from '../../device/webgpu/kernel.js';
import type { Tensor } from '../../tensor.js';
import type { KernelDtype } from '../kernel.js';
import { truthMask } from '../primitives/mask.js';
import type { BufferRef, Launcher } from '../row.js';
import { castKernel } from './cast.js';
import { momentKernels, momentLaunches } from './moments.js';
import { groupsOf, type Split, split, splitParams, teamKernel } from './team.js';
import type { Twin, Twins } from './twin.js';

type Operand = Tensor | BufferRef;
type Sizes = readonly number[];

const quotient = { ...splitParams, divisor: 'f64', power: 'f64', exponent: 'f64' } as const;
const truth = { ...splitParams, mask: 'u32' } as const;

interface Fold {
  readonly identity: string;
  readonly meet: string;
  readonly term?: string;
  /** What becomes of a result `v`: of floats, and of integers. */
  readonly finish?: string;
}

function text({ identity, meet, term = 'get_x(i)', finish = 'v' }: Fold): string {
  return `fn identity() -> S { return ${identity}; }
fn term(i: u32) -> S { return ${term}; }
fn meet(a: S, b: S) -> S { return ${meet}; }
fn finish_f32(v: f32) -> f32 { return ${finish}; }
fn finish_i32(v: i32) -> i32 { return v; }
fn finish_u32(v: u32) -> u32 { return v; }
${source}`;
}

const common = { entry: 'reduce', buffers: { x: 'S', out: 'S' } as Record<string, Element> };

function sumOf(term: string | undefined, dtypes: readonly KernelDtype[]) {
  const fold = { identity: 'S(0)', meet: 'a + b', term, finish: 'quotient(v)' };
  // A sum becomes a mean by its divisor, a p-norm by the power 1 / p.
  const finish = `fn quotient(sum: f32) -> f32 {
  let v = select(sum / p.divisor, sum, p.divisor == 1.0);
  if (p.power == 0.5) { return sqrt_f32(v); }
  if (p.power == 1.0) { return v; }
  return pow_f32(v, p.power);
}
`;
  return teamKernel({ ...common, source: finish + text(fold), dtypes, params: quotient });
}

function foldOf(identity: string, meet: string, term?: string) {
  const dtypes: readonly KernelDtype[] = term === undefined ? ['f32', 'i32'] : ['f32'];
  return teamKernel({
    ...common,
    source: text({ identity, meet, term }),
    dtypes,
    params: splitParams,
  });
}

function truthOf(identity: string, meet: string) {
  const term = 'select(0u, 1u, (get_x(i) & p.mask) != 0u)';
  return teamKernel({
    source: text({ identity, meet, term }),
    entry: 'reduce',
    dtypes: ['b1', 'b2', 'b4'],
    buffers: { x: 'S', out: 'u32' },
    params: truth,
  });
}

export const sumKernel = sumOf(undefined, ['f32', 'i32']);
const kernels = {
  sum: sumKernel,
  prod: foldOf('S(1)', 'a * b'),
  amax: foldOf('lowest_()', 'max_(a, b)'),
  amin: foldOf('highest_()', 'min_(a, b)'),
  sumNonzero: sumOf('select(1.0, 0.0, (bitcast<u32>(get_x(i)) << 1u) == 0u)', ['f32']),
  sumAbs: sumOf('abs_f32(get_x(i))', ['f32']),
  sumSquares: sumOf('get_x(i) * get_x(i)', ['f32']),
  sumPowers: sumOf('pow_f32(abs_f32(get_x(i)), p.exponent)', ['f32']),
  amaxAbs: foldOf('S(0)', 'max_(a, b)', 'abs_f32(get_x(i))'),
  aminAbs: foldOf('highest_()', 'min_(a, b)', 'abs_f32(get_x(i))'),
  any: truthOf('0u', 'a | b'),
  all: truthOf('1u', 'a & b'),
};

type Level = (depth: number, from: Operand, to: Operand, sizes: Split, last: boolean) => void;

function groups({ results, team }: Split): number {
  return groupsOf(results, team);
}

/** The levels of a reduction tree, from x to out. */
function reduceTree(
  launcher: Launcher,
  x: Operand,
  out: Operand,
  [outer, size, inner]: Sizes,
  partial: Dtype,
  level: Level,
): void {
  let from = x;
  let n = size;
  for (let depth = 0; ; depth++) {
    const sizes = split(outer, n, inner);
    const last = sizes.blocks === 1;
    const to = last ? out : launcher.scratch(sizes.results, partial);
    level(depth, from, to, sizes, last);
    if (last) return;
    from = to;
    n = sizes.blocks;
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
  reduceTree(launcher, x, out, sizes, x.dtype, (_, from, to, level, last) => {
    const values = { ...level, divisor: last ? divisor : 1, power: 1, exponent: 1 };
    launcher.launch('sum', sumKernel, dtype, [from, to], values, groups(level));
  });
}

function fold(name: 'prod' | 'amax' | 'amin'): Twin<'prod' | 'amax' | 'amin'> {
  const kernel = kernels[name];
  return {
    kernels: { [name]: kernel },
    run(launcher, [x], [out]) {
      reduceTree(launcher, x, out, x.shape, x.dtype, (_, from, to, level) => {
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
      reduceTree(launcher, x, words, x.shape, int32, (depth, from, to, level) => {
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
  reduceTree(launcher, x, places, x.shape, int32, (depth, from, to, sizes, last) => {
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
      const plain = !infinite ? 'sum' : p > 0 ? 'amax' : 'amin';
      const named = ({ 0: 'sumNonzero', 1: 'sumAbs', 2: 'sumSquares' } as const)[p] ?? 'sumPowers';
      const first = infinite ? (`${plain}Abs` as const) : named;
      reduceTree(launcher, x, out, x.shape, x.dtype, (depth, from, to, level, last) => {
        const name = depth === 0 ? first : plain;
        const power = last && p !== 0 ? 1 / p : 1;
        const values = { ...level, divisor: 1, power, exponent: p };
        launcher.launch(name, normKernels[name], 'f32', [from, to], values, groups(level));
      });
    },
  },
};
