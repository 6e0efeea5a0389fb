/** A library as the measuring loop sees it. */

import type { Case, Inputs, Program } from '../case.js';

/** A case made ready by one library. */
export interface Runner {
  /** The numbers of the check. */
  check(): Promise<ArrayLike<number>>;
  /** Seconds that `repeat` runs take. */
  sample(repeat: number): Promise<number>;
}

export interface Peer {
  readonly name: string;
  /** Version and what else decides its speed. */
  readonly about: string;
  /** Makes a case ready; undefined if the library has no program for it. */
  prepare(benchmark: Case, inputs: Inputs): Promise<Runner | undefined>;
  close(): void;
}

/** Runs a program of this process. Only asynchronous programs are awaited. */
export function inProcess(program: Program): Runner {
  return {
    check: async () => program.check(),
    async sample(repeat) {
      const start = performance.now();
      for (let i = 0; i < repeat; i++) {
        const pending = program.run();
        if (pending instanceof Promise) await pending;
      }
      return (performance.now() - start) / 1000;
    },
  };
}
