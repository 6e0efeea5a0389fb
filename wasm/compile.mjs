// Compiles the C files that changed, for WebAssembly or natively, and writes what the builds write.
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
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { bundleSettings } from '../scripts/typescript.mjs';
import { generatedSources, headerOf, readDeclarations } from './declarations.mjs';

export const run = promisify(execFile);

/** Flags of every compilation: all bits of a result are the same wherever it is computed. */
export const COMMON_FLAGS = [
  '-std=gnu11',
  '-ffp-contract=off',
  '-fno-math-errno',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-ferror-limit=5',
];

/** Lets `write` make a file under a passing name, so that nobody ever reads half of it. */
export async function writeWhole(file, write) {
  const passing = `${file}.${process.pid}`;
  await write(passing);
  renameSync(passing, file);
}

export async function writeIfChanged(file, text) {
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return;
  await writeWhole(file, (passing) => writeFileSync(passing, text));
}

/** The program of a thread, minified: alone, and as a text inside a module. */
export async function workerProgram(root) {
  const { outputFiles } = await build({
    ...bundleSettings,
    entryPoints: [join(root, 'ts/device/cpu/worker.ts')],
    format: 'iife',
    minify: true,
    write: false,
  });
  return outputFiles[0].text;
}

async function workerModule(root) {
  return `export const source = ${JSON.stringify(await workerProgram(root))};\n`;
}

/** Writes the generated header and C, and returns the declared kernels. */
export async function generate(root) {
  mkdirSync(join(root, 'build'), { recursive: true });
  const kernels = await readDeclarations(root);
  await writeIfChanged(join(root, 'build/kernels.h'), headerOf(kernels));
  await writeIfChanged(join(root, 'build/worker.js'), await workerModule(root));
  for (const [name, text] of Object.entries(await generatedSources(root))) {
    await writeIfChanged(join(root, 'build', name), text);
  }
  return kernels;
}

/** Every C file: written ones in kernels/, generated ones in build/. */
function sources(root, select) {
  return ['kernels', 'build'].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((file) => file.endsWith('.c'))
      .map((file) => join(root, folder, file))
      .filter((file) => select(readFileSync(file, 'utf8'))),
  );
}

function digest(...parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
}

/**
 * What an object depends on: its text, the headers, and the structs of the kernels it names
 * (and of those that no file names literally), so that one changed row recompiles one file.
 */
function keys(root, files, kernels, compiler) {
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
    const flags = [compiler.program, compiler.version, ...compiler.flagsOf(files[index])];
    return digest(text, ...headers, ...used.map(({ struct }) => struct), ...flags);
  });
}

/** The errors of a compiler without its notes and candidates, ten at most. */
function messageOf(error) {
  const lines = String(error.stderr ?? error).split('\n');
  const errors = lines.filter((line) => /:\d+: (?:fatal )?(?:error|warning): /.test(line));
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

/**
 * Compiles what changed with `compiler` = { program, version, env, flagsOf(file) } into
 * build/obj/<name>: the files whose text `select` takes. Returns the objects, and the messages of
 * the files that did not compile.
 */
export async function compile(root, name, compiler, kernels, select = () => true) {
  const folder = join(root, 'build/obj', name);
  mkdirSync(folder, { recursive: true });
  const { program, env, flagsOf } = compiler;
  const files = sources(root, select);
  const fileKeys = keys(root, files, kernels, compiler);
  const include = ['kernels', 'build'].flatMap((each) => ['-I', join(root, each)]);
  const failures = [];
  const objects = [];
  await pooled(files.keys(), async (index) => {
    const stem = relative(root, files[index]).replace(/\W+/g, '-');
    const object = join(folder, `${stem}.o`);
    const keyFile = `${object}.key`;
    const current = existsSync(keyFile) && readFileSync(keyFile, 'utf8') === fileKeys[index];
    if (!current || !existsSync(object)) {
      try {
        await writeWhole(object, (passing) =>
          run(program, [...flagsOf(files[index]), ...include, '-c', files[index], '-o', passing], {
            env,
          }),
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
export async function kernelNames(nm, objects) {
  const { stdout } = await run(nm, ['--defined-only', '--extern-only', ...objects]);
  const names = stdout.matchAll(/^[0-9a-f]+ T (\w+_(?:f32|f64|i32|i64|u8|b[1248]|any))$/gm);
  return [...names].map((match) => match[1]).sort();
}
