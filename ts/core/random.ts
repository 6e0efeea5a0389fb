/** PyTorch's random numbers: the mt19937 engine of its CPU generator, and the generator's state. */

import { showValue, ValueError } from './errors.js';

const words = 624;
const shift = 397;

/** The seed a generator has before anybody sets one. */
const defaultSeed = 67280421310721n;

/** Bytes of a state: PyTorch's own layout, so that states can be exchanged with it. */
const stateSize = 5056;
/** A state of PyTorch before 1.6, without the bytes for a single precision normal. */
const olderStateSize = 5048;

const offsets = {
  seed: 0,
  left: 8,
  seeded: 12,
  next: 16,
  words: 24,
  normalX: 5016,
  normalY: 5024,
  normalRho: 5032,
  normalIsValid: 5040,
  floatNormal: 5048,
};

/** Fills arrays with the raw output of the engine. */
class Mersenne {
  /** Kept as signed words: V8 computes on those without boxing. */
  readonly state = new Int32Array(words);
  next = words;
  /** Seeded, and no number drawn yet. */
  fresh = true;

  seed(seed: number): void {
    const { state } = this;
    state[0] = seed;
    for (let i = 1; i < words; i++) {
      const previous = state[i - 1] ^ (state[i - 1] >>> 30);
      state[i] = Math.imul(1812433253, previous) + i;
    }
    this.next = words;
    this.fresh = true;
  }

  /** The next 624 words. */
  private twist(): void {
    const { state } = this;
    const mix = (upper: number, lower: number) =>
      (((upper & 0x80000000) | (lower & 0x7fffffff)) >>> 1) ^ (-(lower & 1) & 0x9908b0df);
    let i = 0;
    for (; i < words - shift; i++) state[i] = state[i + shift] ^ mix(state[i], state[i + 1]);
    for (; i < words - 1; i++) state[i] = state[i + shift - words] ^ mix(state[i], state[i + 1]);
    state[i] = state[i + shift - words] ^ mix(state[i], state[0]);
    this.next = 0;
    this.fresh = false;
  }

  /** Writes `count` words from `start` on. */
  fill(out: Int32Array, start: number, count: number): void {
    const { state } = this;
    let written = start;
    const end = start + count;
    while (written < end) {
      if (this.next === words) this.twist();
      const stop = Math.min(words, this.next + end - written);
      for (let i = this.next; i < stop; i++) out[written++] = temper(state[i]);
      this.next = stop;
    }
  }

  word(): number {
    if (this.next === words) this.twist();
    return temper(this.state[this.next++]);
  }
}

function temper(word: number): number {
  let y = word;
  y ^= y >>> 11;
  y ^= (y << 7) & 0x9d2c5680;
  y ^= (y << 15) & 0xefc60000;
  return y ^ (y >>> 18);
}

/**
 * A stream of random numbers with its own state, as `torch.Generator`. The same seed gives the
 * numbers PyTorch's CPU generator gives.
 */
export class Generator {
  readonly device = 'cpu';
  private readonly engine = new Mersenne();
  private currentSeed = defaultSeed;
  /** The second normal of a pair, kept for the next single draw. */
  private spareNormal: number | undefined;
  /** What a state of PyTorch holds for single precision: kept, and never drawn from. */
  private floatNormal = 0n;

  /** Numbers are drawn on the CPU whatever device takes them: `device` can only be 'cpu'. */
  constructor(device: string | { device?: string } = 'cpu') {
    const name = typeof device === 'string' ? device : (device.device ?? 'cpu');
    if (name !== 'cpu') {
      throw new ValueError(
        `Generator: numbers are drawn on the CPU and copied to the device, got device '${name}'; ` +
          'pass a generator without a device to functions of any device',
      );
    }
    this.manualSeed(defaultSeed);
  }

  /**
   * Starts the stream of a seed: an integer in [-2^63, 2^64). Negative seeds count from 2^64 down,
   * and only the lower 32 bits reach the engine, as in PyTorch.
   */
  manualSeed(seed: number | bigint): this {
    if (typeof seed !== 'bigint' && !Number.isSafeInteger(seed)) {
      throw new ValueError(
        `manualSeed: the seed must be an integer, got ${showValue(seed)}; use a bigint for seeds beyond 2^53`,
      );
    }
    const wide = BigInt(seed);
    if (wide < -(2n ** 63n) || wide >= 2n ** 64n) {
      throw new ValueError(`manualSeed: the seed must lie in [-2^63, 2^64), got ${seed}`);
    }
    this.currentSeed = BigInt.asUintN(64, wide);
    this.engine.seed(Number(BigInt.asIntN(32, wide)));
    this.spareNormal = undefined;
    this.floatNormal = 0n;
    return this;
  }

  /** Seeds from the system's entropy and returns the seed. */
  seed(): number {
    const [high, low] = crypto.getRandomValues(new Uint32Array(2));
    const seed = (high & 0x1fffff) * 2 ** 32 + low;
    this.manualSeed(seed);
    return seed;
  }

  /** The seed the stream was started with; a bigint only beyond 2^53. */
  initialSeed(): number | bigint {
    const { currentSeed } = this;
    return currentSeed <= Number.MAX_SAFE_INTEGER ? Number(currentSeed) : currentSeed;
  }

  /** The next 32 random bits, as an integer in [0, 2^32). */
  random(): number {
    return this.engine.word() >>> 0;
  }

  /** The next 64 random bits. The first of the two words drawn is the upper half. */
  random64(): bigint {
    const high = this.random();
    return (BigInt(high) << 32n) | BigInt(this.random());
  }

  /** A double in [0, 1): the lower 53 of 64 random bits. */
  uniform(): number {
    const high = this.engine.word() & 0x1fffff;
    return (high * 2 ** 32 + this.random()) * 2 ** -53;
  }

  /** A double from the standard normal distribution, by Box-Muller; pairs are drawn together. */
  normal(): number {
    const spare = this.spareNormal;
    if (spare !== undefined) {
      this.spareNormal = undefined;
      return spare;
    }
    const angle = 2 * Math.PI * this.uniform();
    const radius = Math.sqrt(-2 * Math.log1p(-this.uniform()));
    this.spareNormal = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** Writes `count` 32-bit words into `out` from `start` on: the fast way to many numbers. */
  fillWords(out: Int32Array, start: number, count: number): void {
    this.engine.fill(out, start, count);
  }

  /**
   * @internal Lets `draw` take the next `count` words itself: it gets the engine's words and the
   * place of the first not used, and leaves the words as the engine would.
   */
  advance(count: number, draw: (state: Int32Array, next: number) => void): void {
    const { engine } = this;
    const last = engine.next + count;
    draw(engine.state, engine.next);
    const blocks = Math.max(0, Math.ceil(last / words) - 1);
    engine.next = last - blocks * words;
    engine.fresh &&= blocks === 0;
  }

  /** A copy that continues with the same numbers. */
  clone(): Generator {
    return new Generator().setStateBytes(this.stateBytes());
  }

  /** The whole state in PyTorch's layout: 5056 bytes, the ones of `generator.get_state()`. */
  stateBytes(): Uint8Array {
    const bytes = new Uint8Array(stateSize);
    const view = new DataView(bytes.buffer);
    const { state, next, fresh } = this.engine;
    view.setBigUint64(offsets.seed, this.currentSeed, true);
    // PyTorch counts the words left down to 1, then makes the next 624.
    view.setInt32(offsets.left, words - next + 1, true);
    view.setInt32(offsets.seeded, 1, true);
    view.setBigUint64(offsets.next, BigInt(fresh ? 0 : next), true);
    for (let i = 0; i < words; i++) {
      view.setBigUint64(offsets.words + 8 * i, BigInt(state[i] >>> 0), true);
    }
    if (this.spareNormal !== undefined) {
      view.setFloat64(offsets.normalY, this.spareNormal, true);
      view.setInt32(offsets.normalIsValid, 1, true);
    }
    view.setBigUint64(offsets.floatNormal, this.floatNormal, true);
    return bytes;
  }

  /** Continues from a state of `stateBytes()` or of PyTorch. Throws ValueError for other bytes. */
  setStateBytes(bytes: Uint8Array): this {
    const size = bytes.byteLength;
    if (size !== stateSize && size !== olderStateSize) {
      throw new ValueError(
        `setState: a state has ${stateSize} bytes, got ${size}; pass what getState() gave`,
      );
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, size);
    const left = view.getInt32(offsets.left, true);
    const next = Number(view.getBigUint64(offsets.next, true));
    if (left < 1 || left > words || next > words || view.getInt32(offsets.seeded, true) !== 1) {
      throw new ValueError('setState: these bytes are not the state of a generator');
    }
    this.currentSeed = view.getBigUint64(offsets.seed, true);
    for (let i = 0; i < words; i++) {
      this.engine.state[i] = view.getUint32(offsets.words + 8 * i, true);
    }
    this.engine.next = left === 1 ? words : next;
    this.engine.fresh = next === 0;
    const valid = view.getInt32(offsets.normalIsValid, true) !== 0;
    this.spareNormal = valid ? spareOf(view) : undefined;
    this.floatNormal = size === stateSize ? view.getBigUint64(offsets.floatNormal, true) : 0n;
    return this;
  }
}

/** The second normal of a pair: older states hold what it is computed from. */
function spareOf(view: DataView): number {
  const double = (offset: number) => view.getFloat64(offset, true);
  if (view.byteLength === stateSize) return double(offsets.normalY);
  return double(offsets.normalRho) * Math.sin(2 * Math.PI * double(offsets.normalX));
}

/** The generator used where none is given. */
export const defaultGenerator = new Generator();

/** Seeds the default generator: the numbers that follow are PyTorch's for this seed. */
export function manualSeed(seed: number | bigint): Generator {
  return defaultGenerator.manualSeed(seed);
}
