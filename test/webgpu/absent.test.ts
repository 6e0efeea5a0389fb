/** Where there is no GPU to be had in Node, what is said tells what to install. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleInto, root } from '../platform/package.js';

const PROGRAM = `
import * as torch from './ts/index.mjs';
console.log(await torch.webgpu.isAvailable());
await torch.webgpu.init().catch(({ name, message }) => console.log(name + ': ' + message));
console.log(torch.webgpu.deviceCount(), await torch.ones(3).sum().item());
`;

let folder: string;

beforeAll(async () => {
  // Outside of the project, whose packages are not found there.
  folder = mkdtempSync(join(tmpdir(), 'isotorch-absent-'));
  await bundleInto(folder, ['ts/index.ts']);
  writeFileSync(join(folder, 'program.mjs'), PROGRAM);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(env: NodeJS.ProcessEnv): string {
  const { status, stdout } = spawnSync(process.execPath, [join(folder, 'program.mjs')], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  expect(status).toBe(0);
  return stdout;
}

test('no package: its name, and the CPU works', () => {
  expect(run({})).toMatch(
    /^false\nDeviceError: webgpu: in Node the GPU needs the npm package 'webgpu': npm install webgpu \(.*\)\n0 3\n$/,
  );
});

const linux = process.platform === 'linux';

test.runIf(linux)('no driver: which ones there are, and the CPU works', () => {
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(join(root, 'node_modules/webgpu'), join(folder, 'node_modules/webgpu'), 'dir');
  expect(run({ VK_ICD_FILENAMES: '/nowhere.json', VK_DRIVER_FILES: '/nowhere.json' })).toMatch(
    /^false\nDeviceError: webgpu: there is no GPU adapter here\. .*Vulkan.*libvulkan1.*VK_ICD_FILENAMES=.*\n0 3\n$/,
  );
});
