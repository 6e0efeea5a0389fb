/** Native PyTorch, in a Python process of its own. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Case, Inputs } from '../case.js';
import type { Clock, Peer, Runner } from './peer.js';

interface Answer {
  readonly version: string;
  readonly blas: string;
  readonly seconds: number;
  readonly error?: string;
}

const THREADS = { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', MKL_NUM_THREADS: '1' };

/** The first python that can import torch. */
function findPython(): string | undefined {
  return ['python3', '/usr/bin/python3', '/usr/local/bin/python3'].find(
    (python) => spawnSync(python, ['-c', 'import torch'], { stdio: 'ignore' }).status === 0,
  );
}

/** One question at a time, one line each way. */
class Python {
  private readonly process: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  constructor(program: string, script: string) {
    this.process = spawn(program, [script], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...THREADS },
    });
    const input = this.process.stdout as NodeJS.ReadableStream;
    this.lines = createInterface({ input })[Symbol.asyncIterator]();
  }

  async read(): Promise<Answer> {
    const line = await this.lines.next();
    if (line.done) throw new Error('pytorch: the Python process ended');
    const answer = JSON.parse(line.value) as Answer;
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }

  ask(message: object): Promise<Answer> {
    this.process.stdin?.write(`${JSON.stringify(message)}\n`);
    return this.read();
  }

  close(): void {
    this.process.stdin?.end();
  }
}

export async function openPyTorch(folder: string, clock: Clock): Promise<Peer> {
  const program = findPython();
  if (program === undefined) throw new Error('no python3 here can import torch');
  const python = new Python(program, join(folder, 'peers/pytorch.py'));
  const { version, blas } = await python.read();
  const files = mkdtempSync(join(tmpdir(), 'bench-'));

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

  function close(): void {
    python.close();
    rmSync(files, { recursive: true, force: true });
  }

  return { name: 'pytorch', about: `native PyTorch ${version} (${blas})`, prepare, close };
}
