/**
 * What a row emits for inputs of the same layouts is the same but for the buffers: it is recorded
 * once, and emitted again without asking the row.
 */

import type { Dtype } from '../core/dtype.js';
import type { Geometry } from '../core/layout.js';
import { Memo } from '../core/memo.js';
import type { Storage } from '../core/storage.js';
import type { LaunchBlock } from '../device/device.js';
import type { Tensor } from '../tensor.js';

/** A launch without its buffers, whose words are how far into a tensor or scratch they begin. */
interface Step {
  readonly kernel: string;
  readonly words: readonly number[];
  readonly bufferWords: readonly number[];
  /** Whose the buffers are: inputs, then outputs, then scratch memory. */
  readonly owners: readonly number[];
  readonly range: number;
  readonly bytes: number;
  readonly products: number;
  readonly first: boolean;
}

/** Indices that are looked at when all is launched. */
interface Check {
  readonly name: string;
  readonly status: number;
  readonly index: number;
  readonly size: number;
}

interface Scratch {
  readonly count: number;
  readonly dtype: Dtype;
  /** Whether it is a status word. */
  readonly zeroed: boolean;
}

/** The launches of a call, and what it makes. */
export class Plan {
  readonly outputs: { readonly geometry: Geometry; readonly dtype: Dtype }[] = [];
  readonly scratch: Scratch[] = [];
  readonly steps: Step[] = [];
  readonly checks: Check[] = [];
}

/** A call of a row as it is recorded. */
export class Recording {
  readonly plan = new Plan();
  /** Set by what cannot be emitted again. */
  refused = false;
  private readonly owners: (Storage | undefined)[] = [];
  private readonly starts: number[] = [];

  constructor(inputs: readonly (Tensor | undefined)[], outputs: readonly Tensor[]) {
    for (const tensor of inputs) this.own(tensor?.storage_, tensor);
    for (const tensor of outputs) {
      this.own(tensor.storage_, tensor);
      this.plan.outputs.push({ geometry: tensor.geometry, dtype: tensor.dtype });
    }
  }

  /** Whose a buffer is could not be told if two had one storage. */
  private own(storage: Storage | undefined, tensor?: Tensor): void {
    if (storage !== undefined && this.owners.includes(storage)) this.refused = true;
    this.owners.push(storage);
    this.starts.push(tensor === undefined ? 0 : tensor.offset * tensor.dtype.size);
  }

  scratch(storage: Storage, count: number, dtype: Dtype): void {
    this.own(storage);
    this.plan.scratch.push({ count, dtype, zeroed: false });
  }

  /** The last scratch memory begins as zeros. */
  zeroed(): void {
    this.plan.scratch.push({ ...(this.plan.scratch.pop() as Scratch), zeroed: true });
  }

  private ownerOf(storage: unknown): number {
    const owner = storage === undefined ? -1 : this.owners.indexOf(storage as Storage);
    if (owner < 0) this.refused = true;
    return owner;
  }

  launch(block: LaunchBlock): void {
    const { kernel, range, bytes, products, first, bufferCount } = block;
    const words = [...block.words.subarray(0, block.wordCount)];
    const bufferWords = block.bufferWords.slice(0, bufferCount);
    const owners = bufferWords.map((at, i) => {
      const owner = this.ownerOf(block.storages[i]);
      words[at] -= this.starts[owner];
      return owner;
    });
    this.plan.steps.push({ kernel, words, bufferWords, owners, range, bytes, products, first });
  }

  check(name: string, status: Storage, index: Storage, size: number): void {
    const [from, of] = [this.ownerOf(status), this.ownerOf(index)];
    this.plan.checks.push({ name, status: from, index: of, size });
  }
}

/** What is known of a row called with the same attributes and layouts. */
export interface Place {
  /** Whether it was called before: what is called once is not worth recording. */
  met: boolean;
  /** Whether a call was recorded, be it in vain. */
  tried: boolean;
  plan: Plan | undefined;
}

type PlanKey = [row: object, attributes: object, dtype: Dtype | undefined, ...ids: number[]];
/** By how many inputs there are. */
const places: Memo<PlanKey, Place>[] = [];

function placesOf(inputs: number): Memo<PlanKey, Place> {
  const ids = new Array<number>(inputs).fill(-1);
  const make = () => ({ met: false, tried: false, plan: undefined });
  return new Memo<PlanKey, Place>([places, places, undefined, ...ids], make, 6);
}

/** The place of a call of a row on these inputs. */
export function placeOf(
  row: object,
  attributes: object,
  dtype: Dtype,
  inputs: readonly (Tensor | undefined)[],
): Place {
  const count = inputs.length;
  places[count] ??= placesOf(count);
  const memo = places[count];
  const { key } = memo;
  key[0] = row;
  key[1] = attributes;
  key[2] = dtype;
  for (let i = 0; i < count; i++) {
    const input = inputs[i];
    key[3 + i] = input === undefined ? -1 : 16 * input.geometry.id + input.dtype.code;
  }
  return memo.get();
}
