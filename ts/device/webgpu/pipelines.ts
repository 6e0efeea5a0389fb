/** Compute pipelines by kernel, dtype and pattern of heaps: never by shape. */

import { DeviceError } from '../../core/errors.js';
import type { ParamType } from '../../ops/kernel.js';
import type { Uses } from './features.js';
import { STAGE_COMPUTE } from './flags.js';
import { assemble, elementBytes, type GpuKernel, type Pattern } from './kernel.js';

/** A kernel under one dtype: where its words lie, and its pipelines. */
export interface Compiled {
  readonly kernel: GpuKernel;
  readonly suffix: string;
  /** Buffer words are byte offsets shifted right by this. */
  readonly shifts: readonly number[];
  /** Words (of a launch block) at which 64-bit floats stand. */
  readonly doubles: readonly number[];
  /** The first word of the tail, behind its count; -1 without one. */
  readonly tail: number;
  readonly immediates: Immediates;
  readonly pipelines: Map<string, GPUComputePipeline>;
}

/** How the words of a launch that carries them lie, behind the range. */
interface Immediates {
  /** Words of a launch that carries them, with the range, at most; 0 if none can. */
  readonly most: number;
  /** Buffers of such a launch, at most: none is named by the tail. */
  readonly buffers: number;
  /** Words before the tail, and the place of what follows them. */
  readonly head: number;
  readonly tail: number;
  /** Vectors of four that the tail has room for. */
  readonly vectors: number;
  /** Words that are handed over. */
  readonly words: number;
}

/** `head` are the words of a launch block before the tail, if there is one. */
function immediatesOf(kernel: GpuKernel, head: number, tailed: boolean, bytes: number): Immediates {
  const buffers = kernel.buffers.length;
  const room = Math.floor(bytes / 16) * 4;
  const tail = Math.ceil((head + 1) / 4) * 4;
  const vectors = tailed ? Math.max(0, room - tail) / 4 : 0;
  const words = tailed ? tail + 4 * vectors : head + 1;
  const fits = tailed ? vectors > 0 : words <= room;
  return { most: fits ? head + 1 + 4 * vectors : 0, buffers, head, tail, vectors, words };
}

function layOut(kernel: GpuKernel, suffix: string, uses: Uses): Compiled {
  const doubles: number[] = [];
  let word = kernel.buffers.length;
  let tail = -1;
  for (const type of Object.values(kernel.params) as ParamType[]) {
    if (type === 'u32[]') tail = word + 1;
    if (type === 'f64') doubles.push(word++);
    word++;
  }
  const shifts = kernel.elements.map((element) => Math.log2(elementBytes(element, suffix)));
  const immediates = immediatesOf(kernel, word, tail >= 0, uses.immediateBytes);
  return { kernel, suffix, shifts, doubles, tail, immediates, pipelines: new Map() };
}

export class Pipelines {
  readonly paramsLayout: GPUBindGroupLayout;
  /** Settled once the newest pipeline is known to be good or bad. */
  judged: Promise<void> = Promise.resolve();
  /** Pipelines made so far. */
  count = 0;
  private readonly compiled = new Map<GpuKernel, Map<string, Compiled>>();
  private readonly heapLayouts: GPUBindGroupLayout[] = [];
  private readonly layouts = new Map<string, GPUPipelineLayout>();

  constructor(
    private readonly gpu: GPUDevice,
    private readonly library: ReadonlyMap<string, string>,
    private readonly uses: Uses,
    private readonly failed: (error: Error) => void,
  ) {
    this.paramsLayout = gpu.createBindGroupLayout({
      entries: [
        {
          binding: 0,
          visibility: STAGE_COMPUTE,
          buffer: { type: 'read-only-storage', hasDynamicOffset: true },
        },
      ],
    });
  }

  /** The kernel under a dtype suffix. */
  of(kernel: GpuKernel, suffix: string): Compiled {
    let byDtype = this.compiled.get(kernel);
    if (byDtype === undefined) {
      byDtype = new Map();
      this.compiled.set(kernel, byDtype);
    }
    let compiled = byDtype.get(suffix);
    if (compiled === undefined) {
      compiled = layOut(kernel, suffix, this.uses);
      byDtype.set(suffix, compiled);
    }
    return compiled;
  }

  /** Layout of the bind group of `heaps` heaps. */
  heapLayout(heaps: number): GPUBindGroupLayout {
    this.heapLayouts[heaps] ??= this.gpu.createBindGroupLayout({
      entries: Array.from({ length: heaps }, (_, binding) => ({
        binding,
        visibility: STAGE_COMPUTE,
        buffer: { type: 'storage' as const },
      })),
    });
    return this.heapLayouts[heaps];
  }

  private layout(heaps: number, immediateSize: number): GPUPipelineLayout {
    const key = `${heaps}/${immediateSize}`;
    let layout = this.layouts.get(key);
    if (layout === undefined) {
      const own = this.heapLayout(heaps);
      // The type library has no immediates yet.
      const carrying = { bindGroupLayouts: [own], immediateSize };
      layout = this.gpu.createPipelineLayout(
        immediateSize > 0 ? carrying : { bindGroupLayouts: [own, this.paramsLayout] },
      );
      this.layouts.set(key, layout);
    }
    return layout;
  }

  /** Compiles the kernel for a pattern. A text that does not compile fails the device. */
  make(compiled: Compiled, pattern: Pattern): GPUComputePipeline {
    const { kernel, suffix, immediates } = compiled;
    const code = assemble(kernel, suffix, pattern, this.library);
    const label = `${kernel.entry.replace(/^run_/, '')}_${suffix}`;
    this.gpu.pushErrorScope('validation');
    const module = this.gpu.createShaderModule({ code, label });
    const pipeline = this.gpu.createComputePipeline({
      layout: this.layout(pattern.heaps, pattern.vectors === undefined ? 0 : 4 * immediates.words),
      compute: { module, entryPoint: 'main' },
      label,
    });
    this.judged = this.gpu.popErrorScope().then(
      (error) => {
        if (error === null) return;
        this.failed(
          new DeviceError(`webgpu: kernel '${label}' does not compile: ${error.message}`),
        );
      },
      () => {},
    );
    this.count++;
    return pipeline;
  }
}
