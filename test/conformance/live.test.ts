/** The same checks against the PyTorch that is installed, under seeds that nobody recorded. */

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { havePyTorch, run } from '../checkpoint/python.js';
import { type ModuleFile, type OpFile, readJson, recordedNames } from './format.js';
import { listEntries } from './lists.js';
import type { RecipeRecord } from './recipes.js';
import { formatEntry } from './report.js';
import { checkSecond, type SecondRecord } from './second.js';
import { runTraining } from './training.js';

const here = dirname(fileURLToPath(import.meta.url));

/** Builds with MKL draw some numbers otherwise, and so do other versions. */
const KIND = 'import torch; print(torch.__version__[:4], torch.backends.mkl.is_available())';
const sameNumbers = havePyTorch && run(KIND) === '1.13 False';

/** What a recorder prints for a seed. */
function record(recorder: string, ...args: string[]): unknown[] {
  const start = `import runpy, sys; sys.dont_write_bytecode = True; sys.path.insert(0, '${here}')`;
  const program = `${start}; sys.argv[0] = '${recorder}'; runpy.run_path(sys.argv[0], run_name='__main__')`;
  return JSON.parse(run(program, ...args)) as unknown[];
}

describe.runIf(sameNumbers)('random numbers of the installed PyTorch', () => {
  test.each([5, 2 ** 31, 1234567890123])('seed %i', async (seed) => {
    const records = record(join(here, 'record_random.py'), '--out', '-', '--seeds', `${seed}`);
    expect(records.length).toBeGreaterThan(400);
    const wrong: string[] = [];
    for (const entry of listEntries('random', records, 'cpu')) {
      const outcome = await entry.run();
      if (outcome.status === 'failed') wrong.push(formatEntry(entry.name, outcome));
    }
    expect(wrong).toEqual([]);
  });
});

describe.runIf(sameNumbers)('trainings of the installed PyTorch', () => {
  test('follow it in float32 and float64', async () => {
    const records = record(join(here, 'record_training.py'), '--out', '-', '--seed', '11');
    const wrong: string[] = [];
    for (const training of records as RecipeRecord[]) {
      const outcome = await runTraining(training, 'cpu');
      if (outcome.status !== 'passed') wrong.push(formatEntry(training.name, outcome));
    }
    expect(wrong).toEqual([]);
  });
});

/** Signs of singular vectors are free, and so are the gradients of weighted sums of them. */
const FREE = /svd/;

describe.runIf(sameNumbers)('gradients of gradients', () => {
  test.each(['cases/ops', 'cases/nn', 'cases/recorded/ops'])('%s', async (folder) => {
    const inside = join(here, folder);
    const names = recordedNames(inside).filter((name) => !FREE.test(name));
    const files = names.map((name) => join(inside, `${name}.json.gz`));
    const records = record(join(here, 'record_second.py'), ...files) as SecondRecord[][];
    const wrong: string[] = [];
    let checked = 0;
    for (const [i, name] of names.entries()) {
      const file = readJson(join(inside, name)) as OpFile | ModuleFile;
      for (const [index, expected] of records[i]!.entries()) {
        const problem = await checkSecond(file, index, expected);
        if (problem !== undefined) wrong.push(`${name}, case ${index}: ${problem}`);
        if (expected !== null && !('error' in expected)) checked++;
      }
    }
    expect(wrong).toEqual([]);
    expect(checked).toBeGreaterThan(names.length);
  });
});
