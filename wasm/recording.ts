/**
 * The bytes of a recorded launch, which wasm/replay.c reads, in 32-bit little-endian words:
 *   magic, bytes of the name, words, relocations, regions, range; the name (padded to a word);
 *   the words of the block; per relocation: word index, region (or BLOCK), byte offset;
 *   per region: bytes, changed; then per region its bytes before and, if changed, its bytes after
 *   (each padded to a word).
 */

import type { Launch, LaunchObserver } from './recorder.js';

const MAGIC = 0x4c4f5349;
const BLOCK = 0xffffffff;

interface Region {
  readonly handle: number;
  readonly bytes: number;
  readonly before: Uint8Array;
}

/** The distinct storages of a launch, with their contents now. */
function regionsOf(launch: Launch, heap: Uint8Array): Region[] {
  const byHandle = new Map<number, Region>();
  for (const storage of launch.storages.slice(0, launch.bufferCount)) {
    if (storage === undefined || byHandle.has(storage.handle)) continue;
    const { handle, bytes } = storage;
    byHandle.set(handle, { handle, bytes, before: heap.slice(handle, handle + bytes) });
  }
  return [...byHandle.values()];
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

function relocationsOf(launch: Launch, regions: readonly Region[]): number[] {
  return Array.from({ length: launch.bufferCount }, (_, index) => {
    const word = launch.bufferWords[index];
    const storage = launch.storages[index];
    const region = regions.findIndex((candidate) => candidate.handle === storage?.handle);
    return [word, region < 0 ? BLOCK : region, launch.words[word]];
  }).flat();
}

/** Joins byte strings, each padded with zeros to whole words. */
function join(parts: readonly Uint8Array[]): Uint8Array {
  const padded = parts.map((part) => Math.ceil(part.length / 4) * 4);
  const joined = new Uint8Array(padded.reduce((sum, bytes) => sum + bytes, 0));
  let at = 0;
  parts.forEach((part, index) => {
    joined.set(part, at);
    at += padded[index];
  });
  return joined;
}

function bytesOf(words: readonly number[] | Uint32Array): Uint8Array {
  return new Uint8Array(Uint32Array.from(words).buffer);
}

/** Runs the launch and returns its record. */
export function encodeLaunch(launch: Launch, heap: Uint8Array, run: () => void): Uint8Array {
  const name = new TextEncoder().encode(launch.kernel);
  const words = launch.words.slice(0, launch.wordCount);
  const regions = regionsOf(launch, heap);
  const relocations = relocationsOf(launch, regions);
  run();
  const afters = regions.map(({ handle, bytes }) => heap.slice(handle, handle + bytes));
  const changed = regions.map(({ before }, index) => !sameBytes(before, afters[index]));
  const head = [MAGIC, name.length, words.length, relocations.length / 3, regions.length];
  return join([
    bytesOf([...head, launch.range]),
    name,
    bytesOf(words),
    bytesOf(relocations),
    bytesOf(regions.flatMap(({ bytes }, index) => [bytes, changed[index] ? 1 : 0])),
    ...regions.flatMap(({ before }, i) => (changed[i] ? [before, afters[i]] : [before])),
  ]);
}

export interface RecordingLimits {
  /** Launches of one kernel with the same parameters and sizes. Default 2. */
  alike?: number;
  /** Launches of one kernel. Default 200. */
  perKernel?: number;
  /** Bytes of all storages of one launch. Default 1 MiB. */
  bytes?: number;
}

/** Counts of what was recorded; share one to keep the limits over several observers. */
export type RecordingCounts = Map<string, number>;

/** An observer that hands the records to `write`, leaving out repetitions. */
export function recordingObserver(
  write: (record: Uint8Array) => void,
  counts: RecordingCounts,
  { alike = 2, perKernel = 200, bytes = 2 ** 20 }: RecordingLimits = {},
): LaunchObserver {
  return (launch, heap, run) => {
    const sizes = launch.storages
      .slice(0, launch.bufferCount)
      .map((storage) => storage?.bytes ?? 0);
    const words = launch.words.subarray(0, launch.wordCount);
    const key = `${launch.kernel}(${words})[${sizes}]${launch.range}`;
    const seen = counts.get(key) ?? 0;
    const total = counts.get(launch.kernel) ?? 0;
    const size = sizes.reduce((sum, each) => sum + each, 0);
    if (seen >= alike || total >= perKernel || size > bytes) {
      run();
      return;
    }
    counts.set(key, seen + 1).set(launch.kernel, total + 1);
    write(encodeLaunch(launch, heap, run));
  };
}
