/** Native PyTorch, in a Python process of its own. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Case, Inputs } from '../case.js';
import { Lines } from './lines.js';
import type { Conditions, Peer, Runner } from './peer.js';

interface Answer {
  readonly version: string;
  readonly blas: string;
  readonly seconds: number;
  readonly error?: string;
}

const THREADS = ['OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'];

/** The first python that can import torch. */
function findPython(): string | undefined {
  return ['python3', '/usr/bin/python3', '/usr/local/bin/python3'].find(
    (python) => spawnSync(python, ['-c', 'import torch'], { stdio: 'ignore' }).status === 0,
  );
}

export async function openPyTorch(folder: string, { clock, threads }: Conditions): Promise<Peer> {
  const program = findPython();
  if (program === undefined) throw new Error('no python3 here can import torch');
  const environment = Object.fromEntries(THREADS.map((name) => [name, `${threads}`]));
  const script = join(folder, 'peers/pytorch.py');
  const python = new Lines<Answer>('pytorch', program, [script, `${threads}`], environment);
  const { version, blas } = await python.read();
  const files = mkdtempSync(join(tmpdir(), 'bench-'));
  process.once('exit', () => rmSync(files, { recursive: true, force: true }));

  async function prepare(benchmark: Case, inputs: Inputs): Promise<Runner> {
    const given = Object.fromEntries(
      Object.entries(inputs).map(([name, { data, shape }]) => {
        const path = join(files, name);
        writeFileSync(path, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
        const dtype = data instanceof Float32Array ? 'float32' : 'int32';
        return [name, { path, shape, dtype }];
      }),
    );
    const result = join(files, 'result');
    await python.ask({ do: 'prepare', source: benchmark.pytorch, inputs: given, result });
    const bytes = readFileSync(result);
    return {
      check: async () => new Float32Array(new Uint8Array(bytes).buffer),
      sample: async (repeat) => (await python.ask({ do: 'sample', repeat, clock })).seconds,
    };
  }

  return {
    name: 'pytorch',
    about: `native PyTorch ${version} (${blas})`,
    prepare,
    close: () => python.close(),
  };
}
