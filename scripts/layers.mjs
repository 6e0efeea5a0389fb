// Checks the direction of imports in ts/ and wasm/: a file may import its own layer and the ones
// below, and from above only types (`import type`). Prints file:line for each import that breaks
// the rule.
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Facts about operators, which the build of the kernels imports too: they know no tensor. */
const FACTS = [
  'kernel',
  'row',
  'pointwise',
  'elementwise_codegen',
  'views',
  'primitives/',
  'table',
  'rows',
];
const MODULES = ['nn', 'optim', 'data', 'vision', 'text', 'metrics', 'checkpoint', 'distributed'];

/**
 * From the bottom to the top; a path belongs to the first entry that holds a prefix of it.
 * A tensor is data with a history, so it and autograd lie below the operators that make both.
 */
const LAYERS = [
  ['build/', 'ts/core/', 'ts/platform/'],
  ['wasm/'],
  ['ts/device/'],
  FACTS.map((name) => (name.endsWith('/') ? `ts/ops/${name}` : `ts/ops/${name}.`)),
  ['ts/tensor.', 'ts/autograd/'],
  ['ts/ops/'],
  MODULES.map((name) => `ts/${name}/`),
  ['ts/'],
];
/** Folders of one layer that must not know each other. */
const APART = [['ts/device/cpu/', 'ts/device/webgpu/']];
/** Names that package.json maps to files. */
const MAPPED = {
  '#module': 'build/module.js',
  '#worker': 'build/worker.js',
  '#platform': 'ts/platform/node.ts',
};

const IMPORT =
  /^[ \t]*(?:import|export)\s+(type\s+)?(?:[\w*{}\s,$]+\s+from\s+)?'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm;

function layerOf(path) {
  return LAYERS.findIndex((prefixes) => prefixes.some((prefix) => path.startsWith(prefix)));
}

/** The imports of a source text: what, on which line, and whether only types come. */
export function importsOf(text) {
  return [...text.matchAll(IMPORT)].map((match) => ({
    specifier: match[2] ?? match[3],
    typeOnly: match[1] !== undefined,
    line: text.slice(0, match.index + match[0].search(/\S/)).split('\n').length,
  }));
}

function target(file, specifier) {
  if (specifier in MAPPED) return MAPPED[specifier];
  return specifier.startsWith('.') ? posix.join(posix.dirname(file), specifier) : null;
}

/** Why `file` may not import `imported`, or null. */
export function objection(file, imported) {
  if (layerOf(imported) > layerOf(file)) {
    return `imports ${imported} of a higher layer: use 'import type' or move the code`;
  }
  for (const [a, b] of APART.flatMap(([x, y]) => [
    [x, y],
    [y, x],
  ])) {
    if (file.startsWith(a) && imported.startsWith(b)) return `${a} must not import ${b}`;
  }
  return null;
}

/** All violations in the repository as `file:line: message`. */
export function checkLayers(root) {
  const problems = [];
  for (const folder of ['ts', 'wasm']) {
    for (const entry of readdirSync(join(root, folder), { recursive: true })) {
      if (!/(?<!\.d)\.ts$/.test(entry)) continue;
      const file = relative(root, join(root, folder, entry)).replaceAll('\\', '/');
      for (const { specifier, typeOnly, line } of importsOf(
        readFileSync(join(root, file), 'utf8'),
      )) {
        const imported = target(file, specifier);
        const problem = imported && !typeOnly ? objection(file, imported) : null;
        if (problem) problems.push(`${file}:${line}: ${problem}`);
      }
    }
  }
  return problems;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problems = checkLayers(resolve(fileURLToPath(import.meta.url), '../..'));
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}
