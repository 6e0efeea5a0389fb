// Builds the C kernels: declarations -> build/kernels.h, C -> objects -> build/kernels.wasm ->
// build/module.js and build/module.node.js.
// Usage: node wasm/build.mjs [--keep-going]   (--keep-going links what compiles and only warns
// about the rest)
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  COMMON_FLAGS,
  compile,
  generate,
  kernelNames,
  run,
  writeIfChanged,
  writeWhole,
} from './compile.mjs';
import { brotli, lzma } from './pack.mjs';
import { findToolchain } from './toolchain.mjs';

/** Kernels that gain from -O3; the others are as quick and a tenth smaller with -O2. */
const HOT = /gemm|conv|softmax|sort|elementwise/;

/** The module imports a shared memory, which asks for atomics and bulk memory. */
const FLAGS = ['-msimd128', '-matomics', '-mbulk-memory', ...COMMON_FLAGS];

const LINK_FLAGS = [
  '--no-entry',
  '--import-memory',
  '--shared-memory',
  '--max-memory=4294967296',
  '--gc-sections',
  '--strip-all',
  '-z',
  'stack-size=131072',
  '--stack-first',
  '--export=__heap_base',
  '--export=__stack_pointer',
];

async function link(root, tools, objects) {
  const names = await kernelNames(tools.nm, objects);
  const exports = names.map((name) => `--export=${name}`);
  const list = join(root, 'build/kernels.link');
  const file = join(root, 'build/kernels.wasm');
  const before = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
  writeFileSync(list, [...LINK_FLAGS, ...exports, ...objects, ...tools.libraries].join('\n'));
  await writeWhole(file, (passing) => run(tools.ld, [`@${list}`, '-o', passing]));
  const bytes = readFileSync(file);
  return { bytes, changed: !bytes.equals(before), names: new Set(names) };
}

/** The modules one after the other, packed as each platform unpacks them. */
async function embed(root, modules) {
  const bytes = Buffer.concat(Object.values(modules));
  const sizes = Object.entries(modules).map(([name, { length }]) => `'${name}': ${length}`);
  const rest = `export const sizes = { ${sizes.join(', ')} };
`;
  const text = (packed) => `export const packed = '${packed.toString('base64')}';
${rest}`;
  await writeIfChanged(join(root, 'build/module.node.js'), text(brotli(bytes)));
  await writeIfChanged(join(root, 'build/module.js'), text(await lzma(bytes)));
}

function missingKernels(kernels, names) {
  return [...kernels].flatMap(([name, { dtypes }]) =>
    dtypes.map((dtype) => `${name}_${dtype}`).filter((symbol) => !names.has(symbol)),
  );
}

/** Builds build/module*.js where anything it depends on has changed. */
export async function buildKernels(root, { keepGoing = false } = {}) {
  const kernels = await generate(root);
  const tools = findToolchain(root);
  const flagsOf = (file) => [HOT.test(basename(file)) ? '-O3' : '-O2', ...FLAGS];
  const compiler = { ...tools.compiler, flagsOf };
  const { objects, failures } = await compile(root, 'wasm', compiler, kernels);
  if (objects.length > 0 && (failures.length === 0 || keepGoing)) {
    const { bytes, changed, names } = await link(root, tools, objects);
    const embedded = ['module.js', 'module.node.js'].every((f) =>
      existsSync(join(root, 'build', f)),
    );
    if (changed || !embedded) await embed(root, { main: bytes });
    const missing = missingKernels(kernels, names);
    if (missing.length > 0) failures.push(`declared but not written in C: ${missing.join(' ')}`);
  }
  if (failures.length === 0) return;
  if (!keepGoing) throw new Error(failures.join('\n'));
  console.warn(failures.join('\n'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const root = resolve(fileURLToPath(import.meta.url), '../..');
    await buildKernels(root, { keepGoing: process.argv.includes('--keep-going') });
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
