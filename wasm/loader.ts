/** Instantiates the embedded kernels, synchronously and only when asked. */

import { dataEnd, length, packed, sizes, unpackerSize } from '#module';
import { unpack } from '#platform';
import { DeviceError } from '../ts/core/errors.js';
import { Unpacker } from './unpack.js';

/** A kernel: the address of its parameter block, and the range of work units to do. */
export type KernelFunction = (params: number, begin: number, end: number) => void;

interface Kernels {
  /** Every kernel by its exported name, such as `softmax_f32`. */
  readonly kernels: Readonly<Record<string, KernelFunction>>;
  /** Top of the stack of this instance; each thread gives its instance a stack of its own. */
  readonly stackPointer: WebAssembly.Global;
}

export interface KernelModule extends Kernels {
  readonly memory: WebAssembly.Memory;
  /** First byte that belongs to neither the static data nor the stack of any module. */
  readonly heapBase: number;
}

export interface InstantiateOptions {
  /** Memory that several threads may use. Needs SharedArrayBuffer. Default false. */
  shared?: boolean;
  /** Pages of 64 KiB at the start. Default 256 (16 MiB). */
  initialPages?: number;
  /** Pages the memory may grow to. Default 65536 (4 GiB). */
  maximumPages?: number;
}

/** This engine cannot run the kernels. */
export class UnsupportedEngineError extends DeviceError {
  override name = 'UnsupportedEngineError';
}

/** A module of one function `() -> v128`: valid where WebAssembly has SIMD. */
const SIMD_PROBE = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15,
  253, 98, 11,
];

/** The module that holds every kernel. */
export const MAIN = 'main';

const SHARED_WITH_MAXIMUM = 3;
const UNSHARED_WITH_MAXIMUM = 1;
const IMPORT_SECTION = 2;
const MEMORY_KIND = 2;

function assertSimd(): void {
  if (typeof WebAssembly !== 'object') {
    throw new UnsupportedEngineError(
      'isotorch needs WebAssembly, which this JavaScript engine lacks or a policy forbids ' +
        "(a Content-Security-Policy must allow 'wasm-unsafe-eval').",
    );
  }
  if (!WebAssembly.validate(new Uint8Array(SIMD_PROBE))) {
    throw new UnsupportedEngineError(
      'isotorch needs WebAssembly SIMD, which this JavaScript engine lacks: use Node 20 or ' +
        'newer, Chrome 91, Firefox 89, Safari 16.4 or newer.',
    );
  }
}

/** Reads an unsigned LEB128 number: [value, index after it]. */
function readNumber(bytes: Uint8Array, start: number): [number, number] {
  let value = 0;
  for (let at = start, shift = 0; ; at++, shift += 7) {
    value += (bytes[at]! & 127) * 2 ** shift;
    if (bytes[at]! < 128) return [value, at + 1];
  }
}

/**
 * Where the flags of the imported memory's limits stand. The memory is the module's only import,
 * so its entry comes first: module name, field name, kind, limits.
 */
function memoryFlagsIndex(bytes: Uint8Array): number {
  for (let at = 8; at < bytes.length; ) {
    const section = bytes[at]!;
    const [size, content] = readNumber(bytes, at + 1);
    if (section === IMPORT_SECTION) {
      let entry = readNumber(bytes, content)[1];
      for (let name = 0; name < 2; name++) {
        const [length, text] = readNumber(bytes, entry);
        entry = text + length;
      }
      const flags = bytes[entry + 1];
      const limited = flags === SHARED_WITH_MAXIMUM || flags === UNSHARED_WITH_MAXIMUM;
      if (bytes[entry] === MEMORY_KIND && limited) return entry + 1;
    }
    at = content + size;
  }
  throw new Error('the embedded kernel module is damaged: it imports no shared memory');
}

let unpacker: Unpacker | undefined;
const unpacked = new Map<string, Uint8Array<ArrayBuffer>>();

/** The unpacker, which comes first, with the modules behind it. */
function startUnpacker(): Unpacker {
  const bytes = unpack(packed);
  const started = new Unpacker(bytes.slice(0, unpackerSize));
  const rest = bytes.subarray(unpackerSize);
  // Node has unpacked them already.
  const streams = rest.length === length ? rest : started.lzma(rest, length);
  started.begin(streams, Math.max(...Object.values(sizes)));
  return started;
}

/** The bytes of an embedded module, unpacked with those before it when first asked for. */
function embedded(wanted: string): Uint8Array<ArrayBuffer> {
  if (!(wanted in sizes)) throw new Error(`there is no build '${wanted}' of the kernels`);
  for (const [name, size] of Object.entries(sizes)) {
    if (unpacked.has(wanted)) break;
    unpacker ??= startUnpacker();
    if (!unpacked.has(name)) unpacked.set(name, unpacker.next(size));
  }
  // Once the last one is out, nothing is left to do with its memory.
  if (unpacked.size === Object.keys(sizes).length) unpacker = undefined;
  return unpacked.get(wanted) as Uint8Array<ArrayBuffer>;
}

/** The further builds of the kernels that are made of tiles; see TILES in `wasm/build.mjs`. */
export function tileBuilds(): string[] {
  return Object.keys(sizes).filter((name) => name !== MAIN);
}

/** The bytes of a module for shared or unshared memory: the same code, one bit apart. */
export function moduleBytes(name: string, shared: boolean): Uint8Array<ArrayBuffer> {
  const bytes = embedded(name);
  bytes[memoryFlagsIndex(bytes)] = shared ? SHARED_WITH_MAXIMUM : UNSHARED_WITH_MAXIMUM;
  return bytes;
}

const compiled = new Map<string, WebAssembly.Module>();

/** Compiles a module, once. */
export function compileModule(shared: boolean, name = MAIN): WebAssembly.Module {
  const key = `${name} ${shared}`;
  let module = compiled.get(key);
  if (module === undefined) {
    assertSimd();
    module = new WebAssembly.Module(moduleBytes(name, shared));
    compiled.set(key, module);
  }
  return module;
}

/** A memory with the largest maximum the engine grants: phones refuse to reserve 4 GiB. */
function createMemory(initial: number, maximum: number, shared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial, maximum, shared });
  } catch (error) {
    const smaller = Math.floor(maximum / 2);
    if (!(error instanceof RangeError) || smaller < initial) throw error;
    return createMemory(initial, smaller, shared);
  }
}

/**
 * Compiles (once) and instantiates the kernels with a memory of their own.
 * Throws UnsupportedEngineError where WebAssembly SIMD is missing.
 */
export function instantiate(options: InstantiateOptions = {}): KernelModule {
  const { shared = false, initialPages = 256, maximumPages = 65536 } = options;
  const module = compileModule(shared);
  const memory = createMemory(initialPages, maximumPages, shared);
  const { kernels, stackPointer } = link(module, memory);
  return { kernels, memory, heapBase: dataEnd, stackPointer };
}

/** The stacks of all instances with their tops: a trap leaves a stack where it was. */
const stacks = new Map<WebAssembly.Global, number>();

/** Has all stacks empty again, after a kernel has failed. */
export function emptyStacks(): void {
  for (const [pointer, top] of stacks) pointer.value = top;
}

/** Instantiates a compiled module with a memory that is there. */
function link(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  const { __heap_base, __stack_pointer, ...kernels } = new WebAssembly.Instance(module, {
    env: { memory },
  }).exports;
  const stackPointer = __stack_pointer as WebAssembly.Global;
  stacks.set(stackPointer, stackPointer.value);
  return { kernels: kernels as Record<string, KernelFunction>, stackPointer };
}

/**
 * The kernels of a tile build, in the memory of the main module. Undefined where this engine
 * refuses the module, which has instructions it does not know.
 */
export function instantiateTiles(
  name: string,
  memory: WebAssembly.Memory,
): Readonly<Record<string, KernelFunction>> | undefined {
  const shared = !(memory.buffer instanceof ArrayBuffer);
  if (!WebAssembly.validate(moduleBytes(name, shared))) return undefined;
  return link(compileModule(shared, name), memory).kernels;
}
