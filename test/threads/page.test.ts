import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleSettings } from '../../scripts/typescript.mjs';
import type { CpuInfo } from '../../ts/device/cpu/index.js';
import { workerProgram } from '../../wasm/compile.mjs';
import { launchChromium, serve, visit } from '../platform/chromium.js';
import { root } from '../platform/package.js';

const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};
const STRICT = {
  'content-security-policy': "default-src 'self' data:; script-src 'self' 'wasm-unsafe-eval'",
};

let folder: string;
let browser: Browser;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'isotorch-page-'));
  await build({
    ...(bundleSettings as BuildOptions),
    entryPoints: [join(root, 'ts/index.ts')],
    outfile: join(folder, 'index.mjs'),
    platform: 'browser',
    conditions: ['browser'],
    loader: { '.wgsl': 'text' },
  });
  writeFileSync(join(folder, 'worker.js'), await workerProgram(root));
  cpSync(join(root, 'test/threads/page.mjs'), join(folder, 'page.mjs'));
  cpSync(join(root, 'test/platform/page.html'), join(folder, 'page.html'));
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
