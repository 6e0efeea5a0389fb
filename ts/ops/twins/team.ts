/**
 * How the 256 invocations of a workgroup share the lines of [outer, n, inner]: in teams, each of
 * which takes one line. See kernels/group.wgsl.
 */

const WORKGROUP = 256;
/** Neighbouring lines that a workgroup should at least take, so that reads are of whole segments. */
const NEIGHBOURS = 16;

/** The least power of two that is not below `size`. */
export function powerOfTwo(size: number): number {
  return 2 ** Math.max(0, Math.ceil(Math.log2(size)));
}

/** Invocations for a line of `n`, each taking about `each` elements: a power of two. */
export function teamOf(n: number, inner: number, each: number): number {
  const most = WORKGROUP / Math.min(NEIGHBOURS, powerOfTwo(inner));
  return Math.min(most, powerOfTwo(n / each));
}

/** Workgroups for `lines` lines. */
export function groupsOf(lines: number, team: number): number {
  return Math.ceil((lines * team) / WORKGROUP);
}
