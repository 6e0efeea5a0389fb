/** Bytes that are read in parts, and bytes that are written in order. */

/** A file, or what stands for one. */
export interface Source {
  readonly size: number;
  /**
   * The bytes from `start` to before `end`, all of them; the range lies within the size. `into`,
   * if it is there and used, has room for them, and may be used again once they are done with.
   */
  read(start: number, end: number, into?: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Bytes in memory; what is read shows them, without a copy. */
export function bytesSource(bytes: Uint8Array): Source {
  return {
    size: bytes.length,
    read: async (start, end) => bytes.subarray(start, end),
    close: async () => {},
  };
}

/** Where a file is written. */
export interface Sink {
  /** Appends bytes; they may be changed once this is done. */
  write(bytes: Uint8Array): Promise<void>;
  /** Replaces bytes that were written. */
  patch(at: number, bytes: Uint8Array): Promise<void>;
  /** Makes the file appear under its name. */
  finish(): Promise<void>;
  /** Leaves nothing behind. */
  abort(): Promise<void>;
}

/** Writes to memory. `size` is that of the file, as far as it is known. */
export function bytesSink(size: number): Sink & { bytes(): Uint8Array<ArrayBuffer> } {
  let all = new Uint8Array(size);
  let length = 0;
  return {
    write: async (part) => {
      if (length + part.length > all.length) {
        const larger = new Uint8Array(2 * (length + part.length));
        larger.set(all.subarray(0, length));
        all = larger;
      }
      all.set(part, length);
      length += part.length;
    },
    patch: async (at, part) => all.set(part, at),
    finish: async () => {},
    abort: async () => {},
    bytes: () => (length === all.length ? all : all.slice(0, length)),
  };
}
