// Builds what is missing, runs vitest, and ends with one plain line: N passed, N failed.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildKernels } from '../wasm/build.mjs';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const report = resolve(root, 'build/test.json');

await buildKernels(root);
mkdirSync(resolve(root, 'build'), { recursive: true });
rmSync(report, { force: true });
const vitest = resolve(root, 'node_modules/vitest/vitest.mjs');
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', ...reporters, ...process.argv.slice(2)],
  { cwd: root, stdio: 'inherit' },
);
process.exitCode = status ?? 1;
if (existsSync(report)) {
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
  const broken = testResults.filter((file) => {
    return file.status === 'failed' && !file.assertionResults.some((t) => t.status === 'failed');
  });
  const tests = testResults.flatMap((file) => file.assertionResults);
  const reasons = new Set(tests.map(({ meta }) => meta?.notRun).filter(Boolean));
  for (const reason of reasons) {
    const count = tests.filter(({ meta }) => meta?.notRun === reason).length;
    console.log(`${count} not run: ${reason}`);
  }
  console.log(`${numPassedTests} passed, ${numFailedTests + broken.length} failed`);
}
