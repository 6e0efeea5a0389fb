/** Checkpoint files. */

export { type LoadOptions, type LoadSource, load } from './load.js';
export { save } from './save.js';
