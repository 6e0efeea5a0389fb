/** Optional features of WebGPU: which of them kernels use, by what the adapter has. */

/** What kernels may count on. */
export interface Uses {
  /** Bytes of parameters that launches can carry themselves; 0 if all lie in memory. */
  readonly immediateBytes: number;
  /** The fewest invocations of a subgroup; 0 if they are not used. */
  readonly subgroup: number;
  /** The text may have the type f16. */
  readonly halves: boolean;
  /** Products and copies go through workgroup memory: slow where a processor plays the GPU. */
  readonly tiles: boolean;
}

/** Features that kernels and the device have a use for; tiles are to be had everywhere. */
const FEATURES = ['immediates', 'shader-f16', 'subgroups', 'tiles', 'timestamp-query'] as const;
/** Of smaller subgroups more has to be joined in memory than is won: SwiftShader's are of 4. */
const WORTHWHILE_SUBGROUP = 8;

/** What is asked of the adapter, and what is used then. */
export interface Choice {
  /** The features that are used. */
  readonly names: readonly string[];
  readonly required: GPUFeatureName[];
  readonly limits: Readonly<Record<string, number>>;
  readonly uses: Uses;
}

/** The type library has no immediates yet. */
interface Limits extends GPUSupportedLimits {
  readonly maxImmediateSize?: number;
}

/** More would be moved for each launch than parameters have. */
const MOST_IMMEDIATES = 128;
/** The least size that WebGPU knows, where an adapter does not tell its own. */
const LEAST_SUBGROUP = 4;

function immediatesOf(gpu: GPU, adapter: GPUAdapter): number {
  if (!gpu.wgslLanguageFeatures?.has('immediate_address_space')) return 0;
  const limits: Limits = adapter.limits;
  return Math.min(limits.maxImmediateSize ?? 0, MOST_IMMEDIATES);
}

/** What is used without a word from the user. */
function ordinary(least: number, software: boolean): readonly string[] {
  return FEATURES.filter((name) => {
    if (name === 'tiles') return !software;
    return name !== 'subgroups' || least >= WORTHWHILE_SUBGROUP;
  });
}

/** Those of the `wanted` features that are there. 'immediates' is one of the shader language. */
export function choose(gpu: GPU, adapter: GPUAdapter, wanted?: readonly string[]): Choice {
  const least = Math.max(adapter.info.subgroupMinSize ?? 0, LEAST_SUBGROUP);
  const names = wanted ?? ordinary(least, adapter.info.isFallbackAdapter ?? false);
  const immediateBytes = names.includes('immediates') ? immediatesOf(gpu, adapter) : 0;
  const required = (names as GPUFeatureName[]).filter((name) => adapter.features.has(name));
  const used = new Set<string>(required);
  if (immediateBytes > 0) used.add('immediates');
  if (names.includes('tiles')) used.add('tiles');
  return {
    names: names.filter((name) => used.has(name)),
    required,
    limits: immediateBytes > 0 ? { maxImmediateSize: immediateBytes } : {},
    uses: {
      immediateBytes,
      subgroup: used.has('subgroups') ? least : 0,
      halves: used.has('shader-f16'),
      tiles: used.has('tiles'),
    },
  };
}
