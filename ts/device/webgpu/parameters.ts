/**
 * The parameters of launches: carried by the launch itself ("immediates") where the device can and
 * they are few, else written into a ring whose start is moved for each launch.
 */

import { DeviceError } from '../../core/errors.js';
import type { LaunchBlock } from '../device.js';
import { BufferUsage } from './flags.js';
import type { Compiled } from './pipelines.js';

/** Words of parameters that are recorded between two submits. */
const RING_WORDS = 256 * 1024;
/** Words a launch can see from its place in the ring. */
const WINDOW_WORDS = 16 * 1024;
/** Launches start at multiples of this many words: the least alignment of dynamic offsets. */
const SLOT_WORDS = 64;

/** The type library has no immediates yet. */
interface CarryingPass extends GPUComputePassEncoder {
  setImmediates(offset: number, data: Uint32Array, dataOffset: number, count: number): void;
}

export class Parameters {
  /** The ring, and behind it the immediates of the launch under way. */
  readonly words = new Uint32Array(RING_WORDS + SLOT_WORDS);
  private readonly floats = new Float32Array(this.words.buffer);
  private readonly ring: GPUBuffer;
  private readonly group: GPUBindGroup;
  private readonly offsets = new Uint32Array(1);
  private readonly wide = new Float64Array(1);
  private readonly halves = new Uint32Array(this.wide.buffer);
  private used = 0;

  constructor(
    private readonly gpu: GPUDevice,
    layout: GPUBindGroupLayout,
  ) {
    const { STORAGE, COPY_DST } = BufferUsage;
    const size = 4 * (RING_WORDS + WINDOW_WORDS);
    this.ring = gpu.createBuffer({ size, usage: STORAGE | COPY_DST });
    const resource = { buffer: this.ring, size: 4 * WINDOW_WORDS };
    this.group = gpu.createBindGroup({ layout, entries: [{ binding: 0, resource }] });
  }

  /** Whether the launch carries its parameters. */
  carried({ immediates }: Compiled, block: LaunchBlock): boolean {
    const { wordCount, bufferCount } = block;
    return wordCount < immediates.most && bufferCount <= immediates.buffers;
  }

  /** Whether the ring has room for a launch; throws if no launch could have so many words. */
  fits(block: LaunchBlock): boolean {
    const count = block.wordCount + 1;
    if (count > WINDOW_WORDS) {
      throw new DeviceError(
        `webgpu: '${block.kernel}' has ${count} parameter words; a launch has at most ` +
          `${WINDOW_WORDS}`,
      );
    }
    return this.used + count <= RING_WORDS;
  }

  /** Copies the words of a launch. Returns where they begin; range is before. */
  write(compiled: Compiled, block: LaunchBlock, carried: boolean): number {
    const { words } = this;
    const given = block.words;
    const count = block.wordCount;
    let at = RING_WORDS;
    let head = count;
    if (carried) head = Math.min(count, compiled.immediates.head);
    else {
      at = this.used;
      this.used = Math.ceil((at + count + 1) / SLOT_WORDS) * SLOT_WORDS;
    }
    const base = at + 1;
    words[at++] = block.range;
    for (let i = 0; i < head; i++) words[at++] = given[i];
    if (head < count) {
      at = RING_WORDS + compiled.immediates.tail;
      for (let i = head; i < count; i++) words[at++] = given[i];
    }
    this.convertDoubles(compiled.doubles, base);
    return base;
  }

  /** Kernels have no doubles: a float, and what it lacks. */
  private convertDoubles(positions: readonly number[], base: number): void {
    for (const position of positions) {
      this.halves[0] = this.words[base + position];
      this.halves[1] = this.words[base + position + 1];
      const value = this.wide[0];
      const high = Math.fround(value);
      this.floats[base + position] = high;
      this.floats[base + position + 1] = Number.isFinite(high) ? value - high : 0;
    }
  }

  /** Tells the pass the words of the next launch. */
  give(pass: GPUComputePassEncoder, compiled: Compiled, base: number): void {
    if (base > RING_WORDS) {
      const { words } = compiled.immediates;
      (pass as CarryingPass).setImmediates(0, this.words, RING_WORDS, words);
      return;
    }
    this.offsets[0] = (base - 1) * 4;
    pass.setBindGroup(1, this.group, this.offsets, 0, 1);
  }

  /** Has what was written reach the GPU before the next submit. */
  flush(): void {
    if (this.used > 0) this.gpu.queue.writeBuffer(this.ring, 0, this.words, 0, this.used);
    this.used = 0;
  }
}
