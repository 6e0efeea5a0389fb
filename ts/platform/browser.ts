/** A page has no file system: what Node reads from paths comes from URLs or from bytes here. */

import { gunzipSync } from 'fflate';
import { DeviceError, ValueError } from '../core/errors.js';
import { bytesSource, type Sink, type Source } from './source.js';
import { fetchBytes, isUrl } from './url.js';

/** Whether paths name files here. */
export const hasFiles = false;

/** A page cannot look for files. */
export function exists(_path: string): boolean {
  return false;
}

/** Pages have no synchronous files. Throws ValueError. */
export function readBytesSync(path: string): Uint8Array {
  throw new ValueError(
    `${path}: a browser has no files to read; use the asynchronous load() with a URL, or pass ` +
      'the bytes (an ArrayBuffer from a File or a Response)',
  );
}

/** The content of a URL, relative ones included. */
export function readBytes(path: string): Promise<Uint8Array> {
  return fetchBytes(isUrl(path) ? path : new URL(path, globalThis.location?.href).href);
}

/** The content of a URL, to be read in parts. */
export async function openSource(path: string): Promise<Source> {
  return bytesSource(await readBytes(path));
}

/** Unpacks gzip. Throws if the data is damaged. */
export function gunzip(bytes: Uint8Array): Uint8Array {
  return gunzipSync(bytes);
}

/** Pages cannot write files. Rejects with ValueError. */
export async function openSink(path: string): Promise<Sink> {
  throw new ValueError(
    `${path}: a browser cannot write files; leave the path out to get the bytes, and offer them ` +
      'as a download: URL.createObjectURL(new Blob([bytes]))',
  );
}

/** Pages cannot write files. Rejects with ValueError. */
export async function writeBytes(path: string, _bytes: Uint8Array): Promise<void> {
  await openSink(path);
}

/** The bytes of a text in base64, packed as they are. */
export function unpack(text: string): Uint8Array<ArrayBuffer> {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

/** The browser's WebGPU. Throws DeviceError where it has none. */
export async function requestGpu(): Promise<GPU> {
  if (globalThis.navigator?.gpu !== undefined) return navigator.gpu;
  throw new DeviceError(
    globalThis.isSecureContext === false
      ? 'webgpu: pages have WebGPU only in secure contexts: serve this one over https, or from localhost'
      : 'webgpu: this browser has no WebGPU; use a current Chrome, Edge, Safari or Firefox',
  );
}

/** A page that closes needs nothing done. */
export function atExit(_call: () => void): void {}

/** Threads that run at the same time. */
export function cores(): number {
  return globalThis.navigator?.hardwareConcurrency ?? 1;
}

/** Pages have no settings from outside. */
export function environment(_name: string): string | undefined {
  return undefined;
}

let program: string | undefined;

/**
 * Starts a worker from the URL, or from the text where the page's policy permits; `failed` hears
 * why it did not start.
 */
export function startWorker(
  url: string | undefined,
  text: string,
  start: object,
  failed: (reason: string) => void,
): void {
  const refused =
    url === undefined
      ? 'the Content-Security-Policy must allow worker-src blob:, or ' +
        'torch.cpu.configure({ workerUrl }) name a copy of isotorch/worker'
      : `${url} could not be loaded`;
  try {
    program ??= URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
    const worker = new Worker(url ?? program, { name: 'isotorch' });
    worker.onerror = (event) => failed(`a worker failed: ${event.message ?? refused}`);
    worker.postMessage(start);
  } catch (error) {
    failed(`workers cannot be started (${(error as Error).message}): ${refused}`);
  }
}

/** Only Node lets a program set flags of its engine. */
export function pairVectors(): boolean {
  return false;
}

/** A page cannot know the flags of its engine. */
export const vectorsPaired = pairVectors;

/** Streams take this much at a time, so that 1032 times as much comes out at most. */
const STREAM_PIECE = 2 ** 12;

/** What a stream makes of the pieces, which may be used again once the next one is asked for. */
async function* through(
  { readable, writable }: CompressionStream,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const [reader, writer] = [readable.getReader(), writable.getWriter()];
  const feed = async () => {
    for await (const piece of pieces) {
      for (let at = 0; at < piece.length; at += STREAM_PIECE) {
        await writer.write(piece.slice(at, at + STREAM_PIECE));
      }
    }
    await writer.close();
  };
  let failure: Error | undefined;
  const fed = feed().catch((error) => {
    failure = error;
    return writer.abort(error).catch(() => {});
  });
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } catch (error) {
    throw failure ?? error;
  } finally {
    await reader.cancel().catch(() => {});
    await fed;
  }
}

/** Unpacks a raw deflate stream. Throws if it is damaged or cut off. */
export function inflatePieces(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  return through(new DecompressionStream('deflate-raw'), packed);
}

/** Packs pieces as a raw deflate stream. */
export function deflatePieces(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  return through(new CompressionStream('deflate-raw'), pieces);
}
