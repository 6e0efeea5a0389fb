/** Unpacks the embedded modules, by a small one: `unpack.c`. */

interface Program {
  readonly memory: WebAssembly.Memory;
  readonly __heap_base: WebAssembly.Global;
  unpack_lzma(packed: number, out: number, size: number): void;
  join_begin(streams: number): void;
  join_next(out: number): void;
}

export class Unpacker {
  private readonly program: Program;
  /** Where the memory begins that the program leaves alone, and where that is free. */
  private readonly base: number;
  private free = 0;

  constructor(program: Uint8Array<ArrayBuffer>) {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(program));
    this.program = exports as unknown as Program;
    this.base = this.program.__heap_base.value;
  }

  /** Puts bytes where memory begins, with room for `size` more behind them. */
  private put(bytes: Uint8Array, size: number): void {
    const { memory } = this.program;
    this.free = this.base + bytes.length;
    const missing = this.free + size - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / 65536));
    new Uint8Array(memory.buffer).set(bytes, this.base);
  }

  private result(size: number): Uint8Array<ArrayBuffer> {
    const buffer = this.program.memory.buffer as ArrayBuffer;
    return new Uint8Array(buffer.slice(this.free, this.free + size));
  }

  /** The `size` bytes that raw LZMA (lc = 1, lp = 0, pb = 0) holds. */
  lzma(packed: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
    this.put(packed, size);
    this.program.unpack_lzma(this.base, this.free, size);
    return this.result(size);
  }

  /** Takes the streams of modules (see `split.mjs`) of at most `size` bytes. */
  begin(streams: Uint8Array, size: number): void {
    this.put(streams, size);
    this.program.join_begin(this.base);
  }

  /** The next module of the streams, of `size` bytes. */
  next(size: number): Uint8Array<ArrayBuffer> {
    this.program.join_next(this.free);
    return this.result(size);
  }
}
