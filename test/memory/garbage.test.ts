import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Bytes that calls may leave to the collector; ts/ARCHITECTURE.md says what they are. */
const MOST: Readonly<Record<string, number>> = {
  'a bare tensor': 200,
  'x.relu()': 200,
  'x.add(y)': 200,
  'x.add(1)': 200,
  'x.lt(y)': 200,
  'x.add_(y)': 30,
  'x.sum()': 320,
  'x.mean()': 360,
  'x.amax()': 380,
  'square.sum(1)': 380,
  'square.argmax(1)': 700,
  'square.softmax(1)': 380,
  'square.matmul(square)': 1450,
  'square.t()': 550,
  'square.transpose(0, 1)': 550,
  'square.view(64)': 320,
  'square.reshape(4, 16)': 320,
  'Linear, one row': 850,
  'LayerNorm, one row': 1900,
  'Conv2d, one image': 6000,
  'crossEntropy, one row': 3200,
  'recorded w.add(y)': 720,
  'recorded w.relu()': 850,
  'recorded w.sum()': 1200,
  'recorded Linear': 1850,
  'SGD, one parameter': 1900,
  'Adam, one parameter': 2700,
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
