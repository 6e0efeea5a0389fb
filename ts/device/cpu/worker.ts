/**
 * A thread of the pool: the whole program of a worker, bundled to a text by `wasm/compile.mjs`.
 * It spins on the epoch for a moment, since launches follow each other closely, and then sleeps.
 */

import type { KernelFunction } from '../../../wasm/loader.js';
import {
  EPOCH,
  GROWTHS,
  JOB_BUILD,
  JOB_KERNEL,
  JOB_THREADS,
  READY,
  SLEEPERS,
  takeChunks,
} from './control.js';

/** What a worker is started with. */
export interface WorkerStart {
  readonly memory: WebAssembly.Memory;
  /** The modules: the first holds all kernels, the others take the place of some. */
  readonly modules: readonly Uint8Array<ArrayBuffer>[];
  /** The address of the shared words, and how many there are. */
  readonly control: number;
  readonly words: number;
  readonly index: number;
  /** The end of this thread's stack, which grows down. */
  readonly stack: number;
}

/** How long a worker looks for the next job before it sleeps: few gaps of a training step are longer. */
const SPIN_MS = 1;
const LOOKS = 200;

interface Build {
  /** In the order of the module's exports, which is the same in all threads. */
  readonly kernels: KernelFunction[];
  readonly stackPointer: WebAssembly.Global;
}

/** The kernels of every module. */
function buildsOf(start: WorkerStart): (build: number) => Build {
  const builds: Build[] = [];
  return (build) => {
    let made = builds[build];
    if (made === undefined) {
      const module = new WebAssembly.Module(start.modules[build]);
      const { exports } = new WebAssembly.Instance(module, { env: { memory: start.memory } });
      const kernels = Object.values(exports).filter((value) => typeof value === 'function');
      const stackPointer = exports.__stack_pointer as WebAssembly.Global;
      made = { kernels: kernels as KernelFunction[], stackPointer };
      builds[build] = made;
    }
    // A kernel that failed left the stack where it was.
    made.stackPointer.value = start.stack;
    return made;
  };
}

/** Waits for an epoch other than `seen`. */
function nextEpoch(control: Int32Array, seen: number): number {
  const end = performance.now() + SPIN_MS;
  do {
    for (let i = 0; i < LOOKS; i++) {
      const epoch = Atomics.load(control, EPOCH);
      if (epoch !== seen) return epoch;
    }
  } while (performance.now() < end);
  Atomics.add(control, SLEEPERS, 1);
  Atomics.wait(control, EPOCH, seen);
  Atomics.sub(control, SLEEPERS, 1);
  return Atomics.load(control, EPOCH);
}

function main(start: WorkerStart): void {
  const control = new Int32Array(start.memory.buffer, start.control, start.words);
  const buildOf = buildsOf(start);
  buildOf(0);
  let growths = -1;
  let seen = Atomics.load(control, EPOCH);
  Atomics.add(control, READY, 1);
  for (;;) {
    const epoch = nextEpoch(control, seen);
    if (epoch === seen) continue;
    seen = epoch;
    if (start.index >= control[JOB_THREADS]) continue;
    const grown = control[GROWTHS];
    if (growths !== grown) {
      // V8 may hand a memory over at a size that has passed, or tell of growth late: growing by
      // nothing learns the current size.
      start.memory.grow(0);
      growths = grown;
    }
    const kernel = buildOf(control[JOB_BUILD]).kernels[control[JOB_KERNEL]];
    takeChunks(control, epoch, start.index, kernel);
  }
}

// Node's platform file puts the start there; a page sends it as a message.
const { workerStart } = globalThis as { workerStart?: WorkerStart };
if (workerStart) main(workerStart);
else globalThis.onmessage = (event: MessageEvent<WorkerStart>) => main(event.data);
