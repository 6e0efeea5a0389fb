// Generates what the types need, then: types, lint and format, and layer rules; runs all three and
// fails if any does.
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generate } from '../wasm/compile.mjs';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const bin = (name) => resolve(root, 'node_modules/.bin', name);

await generate(root);
const checks = [
  ['types', bin('tsc'), ['-p', '.']],
  ['lint and format', bin('biome'), ['check', '--error-on-warnings']],
  ['layers', process.execPath, ['scripts/layers.mjs']],
];
const failed = checks.filter(([, program, args]) => {
  return spawnSync(program, args, { cwd: root, stdio: 'inherit' }).status !== 0;
});
for (const [name] of failed) console.error(`check failed: ${name}`);
if (failed.length === 0) console.log('check passed: types, lint and format, layers');
process.exitCode = failed.length > 0 ? 1 : 0;
