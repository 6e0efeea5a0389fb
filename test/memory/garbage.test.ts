import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Bytes that calls may leave to the collector; ts/ARCHITECTURE.md says what they are. Where a call
 * makes more than its result, half more than is usual: what V8 saves differs between runs.
 */
const MOST: Readonly<Record<string, number>> = {
  'a bare tensor': 220,
  'x.relu()': 220,
  'x.add(y)': 220,
  'x.add(1)': 220,
  'x.lt(y)': 220,
  'x.add_(y)': 30,
  'x.sum()': 440,
  'x.mean()': 480,
  'x.amax()': 520,
  'square.sum(1)': 520,
  'square.argmax(1)': 900,
  'square.softmax(1)': 520,
  'square.matmul(square)': 1500,
  'square.t()': 1000,
  'square.transpose(0, 1)': 720,
  'square.view(64)': 380,
  'square.reshape(4, 16)': 380,
  'Linear, one row': 1100,
  'LayerNorm, one row': 2400,
  'Conv2d, one image': 8000,
  'crossEntropy, one row': 4000,
  'recorded w.add(y)': 900,
  'recorded w.relu()': 1100,
  'recorded w.sum()': 1600,
  'recorded Linear': 2400,
  'SGD, one parameter': 2400,
  'Adam, one parameter': 3500,
};

it('a call leaves little beside its result to the collector', { timeout: 120_000 }, () => {
  const text = execFileSync(process.execPath, ['scripts/run.mjs', 'bench/garbage.ts'], {
    cwd: root,
    encoding: 'utf8',
  });
  const lines = [...text.matchAll(/^ *(\d+) bytes {2}(.*)$/gm)];
  const bytes = Object.fromEntries(lines.map(([, size, name]) => [name, Number(size)]));
  for (const [name, most] of Object.entries(MOST)) {
    expect(bytes[name], `${name} was counted`).toBeGreaterThanOrEqual(0);
    expect(bytes[name], `${name} takes ${bytes[name]} bytes`).toBeLessThanOrEqual(most);
  }
});
