/** Whether operations are recorded for backward. */

import { ValueError } from '../core/errors.js';
import { flag } from '../core/options.js';

let recording = true;

/** Whether operations on tensors that require grad are recorded now. */
export function isGradEnabled(): boolean {
  return recording;
}

/** @internal Sets the recording mode and returns the one before it. */
export function setRecording(on: boolean): boolean {
  const before = recording;
  recording = on;
  return before;
}

/** Restores the mode when it goes out of scope: `using _ = torch.noGrad();`. */
export interface ModeGuard {
  [Symbol.dispose](): void;
}

function withMode<R>(name: string, on: boolean, body?: () => R): R | ModeGuard {
  if (body !== undefined && typeof body !== 'function') {
    throw new ValueError(`${name}: expected a function to run, or nothing for the \`using\` form`);
  }
  if (body === undefined) return new Restore(on);
  const before = setRecording(on);
  try {
    const result = body();
    if (typeof result === 'object' && result !== null && 'then' in result) {
      throw new ValueError(
        `${name}: the callback returned a promise; the mode would leak into other code while it ` +
          `waits. Give ${name}() a synchronous callback, or use \`using\` around synchronous parts`,
      );
    }
    return result;
  } finally {
    setRecording(before);
  }
}

class Restore implements ModeGuard {
  private readonly before: boolean;

  constructor(on: boolean) {
    this.before = setRecording(on);
  }

  [Symbol.dispose](): void {
    setRecording(this.before);
  }
}

/**
 * Runs `body` without recording; without a body, turns recording off until the guard is disposed.
 */
export function noGrad(): ModeGuard;
export function noGrad<R>(body: () => R): R;
export function noGrad<R>(body?: () => R): R | ModeGuard {
  return withMode('noGrad', false, body);
}

/** Runs `body` with recording on, also inside noGrad(). */
export function enableGrad(): ModeGuard;
export function enableGrad<R>(body: () => R): R;
export function enableGrad<R>(body?: () => R): R | ModeGuard {
  return withMode('enableGrad', true, body);
}

/** As noGrad(): nothing made inside takes part in autograd. */
export function inferenceMode(): ModeGuard;
export function inferenceMode<R>(body: () => R): R;
export function inferenceMode<R>(body?: () => R): R | ModeGuard {
  return withMode('inferenceMode', false, body);
}

/**
 * Records (`mode` true) or not while `body` runs. Without a body it does so from now on; the guard
 * it returns restores what was before.
 */
export function setGradEnabled(mode: boolean | { mode: boolean }): ModeGuard;
export function setGradEnabled<R>(mode: boolean | { mode: boolean }, body: () => R): R;
export function setGradEnabled<R>(
  mode: boolean | { mode: boolean },
  body?: () => R,
): R | ModeGuard {
  return withMode('setGradEnabled', flag('setGradEnabled', 'mode', mode), body);
}
