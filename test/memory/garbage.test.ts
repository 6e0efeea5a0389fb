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
  'x.sum()': 310,
  'x.mean()': 310,
  'x.amax()': 310,
  'square.sum(1)': 310,
  'square.argmax(1)': 310,
  'square.max(1)': 600,
  'square.softmax(1)': 310,
  'square.matmul(square)': 500,
  'square.t()': 160,
  'square.transpose(0, 1)': 160,
  'square.view(64)': 230,
  'square.reshape(4, 16)': 250,
  'square.select(0, 1)': 160,
  'square.narrow(0, 1, 2)': 160,
  'torch.cat([square, square])': 310,
  'Linear, one row': 500,
  'Embedding, two rows': 2500,
  'MaxPool2d, one image': 2200,
  'LayerNorm, one row': 850,
  'Conv2d, one image': 2900,
  'crossEntropy, one row': 1700,
  'recorded w.add(y)': 850,
  'recorded w.relu()': 1050,
  'recorded w.sum()': 1250,
  'recorded Linear': 1700,
  'recorded, sum(), backward()': 4500,
  'SGD, one parameter': 2200,
  'Adam, one parameter': 3100,
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
