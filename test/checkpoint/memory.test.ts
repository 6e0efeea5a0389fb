import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleTypeScript } from '../../scripts/typescript.mjs';

const root = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'isotorch-memory-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What is read and written passes through memory in pieces, beside the tensors themselves. */
describe('peak memory of a process', () => {
  let program = '';
  beforeAll(async () => {
    program = await bundleTypeScript(
      root,
      { contents: undefined, file: 'test/checkpoint/peak.ts' },
      'test-peak',
    );
  });
  const peak = (task: string, format: string) => {
    const path = join(folder, `tensors.${format}`);
    return Number(execFileSync(process.execPath, [program, task, format, path]));
  };

  it.each(['pt', 'legacy', 'safetensors', 'npy', 'npz', 'packed'])(
    'is at most 1.3 times the tensors that are saved and loaded: %s',
    (format) => {
      const [saved, loaded] = [peak('save', format), peak('load', format)];
      expect(saved).toBeGreaterThan(0.9);
      expect(saved).toBeLessThan(1.3);
      expect(loaded).toBeGreaterThan(0.9);
      expect(loaded).toBeLessThan(1.3);
      rmSync(join(folder, `tensors.${format}`));
    },
  );
});
