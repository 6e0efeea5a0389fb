/**
 * Which of several builds of a kernel runs fastest, found in little time while the engine may still
 * be compiling: code that is not optimised yet is told by its speed, and judges nobody.
 */

/** A build: `unit` does a fixed piece of work, some microseconds of optimised code. */
export interface Contender {
  readonly name: string;
  readonly unit: () => void;
}

/** Milliseconds of a sample, and how many steps of a coarse clock one lasts. */
const SAMPLE = 0.04;
const STEPS = 6;
/** A clock that is finer times every unit, so that a pause of the thread spoils one and no more. */
const FINE = 0.002;
/** Samples of optimised code that are enough, of the short ones and of the long. */
const ENOUGH = 4;
const ENOUGH_LONG = 2;
/** Turns of all contenders, one after the other, that judge them: machines change their speed. */
const JUDGING = 3;
/** Optimised code is faster than the first unoptimised samples by more than this... */
const JUMP = 2.2;
/** ... and no build is slower than the fastest by more than this for its shape alone. */
const SPREAD = 2.8;
/** How much faster than the first contender another must be to be taken. */
const MARGIN = 1.04;

interface Entry extends Contender {
  best: number;
  fast: number;
  /** The best of the turns that judge; 0 before them. */
  judged: number;
}

/** A race of contenders, the first of which is the one to fall back on. */
export class Trial {
  /** Milliseconds of all samples. */
  spent = 0;
  private entries: Entry[] = [];
  /** The rate of code that is not optimised, in units per millisecond. */
  private slow = Number.POSITIVE_INFINITY;
  private readonly step: number;
  private readonly fine: boolean;

  constructor(private readonly clock: () => number) {
    let last = clock();
    const ticks = [0, 0].map(() => {
      const start = last;
      do last = clock();
      while (last === start);
      return last - start;
    });
    // The first tick began before the first look.
    this.step = ticks[1];
    this.fine = this.step < FINE;
  }

  add(contender: Contender): void {
    const entry = { ...contender, best: 0, fast: 0, judged: 0 };
    entry.unit();
    this.slow = Math.min(this.slow, this.sample(entry));
    this.entries.push(entry);
  }

  /** Gives up contenders. */
  keep(names: readonly string[]): void {
    this.entries = this.entries.filter(({ name }) => names.includes(name));
  }

  /** Units per millisecond. */
  private sample({ unit }: Contender): number {
    const { fine } = this;
    const length = fine ? SAMPLE : Math.max(SAMPLE, STEPS * this.step);
    const start = this.clock();
    let last = start;
    let least = length;
    let units = 0;
    do {
      unit();
      units++;
      const now = this.clock();
      least = Math.min(least, now - last);
      last = now;
    } while (last - start < length);
    // A pause of the thread is no measurement.
    this.spent += Math.min(last - start, 4 * length);
    return fine ? 1 / least : units / (last - start);
  }

  private isFast({ best }: Entry): boolean {
    const most = Math.max(...this.entries.map((entry) => entry.best));
    return best > JUMP * this.slow && best * SPREAD > most;
  }

  private isSettled(entry: Entry): boolean {
    return entry.fast >= (this.fine ? ENOUGH : ENOUGH_LONG) && this.isFast(entry);
  }

  /** Whether all contenders have been measured optimised. */
  get settled(): boolean {
    return this.entries.every((entry) => this.isSettled(entry));
  }

  /**
   * Takes samples in turns until all have settled, or `limit` milliseconds are spent in all. If
   * all have, and the clock is fine, half a millisecond more judges them side by side.
   */
  run(limit: number): void {
    while (this.spent < limit && !this.settled) {
      for (const entry of this.entries) {
        if (this.isSettled(entry)) continue;
        const rate = this.sample(entry);
        entry.best = Math.max(entry.best, rate);
        entry.fast = rate > JUMP * this.slow ? entry.fast + 1 : 0;
      }
    }
    // A coarse clock's samples take too long for another turn.
    for (let turn = 0; turn < JUDGING && this.fine && this.settled; turn++) {
      for (const entry of this.entries) entry.judged = Math.max(entry.judged, this.sample(entry));
    }
  }

  /** Units per millisecond that count. */
  private rateOf(entry: Entry): number {
    return this.entries.every(({ judged }) => judged > 0) ? entry.judged : entry.best;
  }

  /** The fastest of those that have settled; the first if it has not. */
  get best(): string {
    const [first, ...others] = this.entries;
    let winner = first;
    let least = this.rateOf(first) * MARGIN;
    if (!this.isSettled(first)) return first.name;
    for (const entry of others) {
      const rate = this.rateOf(entry);
      if (!this.isSettled(entry) || rate <= least) continue;
      winner = entry;
      least = rate;
    }
    return winner.name;
  }

  /** The units per millisecond of each contender, for people. */
  describe(figure: (rate: number) => string): string {
    return this.entries
      .map(
        (entry) =>
          `${entry.name} ${this.isSettled(entry) ? figure(this.rateOf(entry)) : '(compiling)'}`,
      )
      .join(', ');
  }
}
