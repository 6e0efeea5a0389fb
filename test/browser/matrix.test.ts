/** The operator matrix in a real Chromium: both devices, cross-origin isolated and not. */

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { names } from '../ops/samples.js';
import { launchChromium, needGpu } from '../platform/chromium.js';
import { FEATURES } from '../webgpu/agree.js';
import { type Site, startSite, TestPage } from './page.js';
import { describeFailure, type MatrixReport } from './report.js';

let site: Site;
let browser: Browser;

beforeAll(async () => {
  site = await startSite();
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  await site?.close();
});

/** At most 25 lines. */
function failuresOf({ checks }: MatrixReport): string[] {
  return checks
    .filter(({ failures }) => failures.length > 0)
    .map(describeFailure)
    .slice(0, 25);
}

describe.each(['plain', 'isolated'] as const)('in a page, %s', (kind) => {
  let page: TestPage;

  beforeAll(async () => {
    page = await TestPage.open(browser, site[kind].url);
    if (kind === 'isolated') await page.call('setNumThreads', 2);
  });
  afterAll(() => page?.close());

  const expectAllRight = (report: MatrixReport) => {
    expect(report.isolated).toBe(kind === 'isolated');
    expect(report.threads).toBe(kind === 'isolated' ? 2 : 1);
    const asked = new Set(report.checks.map(({ row }) => row));
    expect([...asked].sort()).toEqual([...names].sort());
    expect(failuresOf(report)).toEqual([]);
    expect(page.problems).toEqual([]);
  };

  it('every row on the CPU', async () => {
    expectAllRight(await page.call('runMatrix', 'cpu'));
  });

  it('every row on the GPU', async (context) => {
    // With optional features in one page, without in the other.
    const features = kind === 'isolated' ? FEATURES : [];
    needGpu(context, await page.call('start', features));
    expectAllRight(await page.call('runMatrix', 'webgpu'));
  }, 180_000);
});
