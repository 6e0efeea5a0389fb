/** Runs a primitive's launches on raw kernels: no tensors, no gate, no autograd. */

import { setFlagsFromString } from 'node:v8';
import { type Dtype, dtypes } from '../../ts/core/dtype.js';
import { geometryOf } from '../../ts/core/layout.js';
import type { KernelDeclaration } from '../../ts/ops/kernel.js';
import { wrongIndex } from '../../ts/ops/launcher.js';
import type { BufferRef, Launcher, Primitive } from '../../ts/ops/row.js';
import type { Tensor } from '../../ts/tensor.js';
import { instantiate, instantiateTiles } from '../../wasm/loader.js';
import { type Launch, recordLaunch } from '../../wasm/recorder.js';

export type Values = readonly (number | bigint | boolean)[];

interface Place {
  readonly address: number;
  readonly dtype: Dtype;
}

/** A contiguous tensor on the heap, as much of one as rows look at. */
export interface Operand {
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  readonly address: number;
  readonly strides: readonly number[];
  readonly offset: number;
  readonly numel: () => number;
  readonly storage_: Place;
  /** The same place, for operands that serve as scratch. */
  readonly storage: Place;
}

const module = instantiate({ initialPages: 1024 });
const names = new Set(Object.keys(module.kernels));
let kernels = module.kernels;

/** Has the kernels of another build of the tiles take the place of the main module's. */
export function useBuild(name: string): void {
  // What is recorded is replayed by a native build of the main module.
  if (recordLaunch.enabled) return;
  // Node 20 knows relaxed SIMD, but has it off.
  if (process.versions.node.startsWith('20.')) {
    setFlagsFromString('--experimental-wasm-relaxed-simd');
  }
  const tiles = instantiateTiles(name, module.memory);
  if (tiles === undefined) throw new Error(`this engine refuses the build ${name}`);
  kernels = { ...module.kernels, ...tiles };
}

let top = module.heapBase;
/** Unused bytes around every buffer, to notice what is written outside. */
const FENCE = 64;

/** Frees everything allocated so far. */
export function reset(): void {
  top = module.heapBase;
}

/** Room between fences, all of it NaN as floats: what is read but was never written shows. */
function allocate(bytes: number): number {
  const address = (top + FENCE + 15) & ~15;
  top = address + bytes + FENCE;
  const missing = top - module.memory.buffer.byteLength;
  if (missing > 0) module.memory.grow(Math.ceil(missing / 65536) + 16);
  new Uint8Array(module.memory.buffer, address - FENCE, bytes + 2 * FENCE).fill(0xff);
  return address;
}

export const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export function view(t: { dtype: Dtype; address: number; shape: readonly number[] }) {
  return new t.dtype.array(module.memory.buffer, t.address, count(t.shape));
}

function operand(shape: readonly number[], dtype: Dtype): Operand {
  const address = allocate(count(shape) * dtype.size);
  const strides = shape.map((_, i) => count(shape.slice(i + 1)));
  const storage = { address, dtype };
  const numel = () => count(shape);
  return { shape, dtype, address, strides, offset: 0, numel, storage_: storage, storage };
}

/** Puts values on the heap. */
export function input(values: Values | ArrayLike<number>, shape: readonly number[], dtype: Dtype) {
  const t = operand(shape, dtype);
  const target = view(t);
  if (target.length !== values.length) throw new Error(`${values.length} values for [${shape}]`);
  for (let i = 0; i < target.length; i++) {
    const value = values[i]!;
    target[i] = dtype.name === 'int64' ? BigInt(value) : Number(value);
  }
  return t;
}

/** Throws if a byte around a buffer changed. */
function checkFences(t: Operand): void {
  const bytes = count(t.shape) * t.dtype.size;
  for (const start of [t.address - FENCE, t.address + bytes]) {
    const fence = new Uint8Array(module.memory.buffer, start, FENCE);
    if (fence.some((byte) => byte !== 0xff)) throw new Error('a kernel wrote outside its buffer');
  }
}

/** Launches at once, each cut into `pieces` done in reverse order. */
export function launcher(pieces = 1, live: Operand[] = []): Launcher {
  const addressOf = (ref: Tensor | BufferRef): number => {
    const storage = 'storage_' in ref ? ref.storage_ : ref.storage;
    const { address, dtype } = storage as unknown as Place;
    return address + ref.offset * dtype.size;
  };
  const made: Launcher = {
    launch(name, declaration, dtype, buffers, params, range) {
      const kernelName = `${name}_${dtype}`;
      if (!names.has(kernelName)) throw new Error(`no kernel ${kernelName}`);
      if (!declaration.dtypes.includes(dtype)) throw new Error(`${kernelName} is not declared`);
      if (buffers.length !== declaration.buffers.length) throw new Error(`${name}: buffers`);
      const block = parameterBlock(buffers, declaration, params, addressOf);
      const run = kernels[kernelName]!;
      if (recordLaunch.enabled && pieces === 1) {
        const launch = launchOf(kernelName, block, range);
        recordLaunch(launch, new Uint8Array(module.memory.buffer), () =>
          run(block.address, 0, range),
        );
        return;
      }
      const parts = Math.min(pieces, Math.max(1, range));
      for (let k = parts; k-- > 0; ) {
        const end = Math.floor((range * (k + 1)) / parts);
        run(block.address, Math.floor((range * k) / parts), end);
      }
    },
    scratch(n, dtype) {
      const t = operand([n], dtype);
      live.push(t);
      return t as unknown as BufferRef;
    },
    status() {
      return input([0], [1], dtypes.int32) as unknown as BufferRef;
    },
    check(status, explain) {
      const word = new Int32Array(module.memory.buffer, addressOf(status), 1)[0];
      if (word !== 0) throw explain(word);
    },
    checkIndices(status, name, index, size) {
      made.check(status, (word) => wrongIndex(made, word, name, index, size));
    },
    synchronous: true,
    readInts(ref, n) {
      return new Int32Array(module.memory.buffer, addressOf(ref), n).slice();
    },
  };
  return made;
}

/** The launch as the recorder of the sanitizer run sees it. */
function launchOf(kernel: string, block: Block, range: number): Launch {
  const words = new Uint32Array(module.memory.buffer, block.address, block.bytes / 4).slice();
  const bufferWords = [...block.buffers.keys()];
  const storages = Array.from(block.buffers.values(), (t) => {
    return { handle: t.storage_.address, bytes: count(t.shape) * t.dtype.size };
  });
  storages.forEach(({ handle }, i) => {
    words[bufferWords[i]!]! -= handle;
  });
  const counts = { wordCount: words.length, bufferCount: storages.length };
  return { kernel, words, bufferWords, storages, range, ...counts };
}

interface Block {
  readonly address: number;
  readonly bytes: number;
  /** The buffers, by the place of their word. */
  readonly buffers: ReadonlyMap<number, Operand>;
}

type Value = number | readonly (number | Tensor | BufferRef)[];

function parameterBlock(
  given: readonly (Tensor | BufferRef)[],
  declaration: KernelDeclaration,
  params: Readonly<Record<string, Value>> | readonly Value[],
  addressOf: (ref: Tensor | BufferRef) => number,
): Block {
  const words = new DataView(new ArrayBuffer(1 << 16));
  let at = 0;
  const word = (value: number) => {
    words.setUint32(at, value >>> 0, true);
    at += 4;
  };
  const buffers = new Map<number, Operand>();
  const buffer = (ref: Tensor | BufferRef) => {
    buffers.set(at / 4, ref as unknown as Operand);
    word(addressOf(ref));
  };
  given.forEach(buffer);
  for (const [place, [name, type]] of Object.entries(declaration.params).entries()) {
    const value = Array.isArray(params) ? params[place] : Object(params)[name];
    if (value === undefined) throw new Error(`parameter ${name} is missing`);
    if (type === 'u32[]') {
      const list = value as readonly (number | Tensor | BufferRef)[];
      word(list.length);
      for (const item of list) {
        if (typeof item === 'number') word(item);
        else buffer(item);
      }
    } else if (type === 'f64') {
      words.setFloat64(at, value as number, true);
      at += 8;
    } else if (type === 'f32') {
      words.setFloat32(at, value as number, true);
      at += 4;
    } else word(value as number);
  }
  const address = allocate(at);
  new Uint8Array(module.memory.buffer, address, at).set(new Uint8Array(words.buffer, 0, at));
  return { address, bytes: at, buffers };
}

/** Calls a primitive; its outputs stay on the heap until `reset()`. */
export function call<A>(
  row: Primitive<A>,
  inputs: readonly (Operand | undefined)[],
  attributes: A,
  pieces = 1,
): Operand[] {
  const tensors = inputs.map(
    (t) => t && { ...t, geometry: geometryOf(t.shape, t.strides) },
  ) as unknown as Tensor[];
  const outputs = row.outputs(tensors, attributes).map((spec) => operand(spec.shape, spec.dtype));
  const live = [...outputs];
  if (outputs.some((o) => count(o.shape) > 0)) {
    row.run(launcher(pieces, live), tensors, outputs as unknown as Tensor[], attributes);
  }
  for (const t of [...live, ...inputs]) if (t) checkFences(t);
  return outputs;
}

/** The values of an operand, int64 as numbers. */
export function read(t: Operand): number[] {
  return Array.from(view(t) as ArrayLike<number | bigint>, Number);
}

/** Calls a primitive whole and cut in 3 and 7 pieces, expects the same bits, returns the values. */
export function results<A>(
  row: Primitive<A>,
  inputs: readonly (Operand | undefined)[],
  attributes: A,
): number[][] {
  const bytes = (outputs: Operand[]) =>
    outputs.map((o) => {
      const whole = view(o);
      return Buffer.from(whole.buffer, whole.byteOffset, whole.byteLength).toString('base64');
    });
  const outputs = call(row, inputs, attributes);
  const expected = bytes(outputs);
  for (const pieces of [3, 7]) {
    const actual = bytes(call(row, inputs, attributes, pieces));
    if (actual.some((a, i) => a !== expected[i])) {
      throw new Error(`the result depends on the split into ${pieces} pieces`);
    }
  }
  return outputs.map(read);
}

/** A reproducible stream of numbers in (-1, 1). */
export function stream(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) * 0.999;
  };
}

export function randoms(n: number, seed: number, scale = 1): number[] {
  const next = stream(seed);
  return Array.from({ length: n }, () => Math.fround(next() * scale));
}

export { dtypes };

/** Throws unless |actual - expected| <= absolute + relative |expected| (NaN, infinities alike). */
export function close(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  relative = 1e-6,
  absolute = 1e-6,
): void {
  if (actual.length !== expected.length) {
    throw new Error(`${actual.length} values, expected ${expected.length}`);
  }
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i]!;
    const e = expected[i]!;
    const same = Object.is(a, e) || a === e;
    if (!same && !(Math.abs(a - e) <= absolute + relative * Math.abs(e))) {
      throw new Error(`at ${i}: got ${a}, expected ${e}`);
    }
  }
}
