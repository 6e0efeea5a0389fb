/** Memory formats: tensors are row-major. */

import { ValueError } from '../core/errors.js';

export type MemoryFormat = 'contiguousFormat' | 'preserveFormat' | 'channelsLast';

/** Throws for formats other than row-major. */
export function checkFormat(name: string, format: MemoryFormat | undefined | null): void {
  const known = ['contiguousFormat', 'preserveFormat'];
  if (format !== undefined && format !== null && !known.includes(format)) {
    throw new ValueError(
      `${name}: memoryFormat '${format}' is not supported; tensors are row-major ` +
        `('contiguousFormat')`,
    );
  }
}
