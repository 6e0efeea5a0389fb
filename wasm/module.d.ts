/** The compiled kernels, as `wasm/build.mjs` writes them to build/module.js. */

/** The WebAssembly module: raw deflate, then base64. */
export const deflated: string;
