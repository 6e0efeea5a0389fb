/** What files are read from, and how broken ones are reported. */

import { openSource } from '#platform';
import { FileFormatError, TorchError, ValueError } from '../core/errors.js';
import { bytesSource, type Source } from '../platform/source.js';

/** A path (Node), a URL, a file of a page, an answer of fetch(), a stream, or bytes. */
export type LoadSource =
  | string
  | URL
  | ArrayBuffer
  | ArrayBufferView
  | Blob
  | Response
  | ReadableStream<Uint8Array>;

/** How a broken file is reported: where in it, the entry or '' for the file, and what is wrong. */
export type Fail = (message: string, at: number, entry?: string) => never;

/** A file that is read: its bytes, and the report of what is wrong in it. */
export interface Input {
  readonly file: Source;
  readonly fail: Fail;
}

/** Pieces of this many bytes are read, checked and written at a time. */
export const PIECE = 2 ** 20;

/** Opens a source for the function `op`, which messages name. The caller closes it. */
export async function openInput(source: LoadSource, op: string): Promise<Input> {
  const [file, name] = await open(source, op);
  const fail: Fail = (message, at, entry = '') => {
    const where = entry === '' ? `byte ${at}` : `entry '${shorten(entry)}', byte ${at}`;
    throw new FileFormatError(`${op}: ${name}, ${where}: ${message}`);
  };
  return { file, fail };
}

/** Opens a source, gives it to `use`, and closes it. */
export async function withInput<T>(
  source: LoadSource,
  op: string,
  use: (input: Input) => Promise<T>,
): Promise<T> {
  const input = await openInput(source, op);
  try {
    return await use(input);
  } finally {
    await input.file.close();
  }
}

/** Names in files can be of any length. */
export function shorten(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}

/** The bytes of a source, and its name for messages. */
async function open(source: LoadSource, op: string): Promise<[Source, string]> {
  if (typeof source === 'string') return [await openSource(source), source];
  if (source instanceof URL) {
    return open(decodeURI(source.href.replace(/^file:\/\//, '')), op);
  }
  if (source instanceof ArrayBuffer) return [bytesSource(new Uint8Array(source)), 'the bytes'];
  if (ArrayBuffer.isView(source)) {
    const { buffer, byteOffset, byteLength } = source;
    return [bytesSource(new Uint8Array(buffer, byteOffset, byteLength)), 'the bytes'];
  }
  if (source instanceof Blob) {
    const read = async (start: number, end: number) =>
      new Uint8Array(await source.slice(start, end).arrayBuffer());
    const name = 'name' in source ? String(source.name) : 'the blob';
    return [{ size: source.size, read, close: async () => {} }, name];
  }
  if (source instanceof ReadableStream) {
    return [bytesSource(await collect(source)), 'the stream'];
  }
  if (source instanceof Response) {
    if (!source.ok) {
      throw new TorchError(`${op}: ${source.url}: the server answered ${source.status}`);
    }
    const bytes = new Uint8Array(await source.arrayBuffer());
    return [bytesSource(bytes), source.url || 'the response'];
  }
  throw new ValueError(
    `${op}: expected a path or URL, an ArrayBuffer, a typed array, a File or Blob, a Response or ` +
      `a ReadableStream, got ${source === null ? 'null' : typeof source}`,
  );
}

async function collect(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  try {
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (error) {
    throw new TorchError(`the stream cannot be read: ${(error as Error)?.message}`);
  }
}
