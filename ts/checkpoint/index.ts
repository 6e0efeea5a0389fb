/** Checkpoint files. */

export { save } from './save.js';
