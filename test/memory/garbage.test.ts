import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Bytes that calls may leave to the collector; ts/ARCHITECTURE.md says what they are. */
const MOST: Readonly<Record<string, number>> = {
  'a bare tensor': 300,
  'x.relu()': 400,
  'x.add(y)': 450,
  'x.add(1)': 450,
  'recorded w.add(y)': 1250,
  'recorded w.relu()': 1350,
  'x.sum()': 3000,
  'Linear, one row': 6000,
};

it('a call leaves little beside its result to the collector', { timeout: 120_000 }, () => {
  const text = execFileSync(process.execPath, ['scripts/run.mjs', 'bench/garbage.ts'], {
    cwd: root,
    encoding: 'utf8',
  });
  const lines = [...text.matchAll(/^ *(\d+) bytes {2}(.*)$/gm)];
  const bytes = Object.fromEntries(lines.map(([, size, name]) => [name, Number(size)]));
  for (const [name, most] of Object.entries(MOST)) {
    expect(bytes[name], `${name} takes ${bytes[name]} bytes`).toBeGreaterThan(0);
    expect(bytes[name], `${name} takes ${bytes[name]} bytes`).toBeLessThanOrEqual(most);
  }
});
