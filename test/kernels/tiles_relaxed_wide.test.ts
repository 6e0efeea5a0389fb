/** The kernels made of tiles, in their build for another engine. */

import { useBuild } from './harness.js';

useBuild('relaxed-6x16');
await import('./matmul.test.js');
await import('./conv.test.js');
await import('./attention.test.js');
await import('./recurrent_sequence.test.js');
