/** What the page is told about its surroundings, as site.json. */

/** One file: its path relative to the page, and its size for the progress of the download. */
export interface FileEntry {
  path: string;
  bytes: number;
}

export interface PartEntry {
  images: FileEntry;
  labels: FileEntry;
}

export type SetName = 'FashionMNIST' | 'MNIST';

export interface Manifest {
  /** Whether the page may isolate itself with the service worker isolate.js. */
  isolate: boolean;
  sets: Partial<Record<SetName, { train: PartEntry; test: PartEntry }>>;
}

/**
 * The page runs under this policy, on the server and on any static host: only its own files, no
 * inline code or styles. WebAssembly needs its own word.
 */
export const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');
