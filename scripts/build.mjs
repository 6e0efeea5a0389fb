// Builds the package: kernels, then dist/index.node.js, dist/index.browser.js and dist/types.
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { buildKernels } from '../wasm/build.mjs';
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
    lineLimit: 160,
    legalComments: 'eof',
  });
}

await buildKernels(root);
rmSync(resolve(root, 'dist'), { recursive: true, force: true });
await Promise.all(['node', 'browser'].map(bundle));
const tsc = resolve(root, 'node_modules/.bin/tsc');
execFileSync(tsc, ['-p', 'tsconfig.types.json'], { cwd: root, stdio: 'inherit' });
