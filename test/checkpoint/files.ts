/** Files byte by byte: what formats say, without the code under test. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as torch from '../../ts/index.js';

const cases = new URL('../conformance/cases/checkpoints/', import.meta.url).pathname;

/** The path of a file that PyTorch wrote. */
export const caseOf = (name: string) => join(cases, name);
export const bytesOf = (name: string) => new Uint8Array(readFileSync(caseOf(name)));

/** Text of which each character is a byte. */
export const latin1 = (text: string) =>
  Uint8Array.from(text, (character) => character.charCodeAt(0));

export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/** The values of a tensor, flat, as numbers. */
export const listed = (tensor: torch.Tensor) =>
  [...tensor.detach().flatten().dataSync()].map(Number);

const character = (value: number, shift: number) => String.fromCharCode((value >>> shift) & 255);
export const u32 = (value: number) => [0, 8, 16, 24].map((s) => character(value, s)).join('');

/** A pickled text. */
export const text = (value: string) => `X${u32(value.length)}${value}`;
/** A pickled whole number. */
export const int = (value: number) => `J${u32(value)}`;

/** A float32 tensor with these pickled sizes, in a storage of `numel` elements. */
export function tensorPickle(
  numel: string,
  offset: string,
  shape: string,
  strides: string,
  { storage = 'FloatStorage', key = '0', tail = '' } = {},
): string {
  const id = `(${text('storage')}ctorch\n${storage}\n${text(key)}${text('cpu')}${numel}${tail}tQ`;
  const dict = 'ccollections\nOrderedDict\n)R';
  return `ctorch._utils\n_rebuild_tensor_v2\n(${id}${offset}${shape}${strides}\x89${dict}tR`;
}

/** A safetensors file of this header and this data. */
export function safetensorsOf(
  header: string | Uint8Array,
  data: Uint8Array,
  size?: bigint,
): Uint8Array<ArrayBuffer> {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const lead = new Uint8Array(8);
  new DataView(lead.buffer).setBigUint64(0, size ?? BigInt(json.length), true);
  return concat(lead, json, data);
}

/** A `.npy` file of this header and this data. */
export function npyOf(header: string, data: Uint8Array, version: readonly number[] = [1, 0]) {
  const body = version[0] === 3 ? new TextEncoder().encode(header) : latin1(header);
  const size = new Uint8Array(version[0] === 1 ? 2 : 4);
  size.set(latin1(u32(body.length)).subarray(0, size.length));
  return concat(latin1('\x93NUMPY'), Uint8Array.from(version), size, body, data);
}

/** Milliseconds this process has computed: other processes do not lengthen them. */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

const prototype = Object.getOwnPropertyNames(Object.prototype);

/** Every tensor in a loaded value. */
function* tensorsIn(value: unknown, seen = new Set<unknown>()): Generator<torch.Tensor> {
  if (typeof value !== 'object' && typeof value !== 'function') return;
  if (value === null || seen.has(value)) return;
  seen.add(value);
  if (value instanceof torch.Tensor) yield value;
  else if (value instanceof torch.nn.Module) yield* value.parameters();
  else if (value instanceof Map) for (const [, item] of value) yield* tensorsIn(item, seen);
  else for (const item of Object.values(value)) yield* tensorsIn(item, seen);
}

/** What loading may take beside the size of the file, as the docs of the functions say. */
export interface Limits {
  /** How its messages start. */
  readonly op: string;
  readonly ratio: number;
  readonly slack: number;
}

/**
 * Loads bytes, and holds that this succeeds or fails as it may: a typed error with file and byte,
 * within a second, with bounded memory, nothing half loaded, no prototype changed. Whether it
 * succeeded.
 */
export async function attempt(
  bytes: Uint8Array,
  load: (bytes: Uint8Array) => Promise<unknown>,
  { op, ratio, slack }: Limits,
): Promise<boolean> {
  const began = cpuTime();
  const live = torch.memory().bytes;
  torch.resetPeakMemory();
  let loaded: unknown;
  let success = true;
  try {
    loaded = await load(bytes);
  } catch (error) {
    success = false;
    if (!(error instanceof torch.FileFormatError)) throw error;
    // The collector may free others' meanwhile.
    if (torch.memory().bytes > live) throw new Error('a part stays loaded');
    const start = `${op}: the bytes, `;
    if (!error.message.startsWith(start) || !/byte \d+: /.test(error.message)) throw error;
  }
  if (cpuTime() - began > 1000) throw new Error('loading took more than a second');
  const peak = torch.memory().peak - live;
  if (peak > ratio * bytes.length + slack) {
    throw new Error(`${peak} bytes were allocated for a file of ${bytes.length}`);
  }
  const names = Object.getOwnPropertyNames(Object.prototype);
  if (names.length !== prototype.length || ({} as { polluted?: unknown }).polluted !== undefined) {
    throw new Error('the prototype of objects was changed');
  }
  for (const tensor of tensorsIn(loaded)) tensor.dispose();
  return success;
}

/** The message of the refusal that loading must end in. */
export async function refusal(
  bytes: Uint8Array,
  load: (bytes: Uint8Array) => Promise<unknown> = torch.load,
): Promise<string> {
  const live = torch.memory().bytes;
  const error = await load(bytes).then(
    () => new Error('it was loaded'),
    (reason: unknown) => reason as Error,
  );
  if (!(error instanceof torch.FileFormatError)) throw error;
  if (torch.memory().bytes > live) throw new Error('a part stays loaded');
  return error.message;
}
