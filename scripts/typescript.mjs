// Runs TypeScript of this repository without a compile step of its own: bundle, then import.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/** Settings every bundle shares; `using` declarations are lowered for Node 20. */
export const bundleSettings = {
  bundle: true,
  format: 'esm',
  target: 'es2022',
  logLevel: 'error',
  charset: 'utf8',
  loader: { '.wgsl': /** @type {const} */ ('text') },
};

/** Bundles `source`, which is { contents } or { file }, into build/tools/<name>.mjs. */
export async function bundleTypeScript(root, { contents, file }, name) {
  const outfile = join(root, 'build/tools', `${name}.mjs`);
  mkdirSync(join(root, 'build/tools'), { recursive: true });
  await build({
    ...bundleSettings,
    ...(file
      ? { entryPoints: [join(root, file)] }
      : { stdin: { contents, resolveDir: root, loader: 'ts', sourcefile: `${name}.ts` } }),
    outfile,
    platform: 'node',
    sourcemap: 'inline',
    packages: 'external',
  });
  return outfile;
}

/** Bundles and imports TypeScript given as text. */
export async function importTypeScript(root, contents, name) {
  const outfile = await bundleTypeScript(root, { contents }, name);
  return import(pathToFileURL(outfile).href);
}
