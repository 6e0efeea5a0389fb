/**
 * Unpacks raw LZMA (lc = 3, lp = 0, pb = 0). It packs the kernels a quarter smaller than deflate,
 * whose window is too short for code that is there once per dtype.
 */

const LITERAL = 0x300;

/** Where the probabilities of each kind of decision begin, in one array. */
const IS_MATCH = 0;
const IS_REPEAT = 12;
const IS_REPEAT_LATER = 24;
const IS_REPEAT_THIRD = 36;
const IS_REPEAT_FOURTH = 48;
const IS_REPEAT_LONG = 60;
const SLOTS = 72;
const LOW_DISTANCE = SLOTS + 4 * 64;
const ALIGN = LOW_DISTANCE + 128;
const MATCH_LENGTH = ALIGN + 16;
const REPEAT_LENGTH = MATCH_LENGTH + 274;
const LITERALS = REPEAT_LENGTH + 274;

/** The range decoder: bits whose probabilities adapt. */
class Decoder {
  private readonly models = new Uint16Array(LITERALS + 8 * LITERAL).fill(1024);
  /** Range and code, which fill all 32 bits. */
  private readonly now = Uint32Array.of(-1, 0);
  private at = 1;

  constructor(private readonly packed: Uint8Array) {
    while (this.at < 5) this.now[1] = (this.now[1] << 8) | packed[this.at++];
  }

  private refill(): void {
    this.now[0] <<= 8;
    this.now[1] = (this.now[1] << 8) | this.packed[this.at++];
  }

  bit(index: number): number {
    const { models, now } = this;
    const probability = models[index];
    const bound = (now[0] >>> 11) * probability;
    if (now[1] < bound) {
      now[0] = bound;
      models[index] = probability + ((2048 - probability) >> 5);
      if (bound < 2 ** 24) this.refill();
      return 0;
    }
    now[0] -= bound;
    now[1] -= bound;
    models[index] = probability - (probability >> 5);
    if (now[0] < 2 ** 24) this.refill();
    return 1;
  }

  /** Bits without a model, the highest first. */
  direct(count: number): number {
    const { now } = this;
    let value = 0;
    for (; count > 0; count--) {
      now[0] >>>= 1;
      const bit = now[1] >= now[0] ? 1 : 0;
      if (bit) now[1] -= now[0];
      value = value * 2 + bit;
      if (now[0] < 2 ** 24) this.refill();
    }
    return value;
  }

  /** Bits of a tree, the highest first. */
  tree(base: number, bits: number): number {
    let node = 1;
    for (let i = 0; i < bits; i++) node = node * 2 + this.bit(base + node);
    return node - (1 << bits);
  }

  /** Bits of a tree, the lowest first. */
  reverse(base: number, bits: number): number {
    let value = 0;
    for (let i = 0, node = 1; i < bits; i++) {
      const bit = this.bit(base + node);
      node = node * 2 + bit;
      value |= bit << i;
    }
    return value;
  }

  length(base: number): number {
    if (this.bit(base) === 0) return 2 + this.tree(base + 2, 3);
    if (this.bit(base + 1) === 0) return 10 + this.tree(base + 10, 3);
    return 18 + this.tree(base + 18, 8);
  }

  distance(length: number): number {
    const slot = this.tree(SLOTS + Math.min(length - 2, 3) * 64, 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const base = (2 | (slot & 1)) * 2 ** bits;
    if (slot < 14) return base + this.reverse(LOW_DISTANCE + base - slot, bits);
    return base + this.direct(bits - 4) * 16 + this.reverse(ALIGN, 4);
  }

  /** A byte after `before`; `matched` is what a match would have gone on with, 0 if there is none. */
  literal(before: number, matched: number, offset: number): number {
    const base = LITERALS + (before >> 5) * LITERAL;
    let node = 1;
    while (node < 256) {
      matched <<= 1;
      const expected = matched & offset;
      const bit = this.bit(base + offset + expected + node);
      node = node * 2 + bit;
      offset &= bit ? matched : ~matched;
    }
    return node & 255;
  }
}

/** The `size` bytes that `packed` holds. */
export function unpackLzma(packed: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(size);
  const decoder = new Decoder(packed);
  let [back, second, third, fourth] = [1, 1, 1, 1];
  let state = 0;
  for (let at = 0; at < size; ) {
    if (decoder.bit(IS_MATCH + state) === 0) {
      const matched = state < 7 ? 0 : 256;
      out[at] = decoder.literal(at > 0 ? out[at - 1] : 0, matched && out[at - back], matched);
      at++;
      state = state < 4 ? 0 : state - (state < 10 ? 3 : 6);
      continue;
    }
    const wasLiteral = state < 7;
    let length = 1;
    if (decoder.bit(IS_REPEAT + state) === 0) {
      length = decoder.length(MATCH_LENGTH);
      [second, third, fourth] = [back, second, third];
      back = decoder.distance(length) + 1;
      state = wasLiteral ? 7 : 10;
    } else {
      const later = decoder.bit(IS_REPEAT_LATER + state);
      const long = later === 1 || decoder.bit(IS_REPEAT_LONG + state) === 1;
      if (later === 1) {
        if (decoder.bit(IS_REPEAT_THIRD + state) === 0) [back, second] = [second, back];
        else if (decoder.bit(IS_REPEAT_FOURTH + state) === 0) {
          [back, second, third] = [third, back, second];
        } else [back, second, third, fourth] = [fourth, back, second, third];
      }
      if (long) length = decoder.length(REPEAT_LENGTH);
      state = long ? (wasLiteral ? 8 : 11) : wasLiteral ? 9 : 11;
    }
    for (const end = at + length; at < end; at++) out[at] = out[at - back];
  }
  return out;
}
