/** Compute pipelines by kernel, dtype and pattern of heaps: never by shape. */

import { DeviceError } from '../../core/errors.js';
import type { ParamType } from '../../ops/kernel.js';
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
  readonly pipelines: Map<string, GPUComputePipeline>;
}

function layOut(kernel: GpuKernel, suffix: string): Compiled {
  const doubles: number[] = [];
  let word = kernel.buffers.length;
  let tail = -1;
  for (const type of Object.values(kernel.params) as ParamType[]) {
    if (type === 'u32[]') tail = word + 1;
    if (type === 'f64') doubles.push(word++);
    word++;
  }
  const shifts = kernel.elements.map((element) => Math.log2(elementBytes(element, suffix)));
  return { kernel, suffix, shifts, doubles, tail, pipelines: new Map() };
}

export class Pipelines {
  readonly paramsLayout: GPUBindGroupLayout;
  /** Settled once the newest pipeline is known to be good or bad. */
  judged: Promise<void> = Promise.resolve();
  /** Pipelines made so far. */
  count = 0;
  private readonly compiled = new Map<GpuKernel, Map<string, Compiled>>();
  private readonly heapLayouts: GPUBindGroupLayout[] = [];
  private readonly layouts: GPUPipelineLayout[] = [];

  constructor(
    private readonly gpu: GPUDevice,
    private readonly library: ReadonlyMap<string, string>,
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
      compiled = layOut(kernel, suffix);
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

  private layout(heaps: number): GPUPipelineLayout {
    this.layouts[heaps] ??= this.gpu.createPipelineLayout({
      bindGroupLayouts: [this.heapLayout(heaps), this.paramsLayout],
    });
    return this.layouts[heaps];
  }

  /** Compiles the kernel for a pattern. A text that does not compile fails the device. */
  make(compiled: Compiled, pattern: Pattern): GPUComputePipeline {
    const { kernel, suffix } = compiled;
    const code = assemble(kernel, suffix, pattern, this.library);
    const label = `${kernel.entry.replace(/^run_/, '')}_${suffix}`;
    this.gpu.pushErrorScope('validation');
    const module = this.gpu.createShaderModule({ code, label });
    const pipeline = this.gpu.createComputePipeline({
      layout: this.layout(pattern.heaps),
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
