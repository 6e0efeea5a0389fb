/** The compiled kernels, as `wasm/build.mjs` writes them for each platform into build/. */

/** The WebAssembly modules one after the other, packed as `#platform` unpacks them, in base64. */
export const packed: string;
/** The bytes of each module, in their order. */
export const sizes: Readonly<Record<string, number>>;
/** Where the static data of all of them ends. */
export const dataEnd: number;
