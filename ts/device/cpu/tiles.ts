/**
 * Which build of the tiled kernels (products, convolutions, attention) runs. The tile that fits one
 * engine's registers costs another a factor of two, so builds are measured: some milliseconds at the
 * first large operation made of them. What the engine has not optimised by then - the machine is
 * busy - is measured on at later large operations, while a build that is slow nowhere runs.
 *
 * Plain builds give the same bits, and so do relaxed ones among each other. Whether large products
 * are plain or relaxed is decided at the first of them, for good.
 */

import {
  instantiateTiles,
  type KernelFunction,
  type KernelModule,
  tileBuilds,
} from '../../../wasm/loader.js';
import { Trial } from './trial.js';

/** The tile of the main module: the fastest in some engines, not far behind in any. */
export const PLAIN = 'plain-2x16';
/** Pays where V8 pairs 128-bit operations into 256-bit ones. */
const PLAIN_WIDE = 'plain-4x16';
/** Round once what others round twice, products and then sums. */
const RELAXED = ['relaxed-6x8', 'relaxed-6x16'];

/** The kernel of every build that runs its tile on scratch memory, and the bytes of that. */
const PROBE = 'tileProbe_f32';
export const PROBE_BYTES = 96 * 1024;

/** Milliseconds of measuring at the first large launch, at a later one, and in all. */
const FIRST = 4;
const LATER = 0.4;
const BUDGET = 5;
/** Milliseconds between launches that measure. */
const PAUSE = 5;

export type Kernels = Readonly<Record<string, KernelFunction>>;

export interface Choice {
  readonly name: string;
  /** What was measured, or why nothing was. */
  readonly reason: string;
  /** The kernels that take the place of the main module's. */
  readonly kernels: Kernels;
}

/** The names a choice may have. */
export function kernelBuilds(): string[] {
  return [PLAIN, ...tileBuilds()];
}

/** The kernels of a build, or undefined if this engine refuses it. */
function kernelsOf(name: string, module: KernelModule): Kernels | undefined {
  if (name === PLAIN) return module.kernels;
  return tileBuilds().includes(name) ? instantiateTiles(name, module.memory) : undefined;
}

/** The build of a name, or undefined if there is none or this engine refuses it. */
export function fixedChoice(name: string, module: KernelModule): Choice | undefined {
  const kernels = kernelsOf(name, module);
  return kernels && { name, reason: 'asked for', kernels };
}

/** The search for the fastest build, over as many large launches as it takes. */
export class Selection {
  /** Whether no later launch can change the choice. */
  final = false;
  private readonly trial = new Trial(() => performance.now());
  private readonly builds = new Map<string, Kernels>();
  private resume = 0;

  /** `scratch` is the address of PROBE_BYTES zeros: other values could be slow denormals. */
  constructor(
    private readonly module: KernelModule,
    readonly scratch: number,
  ) {}

  /** Whether this engine runs relaxed builds, once it was asked. */
  private get hasRelaxed(): boolean {
    return this.builds.has(RELAXED[0]);
  }

  private add(names: readonly string[]): void {
    for (const name of names) {
      const kernels = this.builds.has(name) ? undefined : kernelsOf(name, this.module);
      if (kernels === undefined) continue;
      const probe = kernels[PROBE];
      this.builds.set(name, kernels);
      this.trial.add({ name, unit: () => probe(this.scratch, 0, 1) });
    }
  }

  /** The choice at a large launch: a better one, or undefined where there is nothing to change. */
  choose(): Choice | undefined {
    if (performance.now() < this.resume) return undefined;
    const first = this.resume === 0;
    if (first) {
      this.add([PLAIN, ...RELAXED]);
      if (!this.hasRelaxed) this.add([PLAIN_WIDE]);
    }
    this.trial.run(first ? FIRST : Math.min(this.trial.spent + LATER, BUDGET));
    // Undecided: relaxed builds lose little anywhere, plain ones half where vectors are paired.
    if (first && !this.trial.settled && this.hasRelaxed) this.trial.keep(RELAXED);
    const name = this.trial.best;
    this.final = this.trial.settled || this.trial.spent >= BUDGET;
    this.resume = performance.now() + PAUSE;
    const { spent } = this.trial;
    const reason = `${this.trial.describe(gigaflops)} GFLOP/s, measured in ${spent.toFixed(1)} ms`;
    return { name, reason, kernels: this.builds.get(name) as Kernels };
  }
}

/** A unit multiplies 24 x 256 by 256 x 32. */
function gigaflops(unitsPerMs: number): string {
  return ((unitsPerMs * 2 * 24 * 32 * 256) / 1e6).toFixed(0);
}
