import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CpuInfo } from '../../ts/device/cpu/index.js';
import { workerProgram } from '../../wasm/compile.mjs';
import { launchChromium, serve, visit } from '../platform/chromium.js';
import { root } from '../platform/package.js';
import { buildPage, ISOLATED } from '../platform/page.js';

const STRICT = {
  'content-security-policy': "default-src 'self' data:; script-src 'self' 'wasm-unsafe-eval'",
};

let folder: string;
let browser: Browser;

beforeAll(async () => {
  folder = await buildPage('test/threads/page.mjs');
  writeFileSync(join(folder, 'worker.js'), await workerProgram(root));
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function infoOf(headers: Record<string, string>, query = ''): Promise<CpuInfo> {
  const server = await serve(folder, headers);
  try {
    const { output, problems } = await visit(browser, `${server.url}/page.html${query}`);
    expect(`${output}\n${problems}`).toMatch(/}\n$/);
    return JSON.parse(output);
  } finally {
    await server.close();
  }
}

describe('threads in a page', () => {
  it('run where the page is cross-origin isolated', async () => {
    const info = await infoOf(ISOLATED);
    expect(info).toMatchObject({ threads: 3, workers: 2, right: true });
    expect(info.kernels).not.toBe('auto');
  });

  it('are not to be had elsewhere, and the reason is named', async () => {
    const info = await infoOf({});
    expect(info).toMatchObject({ threads: 1, workers: 0, right: true });
    expect(info.reason).toMatch(/not cross-origin isolated.*Cross-Origin-Embedder-Policy/);
  });

  it('are refused by a strict policy, which is said with the way out', async () => {
    const info = await infoOf({ ...ISOLATED, ...STRICT });
    expect(info).toMatchObject({ threads: 1, workers: 0, right: true });
    expect(info.reason).toMatch(/worker-src blob:.*workerUrl/);
  });

  it('run under a strict policy from a file of their own', async () => {
    const info = await infoOf({ ...ISOLATED, ...STRICT }, '?worker');
    expect(info).toMatchObject({ threads: 3, workers: 2, right: true });
  });
});
