/**
 * How the invocations of a workgroup share the lines of [outer, n, inner]: in teams, each of which
 * takes one line or one block of it. See kernels/group.wgsl.
 */

import group from '../../../kernels/group.wgsl';
import fold from '../../../kernels/group_fold.wgsl';
import subgroupFold from '../../../kernels/group_fold_subgroups.wgsl';
import type { Uses } from '../../device/webgpu/features.js';
import { type Element, type GpuKernel, gpuKernel } from '../../device/webgpu/kernel.js';
import type { Tensor } from '../../tensor.js';
import type { KernelDtype, ParamType } from '../kernel.js';
import type { BufferRef } from '../row.js';

/** Functions group_<name> of kernels/group_fold.wgsl: type, and what joins two values. */
const FOLDS = [
  ['sum_f32', 'f32', 'add_f32'],
  ['sum2_f32', 'vec2<f32>', 'add2_f32'],
  ['max_f32', 'f32', 'max_f32'],
  ['best', 'vec2<u32>', 'better'],
  // By the kernel's own function.
  ['meet_f32', 'f32', 'meet'],
  ['meet_i32', 'i32', 'meet'],
  ['meet_u32', 'u32', 'meet'],
] as const;

/**
 * Definitions for all kernels: what invocations of a workgroup do together, in subgroups of at
 * least `subgroup` if it is not 0.
 */
export function groupText({ subgroup }: Uses): string {
  const template = subgroup === 0 ? fold : `const SUBGROUP = ${subgroup}u;\n${subgroupFold}`;
  const folds = FOLDS.map(([name, type, join]) =>
    template.replaceAll('FOLD', name).replaceAll('TYPE', type).replaceAll('JOIN', join),
  );
  return [group, ...folds].join('\n');
}

/** The same for teams of one. */
const alone = FOLDS.map(
  ([name, type]) =>
    `fn group_${name}(value: ${type}, at: u32, team: u32) -> ${type} { return value; }`,
).join('\n');

/** Invocations of a workgroup, and the most of a team. Software adapters take long for larger groups. */
export const TEAM = 64;
/** Neighbouring lines that a workgroup should at least take, so that reads are of whole segments. */
const NEIGHBOURS = 16;
/** Lines from which on the GPU is filled without cutting them into blocks, if they are shorter. */
const MANY_LINES = 1024;
const LONG = 2 ** 17;

/** The least power of two that is not below `size`. */
export function powerOfTwo(size: number): number {
  return 2 ** Math.max(0, Math.ceil(Math.log2(size)));
}

/** Elements an invocation should take: joining its sum with others has its price too. */
function share(total: number): number {
  return total <= 2 ** 19 ? 32 : 64;
}

function mostOf(inner: number): number {
  return TEAM / Math.min(NEIGHBOURS, powerOfTwo(inner));
}

/** Invocations for each of `lines` lines of n: a power of two. */
export function teamOf(lines: number, n: number, inner: number): number {
  return Math.min(mostOf(inner), powerOfTwo(n / share(lines * n)));
}

/** Workgroups for `lines` lines. */
export function groupsOf(lines: number, team: number): number {
  return Math.ceil((lines * team) / TEAM);
}

/** Sizes of a reduction whose lines are cut into blocks: partial results [outer, blocks, inner]. */
export const splitParams = {
  team: 'u32',
  n: 'u32',
  inner: 'u32',
  block: 'u32',
  blocks: 'u32',
  results: 'u32',
} as const;

export type Split = { readonly [P in keyof typeof splitParams]: number };

/** The blocks of the lines of [outer, n, inner], by the sizes only. */
export function split(outer: number, n: number, inner: number): Split {
  const lines = outer * inner;
  const most = mostOf(inner) * share(lines * n);
  const whole = n <= most || (lines >= MANY_LINES && n <= LONG);
  const block = whole ? Math.max(n, 1) : most;
  const blocks = Math.max(1, Math.ceil(n / block));
  const results = lines * blocks;
  return { team: teamOf(results, Math.min(n, block), inner), n, inner, block, blocks, results };
}

/** Whether an operand begins at a whole vector of words. */
export function aligned(x: Tensor | BufferRef): boolean {
  return x.dtype.size === 4 && x.offset % ('storage_' in x ? 4 : 16) === 0;
}

/** Whether contiguous lines of n words are whole vectors in all of the buffers. */
export function inLines(
  { n, inner }: { readonly n: number; readonly inner: number },
  buffers: readonly (Tensor | BufferRef)[],
): boolean {
  return inner === 1 && n % 4 === 0 && buffers.every(aligned);
}

interface TeamKernelOptions<P> {
  readonly source: string;
  readonly entry: string;
  readonly dtypes?: readonly KernelDtype[];
  readonly buffers: Readonly<Record<string, Element>>;
  /** `team` comes first. */
  readonly params: P;
  readonly wide?: boolean;
  /** More text for teams of several invocations, and for teams of one. */
  readonly together?: string;
  readonly apart?: string;
}

/**
 * A kernel of teams. Where a team is one invocation it runs without barriers and workgroup memory:
 * software adapters take long for workgroups that have any.
 */
export function teamKernel<
  const P extends Readonly<Record<string, ParamType>> & { readonly team: 'u32' },
>(given: TeamKernelOptions<P>): GpuKernel & { readonly params: P } {
  const { source, together = '', apart = '', ...options } = given;
  const single = gpuKernel({
    ...options,
    workgroup: TEAM,
    source: [source, apart, alone].join('\n'),
  });
  const word = single.buffers.length;
  const teamInner = 'inner' in options.params ? 'fn team_inner() -> u32 { return p.inner; }' : '';
  const teams: GpuKernel & { readonly params: P } = gpuKernel({
    ...options,
    workgroup: TEAM,
    source: [source, together, teamInner].join('\n'),
    choose: (block) => (block.words[word] === 1 ? single : teams),
  });
  return teams;
}
