/** `npm pack` gives a package that works in Node and, bundled or not, in a real browser. */

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build as esbuild } from 'esbuild';
import type { Browser } from 'playwright-core';
import { build as vite } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium, type PageReport, serve, visit } from './chromium.js';
import { EXPECTED, installPackage, nodes, removePackage, subfolder, tool } from './package.js';

const CORE_BUDGET = 300_000;
const FIRST_OPERATION_MS = 100;

let folder: string;
let browser: Browser;

beforeAll(async () => {
  folder = installPackage();
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  if (folder) removePackage(folder);
});

async function open(served: string, headers?: Record<string, string>): Promise<PageReport> {
  const server = await serve(served, headers);
  try {
    return await visit(browser, `${server.url}/page.html`);
  } finally {
    await server.close();
  }
}

describe('the package', () => {
  it('holds the bundles, their types and the licence, and nothing that was not asked for', () => {
    const files = readdirSync(join(folder, 'node_modules/isotorch'), { recursive: true });
    const names = files.map((file) => String(file).replaceAll('\\', '/'));
    for (const name of ['LICENSE', 'dist/index.node.js', 'dist/index.browser.js']) {
      expect(names).toContain(name);
    }
    expect(names).toContain('dist/types/ts/index.d.ts');
    const strangers = names.filter(
      (name) => !/^(dist|LICENSE|README\.md|package\.json)/.test(name),
    );
    expect(strangers).toEqual([]);
  });

  it.each(['index.node.js', 'index.browser.js'])(
    '%s and what it imports at once are under 300 kB gzipped',
    (name) => {
      const seen = new Set<string>();
      const visit = (file: string): number => {
        if (seen.has(file)) return 0;
        seen.add(file);
        const bytes = readFileSync(file);
        const imported = bytes.toString().matchAll(/(?:from|import)"(\.[^"]+)"/g);
        const own = gzipSync(bytes, { level: 9 }).length;
        return [...imported].reduce((sum, [, path]) => sum + visit(join(dirname(file), path)), own);
      };
      const size = visit(join(folder, 'node_modules/isotorch/dist', name));
      expect(seen.size).toBeGreaterThan(1);
      expect(size).toBeLessThan(CORE_BUDGET);
    },
  );

  it('has types that hold under strict settings without its development dependencies', () => {
    const compilerOptions = {
      strict: true,
      noEmit: true,
      target: 'ES2022',
      lib: ['ES2022', 'ESNext.Disposable', 'DOM'],
      types: [],
      module: 'ESNext',
      moduleResolution: 'bundler',
      skipLibCheck: false,
    };
    const settings = JSON.stringify({ compilerOptions, files: ['types.ts'] });
    writeFileSync(join(folder, 'tsconfig.json'), settings);
    expect(execFileSync(tool('tsc'), ['-p', folder], { encoding: 'utf8' })).toBe('');
  });
});

interface NodeReport {
  readonly atImport: { compiled: string[]; globals: string[]; resources: string[] };
  readonly firstOperation: number;
  readonly output: string;
}

function runNode(node: string): NodeReport {
  const output = execFileSync(node, ['node.mjs'], { cwd: folder, encoding: 'utf8' });
  return JSON.parse(output) as NodeReport;
}

describe.each(nodes())('in Node (%s)', (node) => {
  it('prints what PyTorch prints, and ends by itself', () => {
    expect(runNode(node).output).toBe(EXPECTED);
  });

  it('starts nothing at import', () => {
    expect(runNode(node).atImport).toEqual({ compiled: [], globals: [], resources: [] });
  });

  it('does its first operation in less than 100 ms', () => {
    // The best of three: what the machine does besides is not the library's doing.
    const times = [0, 1, 2].map(() => runNode(node).firstOperation);
    expect(Math.min(...times)).toBeLessThan(FIRST_OPERATION_MS);
  });
});

describe('in Chromium', () => {
  it('works bundled by esbuild', async () => {
    const outdir = subfolder(folder, 'esbuild');
    await esbuild({
      entryPoints: [join(folder, 'page.mjs')],
      absWorkingDir: folder,
      outdir,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      minify: true,
      format: 'esm',
    });
    writeFileSync(join(outdir, 'page.html'), readFileSync(join(folder, 'page.html')));
    const report = await open(outdir);
    expect(report).toMatchObject({ output: EXPECTED, problems: [] });
    expect(report.requests).toEqual(['/page.html', '/page.mjs']);
  });

  it('works bundled by Vite', async () => {
    const outDir = join(folder, 'vite');
    await vite({
      root: folder,
      configFile: false,
      logLevel: 'error',
      build: { outDir, rollupOptions: { input: join(folder, 'page.html') } },
    });
    expect(await open(outDir)).toMatchObject({ output: EXPECTED, problems: [] });
  });

  it('works unbundled, under a strict content-security policy', async () => {
    // A page without a bundler names the file; only the import of the program differs.
    const program = readFileSync(join(folder, 'program.mjs'), 'utf8');
    const path = './node_modules/isotorch/dist/index.browser.js';
    writeFileSync(join(folder, 'program.mjs'), program.replace("'isotorch'", `'${path}'`));
    try {
      const report = await open(folder, {
        'content-security-policy': "default-src 'self' data:; script-src 'self' 'wasm-unsafe-eval'",
      });
      expect(report).toMatchObject({ output: EXPECTED, problems: [] });
      const loaded = ['/page.html', '/page.mjs', '/program.mjs', path.slice(1)];
      expect(report.requests).toEqual(loaded);
    } finally {
      writeFileSync(join(folder, 'program.mjs'), program);
    }
  });
});
