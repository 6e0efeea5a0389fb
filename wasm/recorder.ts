/** A place to watch launches: the sanitizer run records them here and replays them natively. */

/**
 * What a launch says about itself; `storages[i]` holds the bytes that `words[bufferWords[i]]`
 * points into.
 */
export interface Launch {
  readonly kernel: string;
  readonly words: Uint32Array;
  readonly wordCount: number;
  readonly bufferWords: readonly number[];
  readonly bufferCount: number;
  /** Undefined stands for an operand inside the parameter block itself. */
  readonly storages: readonly ({ readonly handle: number; readonly bytes: number } | undefined)[];
  readonly range: number;
}

/** Sees the heap before and after: calls `run` exactly once. */
export type LaunchObserver = (launch: Launch, heap: Uint8Array, run: () => void) => void;

let observer: LaunchObserver | undefined;

/** Runs a launch through the observer. Call it only while `recordLaunch.enabled`. */
export function recordLaunch(launch: Launch, heap: Uint8Array, run: () => void): void {
  if (observer === undefined) run();
  else observer(launch, heap, run);
}
recordLaunch.enabled = false;

/** Sets or (with undefined) removes the observer of all launches. */
export function observeLaunches(next: LaunchObserver | undefined): void {
  observer = next;
  recordLaunch.enabled = next !== undefined;
}
