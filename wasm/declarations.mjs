// Reads the kernel declarations out of the rows of primitives and writes them as C structs.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { importTypeScript } from '../scripts/typescript.mjs';

const WORDS = { u32: 'uint32_t', i32: 'int32_t', f32: 'float', f64: 'f64w' };

/** TypeScript that exports every row that declares kernels, operators and optimiser steps alike. */
function rowSource(root) {
  const folder = join(root, 'ts/ops/primitives');
  const files = readdirSync(folder).filter((file) => file.endsWith('.ts'));
  const imports = files.map((file, i) => `import * as m${i} from './ts/ops/primitives/${file}';`);
  const rows = files.map((_, i) => `...Object.values(m${i})`);
  return `${imports.join('\n')}\nexport const rows = [${rows.join(', ')}];`;
}

/** The C struct of one kernel: buffer words, then parameters in their order. */
export function structOf(name, declaration) {
  const fields = declaration.buffers.map((buffer) => `uint32_t ${buffer};`);
  const params = Object.entries(declaration.params);
  params.forEach(([param, type], index) => {
    if (type === 'u32[]') {
      if (index !== params.length - 1) {
        throw new Error(`kernel ${name}: the counted tail '${param}' must be the last parameter`);
      }
      fields.push(`uint32_t ${param}_count;`, `uint32_t ${param}[];`);
    } else if (type in WORDS) {
      fields.push(`${WORDS[type]} ${param};`);
    } else {
      throw new Error(`kernel ${name}: parameter '${param}' has the unknown type '${type}'`);
    }
  });
  return `typedef struct {\n${fields.map((f) => `  ${f}\n`).join('')}} ${name}_params;`;
}

/**
 * The kernels that rows declare: name -> { dtypes, struct, buffers }.
 * One name may be declared by several rows, but only in the same way.
 * @returns {Map<string, { dtypes: string[], struct: string, buffers: readonly string[] }>}
 */
export function collectKernels(rows) {
  const kernels = new Map();
  const declared = Object.values(rows).flatMap((row) => Object.entries(row?.kernels ?? {}));
  for (const [name, declaration] of declared) {
    const struct = structOf(name, declaration);
    const known = kernels.get(name);
    if (known && known.struct !== struct) {
      throw new Error(`kernel ${name} is declared in two ways:\n${known.struct}\n${struct}`);
    }
    const dtypes = new Set([...(known?.dtypes ?? []), ...declaration.dtypes]);
    kernels.set(name, { struct, dtypes: [...dtypes], buffers: declaration.buffers });
  }
  return kernels;
}

/** The kernels of all rows. */
export async function readDeclarations(root) {
  const { rows } = await importTypeScript(root, rowSource(root), 'rows');
  return collectKernels(rows);
}

/** The text of build/kernels.h. */
export function headerOf(kernels) {
  const structs = [...kernels.values()].map((kernel) => kernel.struct);
  return [
    '// Generated from the kernel declarations in ts/ops: the parameter block of every kernel.',
    '#ifndef ISOTORCH_KERNELS_H',
    '#define ISOTORCH_KERNELS_H',
    ...structs,
    '#endif',
    '',
  ].join('\n');
}

/** The files generated from the elementwise rows: C kernels, and the functions by name. */
export async function generatedSources(root) {
  const source =
    "export { elementwiseSource, functionsSource } from './ts/ops/elementwise_codegen.ts';";
  const { elementwiseSource, functionsSource } = await importTypeScript(
    root,
    source,
    'elementwise',
  );
  return { 'elementwise_rows.c': elementwiseSource(), 'functions.ts': functionsSource() };
}
