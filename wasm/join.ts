/** Puts modules together from their instructions, locals, constants and so on: see `split.mjs`. */

/** The streams by number; those of operands follow. */
const TABLE = 0;
const INSTRUCTIONS = 1;
const LOCALS = 2;
const NEW_LOCALS = 3;
const DECLARED = 4;
const COUNTS = 5;
const TYPES = 6;
const REST = 7;

/** Sizes of operands that are numbers in LEB128, and of those that begin with their size. */
const NUMBER = 0;
const WITH_LENGTH = 255;

/** Instructions with a place from here on take two bytes. */
const ESCAPE = 255;
/** Of the instructions the first is the end of a function. */
const END = 0;
const CODE_SECTION = 10;

/** Makes modules, one after the other, of streams. */
export class Joiner {
  private out = new Uint8Array(0);
  private at = 0;
  /** Where each stream is read next. */
  private readonly next = new Uint32Array(256);
  /** Where the name of each instruction begins, and where it ends and the operands begin. */
  private readonly places = new Uint32Array(1024);
  /** Locals of a function, the last used first; how many; the one behind the last that was new. */
  private readonly recent = new Uint16Array(2 ** 16);
  private used = 0;
  private fresh = 0;

  constructor(private readonly bytes: Uint8Array) {
    const lengths = Array.from({ length: this.byte(TABLE) }, () => this.number(TABLE));
    let start = this.next[TABLE];
    lengths.forEach((length, stream) => {
      this.next[stream] = start;
      start += length;
    });
    const count = this.number(TABLE);
    for (let i = 0; i < 2 * count; i++) {
      this.places[i] = this.next[TABLE];
      this.next[TABLE] += 1 + bytes[this.places[i]];
    }
  }

  private byte(stream: number): number {
    return this.bytes[this.next[stream]++];
  }

  private number(stream: number): number {
    const byte = this.byte(stream);
    return byte < 128 ? byte : byte - 128 + 128 * this.number(stream);
  }

  private put(number: number): void {
    for (; number > 127; number >>>= 7) this.out[this.at++] = number | 128;
    this.out[this.at++] = number;
  }

  /** Copies the bytes of an operand. */
  private copy(stream: number, size: number): void {
    const { bytes, next } = this;
    if (size === NUMBER) {
      for (size = 1; bytes[next[stream] + size - 1] > 127; ) size++;
    } else if (size === WITH_LENGTH) size = this.number(stream);
    const end = next[stream] + size;
    for (let i = next[stream]; i < end; i++) this.out[this.at++] = bytes[i];
    next[stream] = end;
  }

  /** Copies a count, and returns it. */
  private count(stream: number): number {
    const count = this.number(stream);
    this.put(count);
    return count;
  }

  /** Moves what was put since `start` behind its length. */
  private measure(start: number): void {
    const { out, at } = this;
    this.put(at - start);
    const length = out.slice(at, this.at);
    out.copyWithin(start + length.length, start, at);
    out.set(length, start);
  }

  /** A local by its place among the last used, or by its distance from the last new one. */
  private local(): void {
    const { recent } = this;
    const place = this.number(LOCALS);
    let index = recent[place - 1];
    if (place === 0) {
      const distance = this.number(NEW_LOCALS);
      index = this.fresh + (distance & 1 ? -(distance + 1) : distance) / 2;
      this.fresh = index + 1;
      this.used++;
    }
    for (let i = (place || this.used) - 1; i > 0; i--) recent[i] = recent[i - 1];
    recent[0] = index;
    this.put(index);
  }

  private body(): void {
    const { bytes, places } = this;
    const start = this.at;
    this.used = this.fresh = 0;
    for (let groups = this.count(DECLARED); groups > 0; groups--) {
      this.count(COUNTS);
      this.copy(TYPES, 1);
    }
    let place: number;
    do {
      place = this.byte(INSTRUCTIONS);
      if (place === ESCAPE) place += this.byte(INSTRUCTIONS);
      const operands = places[2 * place + 1];
      for (let i = places[2 * place] + 1; i < operands; i++) this.out[this.at++] = bytes[i];
      const end = operands + 1 + bytes[operands];
      for (let i = operands + 1; i < end; i += 2) {
        if (bytes[i] === LOCALS) this.local();
        else this.copy(bytes[i], bytes[i + 1]);
      }
    } while (place !== END);
    this.measure(start);
  }

  /** The next module, of `size` bytes. */
  module(size: number): Uint8Array<ArrayBuffer> {
    this.out = new Uint8Array(size);
    this.at = 0;
    this.copy(REST, WITH_LENGTH);
    this.put(CODE_SECTION);
    const start = this.at;
    for (let functions = this.count(REST); functions > 0; functions--) this.body();
    this.measure(start);
    this.copy(REST, WITH_LENGTH);
    return this.out as Uint8Array<ArrayBuffer>;
  }
}
