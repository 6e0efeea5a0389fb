/** Operator x dtype x layout: small cases of every operator in every dtype, as PyTorch answers. */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type OpFile, readJson, recordedNames } from './format.js';
import { runOp } from './ops.js';
import { formatEntry } from './report.js';

const FOLDER = fileURLToPath(new URL('./cases/dtypes', import.meta.url));

/** The recordings of each operator, one per dtype. */
function byOperator(): Map<string, OpFile[]> {
  const operators = new Map<string, OpFile[]>();
  for (const dtype of recordedNames(FOLDER)) {
    for (const file of readJson(join(FOLDER, dtype)) as OpFile[]) {
      const name = file.variant === '' ? file.op : `${file.op}.${file.variant}`;
      operators.set(name, [...(operators.get(name) ?? []), file]);
    }
  }
  return operators;
}

describe('operator x dtype x layout', () => {
  for (const [name, files] of byOperator()) {
    test(name, async () => {
      const failures: string[] = [];
      for (const file of files) {
        const outcome = await runOp(file, 'cpu');
        if (outcome.status !== 'passed') failures.push(formatEntry(file.dtype, outcome, 3));
      }
      expect(failures.join('\n')).toBe('');
    });
  }
});
