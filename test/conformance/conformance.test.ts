/** The library against PyTorch's recorded answers: one test per operator, module and record. */

import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type Entry, folderEntries } from './folder.js';
import { readNames } from './format.js';
import { formatEntry } from './report.js';

const CASES = fileURLToPath(new URL('./cases', import.meta.url));
const RECORDED = `${CASES}/recorded`;
const core = new Set(readNames(`${CASES}/core.txt`));
const entries = folderEntries(CASES, 'cpu');
const recordedHere = folderEntries(RECORDED, 'cpu');

function kind(name: string, from = entries): Entry[] {
  return from.filter((entry) => entry.name.startsWith(`${name}/`));
}

function check(list: readonly Entry[]): void {
  for (const entry of list) {
    test(entry.name, async () => {
      const outcome = await entry.run();
      expect(outcome.status, formatEntry(entry.name, outcome, 8)).toBe('passed');
    });
  }
}

describe('operators of core.txt', () => {
  const all = [...kind('ops'), ...kind('ops', recordedHere)].filter((entry) =>
    core.has(entry.subject),
  );
  test('every one has cases', () => {
    const recorded = new Set(all.map((entry) => entry.subject));
    expect([...core].filter((name) => !recorded.has(name))).toEqual([]);
  });
  check(all);
});

describe('modules', () => {
  check(kind('nn'));
});

/** Classes and functions that the library has; the recordings hold more. */
const LATER = /Conv3d|ConvTranspose|EmbeddingBag|dropout3d|alpha_dropout|gumbel_softmax/;

describe('optimisers', () => {
  check(kind('optim'));
});

describe('learning rate schedules', () => {
  check(kind('lr_scheduler'));
});

describe('printing', () => {
  check(kind('repr'));
});

describe('random numbers', () => {
  const all = [...kind('random'), ...kind('random', recordedHere)];
  check(all.filter((entry) => !LATER.test(entry.subject)));
  test.each(all.filter((entry) => LATER.test(entry.subject)))(
    '$name, once it is there',
    async (entry) => {
      const outcome = await entry.run();
      expect(['passed', 'missing'], formatEntry(entry.name, outcome, 8)).toContain(outcome.status);
    },
  );
});

describe('whole trainings', () => {
  check([...kind('training'), ...kind('training', recordedHere)]);
});

describe('checkpoints', () => {
  check(kind('checkpoints'));
});
