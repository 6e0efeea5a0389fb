/** Makes the page's folder: bundles, the page itself, and what it is told about its data. */

import { createReadStream, createWriteStream, existsSync, readdirSync, statSync } from 'node:fs';
import { copyFile, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type BuildOptions, build } from 'esbuild';
import { licences } from '../../scripts/licences.mjs';
import { bundleSettings } from '../../scripts/typescript.mjs';
import { workerProgram } from '../../wasm/compile.mjs';
import { type Manifest, type PartEntry, POLICY, type SetName } from './manifest.js';

const MANIFEST = 'site.json';
const FILES = ['index.html', 'icon.svg', 'isolate.js'];

function describePart(data: string, name: SetName, part: 'train' | 't10k'): PartEntry | undefined {
  const [images, labels] = ['images-idx3', 'labels-idx1'].map((kind) => {
    const file = `${name}/raw/${part}-${kind}-ubyte`;
    const found = [`${file}.gz`, file].find((path) => existsSync(join(data, path)));
    return found && { path: `data/${found}`, bytes: statSync(join(data, found)).size };
  });
  return images && labels ? { images, labels } : undefined;
}

/** The data sets that lie in a folder, in torchvision's layout. */
export function describeData(data: string): Manifest['sets'] {
  const sets: Manifest['sets'] = {};
  for (const name of ['FashionMNIST', 'MNIST'] as const) {
    const [train, test] = [describePart(data, name, 'train'), describePart(data, name, 't10k')];
    if (train && test) sets[name] = { train, test };
  }
  return sets;
}

/**
 * Bundles the page of `root`, the repository, into `folder`, where only an earlier site may lie.
 * It is complete with `writeManifest`.
 */
export async function buildSite(root: string, folder: string): Promise<void> {
  const source = join(root, 'examples/web/page');
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    if (!existsSync(join(folder, MANIFEST))) {
      throw new Error(`${folder} holds other files; name an empty folder, or a new one`);
    }
    await rm(folder, { recursive: true });
  }
  await mkdir(folder, { recursive: true });
  // First of all: it marks the folder as a site, also where the build is broken off.
  await writeManifest(folder, { isolate: false, sets: {} });
  const result = await build({
    ...(bundleSettings as BuildOptions),
    absWorkingDir: root,
    entryPoints: ['main.ts', 'worker.ts', 'style.css'].map((file) => join(source, file)),
    outdir: folder,
    platform: 'browser',
    splitting: true,
    minify: true,
    keepNames: true,
    legalComments: 'none',
    metafile: true,
  });
  await writeFile(join(folder, 'THIRD_PARTY_LICENSES.txt'), licences(root, [result]));
  // Threads start from a file: the policy allows no program that a page makes up.
  await writeFile(join(folder, 'thread.js'), await workerProgram(root));
  for (const file of FILES) await copyFile(join(source, file), join(folder, file));
  const page = await readFile(join(source, 'index.html'), 'utf8');
  await writeFile(join(folder, 'index.html'), page.replace('%POLICY%', POLICY));
}

export function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  return writeFile(join(folder, MANIFEST), JSON.stringify(manifest));
}

/** Copies data sets into the site, gzipped; returns them as they are there. */
export async function copyData(
  data: string,
  sets: Manifest['sets'],
  folder: string,
): Promise<Manifest['sets']> {
  const copied = structuredClone(sets);
  const parts = Object.values(copied).flatMap(({ train, test }) => [train, test]);
  for (const entry of parts.flatMap(({ images, labels }) => [images, labels])) {
    const from = join(data, entry.path.slice('data/'.length));
    if (!entry.path.endsWith('.gz')) entry.path += '.gz';
    const to = join(folder, entry.path);
    await mkdir(dirname(to), { recursive: true });
    if (from.endsWith('.gz')) await copyFile(from, to);
    else await pipeline(createReadStream(from), createGzip({ level: 9 }), createWriteStream(to));
    entry.bytes = (await stat(to)).size;
  }
  return copied;
}
