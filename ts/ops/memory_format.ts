/** Memory formats: the order of dimensions in memory. */

import { ValueError } from '../core/errors.js';

export type MemoryFormat = 'contiguousFormat' | 'preserveFormat' | 'channelsLast';

/** Throws for formats that are not to be had by name. */
export function checkFormat(name: string, format: MemoryFormat | undefined | null): void {
  const known = ['contiguousFormat', 'preserveFormat'];
  if (format !== undefined && format !== null && !known.includes(format)) {
    throw new ValueError(
      `${name}: memoryFormat '${format}' is not supported; use 'contiguousFormat' (row-major) or ` +
        "'preserveFormat', or permute() a tensor that lies in another order",
    );
  }
}
