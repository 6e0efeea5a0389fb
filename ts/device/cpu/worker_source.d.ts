/** The program of a thread, as `wasm/compile.mjs` bundles `worker.ts` into build/worker.js. */
export const source: string;
