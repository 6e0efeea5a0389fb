import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { afterAll, describe, expect, it } from 'vitest';
import { FRAMES, fitDrawing, inkBox } from '../../examples/web/page/fit.js';
import { floodFill } from '../../examples/web/page/sketch.js';
import { serveSite } from '../../examples/web/server.js';
import { buildSite, copyData, describeData } from '../../examples/web/site.js';
import { root } from '../platform/package.js';

const SIDE = 280;

/** A drawing with one rectangle of full ink. */
function rectangle(left: number, top: number, right: number, bottom: number): Uint8Array {
  const ink = new Uint8Array(SIDE * SIDE);
  for (let y = top; y < bottom; y++) ink.fill(255, y * SIDE + left, y * SIDE + right);
  return ink;
}

/** Where an image of 28 x 28 has ink: left, top, right, bottom. */
function extent(image: Float32Array): number[] {
  const box = inkBox(
    Uint8Array.from(image, (value) => Math.round(255 * value)),
    28,
  );
  return box ? [box.left, box.top, box.right, box.bottom] : [];
}

describe('a drawing becomes an image', () => {
  it('as it lies', () => {
    const image = fitDrawing(rectangle(20, 40, 60, 45), SIDE);
    expect(extent(image)).toEqual([2, 4, 6, 5]);
    expect(image[4 * 28 + 2]).toBeCloseTo(0.5, 1);
    expect(Math.max(...fitDrawing(rectangle(0, 0, SIDE, SIDE), SIDE))).toBe(1);
  });

  it('scaled and centred as the garments are', () => {
    const image = fitDrawing(rectangle(20, 30, 80, 150), SIDE, FRAMES.FashionMNIST);
    expect(extent(image)).toEqual([7, 0, 21, 28]);
  });

  it('with its centre of mass in the middle, as the digits are', () => {
    const ink = rectangle(100, 60, 120, 200);
    for (let y = 180; y < 200; y++) ink.fill(255, y * SIDE + 40, y * SIDE + 120);
    const image = fitDrawing(ink, SIDE, FRAMES.MNIST);
    const [, top, , bottom] = extent(image);
    expect(bottom - top).toBeGreaterThanOrEqual(20);
    let [mass, x, y] = [0, 0, 0];
    image.forEach((value, i) => {
      mass += value;
      x += value * ((i % 28) + 0.5);
      y += value * (Math.floor(i / 28) + 0.5);
    });
    expect(x / mass).toBeCloseTo(14, 0);
    expect(y / mass).toBeCloseTo(14, 0);
  });

  it('a dot is not blown up, and nothing stays nothing', () => {
    const [left, , right] = extent(fitDrawing(rectangle(5, 5, 15, 15), SIDE, FRAMES.FashionMNIST));
    expect(right - left).toBeLessThan(6);
    expect(extent(fitDrawing(new Uint8Array(SIDE * SIDE), SIDE, FRAMES.MNIST))).toEqual([]);
  });

  it('fill stops at lines', () => {
    const ink = new Uint8Array(100);
    for (let y = 0; y < 10; y++) ink[10 * y + 4] = 255;
    floodFill(ink, 10, { x: 7.5, y: 2 }, 200);
    expect([...ink.subarray(20, 30)]).toEqual([0, 0, 0, 0, 255, 200, 200, 200, 200, 200]);
    expect(ink.filter((value) => value === 200)).toHaveLength(50);
  });
});

const folder = mkdtempSync(join(tmpdir(), 'isotorch-page-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the server of the page', () => {
  const site = join(folder, 'site');
  mkdirSync(site);
  mkdirSync(join(folder, 'data'));
  writeFileSync(join(site, 'index.html'), '<p>page</p>');
  writeFileSync(join(folder, 'data/x.gz'), 'images');
  writeFileSync(join(folder, 'secret.txt'), 'secret');

  /** Asks for a path as it is: fetch() would clean it first. */
  function status(url: string, path: string): Promise<number | undefined> {
    const { port } = new URL(url);
    return new Promise((resolve, reject) => {
      get({ port, path }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on('error', reject);
    });
  }

  it('serves two folders and nothing else', async () => {
    const server = await serveSite({ site, data: join(folder, 'data'), port: 0 });
    try {
      const page = await fetch(server.url);
      expect(await page.text()).toBe('<p>page</p>');
      expect(page.headers.get('content-type')).toContain('text/html');
      expect(page.headers.get('cross-origin-opener-policy')).toBe('same-origin');
      expect(page.headers.get('cross-origin-embedder-policy')).toBe('require-corp');
      expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(await (await fetch(`${server.url}data/x.gz`)).text()).toBe('images');
      for (const path of ['/../secret.txt', '/data/../../secret.txt', '/%2e%2e/secret.txt', '/a']) {
        expect(await status(server.url, path)).toBe(404);
      }
      expect(await status(server.url, '/%')).toBe(404);
      expect((await fetch(server.url, { method: 'POST' })).status).toBe(405);
      const etag = page.headers.get('etag') as string;
      const again = await fetch(server.url, { headers: { 'if-none-match': etag } });
      expect(again.status).toBe(304);
    } finally {
      await server.close();
    }
  });

  it('takes the next port where one is taken, and leaves isolation out on demand', async () => {
    const first = await serveSite({ site, port: 0 });
    const { port } = new URL(first.url);
    const second = await serveSite({ site, port: Number(port), isolation: false });
    try {
      expect(Number(new URL(second.url).port)).toBeGreaterThan(Number(port));
      const { headers } = await fetch(second.url);
      expect(headers.get('cross-origin-opener-policy')).toBeNull();
    } finally {
      await Promise.all([first.close(), second.close()]);
    }
  });
});

describe('the service worker that isolates', () => {
  const origin = 'https://host.example';

  /** What it answers a request with; undefined: it leaves the request alone. */
  async function answer(request: object, response: Response): Promise<Response | undefined> {
    let listener = (_event: object): void => {};
    let given: Promise<Response> | undefined;
    runInNewContext(readFileSync(join(root, 'examples/web/page/isolate.js'), 'utf8'), {
      addEventListener: (type: string, call: typeof listener) => {
        if (type === 'fetch') listener = call;
      },
      fetch: async () => response,
      location: { origin },
      Headers,
      Response,
      URL,
    });
    listener({
      request: { url: `${origin}/x`, cache: 'default', mode: 'navigate', ...request },
      respondWith: (promise: Promise<Response>) => {
        given = promise;
      },
    });
    return given;
  }

  it('adds the headers, and keeps the answer', async () => {
    const page = new Response('page', { status: 404, headers: { 'content-type': 'text/html' } });
    const got = (await answer({}, page)) as Response;
    expect([got.status, await got.text()]).toEqual([404, 'page']);
    expect(Object.fromEntries(got.headers)).toEqual({
      'content-type': 'text/html',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
    });
    const empty = (await answer({}, new Response(null, { status: 204 }))) as Response;
    expect(empty.headers.has('cross-origin-opener-policy')).toBe(true);
  });

  it('hands redirects on, and leaves other origins alone', async () => {
    // As fetch() shows a page a redirect that it has to follow itself.
    const redirect = Response.error();
    expect(await answer({}, redirect)).toBe(redirect);
    expect(await answer({ url: 'https://other.example/' }, new Response())).toBeUndefined();
    expect(await answer({ cache: 'only-if-cached' }, new Response())).toBeUndefined();
  });
});

describe('the site', () => {
  it('copies its data gzipped', async () => {
    const raw = join(folder, 'sets/MNIST/raw');
    mkdirSync(raw, { recursive: true });
    for (const part of ['train', 't10k']) {
      writeFileSync(join(raw, `${part}-images-idx3-ubyte`), new Uint8Array(5000));
      writeFileSync(join(raw, `${part}-labels-idx1-ubyte.gz`), 'labels');
    }
    const sets = describeData(join(folder, 'sets'));
    expect(Object.keys(sets)).toEqual(['MNIST']);
    expect(sets.MNIST?.test.images).toEqual({
      path: 'data/MNIST/raw/t10k-images-idx3-ubyte',
      bytes: 5000,
    });
    const copied = await copyData(join(folder, 'sets'), sets, join(folder, 'copy'));
    expect(copied.MNIST?.test.images.path).toBe('data/MNIST/raw/t10k-images-idx3-ubyte.gz');
    expect(copied.MNIST?.test.images.bytes).toBeLessThan(100);
    expect(describeData(join(folder, 'copy/data'))).toEqual(copied);
  });

  it('is not written over other files', async () => {
    await expect(buildSite('.', folder)).rejects.toThrow('holds other files');
  });
});
