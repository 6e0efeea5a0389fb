/** The demo's page in a real Chromium: it trains, answers and stays responsive. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContextOptions, Page, Route } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { learningRate, presets } from '../../examples/demo/recipe.js';
import { makeRun, trainEpoch } from '../../examples/demo/train.js';
import { type SiteServer, serveSite } from '../../examples/web/server.js';
import { buildSite, describeData, writeManifest } from '../../examples/web/site.js';
import * as torch from '../../ts/index.js';
import { launchChromium } from '../platform/chromium.js';
import { writeSilhouettes } from './silhouettes.js';

/** What is to be reached: a processor that plays a GPU does a batch in seconds. */
const DEVICES = [
  { device: 'CPU', model: 'CNN', loss: 0.6, accuracy: 85, answer: /^Trouser, \d+ %/ },
  { device: 'WebGPU', model: 'MLP', loss: 1.9, accuracy: 15, answer: /, \d+ %/ },
];

const root = resolve(fileURLToPath(import.meta.url), '../../..');
const pictures = join(root, 'out/screenshots');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let folder: string;
let browser: Browser;
let server: SiteServer;
let problems: string[] = [];
const site = () => join(folder, 'site');
const data = () => join(folder, 'data');

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'isotorch-web-'));
  mkdirSync(pictures, { recursive: true });
  writeSilhouettes(data(), 'FashionMNIST', 2000, 1000);
  await buildSite(root, site());
  await writeManifest(site(), { isolate: false, sets: describeData(data()) });
  server = await serveSite({ site: site(), data: data(), port: 0 });
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

afterEach(async () => {
  await Promise.all(browser.contexts().map((context) => context.close()));
  problems = [];
});

/** Polls with patience: other programs may be at work, too. */
const eventually = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 90_000 });

/** Opens the page and waits until it can train. Notes everything that goes wrong in it. */
async function open(
  url = server.url,
  options: BrowserContextOptions = {},
  changeWorker?: (route: Route) => Promise<void>,
): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  if (changeWorker) await context.route('**/worker.js', changeWorker);
  await page.goto(url);
  await page.locator('#start:enabled').waitFor();
  return page;
}

async function choose(page: Page, label: string): Promise<void> {
  await page.getByRole('radio', { name: label }).check();
}

function figure(page: Page, name: string): Promise<string> {
  return page.locator(`#figure-${name}`).innerText();
}

/** Waits until the page says that a figure is past a limit. */
async function reach(page: Page, name: string, test: (value: number) => boolean): Promise<void> {
  await eventually(async () => test(Number.parseFloat(await figure(page, name)))).toBe(true);
}

function chart(page: Page, name: string): Promise<string> {
  return page.locator(`#${name}-chart canvas`).evaluate((canvas) => {
    return (canvas as HTMLCanvasElement).toDataURL();
  });
}

/** Draws two legs in the drawing area. */
async function drawTrousers(page: Page): Promise<void> {
  const canvas = page.locator('#sketch');
  await canvas.scrollIntoViewIfNeeded();
  const box = await canvas.boundingBox();
  if (box === null) throw new Error('the drawing area is not shown');
  const at = (x: number, y: number) => [box.x + x * box.width, box.y + y * box.height] as const;
  await page.locator('#pen-width').fill('6');
  for (const x of [0.36, 0.64]) {
    await page.mouse.move(...at(x, 0.15));
    await page.mouse.down();
    await page.mouse.move(...at(x, 0.85), { steps: 8 });
    await page.mouse.up();
  }
}

async function shares(page: Page): Promise<number[]> {
  const texts = await page.locator('#bars .bar-value').allInnerTexts();
  return texts.map((text) => Number.parseFloat(text));
}

/** The gaps between the frames until `work` is done and `least` of them were seen, in milliseconds. */
async function frameGaps(page: Page, least: number, work: () => Promise<void>): Promise<number[]> {
  const seen = () => page.evaluate(() => (globalThis as unknown as { gaps: number[] }).gaps);
  await page.evaluate(() => {
    const gaps: number[] = [];
    Object.assign(globalThis, { gaps });
    let last = performance.now();
    const tick = () => {
      const now = performance.now();
      gaps.push(now - last);
      last = now;
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  await work();
  await eventually(async () => (await seen()).length).toBeGreaterThanOrEqual(least);
  return seen();
}

async function accessibilityProblems(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: typeof import('axe-core') };
    const { violations } = await axe.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map((n) => n.html).join(' ')}`);
  });
}

const overflow = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

describe.each(DEVICES)('training on $device', ({ device, model, ...goal }) => {
  it('moves the curves, shows predictions and leaves the page responsive', async () => {
    const page = await open();
    await choose(page, device);
    await page.getByLabel('Epochs', { exact: true }).fill('50');
    await page.getByRole('button', { name: 'Start' }).click();
    await reach(page, 'loss', (loss) => loss > 0);
    const before = await Promise.all(['loss', 'accuracy'].map((name) => chart(page, name)));

    const gaps = await frameGaps(page, 20, async () => {
      await reach(page, 'loss', (loss) => loss < goal.loss);
      await reach(page, 'accuracy', (accuracy) => accuracy > goal.accuracy);
    });
    expect(Math.max(...gaps)).toBeLessThan(1000);
    expect(gaps.sort((a, b) => a - b)[gaps.length >> 1]).toBeLessThan(100);

    const after = await Promise.all(['loss', 'accuracy'].map((name) => chart(page, name)));
    expect(after[0]).not.toBe(before[0]);
    expect(after[1]).not.toBe(before[1]);
    const cards = await page.locator('#images .card').allInnerTexts();
    expect(cards).toHaveLength(24);
    for (const text of cards) expect(text).toMatch(/^[✓✗] [\s\S]*\d %/);

    await drawTrousers(page);
    await eventually(() => page.locator('#said').innerText()).toMatch(goal.answer);
    const values = await shares(page);
    expect(values).toHaveLength(10);
    expect(values.reduce((a, b) => a + b)).toBeGreaterThan(95);
    await page.screenshot({
      path: join(pictures, `web-${device.toLowerCase()}.png`),
      fullPage: true,
    });

    await page.getByRole('button', { name: 'Stop' }).click();
    await page.locator('#start:enabled').waitFor();
    expect(await page.locator('#status').innerText()).toMatch(/^Stopped after \d+ epoch/);
    expect(problems).toEqual([]);
  }, 240_000);

  it('pauses, continues, and starts anew', async () => {
    const page = await open();
    await choose(page, device);
    await choose(page, model);
    await page.getByRole('button', { name: 'Start' }).click();
    await reach(page, 'speed', (speed) => speed > 0);
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: 'Continue' }).waitFor();
    await eventually(() => page.locator('#status').innerText()).toBe('Paused.');
    const loss = await figure(page, 'loss');
    // Drawings are judged while the training rests.
    await drawTrousers(page);
    await eventually(async () => Math.max(...(await shares(page)))).toBeGreaterThan(0);
    expect(await figure(page, 'loss')).toBe(loss);
    await page.getByRole('button', { name: 'Continue' }).click();
    await eventually(() => figure(page, 'loss')).not.toBe(loss);
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('button', { name: 'Start' }).click();
    await reach(page, 'loss', (value) => value > 1);
    expect(problems).toEqual([]);
  }, 240_000);
});

describe('the page', () => {
  it('trains as Node does, and saves a checkpoint', async () => {
    const page = await open();
    await page.getByLabel('Epochs', { exact: true }).fill('1');
    await page.getByRole('button', { name: 'Start' }).click();
    await eventually(() => page.locator('#status').innerText()).toBe('Finished after 1 epoch.');
    await page.getByText('The epochs as a table').click();
    const shown = await page.locator('#results td').nth(1).innerText();

    const { datasets, transforms } = torch.vision;
    const images = (train: boolean) =>
      new datasets.FashionMNIST(data(), { train, transform: transforms.ToTensor() });
    const recipe = { ...presets, lr: learningRate(presets.optimizer), epochs: 1 };
    const run = makeRun(recipe, images(true), images(false), {
      turn: async () => {},
      stopped: () => false,
    });
    // Other engines may choose other kernels, which round otherwise.
    expect(Number(shown)).toBeCloseTo((await trainEpoch(run, 1)) as number, 3);

    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Save' }).click(),
    ]);
    expect(download.suggestedFilename()).toBe('FashionMNIST-mlp.pt');
    const state = await torch.load<Record<string, torch.Tensor>>(await download.path());
    const own = run.model.stateDict();
    expect(Object.keys(state)).toEqual(Object.keys(own));
    for (const name of Object.keys(own)) {
      const difference = await state[name].sub(own[name]).abs().max().item();
      expect(difference).toBeLessThan(1e-3);
    }
    expect(problems).toEqual([]);
  });

  it('says what is missing: WebGPU, or data', async () => {
    const page = await open(server.url, {}, async (route) => {
      const response = await route.fetch();
      const { 'content-length': _, ...headers } = response.headers();
      const hide = "Object.defineProperty(navigator, 'gpu', { value: undefined });\n";
      await route.fulfill({ headers, body: hide + (await response.text()) });
    });
    expect(await page.getByRole('radio', { name: 'WebGPU' }).isDisabled()).toBe(true);
    expect(await page.locator('#webgpu-reason').innerText()).toBe(
      'Not here: no graphics adapter was found.',
    );
    expect(await page.getByRole('radio', { name: 'Digits' }).isDisabled()).toBe(true);
    expect(await page.locator('#set-reason').innerText()).toBe('The digits are not on this site.');
    expect(await page.locator('#environment').innerText()).toContain('is isolated');

    await page.route('**/train-images*', (route) => route.fulfill({ status: 503 }));
    await page.getByRole('button', { name: 'Start' }).click();
    await page.getByRole('alert').waitFor();
    expect(await page.getByRole('alert').innerText()).toMatch(/could not be loaded.*503/);
    await page.unroute('**/train-images*');
    await page.getByRole('button', { name: 'Start' }).click();
    await reach(page, 'loss', (loss) => loss > 0);
    expect(await page.getByRole('alert').isVisible()).toBe(false);
  });

  it('works where the host sets no headers, and isolates itself where it may', async () => {
    const plain = await serveSite({ site: site(), data: data(), port: 0, isolation: false });
    try {
      const page = await open(plain.url);
      expect(await page.locator('#environment').innerText()).toContain('not isolated');
      expect(await page.evaluate(() => globalThis.crossOriginIsolated)).toBe(false);
      await writeManifest(site(), { isolate: true, sets: describeData(data()) });
      const own = await open(plain.url);
      await own.waitForFunction(() => globalThis.crossOriginIsolated);
      await own.locator('#start:enabled').waitFor();
      expect(await own.locator('#environment').innerText()).toContain('is isolated');
      await own.getByRole('button', { name: 'Start' }).click();
      await reach(own, 'loss', (loss) => loss > 0);
      expect(problems).toEqual([]);
    } finally {
      await writeManifest(site(), { isolate: false, sets: describeData(data()) });
      await plain.close();
    }
  });

  it('is accessible while pictures are on their way', async () => {
    const context = await browser.newContext();
    await context.route('**/*-images*', () => {});
    const page = await context.newPage();
    await page.goto(server.url);
    await page.locator('#images .card').first().waitFor({ state: 'attached' });
    expect(await accessibilityProblems(page)).toEqual([]);
  });

  it.each(['light', 'dark'] as const)('is accessible: %s', async (colorScheme) => {
    const page = await open(server.url, { colorScheme, reducedMotion: 'reduce' });
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.getByRole('button', { name: 'Start' }).click();
    await page.getByText('The epochs as a table').click();
    await eventually(() => page.locator('#status').innerText()).toBe('Finished after 5 epochs.');
    await drawTrousers(page);
    await eventually(async () => Math.max(...(await shares(page)))).toBeGreaterThan(0);
    expect(await accessibilityProblems(page)).toEqual([]);
    const duration = await page
      .locator('.bar-fill')
      .first()
      .evaluate((bar) => getComputedStyle(bar).transitionDuration);
    expect(duration).toBe('0s');
    await page.screenshot({ path: join(pictures, `web-${colorScheme}.png`), fullPage: true });
  });

  it('can be drawn on with the keyboard', async () => {
    const page = await open();
    await page.getByRole('button', { name: 'Start' }).click();
    await reach(page, 'loss', (loss) => loss > 0);
    await page.locator('#sketch').focus();
    await page.keyboard.press('Space');
    for (let i = 0; i < 6; i++) await page.keyboard.press('Shift+ArrowDown');
    await page.keyboard.press('Space');
    await eventually(async () => Math.max(...(await shares(page)))).toBeGreaterThan(0);
    await page.keyboard.press('Control+z');
    await eventually(() => page.locator('#said').innerText()).toBe('draw something');
  });
});

describe.each([320, 390])('on a phone %i pixels wide', (width) => {
  it('fits, and fingers draw', async () => {
    const page = await open(server.url, {
      viewport: { width, height: 780 },
      hasTouch: true,
      isMobile: true,
      deviceScaleFactor: 2,
      colorScheme: width === 320 ? 'light' : 'dark',
    });
    expect(await overflow(page)).toBe(0);
    await page.getByRole('button', { name: 'Start' }).tap();
    await reach(page, 'accuracy', (accuracy) => accuracy > 50);
    await page.locator('#sketch').scrollIntoViewIfNeeded();
    const box = await page.locator('#sketch').boundingBox();
    if (box === null) throw new Error('the drawing area is not shown');
    const scrolled = await page.evaluate(() => globalThis.scrollY);
    const session = await page.context().newCDPSession(page);
    const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', x = 0, y = 0) =>
      session.send('Input.dispatchTouchEvent', {
        type,
        touchPoints:
          type === 'touchEnd' ? [] : [{ x: box.x + x * box.width, y: box.y + y * box.height }],
      });
    await touch('touchStart', 0.5, 0.2);
    for (let y = 0.2; y < 0.8; y += 0.1) await touch('touchMove', 0.5, y);
    await touch('touchEnd');
    await eventually(async () => Math.max(...(await shares(page)))).toBeGreaterThan(0);
    expect(await page.evaluate(() => globalThis.scrollY)).toBe(scrolled);
    expect(await overflow(page)).toBe(0);
    await page.screenshot({ path: join(pictures, `web-phone-${width}.png`), fullPage: true });
    expect(problems).toEqual([]);
  });
});
