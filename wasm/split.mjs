// Sorts what modules consist of by its kind: instructions, locals, offsets, constants and so on become
// streams of their own, each of which packs far better than the mixture. `wasm/unpack.c` puts them
// together again.

/** The streams by number; operands of instructions follow. */
const [TABLE, INSTRUCTIONS, LOCALS, NEW_LOCALS, DECLARED, COUNTS, TYPES, REST] = Array(8).keys();

/** What an operand is: the stream it goes to, and its bytes, or how many there are. */
const NUMBER = 0;
const WITH_LENGTH = 255;
const operand = (stream, size = NUMBER) => [stream, size];
const local = operand(LOCALS);
const block = operand(8, 1);
const depth = operand(9);
const called = operand(10);
const global = operand(11);
const offset = operand(12);
const lane = operand(13, 1);
const i32 = operand(14);
const i64 = operand(15);
const f32 = operand(16, 4);
const f64 = operand(17, 8);
const v128 = operand(18, 16);
const order = operand(19, 16);
const table = operand(20, WITH_LENGTH);
const bulk = operand(21, 1);
const STREAMS = 22;

/** Bytes in front of the first section. */
const HEADER = 8;
const EXPORT_SECTION = 7;
const CODE_SECTION = 10;
const ESCAPE = 255;

/** Reads an unsigned LEB128 number: [value, index after it]. */
function readNumber(bytes, start) {
  let value = 0;
  for (let at = start, scale = 1; ; at++, scale *= 128) {
    value += (bytes[at] & 127) * scale;
    if (bytes[at] < 128) return [value, at + 1];
  }
}

function numberBytes(value) {
  return value < 128 ? [value] : [(value % 128) + 128, ...numberBytes(Math.floor(value / 128))];
}

/** Operands by the first and the last code of the instructions that have them. */
const PLAIN = [
  [0x02, 0x04, block],
  [0x0c, 0x0d, depth],
  [0x0e, 0x0e, table],
  [0x10, 0x10, called],
  [0x11, 0x11, called, called],
  [0x20, 0x22, local],
  [0x23, 0x24, global],
  [0x41, 0x41, i32],
  [0x42, 0x42, i64],
  [0x43, 0x43, f32],
  [0x44, 0x44, f64],
];
const BULK = [
  [8, 8, called, bulk],
  [9, 9, called],
  [10, 10, bulk, bulk],
  [11, 11, bulk],
];
const VECTOR = [
  [12, 12, v128],
  [13, 13, order],
  [21, 34, lane],
];
/** Instructions with an address; the vectors' of single lanes come last. */
const PLAIN_ACCESS = [[0x28, 0x3e, offset]];
const VECTOR_ACCESS = [
  [0, 11, offset],
  [92, 93, offset],
  [84, 91, offset, lane],
];

const ATOMIC = 0xfe;
const ATOMIC_ACCESS = [
  [0, 2, offset],
  [4, 255, offset],
];
/** What compilers make of C for no version of WebAssembly that kernels are built for. */
const UNKNOWN = [
  [0x06, 0x0a],
  [0x12, 0x19],
  [0x1c, 0x1f],
  [0x25, 0x27],
  [0x3f, 0x40],
  [0xc5, 0xfb],
];

const within = (code) => (range) => code >= range[0] && code <= range[1];

/** By their prefix, the instructions with plain operands and those with addresses. */
const PREFIXED = {
  252: [BULK, []],
  253: [VECTOR, VECTOR_ACCESS],
  254: [[[3, 3, bulk]], ATOMIC_ACCESS],
};

/**
 * The instruction at `start`: the bytes that name it, its operands, and where they begin. How an
 * address is aligned is part of the name: 0, since engines need not hear it, but for atomics.
 */
function instruction(bytes, start) {
  const first = bytes[start];
  const prefixed = PREFIXED[first];
  const [code, after] = prefixed ? readNumber(bytes, start + 1) : [first, start + 1];
  if (UNKNOWN.some(within(first))) throw new Error(`split.mjs does not know instruction ${first}`);
  const [plain, access] = prefixed ?? [PLAIN, PLAIN_ACCESS];
  const name = [...bytes.subarray(start, after)];
  const accessed = access.find(within(code));
  if (!accessed) return { name, operands: (plain.find(within(code)) ?? []).slice(2), at: after };
  const aligned = first === ATOMIC ? bytes[after] : 0;
  return { name: [...name, aligned], operands: accessed.slice(2), at: after + 1 };
}

/** Where an operand ends. A table has a number more than it says. */
function endOf(bytes, start, [, size]) {
  if (size !== NUMBER && size !== WITH_LENGTH) return start + size;
  let [count, at] = readNumber(bytes, start);
  if (size === WITH_LENGTH) for (; count >= 0; count--) at = readNumber(bytes, at)[1];
  return at;
}

/** A local as its place among the last used, from 1; one that is new by its distance from the last new. */
class Recent {
  list = [];
  next = 0;

  place(index) {
    const place = this.list.indexOf(index);
    if (place >= 0) this.list.splice(place, 1);
    this.list.unshift(index);
    return place + 1;
  }

  distance(index) {
    const distance = index - this.next;
    this.next = index + 1;
    return distance < 0 ? -2 * distance - 1 : 2 * distance;
  }
}

/** What becomes of modules while they are read. */
class Splitter {
  streams = Array.from({ length: STREAMS }, () => []);
  /** Instructions in order, by a text of their names and operands; what they are; how many. */
  used = [];
  kinds = new Map();

  put(stream, bytes) {
    for (const byte of bytes) this.streams[stream].push(byte);
  }

  putNumber(stream, value) {
    this.put(stream, numberBytes(value));
  }

  use(name, operands, last = false) {
    const flat = operands.flat();
    const kind = [name.length, ...name, flat.length, ...flat];
    const text = last ? 'last' : kind.join();
    const known = this.kinds.get(text) ?? { kind, text, count: 0 };
    known.count++;
    this.kinds.set(text, known);
    this.used.push(text);
  }

  body(bytes, start, end) {
    const recent = new Recent();
    let [groups, at] = readNumber(bytes, start);
    for (this.putNumber(DECLARED, groups); groups > 0; groups--) {
      const [count, after] = readNumber(bytes, at);
      this.putNumber(COUNTS, count);
      this.put(TYPES, [bytes[after]]);
      at = after + 1;
    }
    while (at < end) {
      const found = instruction(bytes, at);
      at = found.at;
      this.use(found.name, found.operands, at === end);
      for (const each of found.operands) {
        const after = endOf(bytes, at, each);
        if (each === local) this.local(recent, readNumber(bytes, at)[0]);
        else {
          if (each[1] === WITH_LENGTH) this.putNumber(each[0], after - at);
          this.put(each[0], bytes.subarray(at, after));
        }
        at = after;
      }
    }
  }

  local(recent, index) {
    const place = recent.place(index);
    this.putNumber(LOCALS, place);
    if (place === 0) this.putNumber(NEW_LOCALS, recent.distance(index));
  }

  /** The sections from `start` up to the one of a kind; where its content begins and ends. */
  sections(bytes, start, kind) {
    let at = Math.max(start, HEADER);
    let size = 0;
    let content = 0;
    for (; bytes[at] !== kind; at = content + size) {
      if (at >= bytes.length) throw new Error(`a module without a section ${kind}`);
      [size, content] = readNumber(bytes, at + 1);
    }
    this.putNumber(REST, at - start);
    this.put(REST, bytes.subarray(start, at));
    [size, content] = readNumber(bytes, at + 1);
    return [content, content + size];
  }

  /** Names, kinds, and by how much each index is larger than the one before, modulo 2^32. */
  exports(bytes, start) {
    let [count, at] = readNumber(bytes, start);
    let last = 0;
    for (this.putNumber(REST, count); count > 0; count--) {
      const [length, name] = readNumber(bytes, at);
      const [index, after] = readNumber(bytes, name + length + 1);
      this.putNumber(REST, length + 1);
      this.put(REST, bytes.subarray(name, name + length + 1));
      this.putNumber(REST, (index - last) >>> 0);
      last = index;
      at = after;
    }
  }

  /** Sections up to the exports, these, sections up to the code, the functions, sections behind them. */
  module(bytes) {
    const [exported, middle] = this.sections(bytes, 0, EXPORT_SECTION);
    this.exports(bytes, exported);
    const [functions, end] = this.sections(bytes, middle, CODE_SECTION);
    let [count, at] = readNumber(bytes, functions);
    for (this.putNumber(REST, count); count > 0; count--) {
      const [length, start] = readNumber(bytes, at);
      at = start + length;
      this.body(bytes, start, at);
    }
    this.putNumber(REST, bytes.length - end);
    this.put(REST, bytes.subarray(end));
  }

  /** The table of instructions - the end of a function, others by name, rare ones - and their places. */
  finish() {
    const rank = ({ text, count }) => (text === 'last' ? 0 : count > 3 ? 1 : 2);
    const kinds = [...this.kinds.values()];
    kinds.sort((a, b) => rank(a) - rank(b) || (a.text < b.text ? -1 : 1));
    const places = new Map(kinds.map(({ text }, place) => [text, place]));
    if (kinds.length > ESCAPE + 256) throw new Error('more instructions than codes for them');
    this.putNumber(TABLE, kinds.length);
    for (const { kind } of kinds) this.put(TABLE, kind);
    for (const text of this.used) {
      const place = places.get(text);
      this.put(INSTRUCTIONS, place < ESCAPE ? [place] : [ESCAPE, place - ESCAPE]);
    }
    const lengths = this.streams.flatMap(({ length }) => numberBytes(length));
    return Buffer.from([STREAMS, ...lengths, ...this.streams.flat()]);
  }
}

/** The streams of all modules, one after the other. */
export function split(modules) {
  const splitter = new Splitter();
  for (const bytes of modules) splitter.module(bytes);
  return splitter.finish();
}
