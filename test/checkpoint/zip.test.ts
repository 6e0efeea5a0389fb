import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 as nodeCrc32 } from 'node:zlib';
import { unzipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../ts/checkpoint/crc32.js';
import { Archive } from '../../ts/checkpoint/unzip.js';
import { writeZip, zipEntry, zipSize } from '../../ts/checkpoint/zip.js';
import { bytesSink, bytesSource } from '../../ts/platform/source.js';
import { havePython, run } from './python.js';

const fail = (message: string, at: number, entry?: string): never => {
  throw new Error(`${entry}, byte ${at}: ${message}`);
};
/** Python that opens the archive, which is then gone. */
const open = 'import zipfile, sys, os; z = zipfile.ZipFile(sys.argv[1]); os.remove(sys.argv[1])';
const options = { ratio: 1, checksums: true };

describe('crc32', () => {
  it('is that of zip files, in parts too', () => {
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
    const bytes = Uint8Array.from({ length: 1003 }, (_, i) => (i * i) & 255);
    const parts = crc32(bytes.subarray(13), crc32(bytes.subarray(0, 13)));
    expect(parts).toBe(crc32(bytes));
    if (nodeCrc32 !== undefined) expect(crc32(bytes)).toBe(nodeCrc32(bytes));
  });
});

describe('writeZip', () => {
  it('declares its size before it writes', async () => {
    const entries = ['a', 'ü/b', 'c'.repeat(300)].map((name, i) =>
      zipEntry(name, new Uint8Array(100 * i).fill(i)),
    );
    const sink = bytesSink(zipSize(entries));
    await writeZip(sink, entries);
    const bytes = sink.bytes();
    expect(bytes.length).toBe(zipSize(entries));
    const read = unzipSync(bytes);
    expect(Object.keys(read)).toEqual(entries.map(({ name }) => name));
    expect(read['c'.repeat(300)]).toEqual(new Uint8Array(200).fill(2));
  });

  it('counts more than 65535 entries', async () => {
    const entries = Array.from({ length: 66_000 }, (_, i) => zipEntry(`${i}`, Uint8Array.of(i)));
    const sink = bytesSink(zipSize(entries));
    await writeZip(sink, entries);
    const archive = await Archive.open({ file: bytesSource(sink.bytes()), fail }, options);
    expect(archive.names).toHaveLength(66_000);
    expect(await archive.read('65999')).toEqual(Uint8Array.of(65_999));
    if (!havePython) return;
    const path = join(tmpdir(), `isotorch-${process.pid}.zip`);
    writeFileSync(path, sink.bytes());
    const code = `${open}; print(len(z.namelist()), z.read('65999')[0])`;
    expect(run(code, path)).toBe(`66000 ${65_999 & 255}`);
  });

  it('uses 64 bits for sizes and places', async () => {
    const one = new Uint8Array(5000).fill(7);
    const entries = ['one', 'two'].map((name) => ({ ...zipEntry(name, one), wide: true }));
    for (const deflated of [false, true]) {
      const sink = bytesSink(zipSize(entries));
      await writeZip(sink, entries, deflated);
      const bytes = sink.bytes();
      if (!deflated) expect(bytes.length).toBe(zipSize(entries));
      const archive = await Archive.open(
        { file: bytesSource(bytes), fail },
        { ...options, ratio: 99 },
      );
      for (const name of ['one', 'two']) expect(await archive.read(name)).toEqual(one);
      if (!havePython) continue;
      const path = join(tmpdir(), `isotorch-${process.pid}.zip`);
      writeFileSync(path, bytes);
      expect(run(`${open}; print(z.testzip(), len(z.read('two')))`, path)).toBe('None 5000');
    }
  });

  it('declares sizes above 4 GB', () => {
    async function* pieces() {}
    const large = { name: 'large', size: 2 ** 32 + 5, pieces };
    const overhead = zipSize([{ ...large, size: 0, wide: true }]);
    // The place of the directory, too, now needs 64 bits.
    expect(zipSize([large])).toBe(overhead + large.size + 76 - 8);
  });
});
