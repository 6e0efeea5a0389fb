/** Compiles the C of this folder and loads it over a memory that lays out arrays of floats. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findToolchain } from '../../wasm/toolchain.mjs';

/** Sources with their flags: the naive kernels do without SIMD. */
const SOURCES = { naive: [], gemm: ['-msimd128'], conv: ['-msimd128'], softmax: ['-msimd128'] };

type Kernel = (...sizesAndAddresses: number[]) => void;

export interface Ladder {
  /** The kernel of a name; its arguments are sizes, then addresses. */
  kernel(name: string): Kernel;
  /** The address of a new array of floats. */
  place(count: number, values?: ArrayLike<number>): number;
  /** The floats at an address. */
  read(address: number, count: number): Float32Array;
}

function compile(root: string): Uint8Array {
  const { compiler, ld, libraries } = findToolchain(root);
  const folder = join(root, 'build/ladder');
  mkdirSync(folder, { recursive: true });
  const objects = Object.entries(SOURCES).map(([name, flags]) => {
    const object = join(folder, `${name}.o`);
    const source = join(root, 'bench/ladder', `${name}.c`);
    const settings = ['-O3', '-std=gnu11', '-ffp-contract=off', '-Wall', '-Werror', ...flags];
    execFileSync(compiler.program, [...settings, '-c', source, '-o', object], compiler);
    return object;
  });
  const linked = join(folder, 'ladder.wasm');
  const exported = Object.keys(SOURCES).flatMap((name) => names(root, name));
  const settings = ['--no-entry', '--gc-sections', '--export=__heap_base'];
  const wanted = exported.map((name) => `--export=${name}`);
  execFileSync(ld, [...settings, ...wanted, ...objects, ...libraries, '-o', linked]);
  return readFileSync(linked);
}

/** The functions a source offers. */
function names(root: string, source: string): string[] {
  const text = readFileSync(join(root, 'bench/ladder', `${source}.c`), 'utf8');
  return [...text.matchAll(/^void (\w+)\(/gm)].map(([, name]) => name);
}

/** The kernels of this folder, compiled now; `root` is the repository's. */
export function openLadder(root: string): Ladder {
  const { exports } = new WebAssembly.Instance(
    new WebAssembly.Module(compile(root) as BufferSource),
  );
  const memory = exports.memory as WebAssembly.Memory;
  let free = ((exports.__heap_base as WebAssembly.Global).value + 63) & ~63;
  return {
    kernel: (name) => exports[name] as Kernel,
    place(count, values) {
      const address = free;
      free += (4 * count + 63) & ~63;
      const missing = free - memory.buffer.byteLength;
      if (missing > 0) memory.grow(Math.ceil(missing / 65536));
      if (values) new Float32Array(memory.buffer, address, count).set(values);
      return address;
    },
    read: (address, count) => new Float32Array(memory.buffer, address, count).slice(),
  };
}
