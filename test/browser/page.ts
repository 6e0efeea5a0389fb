/** The tests' program, bundled as a user bundles the library, in pages of a real Chromium. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { bundleSettings } from '../../scripts/typescript.mjs';
import { type StaticServer, serve } from '../platform/chromium.js';
import { root } from '../platform/package.js';
import { ISOLATED } from '../platform/page.js';
import type { tests } from './program.js';

const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>isotorch: tests</title>
<link rel="icon" href="data:,">
<script type="module" src="./program.js"></script>
`;

type Tests = typeof tests;

/** Bundles the program and its page into a folder; returns it. */
export async function buildPage(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'isotorch-browser-'));
  await build({
    ...(bundleSettings as BuildOptions),
    entryPoints: [join(root, 'test/browser/program.ts')],
    outdir: folder,
    splitting: true,
    platform: 'browser',
    conditions: ['browser'],
  });
  writeFileSync(join(folder, 'page.html'), PAGE);
  return folder;
}

/** An open page and what goes wrong in it besides what its functions throw. */
export class TestPage {
  private constructor(
    readonly page: Page,
    readonly problems: string[],
    private readonly context: BrowserContext,
  ) {}

  /** Opens the page; `prepare` changes its context before anything is loaded. */
  static async open(
    browser: Browser,
    url: string,
    prepare?: (context: BrowserContext) => Promise<void>,
  ): Promise<TestPage> {
    const context = await browser.newContext();
    await prepare?.(context);
    const page = await context.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('crash', () => problems.push('the page crashed'));
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    await page.goto(`${url}/page.html`);
    await page.waitForFunction('globalThis.tests !== undefined');
    return new TestPage(page, problems, context);
  }

  /** Calls a function of the program. */
  async call<K extends keyof Tests>(
    name: K,
    ...values: Parameters<Tests[K]>
  ): Promise<Awaited<ReturnType<Tests[K]>>> {
    const expression = `tests.${name}(...${JSON.stringify(values)})`;
    return this.page.evaluate(expression) as Promise<Awaited<ReturnType<Tests[K]>>>;
  }

  close(): Promise<void> {
    return this.context.close();
  }
}

/** The page of the tests behind servers that isolate it and that do not. */
export interface Site {
  readonly folder: string;
  readonly plain: StaticServer;
  readonly isolated: StaticServer;
  close(): Promise<void>;
}

export async function startSite(): Promise<Site> {
  const folder = await buildPage();
  const [plain, isolated] = await Promise.all([serve(folder), serve(folder, ISOLATED)]);
  const close = async () => {
    await Promise.all([plain.close(), isolated.close()]);
    rmSync(folder, { recursive: true, force: true });
  };
  return { folder, plain, isolated, close };
}
