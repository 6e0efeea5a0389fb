/**
 * Which build of the tiled kernels (products, convolutions, attention) this engine runs fastest.
 * The tile that fits one engine's registers costs another a factor of two, so it is measured: a few
 * milliseconds at the first large launch of such a kernel, once per process.
 */

import {
  instantiateTiles,
  type KernelFunction,
  type KernelModule,
  tileBuilds,
} from '../../../wasm/loader.js';

/** The tile of the main module. */
export const PLAIN = 'plain-4x8';
/** Rounds to additions and products apart, or not: what else decides about the bits of results. */
const RELAXED = 'relaxed-6x8';
/** Newer V8, which runs relaxed SIMD, may pair 128-bit operations of a wide tile. */
export const PAIRED = 'plain-4x16';
/** For engines without relaxed SIMD. */
const OLDER = 'plain-4x8-2';

/** The kernel of every build that runs its tile on scratch memory, and the bytes of that. */
const PROBE = 'tileProbe_f32';
export const PROBE_BYTES = 96 * 1024;

/** Milliseconds of a measurement, and of all together. */
const SLICE = 0.3;
const BUDGET = 4.5;
/** How much faster than the preferred build another must be to be taken. */
const MARGIN = 1.1;
/**
 * What is not optimised in time is not measured: optimised code is faster than the first
 * measurement, which lacks it, by more than the first number, and no tile is slower for its shape
 * by more than the second.
 */
const SETTLED = 2.5;
const SPILLED = 2.3;

export type Kernels = Readonly<Record<string, KernelFunction>>;

export interface Choice {
  readonly name: string;
  /** What was measured, or why nothing was. */
  readonly reason: string;
  /** The kernels that take the place of the main module's; undefined for the main module. */
  readonly kernels: Kernels | undefined;
}

/** The names a choice may have. */
export function kernelBuilds(): string[] {
  return [PLAIN, ...tileBuilds()];
}

/** The build of a name, or undefined if this engine refuses it. */
export function fixedChoice(name: string, module: KernelModule): Choice | undefined {
  if (name === PLAIN) return { name, reason: 'asked for', kernels: undefined };
  const kernels = instantiateTiles(name, module.memory);
  return kernels && { name, reason: 'asked for', kernels };
}

/** Units per millisecond over one slice. */
function rate(probe: KernelFunction, scratch: number): number {
  const start = performance.now();
  for (let units = 1; ; units++) {
    probe(scratch, 0, 1);
    const elapsed = performance.now() - start;
    if (elapsed >= SLICE) return units / elapsed;
  }
}

interface Rate {
  readonly first: number;
  readonly best: number;
}

/** The rates of each build: after a moment the engine runs optimised code. */
function measure(builds: ReadonlyMap<string, Kernels>, scratch: number): Map<string, Rate> {
  const rates = new Map<string, Rate>();
  const end = performance.now() + BUDGET - SLICE;
  for (let round = 0; round === 0 || performance.now() < end; round++) {
    for (const [name, kernels] of builds) {
      const now = rate(kernels[PROBE], scratch);
      const { first = now, best = now } = rates.get(name) ?? {};
      rates.set(name, { first, best: Math.max(best, now) });
    }
  }
  return rates;
}

/** The builds that may be the fastest here, the preferred one first. */
function candidates(module: KernelModule): Map<string, Kernels> {
  const relaxed = instantiateTiles(RELAXED, module.memory);
  const other = relaxed ? PAIRED : OLDER;
  const builds = new Map<string, Kernels>();
  const add = (name: string, kernels = instantiateTiles(name, module.memory)) => {
    if (kernels) builds.set(name, kernels);
  };
  if (relaxed) add(RELAXED, relaxed);
  add(PLAIN, module.kernels);
  add(other);
  return builds;
}

/** Measures the builds that may be the fastest here; `scratch` has PROBE_BYTES. */
export function measuredChoice(module: KernelModule, scratch: number): Choice {
  const builds = candidates(module);
  const rates = measure(builds, scratch);
  const [name] = builds.keys();
  const preferred = rates.get(name) as Rate;
  let best = name;
  let least = preferred.best * MARGIN;
  for (const [other, measured] of rates) {
    const settled = Math.min(measured.best / measured.first, preferred.best / preferred.first);
    if (settled < SETTLED || measured.best > preferred.best * SPILLED) continue;
    if (measured.best <= least) continue;
    best = other;
    least = measured.best;
  }
  const figures = [...rates].map(([build, { best }]) => `${build} ${gigaflops(best)}`);
  return {
    name: best,
    reason: `measured in GFLOP/s: ${figures.join(', ')}`,
    kernels: best === PLAIN ? undefined : builds.get(best),
  };
}

/** A unit multiplies 24 x 256 by 256 x 32. */
function gigaflops(unitsPerMs: number): string {
  return ((unitsPerMs * 2 * 24 * 32 * 256) / 1e6).toFixed(0);
}
