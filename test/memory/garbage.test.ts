import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Bytes that calls may leave to the collector; ts/ARCHITECTURE.md says what they are. Where a call
 * makes more than its result, half more than is usual: what V8 saves differs between runs.
 */
const MOST: Readonly<Record<string, number>> = {
  'a bare tensor': 250,
  'x.relu()': 250,
  'x.add(y)': 250,
  'x.add(1)': 250,
  'x.lt(y)': 250,
  'x.add_(y)': 30,
  'x.sum()': 250,
  'x.mean()': 250,
  'x.amax()': 250,
  'square.sum(1)': 250,
  'square.argmax(1)': 250,
  'square.max(1)': 550,
  'square.softmax(1)': 250,
  'square.matmul(square)': 250,
  'square.t()': 160,
  'square.transpose(0, 1)': 160,
  'square.view(64)': 230,
  'square.reshape(4, 16)': 250,
  'square.select(0, 1)': 160,
  'square.narrow(0, 1, 2)': 160,
  'torch.cat([square, square])': 250,
  'Linear, one row': 250,
  'Embedding, two rows': 250,
  'MaxPool2d, one image': 250,
  'LayerNorm, one row': 250,
  'Conv2d, one image': 250,
  'crossEntropy, one row': 250,
  'recorded w.add(y)': 850,
  'recorded w.relu()': 1000,
  'recorded w.sum()': 1200,
  'recorded Linear': 1500,
  'recorded Conv2d': 1100,
  'recorded MaxPool2d': 1200,
  'recorded Embedding': 1550,
  'recorded crossEntropy': 3400,
  'recorded, sum(), backward()': 3500,
  'SGD, one parameter': 120,
  'SGD, eight parameters': 120,
  'Adam, one parameter': 250,
  'Adam, eight parameters': 250,
};

/** Bytes by what is called: of all calls, or of those whose name has `part`. */
function measure(part: readonly string[] = []): Record<string, number> {
  const text = execFileSync(process.execPath, ['scripts/run.mjs', 'bench/garbage.ts', ...part], {
    cwd: root,
    encoding: 'utf8',
  });
  const lines = [...text.matchAll(/^ *(\d+) bytes {2}(.*)$/gm)];
  return Object.fromEntries(lines.map(([, size, name]) => [name, Number(size)]));
}

it('a call leaves little beside its result to the collector', { timeout: 240_000 }, () => {
  const bytes = measure();
  for (const [name, most] of Object.entries(MOST)) {
    expect(bytes[name], `${name} was counted`).toBeGreaterThanOrEqual(0);
    // On a busy machine V8 may not have optimised a call yet: more is more if it is so again.
    const taken = bytes[name] <= most ? bytes[name] : measure([name])[name];
    expect(taken, `${name} takes ${bytes[name]} bytes, and ${taken}`).toBeLessThanOrEqual(most);
  }
});
