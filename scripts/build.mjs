// Builds the package: kernels, then dist/index.node.js and dist/index.browser.js with the chunks
// they load, dist/worker.js and dist/types.
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { minify } from 'terser';
import { buildKernels } from '../wasm/build.mjs';
import { workerProgram } from '../wasm/compile.mjs';
import { licences } from './licences.mjs';
import { bundleSettings } from './typescript.mjs';

const root = resolve(fileURLToPath(import.meta.url), '../..');

/** Shaders without comments and indentation; definitions keep their place at the start of a line. */
const shaders = {
  name: 'wgsl',
  setup({ onLoad }) {
    onLoad({ filter: /\.wgsl$/ }, ({ path }) => {
      const lines = readFileSync(path, 'utf8')
        .replace(/\s*\/\/.*$/gm, '')
        .split('\n');
      const contents = lines
        .filter(Boolean)
        .join('\n')
        .replace(/\n\s+|\n(?=\})/g, ' ');
      return { contents: `${contents}\n`, loader: 'text' };
    });
  },
};

/** What the entry begins with. */
const core = ['ops/methods.js', 'nn/own.js', 'optim/index.js', 'autograd.js', 'ops/linalg.js']
  .map((path) => `import ${JSON.stringify(resolve(root, 'ts', path))};\n`)
  .join('');

/** Where users meet no class. */
const internal = /ts.(?:device|ops|core.(?:layout|memory)|autograd.\w*node)/;

/**
 * Which kernels a row has: for what builds the kernels, and for tests. The bundle is 0.4 kB smaller
 * without; two files look theirs up.
 */
const isRow = /ops.primitives.(?!optim|random)/;
const declared = /^ +kernels: (?:\{[^}(]*\}|\w+),\n/gm;

/** What elementwise rows compute: built into the CPU's kernels, and loaded with the GPU's. */
const expression =
  /\b(unary|binary|ternary|test|compare)\(\s*(?:'[^']*'|`[^`]*`)(?:\s*\+\s*'[^']*')*,/g;
const left = /\b(?:unary|binary|ternary|test|compare)\((?!'',)/;
const EXPRESSIONS = '?expressions';

/**
 * Classes that users meet keep their names, which modules, optimisers and errors print. Those of
 * functions, which nothing prints, would weigh ten times as much.
 * Parts that are loaded when they are first asked for share all of the core with the entry: in
 * chunks of what some of them share it would weigh 3 kB more.
 */
const sources = {
  name: 'sources',
  setup({ onLoad, onResolve }) {
    const late = new Set();
    onResolve({ filter: /^\.\.?\// }, ({ importer, kind, path, resolveDir }) => {
      const file = resolve(resolveDir, path.replace(/\.js$/, '.ts'));
      if (kind === 'dynamic-import') late.add(file);
      const wholly = /ops.pointwise\.ts$/.test(file) && /ops.twins/.test(importer);
      return wholly ? { path: file, suffix: EXPRESSIONS } : undefined;
    });
    onLoad({ filter: /[\\/]ts[\\/].*\.ts$/ }, ({ path, suffix }) => {
      let source = (late.has(path) ? core : '') + readFileSync(path, 'utf8');
      if (isRow.test(path)) source = source.replace(declared, '');
      if (/ops.pointwise\.ts$/.test(path) && suffix !== EXPRESSIONS) {
        source = source.replace(expression, "$1('',");
        if (left.test(source.slice(source.indexOf('export const pointwise')))) {
          throw new Error('pointwise.ts: a row has an expression that the bundle would hold');
        }
      }
      if (internal.test(path)) return { contents: source, loader: 'ts' };
      const printed = 'export class|export abstract class|class(?= \\w+ extends (?:Module|Custom))';
      const head = new RegExp(`^(?:${printed}) (\\w+)[^{]*\\{`, 'gm');
      const contents = source.replace(head, (found, name) => `${found} static name = '${name}';`);
      return { contents, loader: 'ts' };
    });
  },
};

/**
 * What the core needs of fflate, in a copy of its own: what PNG files need more of it is then loaded
 * with them.
 */
const gunzip = {
  name: 'gunzip',
  setup({ onResolve, resolve: find }) {
    onResolve({ filter: /^fflate$/ }, async ({ path, importer, kind, resolveDir, pluginData }) => {
      if (pluginData === gunzip || !/[\\/]platform[\\/]browser\.ts$/.test(importer))
        return undefined;
      const found = await find(path, { importer, kind, resolveDir, pluginData: gunzip });
      return { ...found, suffix: '?gunzip' };
    });
  },
};

/**
 * The entry for the platform named, and in a folder of that name what it shares with the parts that
 * are loaded when they are first asked for (the GPU, file formats).
 */
async function bundle(platform) {
  const result = await build({
    ...bundleSettings,
    entryPoints: [resolve(root, 'ts/index.ts')],
    outdir: resolve(root, 'dist'),
    entryNames: `index.${platform}`,
    chunkNames: `${platform}/[name]-[hash]`,
    splitting: true,
    plugins: [shaders, sources, gunzip],
    platform,
    conditions: [platform],
    minify: true,
    legalComments: 'none',
    metafile: true,
  });
  const files = Object.keys(result.metafile.outputs).map((file) => resolve(file));
  await Promise.all(files.map((file) => tighten(file, platform)));
  return result;
}

/**
 * Once more through a slower minifier: what a page loads at once weighs 4.6 kB less. Functions stay
 * apart as they are written, since engines optimise them one by one.
 */
async function tighten(file, platform) {
  const { code } = await minify(readFileSync(file, 'utf8'), {
    module: true,
    ecma: 2020,
    compress: { passes: 2, inline: 1, reduce_funcs: false },
    // Node prints the line that an uncaught error was thrown in.
    format: { max_line_len: platform === 'node' && 400 },
  });
  writeFileSync(file, code);
}

await buildKernels(root);
rmSync(resolve(root, 'dist'), { recursive: true, force: true });
const results = await Promise.all(['node', 'browser'].map(bundle));
writeFileSync(resolve(root, 'dist/THIRD_PARTY_LICENSES.txt'), licences(root, results));
writeFileSync(resolve(root, 'dist/worker.js'), await workerProgram(root));
const tsc = resolve(root, 'node_modules/.bin/tsc');
execFileSync(tsc, ['-p', 'tsconfig.types.json'], { cwd: root, stdio: 'inherit' });
