// Compiles the C programs of this folder, natively and to WebAssembly.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COMMON_FLAGS } from '../../wasm/compile.mjs';
import { findProgram, findToolchain, required } from '../../wasm/toolchain.mjs';

const root = resolve(fileURLToPath(import.meta.url), '../../..');
const FLAGS = [...COMMON_FLAGS, `-I${join(root, 'kernels')}`];

const folder = mkdtempSync(join(tmpdir(), 'isotorch-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const source = (stem: string) => join(root, 'test/kernels', `${stem}.c`);

/** Compiles test/kernels/<stem>.c with the native clang; returns the program's path. */
export function compileNative(stem: string, flags: string[]): string {
  const clang = required(findProgram(['clang-19', 'clang']), 'clang (Debian: clang-19)');
  const target = join(folder, stem);
  execFileSync(clang, [...FLAGS, ...flags, source(stem), '-o', target, '-lm']);
  return target;
}

/** Compiles test/kernels/<stem>.c as the kernels are; returns the module's exports. */
export function compileWasm(stem: string): WebAssembly.Exports {
  const { compiler, ld, libraries } = findToolchain(root);
  const target = join(folder, `${stem}.wasm`);
  const object = `${target}.o`;
  const flags = [...FLAGS, '-O3', '-msimd128', '-c', source(stem), '-o', object];
  execFileSync(compiler.program, flags, { env: compiler.env });
  const link = ['--no-entry', '--export-all', '--allow-undefined', object, ...libraries];
  execFileSync(ld, [...link, '-o', target]);
  const module = new WebAssembly.Module(readFileSync(target));
  const imports: WebAssembly.Imports = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (kind === 'function') imports[from] = { ...imports[from], [name]: () => 0 };
  }
  return new WebAssembly.Instance(module, imports).exports;
}
