// Builds the C kernels: declarations -> build/kernels.h, C -> objects -> build/kernels.wasm ->
// build/module.js and build/module.node.js.
// Usage: node wasm/build.mjs [--keep-going]   (--keep-going links what compiles and only warns
// about the rest)
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
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
import { split } from './split.mjs';
import { findToolchain } from './toolchain.mjs';

/** Kernels that gain from -O3; the others are as quick and a tenth smaller with -O2. */
const HOT = /gemm|conv\./;

/** Kernels that are twice as quick where the compiler unrolls their loops; only float32 is. */
const UNROLLED = /^(reduce|softmax|norm)/;

/**
 * The module imports a shared memory, which asks for atomics and bulk memory. Kernels say themselves
 * what is done in vectors; the compiler would do their last few elements so too.
 */
const FLAGS = [
  ...['-msimd128', '-matomics', '-mbulk-memory', '-fno-vectorize', '-fno-slp-vectorize'],
  // No second copies of functions for arguments that are constant in some calls.
  ...['-mllvm', '-funcspec-max-clones=0'],
  ...COMMON_FLAGS,
];

const LINK_FLAGS = [
  '--no-entry',
  '--import-memory',
  '--shared-memory',
  '--max-memory=4294967296',
  '--gc-sections',
  '--strip-all',
  '--compress-relocations',
  '-z',
  'stack-size=131072',
  '--stack-first',
  '--export=__heap_base',
  '--export=__stack_pointer',
];

const UNPACKER_LINK_FLAGS = [
  '--no-entry',
  '--strip-all',
  '--compress-relocations',
  '-z',
  'stack-size=8192',
];

/**
 * Further builds of the float32 kernels that are made of tiles, by the shape of the tile: which is
 * fastest depends on the engine. They take the place of the kernels of the same names.
 */
const TILES = {
  'plain-4x16': ['-DTILE_M=4', '-DTILE_V=4'],
  'relaxed-6x8': ['-mrelaxed-simd', '-DRELAXED', '-DTILE_M=6', '-DTILE_V=2'],
  'relaxed-6x16': ['-mrelaxed-simd', '-DRELAXED', '-DTILE_M=6', '-DTILE_V=4'],
};

/** Builds that pay only where vectors are paired, which pages cannot ask for. */
const FOR_NODE = ['plain-4x16', 'relaxed-6x16'];

/** Other kernels that relaxed builds have: sums of many products fare better with fused ones. */
const FUSED = /DEPTH_PAIRED/;

/** Links a module whose static data begins at `base`. */
async function link(root, tools, name, objects, base) {
  const names = await kernelNames(tools.nm, objects);
  const exports = names.map((kernel) => `--export=${kernel}`);
  const file = join(root, `build/${name}.wasm`);
  const place = base === undefined ? [] : [`--global-base=${base}`];
  const args = [...LINK_FLAGS, ...place, ...exports, ...objects, ...tools.libraries];
  await writeWhole(file, async (passing) => {
    const list = `${passing}.link`;
    writeFileSync(list, args.join('\n'));
    await run(tools.ld, [`@${list}`, '-o', passing]);
    rmSync(list);
  });
  const bytes = readFileSync(file);
  return { bytes, end: await heapBase(bytes), names: new Set(names) };
}

/** Where the static data of a module ends. */
async function heapBase(bytes) {
  // Node 20 knows relaxed SIMD, but has it off: programs that run after the build want it so.
  const off = !WebAssembly.validate(bytes);
  if (off) setFlagsFromString('--experimental-wasm-relaxed-simd');
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536, shared: true });
  const { instance } = await WebAssembly.instantiate(bytes, { env: { memory } });
  if (off) setFlagsFromString('--no-experimental-wasm-relaxed-simd');
  return instance.exports.__heap_base.value;
}

/** Compiles every kernel, float32 for speed and other dtypes for size. */
async function mainObjects(root, tools, kernels) {
  const level = (file) => (HOT.test(basename(file)) ? '-O3' : '-O2');
  const rolled = (file) => (UNROLLED.test(basename(file)) ? [] : ['-fno-unroll-loops']);
  const speed = (file) => [level(file), ...rolled(file), ...FLAGS, '-DONLY_F32'];
  const size = (file) => [level(file), '-fno-unroll-loops', ...FLAGS, '-DNO_F32'];
  const perDtype = (text) => /NO_F32|"each_(real|number).h"/.test(text);
  const part = (name, flagsOf, select) =>
    compile(root, name, { ...tools.compiler, flagsOf }, kernels, select);
  const fast = await part('wasm', speed);
  const small = await part('wasm-size', size, perDtype);
  // The two of one file stand side by side: what is alike packs better.
  const twins = (file) => small.objects.filter((other) => basename(other) === basename(file));
  return {
    objects: fast.objects.flatMap((file) => [file, ...twins(file)]),
    failures: [...fast.failures, ...small.failures],
  };
}

/** Compiles and links the builds of other tiles; each has its static data behind the one before. */
async function tileModules(root, tools, kernels, start) {
  const modules = {};
  const failures = [];
  let end = start;
  for (const [name, tile] of Object.entries(TILES)) {
    const flagsOf = () => ['-O3', '-fno-unroll-loops', ...FLAGS, '-DONLY_F32', ...tile];
    const isTiled = (text) =>
      /#include "(gemm|conv)_tile.h"/.test(text) ||
      (tile.includes('-DRELAXED') && FUSED.test(text));
    const compiled = await compile(root, name, { ...tools.compiler, flagsOf }, kernels, isTiled);
    failures.push(...compiled.failures);
    const linked = await link(root, tools, name, compiled.objects, Math.ceil(end / 64) * 64);
    modules[name] = linked.bytes;
    end = linked.end;
  }
  return { modules, failures, end };
}

/** The module that unpacks the others. */
async function buildUnpacker(root, { compiler, ld }) {
  const file = join(root, 'build/unpack');
  const flags = ['-Oz', '-mbulk-memory', '-fno-builtin', ...COMMON_FLAGS];
  const source = join(root, 'wasm/unpack.c');
  await writeWhole(`${file}.o`, (passing) =>
    run(compiler.program, [...flags, '-c', source, '-o', passing], { env: compiler.env }),
  );
  const names = ['unpack_lzma', 'join_begin', 'join_next', '__heap_base'];
  const exports = names.map((name) => `--export=${name}`);
  await writeWhole(`${file}.wasm`, (passing) =>
    run(ld, [...UNPACKER_LINK_FLAGS, ...exports, `${file}.o`, '-o', passing]),
  );
  return readFileSync(`${file}.wasm`);
}

/** The module that unpacks, what the others consist of, and their sizes. */
async function moduleText(unpacker, modules, end, pack) {
  const sizes = Object.entries(modules).map(([name, { length }]) => `'${name}': ${length}`);
  const streams = split(Object.values(modules));
  const packed = await pack(unpacker, streams);
  return [
    `export const packed = '${packed.toString('base64')}';`,
    `export const unpackerSize = ${unpacker.length};`,
    `export const length = ${streams.length};`,
    `export const sizes = { ${sizes.join(', ')} };`,
    `export const dataEnd = ${end};\n`,
  ].join('\n');
}

const forNode = async (unpacker, streams) => brotli(Buffer.concat([unpacker, streams]));
const forPage = async (unpacker, streams) => Buffer.concat([unpacker, await lzma(streams)]);

/** Writes the modules packed as each platform unpacks them. */
async function embed(root, tools, modules, end) {
  const key = createHash('sha256').update(JSON.stringify(FOR_NODE));
  for (const [name, bytes] of Object.entries(modules)) key.update(name).update(bytes);
  for (const file of ['build.mjs', 'pack.mjs', 'split.mjs', 'unpack.c']) {
    key.update(readFileSync(join(root, 'wasm', file)));
  }
  const digest = key.digest('hex');
  const marker = join(root, 'build/module.key');
  const files = ['module.js', 'module.node.js', 'module.key'].map((f) => join(root, 'build', f));
  if (files.every(existsSync) && readFileSync(marker, 'utf8') === digest) return;
  const unpacker = await buildUnpacker(root, tools);
  const ofPage = Object.entries(modules).filter(([name]) => !FOR_NODE.includes(name));
  await writeIfChanged(files[1], await moduleText(unpacker, modules, end, forNode));
  const text = await moduleText(unpacker, Object.fromEntries(ofPage), end, forPage);
  await writeIfChanged(files[0], text);
  writeFileSync(marker, digest);
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
  const { objects, failures } = await mainObjects(root, tools, kernels);
  if (objects.length > 0 && (failures.length === 0 || keepGoing)) {
    const { bytes, end, names } = await link(root, tools, 'kernels', objects);
    const tiles = await tileModules(root, tools, kernels, end);
    failures.push(...tiles.failures);
    await embed(root, tools, { main: bytes, ...tiles.modules }, tiles.end);
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
