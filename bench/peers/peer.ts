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

/** Resolves when a device has done what its library asked of it. */
export type Finish = () => Promise<unknown>;

/**
 * What samples are timed with. Processor time counts what the process uses, on all its threads: the
 * one to take where others keep the machine busy.
 */
export type Clock = 'wall' | 'cpu';

/** What holds for all libraries of a run. */
export interface Conditions {
  readonly clock: Clock;
  /** Threads of the libraries that have any. */
  readonly threads: number;
}

const clocks: Readonly<Record<Clock, () => number>> = {
  wall: () => performance.now() / 1000,
  cpu() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  },
};

/** Runs a program of this process. Only asynchronous programs are awaited, and devices. */
export function inProcess(program: Program, clock: Clock, finish?: Finish): Runner {
  const now = clocks[clock];
  return {
    check: async () => program.check(),
    async sample(repeat) {
      const start = now();
      for (let i = 0; i < repeat; i++) {
        const pending = program.run();
        if (pending instanceof Promise) await pending;
      }
      await finish?.();
      return now() - start;
    },
  };
}
