/** A static server and a real headless Chromium for the tests of this folder. */

import { accessSync, constants, createReadStream, existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, extname, join, normalize } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import type { TestContext } from 'vitest';

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
};

/** The installed browser; `make setup` brings it. */
function executable(): string {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      const file = join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {}
    }
  }
  throw new Error("no chromium on the PATH: run 'make setup'");
}

const SOFTWARE_GPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];
const NO_GPU = ['--use-webgpu-adapter=none', '--disable-gpu', '--disable-software-rasterizer'];

/** Starts Chromium with a processor that plays a GPU, or with no GPU at all. */
export function launchChromium({ gpu = true } = {}): Promise<Browser> {
  const quiet = ['quic', 'background-networking', 'component-update', 'sync'];
  return chromium.launch({
    executablePath: executable(),
    args: [
      '--no-sandbox',
      '--no-first-run',
      ...(gpu ? SOFTWARE_GPU : NO_GPU),
      ...quiet.map((name) => `--disable-${name}`),
    ],
  });
}

/**
 * Leaves a test out where Chromium has no adapter, with the reason, which `make test` prints before
 * its last line; fails it if the environment says ISOTORCH_GPU=required. `said` is what starting
 * the GPU said there.
 */
export function needGpu({ task, skip }: TestContext, said: string): void {
  if (said === 'started') return;
  const required = process.env.ISOTORCH_GPU === 'required';
  if (required || !said.includes('no GPU adapter')) throw new Error(said);
  const reason = 'Chromium has no WebGPU adapter';
  task.meta.notRun = reason;
  skip(reason);
}

export interface StaticServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves a folder with the given extra headers, such as a Content-Security-Policy. */
export async function serve(
  folder: string,
  headers: Record<string, string> = {},
): Promise<StaticServer> {
  const server: Server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname);
    const file = join(folder, path);
    const type = TYPES[extname(file)];
    if (type === undefined || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': type, ...headers });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

export interface PageReport {
  readonly output: string;
  /** Uncaught errors and failed requests. */
  readonly problems: readonly string[];
  /** Paths of everything the page loaded. */
  readonly requests: readonly string[];
}

/** Opens a page and waits for its #output. */
export async function visit(browser: Browser, url: string): Promise<PageReport> {
  const page = await browser.newPage();
  const problems: string[] = [];
  const requests: string[] = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('requestfailed', (request) => problems.push(`failed: ${request.url()}`));
  page.on('request', (request) => {
    if (!request.url().startsWith('data:')) requests.push(new URL(request.url()).pathname);
  });
  try {
    await page.goto(url);
    const output = await page.locator('#output').textContent({ timeout: 20_000 });
    return { output: output ?? '', problems, requests };
  } catch (error) {
    throw new Error(`${url}: ${[error, ...problems].join('\n')}`);
  } finally {
    await page.close();
  }
}
