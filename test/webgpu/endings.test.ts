/** Scripts that use the GPU end by themselves, with exit code 0. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleInto, nodes, root } from '../platform/package.js';
import { withGpu } from './agree.js';
import { gpuEnvironment } from './environment.js';

/** Runs of each script; ISOTORCH_RUNS=50 for more. */
const RUNS = Number(process.env.ISOTORCH_RUNS ?? 1);

const START = `
import * as torch from './ts/index.mjs';
await torch.webgpu.init();
let x = torch.rand([64, 64], { device: 'webgpu' });
for (let k = 0; k < 20; k++) x = x.matmul(x).tanh();
`;

/** The same in a thread. */
const IN_THREAD = `
const { once } = await import('node:events');
const { Worker } = await import('node:worker_threads');
const library = new URL('./ts/index.mjs', import.meta.url).href;
const thread = new Worker(\`import('\${library}').then(async (torch) => {
  await torch.webgpu.init();
  let y = torch.ones([64, 64], { device: 'webgpu' });
  console.log(await y.sum().item() === 4096);
  for (let k = 0; k < 20; k++) y = y.matmul(y).tanh();
  await torch.webgpu.synchronize();
  require('node:worker_threads').parentPort.postMessage(0);
})\`, { eval: true });`;

const SCRIPTS = {
  'after a read': 'console.log(await x.sum().item() > 0);',
  'with work that nobody reads': 'console.log(true);',
  'at the end of a function that nobody awaits':
    '(async () => { console.log(await x.sum().item() > 0); x.matmul(x); })();',
  'with threads of the CPU at work':
    'const c = torch.ones(700, 700); for (let k = 0; k < 3; k++) c.matmul(c);' +
    'console.log(torch.getNumThreads() > 0); await x.tolist(); c.matmul(c);',
  'by process.exit() after a read':
    'console.log(await x.sum().item() > 0); x.matmul(x); process.exit(0);',
  'with a thread beside it that uses the GPU': IN_THREAD,
  'with such a thread that is stopped': `${IN_THREAD} await once(thread, 'message');
    await thread.terminate();`,
  'with a read on its way': 'x.sum().item().then((sum) => console.log(sum > 0));',
  'after destroy()': 'console.log(await x.sum().item() > 0); torch.webgpu.destroy();',
  'after destroy() with work and a read on their way':
    'x.sum().item().catch((error) => console.log(error.name === "DeviceLostError"));' +
    'torch.webgpu.destroy();',
  'after an error that was caught':
    'const place = torch.tensor([99], { dtype: torch.int32 }).to("webgpu");' +
    'await x.indexSelect(0, place).tolist().catch((error) => {' +
    'console.log(error.name === "IndexError"); });',
  'after a device that was started again':
    'torch.webgpu.destroy(); await torch.webgpu.init();' +
    'console.log(await torch.ones(3).to("webgpu").sum().item() === 3);',
} as const;

/** Scripts that end in the middle of the GPU's work, and their exit codes. */
const CUT_SHORT = {
  'by an error that nobody catches': [1, 'x.sum().item(); throw new Error("no");'],
  'by process.exit()': [3, 'x.sum().item(); setTimeout(() => process.exit(3), 1);'],
  'by an error with work that nobody reads': [
    1,
    'setTimeout(() => { throw new Error("no"); }, 2);',
  ],
} as const;

let folder: string;

beforeAll(async () => {
  // Within the project, so that the package webgpu is found.
  mkdirSync(join(root, 'build'), { recursive: true });
  folder = mkdtempSync(join(root, 'build/endings-'));
  await bundleInto(folder, ['ts/index.ts']);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(node: string, name: string, text: string) {
  const file = join(folder, `${name.replace(/\W+/g, '-')}.mjs`);
  writeFileSync(file, START + text);
  const env = { ...process.env, ...gpuEnvironment() };
  return spawnSync(node, [file], { encoding: 'utf8', env, timeout: 30_000 });
}

await withGpu('scripts end by themselves', () => {
  describe.each(nodes())('%s', (node) => {
    test.each(Object.entries(SCRIPTS))('%s', { timeout: RUNS * 30_000 }, (name, text) => {
      for (let k = 0; k < RUNS; k++) {
        const { status, signal, stdout, stderr } = run(node, name, text);
        expect({ status, signal, stdout, stderr }, `run ${k}`).toEqual({
          status: 0,
          signal: null,
          stdout: 'true\n',
          stderr: '',
        });
      }
    });

    test.each(Object.entries(CUT_SHORT))('%s', { timeout: RUNS * 30_000 }, (name, [code, text]) => {
      for (let k = 0; k < RUNS; k++) {
        const { status, signal } = run(node, name, text);
        expect({ status, signal }, `run ${k}`).toEqual({ status: code, signal: null });
      }
    });
  });
});
