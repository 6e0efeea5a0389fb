// Builds the package: kernels, then dist/index.node.js, dist/index.browser.js and dist/types.
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
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
    lineLimit: 1000,
    legalComments: 'none',
    metafile: true,
  });
}

/** The licences of the packages inside the bundles, and of the C library inside the kernels. */
function licences(results) {
  const inputs = results.flatMap(({ metafile }) => Object.keys(metafile.inputs));
  const packages = inputs.map((file) => file.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1]);
  const names = [...new Set(packages.filter(Boolean))].sort();
  const texts = names.map((name) => {
    return `${name}\n\n${readFileSync(join(root, 'node_modules', name, 'LICENSE'), 'utf8')}`;
  });
  texts.push(
    'musl (parts of its mathematical functions)\n\nMIT License, (c) Rich Felker and others\n',
  );
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}

await buildKernels(root);
rmSync(resolve(root, 'dist'), { recursive: true, force: true });
const results = await Promise.all(['node', 'browser'].map(bundle));
writeFileSync(resolve(root, 'dist/THIRD_PARTY_LICENSES.txt'), licences(results));
const tsc = resolve(root, 'node_modules/.bin/tsc');
execFileSync(tsc, ['-p', 'tsconfig.types.json'], { cwd: root, stdio: 'inherit' });
