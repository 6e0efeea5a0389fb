/** What follows from a few values, found again by them. */

/** Places for lists of values with the same hash. */
const WAYS = 4;

/**
 * What was made for the lists of values met last; made at every call it would be garbage. Many share
 * it, so nothing in it changes. Callers set the whole `key`, then get().
 */
export class Memo<K extends unknown[], T> {
  private readonly keys: (K | undefined)[] = [];
  private readonly values: T[] = [];
  private readonly shift: number;
  private turn = 0;

  constructor(
    /** Numbers, by which things are found quickly, and anything that is compared by identity. */
    readonly key: K,
    private readonly make: (key: K) => T,
    bits = 4,
  ) {
    this.shift = 32 - bits;
    this.keys.length = WAYS << bits;
    this.keys.fill(undefined);
  }

  /** What belongs to the key, made if it is not there. What `make` throws is thrown. */
  get(): T {
    const { key, keys } = this;
    const { length } = key;
    let hash = 0;
    for (let i = 0; i < length; i++) {
      const value = key[i];
      if (typeof value === 'number') hash = Math.imul(hash ^ (value + 1), 0x9e3779b1);
    }
    const start = (hash >>> this.shift) * WAYS;
    for (let at = start; at < start + WAYS; at++) {
      const known = keys[at];
      if (known === undefined) break;
      let i = 0;
      while (i < length && known[i] === key[i]) i++;
      if (i === length) return this.values[at];
    }
    return this.add(start);
  }

  private add(start: number): T {
    // The key may be another's before this returns.
    const own = this.key.slice() as K;
    const value = this.make(own);
    let at = start;
    while (at < start + WAYS && this.keys[at] !== undefined) at++;
    if (at === start + WAYS) at = start + (this.turn++ % WAYS);
    this.keys[at] = own;
    this.values[at] = value;
    return value;
  }
}
