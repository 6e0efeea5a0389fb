import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { getData, verify } from '../../scripts/get-data.mjs';

const folder = mkdtempSync(join(tmpdir(), 'isotorch-data-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('get-data', () => {
  it('refuses files of a wrong size and of a wrong content', () => {
    const file = 't10k-labels-idx1-ubyte';
    const right = new Uint8Array(10008);
    expect(() => verify('MNIST', file, right.subarray(1))).toThrow('10008 bytes were expected');
    expect(() => verify('MNIST', file, right)).toThrow('SHA-256 ff7bcfd4');
    expect(() => verify('MNIST', file, gzipSync(right))).toThrow('was expected, got');
  });

  it('leaves a data set that is there alone', async () => {
    const raw = join(folder, 'MNIST/raw');
    mkdirSync(raw, { recursive: true });
    for (const part of ['train', 't10k']) {
      writeFileSync(join(raw, `${part}-images-idx3-ubyte.gz`), '');
      writeFileSync(join(raw, `${part}-labels-idx1-ubyte`), '');
    }
    const said: string[] = [];
    const result = await getData('mnist', { data: folder, say: (line) => said.push(line) });
    expect(result).toEqual({ name: 'MNIST', root: folder, source: 'cache' });
    expect(said).toEqual([]);
    await expect(getData('cifar', { data: folder })).rejects.toThrow('use fashion or mnist');
  });
});
