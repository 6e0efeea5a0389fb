/** Reads and writes safetensors files. */

import { IndexError, suggestion, ValueError } from '../core/errors.js';
import { rowMajor } from '../core/layout.js';
import { checkOptions, isOptions } from '../core/options.js';
import type { Device } from '../device/device.js';
import { deviceOf } from '../device/registry.js';
import type { StateDict } from '../nn/module.js';
import { Tensor } from '../tensor.js';
import { type Input, type LoadSource, openInput, shorten } from './file.js';
import { elementsOf, fill, piecesOf } from './pieces.js';
import type { Metadata, SafeOptions } from './safetensors.js';
import { type Entry, type Header, layoutOrder, readHeader } from './safetensors_header.js';
import { writeTo } from './save.js';

/** Rows of a tensor in a file. */
export interface SafeSlice {
  readonly shape: readonly number[];
  /** The name the dtype has in the file, such as 'F32'. */
  readonly dtype: string;
  /** The rows from `start` to before `end` of the first dimension: a tensor, read now. */
  read(start?: number, end?: number): Promise<Tensor>;
}

/** An open file, of which single tensors are read. */
export class SafeFile {
  /** @internal */
  constructor(
    private readonly input: Input,
    private readonly header: Header,
    private readonly device: Device,
  ) {}

  /** The names of the tensors, in alphabetic order. */
  keys(): string[] {
    return this.offsetKeys().sort();
  }

  /** The names of the tensors, in the order of their bytes. */
  offsetKeys(): string[] {
    return [...this.header.entries.keys()];
  }

  /** The texts beside the tensors, or null if there are none. */
  metadata(): Metadata | null {
    return this.header.metadata === null ? null : { ...this.header.metadata };
  }

  /** Reads one tensor. Throws IndexError for a name that is not there. */
  async getTensor(name: string): Promise<Tensor> {
    return this.getSlice(name).read();
  }

  /** Shape and dtype of a tensor, and a way to read some of its rows. */
  getSlice(name: string): SafeSlice {
    const entry = this.header.entries.get(name);
    if (entry === undefined) {
      const known = this.header.entries.keys();
      throw new IndexError(
        `safetensors: there is no tensor '${shorten(name)}' in the file.${suggestion(name, known)}`,
      );
    }
    const read = async (start = 0, end?: number) =>
      readRows(this.input, entry, this.device, start, end);
    return { shape: entry.shape, dtype: entry.kind, read };
  }

  /** @internal Throws unless there is a dtype for the tensor here. */
  check(name: string): void {
    checkKind(this.input, this.header.entries.get(name) as Entry);
  }

  /** Gives the file back. */
  async close(): Promise<void> {
    await this.input.file.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Throws unless there is a dtype for the tensor here. */
function checkKind({ fail }: Input, { name, kind, dtype, start }: Entry): void {
  if (dtype === undefined) fail(`there is no dtype ${kind} here`, start, name);
}

async function readRows(
  input: Input,
  entry: Entry,
  device: Device,
  from: number,
  to?: number,
): Promise<Tensor> {
  checkKind(input, entry);
  const { start, end, shape } = entry;
  const dtype = entry.dtype as NonNullable<Entry['dtype']>;
  const [rows = 1, ...rest] = shape;
  const stop = to ?? rows;
  if (!(0 <= from && from <= stop && stop <= rows && (shape.length > 0 || stop - from === 1))) {
    throw new IndexError(
      `safetensors: rows ${from} to ${stop} of '${shorten(entry.name)}' are not there; it has ` +
        `shape [${shape.join(', ')}]`,
    );
  }
  const row = rows === 0 ? 0 : (end - start) / rows;
  const bytes = row * (stop - from);
  const first = start + row * from;
  const pieces = piecesOf(input.file, first, first + bytes);
  const elements = await fill(device, { bytes, dtype, pieces });
  const size = shape.length === 0 ? [] : [stop - from, ...rest];
  return new Tensor(elements.storage, rowMajor(size), 0, elements.dtype);
}

async function open(source: LoadSource, op: string, options: SafeOptions): Promise<SafeFile> {
  checkOptions(op, options, ['device']);
  const device = deviceOf(options.device ?? 'cpu');
  const input = await openInput(source, op);
  try {
    return new SafeFile(input, await readHeader(input), device);
  } catch (error) {
    await input.file.close();
    throw error;
  }
}

/** See safetensors.ts. */
export function safeOpen(source: LoadSource, options: SafeOptions): Promise<SafeFile> {
  return open(source, 'safeOpen', options);
}

/** See safetensors.ts. */
export async function loadFile(source: LoadSource, options: SafeOptions): Promise<StateDict> {
  const file = await open(source, 'loadFile', options);
  const result: StateDict = {};
  try {
    for (const name of file.offsetKeys()) file.check(name);
    for (const name of file.offsetKeys()) result[name] = await file.getTensor(name);
    return result;
  } catch (error) {
    for (const tensor of Object.values(result)) tensor.dispose();
    throw error;
  } finally {
    await file.close();
  }
}

/** Bytes of a tensor in its storage: the first one, and the one behind the last. */
function extent({ shape, strides, offset, dtype }: Tensor): [number, number] {
  const last = shape.reduce((sum, n, i) => sum + (n - 1) * strides[i], offset);
  return [offset * dtype.size, (shape.includes(0) ? offset : last + 1) * dtype.size];
}

/** Throws for what the format cannot hold. */
function checkTensors(tensors: Readonly<StateDict>, metadata: Metadata | undefined): void {
  if (!isOptions(tensors)) {
    throw new ValueError('saveFile: expected tensors by name, { name: tensor }');
  }
  if (metadata !== undefined && !isOptions(metadata)) {
    throw new ValueError(
      'saveFile: metadata is an object of texts; the order is saveFile(tensors, path, metadata)',
    );
  }
  for (const [key, text] of Object.entries(metadata ?? {})) {
    if (typeof text === 'string') continue;
    throw new ValueError(`saveFile: metadata is an object of texts, '${key}' is a ${typeof text}`);
  }
  const ranges = Object.entries(tensors).map(([name, tensor]) => {
    if (!(tensor instanceof Tensor)) throw new ValueError(`saveFile: '${name}' is no tensor`);
    tensor.assertLive('saveFile');
    if (name === '__metadata__') throw new ValueError(`saveFile: no tensor can be named '${name}'`);
    const [start, end] = extent(tensor);
    return { name, start, end, storage: tensor.storage_ };
  });
  const last = new Map<unknown, (typeof ranges)[number]>();
  for (const range of ranges.sort((a, b) => a.start - b.start)) {
    const before = last.get(range.storage);
    if (before !== undefined && range.start < before.end && range.start < range.end) {
      throw new ValueError(
        `saveFile: '${before.name}' and '${range.name}' share memory, which the format cannot ` +
          'say; clone() one of them, or leave it out and tie it again after loading',
      );
    }
    if (before === undefined || range.end > before.end) last.set(range.storage, range);
  }
}

/** The length of the header, and the header. */
function headerOf(named: readonly Named[], metadata: Metadata | undefined): Uint8Array {
  let end = 0;
  const parts = named.map(({ name, kind, tensor }) => {
    const start = end;
    end += tensor.numel() * tensor.dtype.size;
    const fields = { dtype: kind, shape: tensor.shape, data_offsets: [start, end] };
    return `${JSON.stringify(name)}:${JSON.stringify(fields)}`;
  });
  if (metadata !== undefined) parts.unshift(`"__metadata__":${JSON.stringify(metadata)}`);
  const json = new TextEncoder().encode(`{${parts.join(',')}}`);
  const bytes = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.length - 8), true);
  bytes.set(json, 8);
  return bytes;
}

interface Named {
  readonly name: string;
  readonly kind: string;
  readonly tensor: Tensor;
}

/** Writes tensors as the reference does: wide dtypes first, then by name. */
export async function save(
  tensors: Readonly<StateDict>,
  metadata: Metadata | undefined,
  path?: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  checkTensors(tensors, metadata);
  const names = Object.keys(tensors).sort();
  const named = layoutOrder.flatMap(([kind, dtype]) => {
    const those = names.filter((name) => tensors[name].dtype === dtype);
    return those.map((name): Named => ({ name, kind, tensor: tensors[name] }));
  });
  const header = headerOf(named, metadata);
  const bytes = named.reduce((sum, { tensor: t }) => sum + t.numel() * t.dtype.size, 0);
  return writeTo(path, header.length + bytes, async (sink) => {
    await sink.write(header);
    for (const { tensor } of named) {
      for await (const piece of elementsOf(tensor)) await sink.write(piece);
    }
  });
}
