/** PyTorch's records on the GPU: what is quick there. `make conformance DEVICE=webgpu` runs all. */

import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { withGpu } from '../webgpu/agree.js';
import { type Entry, folderEntries } from './folder.js';
import { formatEntry } from './report.js';

const CASES = fileURLToPath(new URL('./cases', import.meta.url));

/** Every `every`-th record of a kind. */
function some(entries: readonly Entry[], kind: string, every: number): Entry[] {
  return entries
    .filter(({ name }) => name.startsWith(`${kind}/`))
    .filter((_, i) => i % every === 0);
}

function check(list: readonly Entry[]): void {
  for (const entry of list) {
    test(entry.name, async () => {
      const outcome = await entry.run();
      const told = formatEntry(entry.name, outcome, 8);
      expect(['passed', 'inapplicable'], told).toContain(outcome.status);
    });
  }
}

await withGpu('records on the GPU', () => {
  const entries = folderEntries(CASES, 'webgpu');
  const few = /^training\/(mlp|gru)$/;
  check(some(entries, 'optim', 1));
  check(some(entries, 'lr_scheduler', 1));
  check(some(entries, 'checkpoints', 1));
  check(
    some(entries, 'random', 3).filter(
      ({ name }) => !/Conv3d|ConvTranspose|EmbeddingBag/.test(name),
    ),
  );
  check(some(entries, 'nn', 4));
  check(entries.filter(({ name }) => few.test(name)));

  test('most of them apply', async () => {
    const list = [...some(entries, 'optim', 3), ...some(entries, 'nn', 20)];
    const outcomes = await Promise.all(list.map((entry) => entry.run()));
    const passed = outcomes.filter(({ status }) => status === 'passed').length;
    expect(passed).toBeGreaterThan(0.8 * list.length);
  });
});
