/** The compiled kernels, as `wasm/build.mjs` writes them for each platform into build/. */

/**
 * What the WebAssembly modules consist of, as `join.ts` reads it, packed as `#platform` unpacks it, in
 * base64.
 */
export const packed: string;
/** Bytes of what is packed. */
export const length: number;
/** The bytes of each module, in their order. */
export const sizes: Readonly<Record<string, number>>;
/** Where the static data of all of them ends. */
export const dataEnd: number;
