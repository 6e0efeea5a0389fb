/** Trainings and the GPU's life in pages of a real Chromium, and pages that have no GPU. */

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium, needGpu } from '../platform/chromium.js';
import { type Site, startSite, TestPage } from './page.js';
import type { Training } from './report.js';
import { type Recipe, recipes, train } from './trainings.js';

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

/** Relative errors of losses and weights: those of every step go on into the next. */
const NEAR = { cpu: 1e-4, webgpu: 1e-3 };

function expectNear(actual: Training, expected: Training, rtol: number): void {
  for (const key of ['losses', 'norms'] as const) {
    expect(actual[key].length).toBe(expected[key].length);
    const off = actual[key].map((value, i) => value / (expected[key][i] as number) - 1);
    expect(Math.max(...off.map(Math.abs)), key).toBeLessThan(rtol);
  }
}

const PAGES = ['plain', 'isolated'] as const;
/** A processor that plays a GPU takes its time: each recipe on one of the pages. */
const GPU_PAGE = { mlp: 'plain', cnn: 'isolated' } as const;

async function open(kind: (typeof PAGES)[number]): Promise<TestPage> {
  const page = await TestPage.open(browser, site[kind].url);
  if (kind === 'isolated') await page.call('setNumThreads', 2);
  return page;
}

async function end(page: TestPage): Promise<void> {
  expect(page.problems).toEqual([]);
  await page.close();
}

describe.each(recipes)('training: %s', (recipe: Recipe) => {
  let expected: Training;

  beforeAll(async () => {
    expected = await train(recipe, 'cpu');
  });

  it('learns in Node', () => {
    expect(expected.losses.at(-1)).toBeLessThan((expected.losses[0] as number) / 2);
  });

  it.each(PAGES)('has the losses of Node in a page (%s) on the CPU', async (kind) => {
    const page = await open(kind);
    expectNear(await page.call('train', recipe, 'cpu'), expected, NEAR.cpu);
    await end(page);
  });

  it(`has them in a page (${GPU_PAGE[recipe]}) on the GPU`, async (context) => {
    const page = await open(GPU_PAGE[recipe]);
    needGpu(context, await page.call('start'));
    expectNear(await page.call('train', recipe, 'webgpu'), expected, NEAR.webgpu);
    await end(page);
  }, 180_000);
});

describe.each(PAGES)('the GPU of a page (%s)', (kind) => {
  it('starts, tells of itself, is lost and starts again', async (context) => {
    const page = await open(kind);
    const { available } = await page.call('look');
    if (!available) needGpu(context, await page.call('start'));
    const report = await page.call('lifeOfGpu');
    expect(report).toMatchObject({ available: true, counts: [0, 1, 0, 1] });
    const early = /^DeviceError: .*not started.*await torch\.webgpu\.init\(\)/;
    const lost = /^DeviceLostError: .*await torch\.webgpu\.init\(\)/;
    expect(report.early).toEqual(Array(3).fill(expect.stringMatching(early)));
    expect(report.lost).toEqual(Array(3).fill(expect.stringMatching(lost)));
    expect([report.values, report.again]).toEqual(Array(2).fill([0, 1, 8, 27, 64]));
    expect(report.name).toContain(report.info.architecture);
    expect(report.info).toMatchObject({ software: true, features: expect.any(Array) });
    for (const count of ['limits', 'launches', 'pipelines', 'buffers', 'reserved']) {
      expect(report.info[count]).toBeGreaterThan(0);
    }
    await end(page);
  });
});

describe('a page without a GPU says so, and computes on the CPU', () => {
  const refusal = (message: RegExp) => ({
    available: false,
    message: expect.stringMatching(message),
    sum: 6,
  });

  it('where the browser has no WebGPU', async () => {
    const page = await TestPage.open(browser, site.plain.url, async (context) => {
      await context.addInitScript('delete Navigator.prototype.gpu');
    });
    const message = /^DeviceError: webgpu: this browser has no WebGPU; use a current Chrome/;
    expect(await page.call('look')).toEqual(refusal(message));
    await end(page);
  });

  it('where the page is not secure, and what to serve it from', async () => {
    const page = await TestPage.open(browser, 'http://insecure.test', async (context) => {
      await context.route('http://insecure.test/**', (route) => {
        const { pathname } = new URL(route.request().url());
        return route.fulfill({ path: `${site.folder}${pathname}` });
      });
    });
    const message = /^DeviceError: webgpu: .*secure contexts: .*https, or from localhost$/;
    expect(await page.call('look')).toEqual(refusal(message));
    await end(page);
  });

  it('where the browser finds no adapter', async () => {
    const bare = await launchChromium({ gpu: false });
    try {
      const page = await TestPage.open(bare, site.plain.url);
      const message = /^DeviceError: webgpu: there is no GPU adapter here.*supported GPU/;
      expect(await page.call('look')).toEqual(refusal(message));
      await page.close();
    } finally {
      await bare.close();
    }
  });
});
