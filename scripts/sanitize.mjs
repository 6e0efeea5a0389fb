// Records the launches of the tests, then replays them with the kernels built natively under ASan
// and UBSan.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildKernels } from '../wasm/build.mjs';
import { buildReplay } from '../wasm/native.mjs';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const recordings = join(root, 'build/launches');

/**
 * Tests whose launches are worth nothing here: other programs, pages and GPUs make them, files and
 * training repeat themselves, and what is recorded runs on one thread.
 */
const LEFT_OUT = [
  'browser',
  'checkpoint',
  'docs',
  'examples',
  'platform',
  'threads',
  'train',
  'webgpu',
].map((folder) => `test/${folder}/**`);

await buildKernels(root);
const program = await buildReplay(root);
rmSync(recordings, { recursive: true, force: true });
mkdirSync(recordings, { recursive: true });
const vitest = resolve(root, 'node_modules/vitest/vitest.mjs');
const excluded = LEFT_OUT.flatMap((pattern) => ['--exclude', pattern]);
const tests = spawnSync(
  process.execPath,
  [vitest, 'run', '--reporter=dot', ...excluded, ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
    // The native build has the tile of the main module.
    env: { ...process.env, ISOTORCH_RECORD: recordings, ISOTORCH_KERNELS: 'plain-2x16' },
  },
);
const files = readdirSync(recordings).map((file) => join(recordings, file));
const replay = spawnSync(program, files, {
  stdio: 'inherit',
  env: { ...process.env, UBSAN_OPTIONS: 'print_stacktrace=1', ASAN_OPTIONS: 'detect_leaks=0' },
});
process.exitCode = tests.status || replay.status || (replay.signal ? 1 : 0);
