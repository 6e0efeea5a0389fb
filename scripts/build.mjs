// Builds the package: kernels, then dist/index.node.js, dist/index.browser.js,
// dist/worker.js and dist/types.
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { buildKernels } from '../wasm/build.mjs';
import { workerProgram } from '../wasm/compile.mjs';
import { licences } from './licences.mjs';
import { bundleSettings } from './typescript.mjs';

const root = resolve(fileURLToPath(import.meta.url), '../..');

/** One file with everything embedded, for the platform named. */
function bundle(platform) {
  return build({
    ...bundleSettings,
    entryPoints: [resolve(root, 'ts/index.ts')],
    outfile: resolve(root, `dist/index.${platform}.js`),
    platform,
    conditions: [platform],
    minify: true,
    // Modules print the names of their classes.
    keepNames: true,
    // An uncaught error shows the line it was thrown in.
    lineLimit: 1000,
    legalComments: 'none',
    metafile: true,
  });
}

await buildKernels(root);
rmSync(resolve(root, 'dist'), { recursive: true, force: true });
const results = await Promise.all(['node', 'browser'].map(bundle));
writeFileSync(resolve(root, 'dist/THIRD_PARTY_LICENSES.txt'), licences(root, results));
writeFileSync(resolve(root, 'dist/worker.js'), await workerProgram(root));
const tsc = resolve(root, 'node_modules/.bin/tsc');
execFileSync(tsc, ['-p', 'tsconfig.types.json'], { cwd: root, stdio: 'inherit' });
