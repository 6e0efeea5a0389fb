// Builds the replay program: every kernel natively with clang under ASan and UBSan, and
// wasm/replay.c.
import { join } from 'node:path';
import { COMMON_FLAGS, compile, generate, kernelNames, run, writeIfChanged } from './compile.mjs';
import { findProgram, required } from './toolchain.mjs';

const SANITIZERS = [
  '-fsanitize=address,undefined,float-cast-overflow',
  // Kernels are called through one pointer type; each takes a block of its own.
  '-fno-sanitize=function',
  '-fno-sanitize-recover=address',
  '-fsanitize-recover=undefined,float-cast-overflow',
  '-fno-omit-frame-pointer',
];
const FLAGS = ['-O1', '-g', ...COMMON_FLAGS, ...SANITIZERS];

/** Bits of the buffer words called `scratch`: their contents depend on how a range is split. */
function scratchWords(kernels, name) {
  const buffers = kernels.get(name.replace(/_[a-z]+\d*$/, ''))?.buffers ?? [];
  return buffers.reduce((bits, buffer, i) => (buffer === 'scratch' ? bits | (1 << i) : bits), 0);
}

function table(names, kernels) {
  const declarations = names.map((name) => `void ${name}(const void *, uint32_t, uint32_t);`);
  const rows = names.map(
    (name) => `    {"${name}", ${name}, ${scratchWords(kernels, name)}, 0, 0},`,
  );
  return [
    '#include <stddef.h>',
    '#include <stdint.h>',
    ...declarations,
    'typedef struct {',
    '  const char *name;',
    '  void (*run)(const void *, uint32_t, uint32_t);',
    '  uint32_t scratch, launches, rounded;',
    '} KernelEntry;',
    'KernelEntry kernel_table[] = {',
    ...rows,
    '};',
    `const size_t kernel_count = ${names.length};`,
    '',
  ].join('\n');
}

/** Builds and returns the replay program. */
export async function buildReplay(root) {
  const clang = required(findProgram(['clang-19', 'clang']), 'clang (Debian: clang-19)');
  const nm = required(findProgram(['llvm-nm-19', 'llvm-nm', 'nm']), 'llvm-nm (Debian: llvm-19)');
  const kernels = await generate(root);
  const compiler = { program: clang, version: '', env: process.env, flagsOf: () => FLAGS };
  const { objects, failures } = await compile(root, 'native', compiler, kernels);
  if (failures.length > 0) throw new Error(failures.join('\n'));
  const folder = join(root, 'build/obj/native');
  const tableFile = join(folder, 'table.c');
  await writeIfChanged(tableFile, table(await kernelNames(nm, objects), kernels));
  const program = join(folder, 'replay');
  const replay = join(root, 'wasm/replay.c');
  await run(clang, [...FLAGS, replay, tableFile, ...objects, '-lm', '-o', program]);
  return program;
}
