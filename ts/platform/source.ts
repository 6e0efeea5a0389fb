/** Bytes that are read in parts. */

/** A file, or what stands for one. */
export interface Source {
  readonly size: number;
  /** The bytes from `start` to before `end`, all of them; the range lies within the size. */
  read(start: number, end: number): Promise<Uint8Array>;
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
