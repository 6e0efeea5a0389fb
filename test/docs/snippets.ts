/** Runs the TypeScript blocks of a document as their readers would. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleTypeScript } from '../../scripts/typescript.mjs';
import { gpuEnvironment } from '../webgpu/environment.js';

export const root = resolve(fileURLToPath(import.meta.url), '../../..');

export interface Snippet {
  /** Name of the document, without directories and extension. */
  readonly document: string;
  /** Line of the document where the block starts. */
  readonly line: number;
  readonly code: string;
}

/** The blocks fenced as ts. */
export function snippetsOf(file: string): Snippet[] {
  const text = readFileSync(join(root, file), 'utf8');
  const document = basename(file, '.md');
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => ({
    document,
    line: text.slice(0, match.index).split('\n').length + 1,
    code: match[1],
  }));
}

/** What the comments say is printed: the comment lines right after each console.log. */
export function expectedOutput(code: string): string {
  const lines: string[] = [];
  let printed = false;
  for (const line of code.split('\n')) {
    const comment = /^\/\/ ?(.*)$/.exec(line);
    if (comment && printed) lines.push(comment[1]);
    else printed = /^console\.log\(.*\);$/.test(line);
  }
  return lines.map((line) => `${line}\n`).join('');
}

function withPackage(code: string, path: string): string {
  return code.replaceAll("from 'isotorch'", `from '${path}'`);
}

/** What a snippet prints; what it throws ends up in the text. */
export async function run({ code, document, line }: Snippet): Promise<string> {
  const source = { contents: withPackage(code, './ts/index.ts'), file: undefined };
  const program = await bundleTypeScript(root, source, `snippet-${document}-${line}`);
  const { stdout, stderr } = spawnSync(process.execPath, [program], {
    encoding: 'utf8',
    env: { ...process.env, ...gpuEnvironment() },
  });
  return stdout + stderr;
}

/** The complaints of the type checker about snippets. */
export function typeErrors(snippets: readonly Snippet[]): string {
  const folder = join(root, 'build/snippets', snippets[0].document);
  mkdirSync(folder, { recursive: true });
  for (const { code, line } of snippets) {
    writeFileSync(join(folder, `line${line}.ts`), withPackage(code, '../../../ts/index.js'));
  }
  const ambient = '../../../ts/wgsl.d.ts';
  const files = [ambient, ...snippets.map(({ line }) => `./line${line}.ts`)];
  const compilerOptions = { incremental: false, noUnusedLocals: false };
  const config = { extends: '../../../tsconfig.json', compilerOptions, files, include: [] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const tsc = join(root, 'node_modules/.bin/tsc');
  return spawnSync(tsc, ['-p', folder], { encoding: 'utf8', cwd: folder }).stdout;
}
