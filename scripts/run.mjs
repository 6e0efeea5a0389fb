// node scripts/run.mjs <file.ts> [arguments]: builds what is missing, then runs a TypeScript
// program.
import { join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { buildKernels } from '../wasm/build.mjs';
import { bundleTypeScript } from './typescript.mjs';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const [file, ...rest] = process.argv.slice(2);
const path = relative(root, resolve(file)).replaceAll('\\', '/');

await buildKernels(root);
const name = path.replace(/\.ts$/, '').replaceAll('/', '-');
const program = await bundleTypeScript(root, { file: path }, name);
process.argv = [process.argv[0], join(root, path), ...rest];
await import(pathToFileURL(program).href);
