/** Pages that load the library, bundled as one module, with a program of the tests. */

import { cpSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { bundleSettings } from '../../scripts/typescript.mjs';
import { root } from './package.js';

/** Headers with which a page can have threads. */
export const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

/** A new folder with page.html, `program` as page.mjs, and the library as index.mjs. */
export async function buildPage(program: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'isotorch-page-'));
  await build({
    ...(bundleSettings as BuildOptions),
    entryPoints: [join(root, 'ts/index.ts')],
    outfile: join(folder, 'index.mjs'),
    platform: 'browser',
    conditions: ['browser'],
  });
  cpSync(join(root, program), join(folder, 'page.mjs'));
  cpSync(join(root, 'test/platform/page.html'), join(folder, 'page.html'));
  return folder;
}
