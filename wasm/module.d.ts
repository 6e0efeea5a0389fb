/** The compiled kernels, as `wasm/build.mjs` writes them to build/module.js. */

/** The WebAssembly module: deflated, then base64. */
export const deflated: string;
/** Bytes of the module before deflation. */
export const byteLength: number;
