/** `npm pack` gives a package that works in Node and, bundled or not, in a real browser. */

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build as esbuild } from 'esbuild';
import type { Browser } from 'playwright-core';
import { build as vite } from 'vite';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { launchChromium, needGpu, type PageReport, serve, visit } from './chromium.js';
import {
  EXPECTED,
  EXPECTED_ON_GPU,
  installPackage,
  nodes,
  removePackage,
  subfolder,
  tool,
} from './package.js';

/** What a page loads. Node reads its own from a disk; that has the tiles of 256 bits besides. */
const CORE_BUDGETS = { 'index.browser.js': 300_000, 'index.node.js': 312_000 };
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

async function open(
  served: string,
  page = 'page.html',
  headers?: Record<string, string>,
): Promise<PageReport> {
  const server = await serve(served, headers);
  try {
    return await visit(browser, `${server.url}/${page}`);
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
    const asked =
      /^(dist|docs|LICENSE|README\.md|package\.json|examples\/web\/page\/isolat|kernels\/README|ts\/ARCH)/;
    const isFile = (name: string) => statSync(join(folder, 'node_modules/isotorch', name)).isFile();
    expect(names.filter((name) => !asked.test(name) && isFile(name))).toEqual([]);
  });

  it('holds what its README names', () => {
    const place = join(folder, 'node_modules/isotorch');
    const readme = readFileSync(join(place, 'README.md'), 'utf8');
    const named = [...readme.matchAll(/\]\(([^):#]+)\)/g)].map(([, path]) => path);
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter((path) => !existsSync(join(place, path)))).toEqual([]);
  });

  it.each(Object.entries(CORE_BUDGETS))(
    '%s and what it imports at once are under %i bytes gzipped',
    (name, budget) => {
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
      expect(size).toBeLessThan(budget);
    },
  );

  it('has classes that keep their names, which they print', async () => {
    const file = join(folder, 'node_modules/isotorch/dist/index.node.js');
    const torch: Record<string, object> = await import(pathToFileURL(file).href);
    const named = [torch, torch.nn, torch.optim, torch.data].flatMap((space) =>
      Object.entries(space as object),
    );
    const isClass = (value: unknown) =>
      typeof value === 'function' && /^class\b/.test(String(value));
    const classes = named.filter(([, value]) => isClass(value));
    expect(classes.length).toBeGreaterThan(100);
    expect(classes.filter(([name, type]) => type.name !== name)).toEqual([]);
  });

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

/** A page without a bundler names the file; only the imports of the programs differ. */
async function unbundled(page: string): Promise<PageReport> {
  const texts = ['program.mjs', 'gpu.mjs'].map((name) => {
    const file = join(folder, name);
    return { file, text: readFileSync(file, 'utf8') };
  });
  const path = './node_modules/isotorch/dist/index.browser.js';
  for (const { file, text } of texts) {
    writeFileSync(file, text.replace("'isotorch'", `'${path}'`));
  }
  try {
    return await open(folder, page, {
      'content-security-policy': "default-src 'self' data:; script-src 'self' 'wasm-unsafe-eval'",
    });
  } finally {
    for (const { file, text } of texts) writeFileSync(file, text);
  }
}

async function bundledByEsbuild(splitting: boolean): Promise<string> {
  const outdir = subfolder(folder, splitting ? 'esbuild-chunks' : 'esbuild');
  await esbuild({
    entryPoints: ['page', 'gpu'].map((name) => join(folder, `${name}.mjs`)),
    absWorkingDir: folder,
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting,
    minify: true,
    format: 'esm',
  });
  for (const name of ['page.html', 'gpu.html']) {
    writeFileSync(join(outdir, name), readFileSync(join(folder, name)));
  }
  return outdir;
}

async function bundledByVite(): Promise<string> {
  const outDir = join(folder, 'vite');
  const input = ['page.html', 'gpu.html'].map((name) => join(folder, name));
  await vite({
    root: folder,
    configFile: false,
    logLevel: 'error',
    build: { outDir, rollupOptions: { input } },
  });
  return outDir;
}

describe('in Chromium', () => {
  /** The same training on both devices; chunks for the GPU are found when init() asks. */
  async function expectOnGpu(
    context: TestContext,
    visitPage: (page: string) => Promise<PageReport>,
  ): Promise<void> {
    const report = await visitPage('gpu.html');
    if (report.output.includes('DeviceError')) needGpu(context, report.output);
    expect(report).toMatchObject({ output: EXPECTED_ON_GPU, problems: [] });
  }

  it('works bundled by esbuild, into one file each', async (context) => {
    const outdir = await bundledByEsbuild(false);
    const report = await open(outdir);
    expect(report).toMatchObject({ output: EXPECTED, problems: [] });
    expect(report.requests).toEqual(['/page.html', '/page.mjs']);
    await expectOnGpu(context, (page) => open(outdir, page));
  });

  it('works bundled by esbuild, in chunks', async (context) => {
    const outdir = await bundledByEsbuild(true);
    expect(await open(outdir)).toMatchObject({ output: EXPECTED, problems: [] });
    await expectOnGpu(context, (page) => open(outdir, page));
  });

  it('works bundled by Vite', async (context) => {
    const outDir = await bundledByVite();
    expect(await open(outDir)).toMatchObject({ output: EXPECTED, problems: [] });
    await expectOnGpu(context, (page) => open(outDir, page));
  });

  it('works unbundled, under a strict content-security policy', async (context) => {
    const report = await unbundled('page.html');
    expect(report).toMatchObject({ output: EXPECTED, problems: [] });
    const dist = '/node_modules/isotorch/dist/';
    const own = ['/page.html', '/page.mjs', '/program.mjs', `${dist}index.browser.js`];
    const chunks = report.requests.filter((path) => !own.includes(path));
    expect(report.requests).toEqual(expect.arrayContaining(own));
    // Nothing but what the entry imports at once: the GPU and file formats wait until asked for.
    const entry = readFileSync(join(folder, `${dist}index.browser.js`), 'utf8');
    const imported = [...entry.matchAll(/(?:from|import)"\.\/([^"]+)"/g)].map(([, path]) => path);
    expect(chunks.sort()).toEqual([...new Set(imported.map((path) => dist + path))].sort());
    await expectOnGpu(context, unbundled);
  });
});
