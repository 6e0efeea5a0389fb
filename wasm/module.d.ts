/** The compiled kernels, as `wasm/build.mjs` writes them for each platform into build/. */

/**
 * The module that unpacks (`unpack.c`) and the streams that `split.mjs` makes of all others, packed in
 * base64: both by Brotli for Node, the streams by LZMA for pages.
 */
export const packed: string;
/** Bytes of the module that unpacks. */
export const unpackerSize: number;
/** Bytes of the streams. */
export const length: number;
/** The bytes of each module, in their order. */
export const sizes: Readonly<Record<string, number>>;
/** Where the static data of all of them ends. */
export const dataEnd: number;
