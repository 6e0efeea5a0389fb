import { rmSync } from 'node:fs';
import { expect, it } from 'vitest';
import { launchChromium, needGpu, serve, visit } from '../platform/chromium.js';
import { buildPage } from '../platform/page.js';

it('a page reads and writes files from all it has, to either device, and refuses damaged ones', async (context) => {
  const folder = await buildPage('test/checkpoint/page.mjs');
  const [server, browser] = await Promise.all([serve(folder), launchChromium()]);
  try {
    const { output, problems } = await visit(browser, `${server.url}/page.html`);
    expect(problems).toEqual([]);
    const { bytes, equal, damaged, cut, gpu, read } = JSON.parse(output);
    expect(equal).toEqual([true, true, true]);
    // The noise takes some 1.8 of the 4 MB, the zeros nothing.
    expect(bytes).toBeGreaterThan(1_000_000);
    expect(bytes).toBeLessThan(2_000_000);
    expect(damaged).toMatch(/^FileFormatError: .*entry 'noise.npy'/);
    expect(cut).toMatch(/^FileFormatError: .*cut off/);
    const sources = ['array', 'buffer', 'file', 'response', 'stream'];
    const once = (device: string) => sources.map((name) => `${name} ${device} 0,1,2,3`);
    expect(read.slice(0, 10)).toEqual([...once('cpu'), ...once('cpu')]);
    needGpu(context, gpu);
    expect(read.slice(10)).toEqual([...once('webgpu'), ...once('webgpu')]);
  } finally {
    await Promise.all([server.close(), browser.close()]);
    rmSync(folder, { recursive: true, force: true });
  }
});
