// Builds the C kernels: declarations -> build/kernels.h, C -> objects -> build/kernels.wasm -> build/module.js.
// Usage: node wasm/build.mjs [--keep-going]   (--keep-going links what compiles and only warns about the rest)
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { deflateSync } from 'fflate';
import { elementwiseSource, headerOf, readDeclarations } from './declarations.mjs';
import { findToolchain } from './toolchain.mjs';

const run = promisify(execFile);

/** One entry per flavour of the module; another (such as relaxed FMA) is another entry. */
const FLAVOURS = { kernels: ['-msimd128'] };

const FLAGS = [
  '-O3',
  '-std=gnu11',
  '-matomics',
  '-mbulk-memory',
  '-ffp-contract=off',
  '-fno-math-errno',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-ferror-limit=5',
];
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

function digest(...parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
}

/** Lets `write` make a file under a passing name, so that nobody ever reads half of it. */
export async function writeWhole(file, write) {
  const passing = `${file}.${process.pid}`;
  await write(passing);
  renameSync(passing, file);
}

async function writeIfChanged(file, text) {
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return;
  await writeWhole(file, (passing) => writeFileSync(passing, text));
}

/** Writes the generated headers and C, and returns the declared kernels. */
export async function generate(root) {
  mkdirSync(join(root, 'build'), { recursive: true });
  const kernels = await readDeclarations(root);
  await writeIfChanged(join(root, 'build/kernels.h'), headerOf(kernels));
  const elementwise = await elementwiseSource(root);
  if (elementwise !== null) await writeIfChanged(join(root, 'build/elementwise.c'), elementwise);
  return kernels;
}

/** Every C file: written ones in kernels/, generated ones in build/. */
export function sources(root) {
  return ['kernels', 'build'].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((file) => file.endsWith('.c'))
      .map((file) => join(root, folder, file)),
  );
}

/**
 * What an object depends on: its text, the headers, and the structs of the kernels it names
 * (and of those that no file names literally), so that one changed row recompiles one file.
 */
function keys(root, files, kernels, fixed) {
  const texts = files.map((file) => readFileSync(file, 'utf8'));
  const headers = readdirSync(join(root, 'kernels'))
    .filter((file) => file.endsWith('.h'))
    .map((file) => readFileSync(join(root, 'kernels', file), 'utf8'));
  const words = texts.map((text) => new Set(text.match(/\w+/g)));
  const structs = [...kernels].map(([name, { struct }]) => ({
    struct,
    users: words.map((set) => set.has(name) || set.has(`${name}_params`)),
  }));
  return texts.map((text, index) => {
    const used = structs.filter(({ users }) => users[index] || !users.includes(true));
    return digest(text, ...headers, ...used.map(({ struct }) => struct), ...fixed);
  });
}

/** The errors of a compiler without its notes and candidates, ten at most. */
export function messageOf(error) {
  const lines = String(error.stderr ?? error).split('\n');
  const errors = lines.filter((line) => /: (?:fatal )?(?:error|warning): /.test(line));
  return (errors.length > 0 ? errors : lines).slice(0, 10).join('\n');
}

/** Runs `work` over `items`, two at a time. */
async function pooled(items, work) {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all([worker(), worker()]);
}

/** Compiles what changed. Returns the objects and the messages of files that did not compile. */
async function compile(root, tools, kernels, flavour) {
  const folder = join(root, 'build/obj', flavour);
  mkdirSync(folder, { recursive: true });
  const flags = [...FLAGS, ...FLAVOURS[flavour]];
  const files = sources(root);
  const fileKeys = keys(root, files, kernels, [tools.version, tools.ld, ...flags]);
  const failures = [];
  const objects = [];
  await pooled(files.keys(), async (index) => {
    const stem = relative(root, files[index]).replace(/\W+/g, '-');
    const object = join(folder, `${stem}.o`);
    const keyFile = `${object}.key`;
    const current = existsSync(keyFile) && readFileSync(keyFile, 'utf8') === fileKeys[index];
    if (!current || !existsSync(object)) {
      const include = ['kernels', 'build'].flatMap((name) => ['-I', join(root, name)]);
      try {
        await writeWhole(object, (passing) =>
          run(tools.emcc, [...flags, ...include, '-c', files[index], '-o', passing], tools),
        );
      } catch (error) {
        failures.push(messageOf(error));
        rmSync(keyFile, { force: true });
        return;
      }
      writeFileSync(keyFile, fileKeys[index]);
    }
    objects.push(object);
  });
  return { objects: objects.sort(), failures };
}

/** The kernels in the objects: global functions whose name ends in a dtype suffix. */
export async function kernelNames(tools, objects) {
  const { stdout } = await run(tools.nm, ['--defined-only', '--extern-only', ...objects]);
  const names = stdout.matchAll(/^[0-9a-f]+ T (\w+_(?:f32|f64|i32|i64|u8|b[1248]|any))$/gm);
  return [...names].map((match) => match[1]).sort();
}

async function link(root, tools, objects, flavour) {
  const names = await kernelNames(tools, objects);
  const file = join(root, 'build', `${flavour}.wasm`);
  const exports = names.map((name) => `--export=${name}`);
  const listed = join(root, 'build', `${flavour}.link`);
  writeFileSync(listed, [...LINK_FLAGS, ...exports, ...objects, ...tools.libraries].join('\n'));
  await writeWhole(file, (passing) => run(tools.ld, [`@${listed}`, '-o', passing]));
  return { file, names: new Set(names) };
}

function embed(root, file) {
  const bytes = readFileSync(file);
  const deflated = Buffer.from(deflateSync(bytes, { level: 9 })).toString('base64');
  const text = `export const deflated = '${deflated}';\nexport const byteLength = ${bytes.length};\n`;
  return writeIfChanged(join(root, 'build/module.js'), text);
}

function missingKernels(kernels, names) {
  return [...kernels].flatMap(([name, { dtypes }]) =>
    dtypes.map((dtype) => `${name}_${dtype}`).filter((symbol) => !names.has(symbol)),
  );
}

/** Builds build/module.js where anything it depends on has changed. */
export async function buildKernels(root, { keepGoing = false } = {}) {
  const kernels = await generate(root);
  const tools = findToolchain(root);
  const problems = [];
  for (const flavour of Object.keys(FLAVOURS)) {
    const { objects, failures } = await compile(root, tools, kernels, flavour);
    problems.push(...failures);
    if (problems.length > 0 && !keepGoing) break;
    if (objects.length === 0) continue;
    const { file, names } = await link(root, tools, objects, flavour);
    const missing = missingKernels(kernels, names);
    if (missing.length > 0) problems.push(`declared but not written in C: ${missing.join(' ')}`);
    if (problems.length === 0 || keepGoing) await embed(root, file);
  }
  if (problems.length === 0) return;
  if (!keepGoing) throw new Error(problems.join('\n'));
  console.warn(problems.join('\n'));
}

const root = resolve(fileURLToPath(import.meta.url), '../..');
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await buildKernels(root, { keepGoing: process.argv.includes('--keep-going') });
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
