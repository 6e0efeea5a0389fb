import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { support, withSummary } from '../../scripts/support_tables.js';
import { root } from './snippets.js';

const advice = 'run `make support` and commit what it writes';

test('its program takes no arguments, and writes nothing then', () => {
  const args = ['scripts/run.mjs', 'scripts/support.ts', '--help'];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  expect([status, stderr.trim()]).toEqual([2, "support: takes no arguments, got '--help'"]);
});

test('docs/support.md is current', () => {
  expect(readFileSync(join(root, 'docs/support.md'), 'utf8'), advice).toBe(support());
});

test('the summary in README.md is current', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  expect(withSummary(readme), advice).toBe(readme);
});
