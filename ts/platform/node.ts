/** Files as Node has them. The browser's twin is `browser.ts`. */

import { existsSync, readFileSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import type { Transform } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { MessageChannel, type MessagePort, SHARE_ENV, Worker } from 'node:worker_threads';
import { brotliDecompressSync, createDeflateRaw, createInflateRaw, gunzipSync } from 'node:zlib';
import { DeviceError, TorchError } from '../core/errors.js';
import { bytesSource, type Sink, type Source } from './source.js';
import { fetchBytes, isUrl } from './url.js';

/** Whether paths name files here. */
export const hasFiles = true;

/** Whether a file of this path exists. */
export function exists(path: string): boolean {
  return existsSync(path);
}

/** The content of a file, at once. */
export function readBytesSync(path: string): Uint8Array {
  return readFileSync(path);
}

/** The content of a file, or of a URL. */
export function readBytes(path: string): Promise<Uint8Array> {
  return isUrl(path) ? fetchBytes(path) : readFile(path);
}

/** A file, or a URL, to be read in parts. Throws TorchError if it cannot be opened. */
export async function openSource(path: string): Promise<Source> {
  if (isUrl(path)) return bytesSource(await fetchBytes(path));
  const file = await open(path).catch((error: Error) => {
    throw new TorchError(`${path}: the file cannot be opened: ${error.message}`);
  });
  const { size } = await file.stat();
  const read = async (start: number, end: number, into?: Uint8Array) => {
    const bytes = into?.subarray(0, end - start) ?? new Uint8Array(end - start);
    for (let done = 0; done < bytes.length; ) {
      const length = Math.min(bytes.length - done, 2 ** 30);
      const { bytesRead } = await file.read(bytes, done, length, start + done).catch((error) => {
        throw new TorchError(`${path}: the file cannot be read: ${error.message}`);
      });
      if (bytesRead === 0)
        throw new TorchError(`${path}: the file became shorter while it was read`);
      done += bytesRead;
    }
    return bytes;
  };
  return { size, read, close: () => file.close() };
}

/** Unpacks gzip, also of several members. Throws if the data is damaged. */
export function gunzip(bytes: Uint8Array): Uint8Array {
  return gunzipSync(bytes);
}

/**
 * Opens a file to be written, and makes its folder if there is none. The bytes go to a temporary
 * name first, so that the path holds the old content or all of the new one, never a part. Throws
 * TorchError if it cannot be written.
 */
export async function openSink(path: string): Promise<Sink> {
  const failed = (error: Error): never => {
    throw new TorchError(`${path}: the file cannot be written: ${error.message}`);
  };
  const temporary = `${path}.${process.pid}.${(counter++).toString(36)}.tmp`;
  await mkdir(dirname(path), { recursive: true }).catch(failed);
  const file = await open(temporary, 'wx').catch(failed);
  let length = 0;
  const put = async (bytes: Uint8Array, at: number) => {
    for (let done = 0; done < bytes.length; ) {
      const count = Math.min(bytes.length - done, 2 ** 30);
      done += (await file.write(bytes, done, count, at + done).catch(failed)).bytesWritten;
    }
  };
  const abort = async () => {
    await file.close().catch(() => {});
    await rm(temporary, { force: true });
  };
  return {
    write: async (bytes) => {
      await put(bytes, length);
      length += bytes.length;
    },
    patch: (at, bytes) => put(bytes, at),
    finish: async () => {
      await file.close().catch(failed);
      await rename(temporary, path).catch(failed);
    },
    abort,
  };
}

/** Writes a file as openSink() does. */
export async function writeBytes(path: string, bytes: Uint8Array): Promise<void> {
  const sink = await openSink(path);
  try {
    await sink.write(bytes);
    await sink.finish();
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

let counter = 0;

/** The bytes of a text in base64, unpacked by Brotli. */
export function unpack(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(brotliDecompressSync(Buffer.from(text, 'base64')));
}

let dawn: GPU | undefined;

/** WebGPU in Node, through the npm package `webgpu`. Throws DeviceError if it is not installed. */
export async function requestGpu(): Promise<GPU> {
  if (dawn !== undefined) return dawn;
  const known = globalThis.navigator?.gpu;
  if (known !== undefined) return known;
  const name = 'webgpu';
  const { create } = await import(name).catch((error: Error) => {
    throw new DeviceError(
      `webgpu: in Node the GPU needs the npm package 'webgpu': npm install webgpu (${error.message})`,
    );
  });
  dawn = create([]) as GPU;
  return dawn;
}

/** Calls back when the program ends, however it does. */
export function atExit(call: () => void): void {
  process.once('exit', call);
}

/** Threads that run at the same time. */
export function cores(): number {
  return availableParallelism();
}

/** A setting from outside the program. */
export function environment(name: string): string | undefined {
  return process.env[name];
}

/**
 * Starts a worker that does not keep the program alive; `failed` hears why it did not start. The
 * text runs as it is, so `_url` is not needed.
 */
export function startWorker(
  _url: string | undefined,
  text: string,
  workerData: object,
  failed: (reason: string) => void,
): void {
  try {
    const start = 'globalThis.workerStart = require("node:worker_threads").workerData;';
    const worker = new Worker(start + text, {
      workerData,
      eval: true,
      // Options of this process, such as loaders of modules, are none of the worker's business.
      execArgv: [],
      env: SHARE_ENV,
      name: 'isotorch',
    });
    worker.on('error', (error: Error) => failed(`a worker failed: ${error.message}`));
    worker.unref();
  } catch (error) {
    failed(`workers cannot be started: ${(error as Error).message}`);
  }
}

let paired = false;

/** Whether V8 was told to pair vectors, by the program or by whoever started it. */
export function vectorsPaired(): boolean {
  const flags = [...process.execArgv, process.env.NODE_OPTIONS];
  return paired || flags.some((flag) => flag?.includes('-wasm-revectorize'));
}

/** Has V8 pair 128-bit operations in modules compiled from now on. False where it cannot. */
export function pairVectors(): boolean {
  if (Number.parseInt(process.versions.node, 10) < 24 || process.versions.v8 === undefined) {
    return false;
  }
  setFlagsFromString('--experimental-wasm-revectorize');
  paired = true;
  return true;
}

/** Bytes of what packs and unpacks gives at a time. */
const FLATE_PIECE = 2 ** 18;

let nowhere: MessagePort | undefined;

/**
 * Frees the memory of a buffer at once: what is sent to a closed port is taken away and dropped.
 * Buffers that wait for the collector make up 32 MB before it runs.
 */
function free(buffer: ArrayBufferLike): void {
  if (buffer.byteLength !== FLATE_PIECE) return;
  if (nowhere === undefined) {
    nowhere = new MessageChannel().port1;
    nowhere.close();
  }
  nowhere.postMessage(null, [buffer as ArrayBuffer]);
}

/** What a stream makes of the pieces, which may be used again once the next one is asked for. */
async function* through(
  stream: Transform,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let stop = () => {};
  stream.once('close', () => stop());
  const feed = async () => {
    for await (const piece of pieces) {
      await new Promise<void>((resolve) => {
        stop = resolve;
        stream.write(piece, () => resolve());
      });
      if (stream.destroyed) return;
    }
    stream.end();
  };
  const fed = feed().catch((error) => void stream.destroy(error));
  try {
    let last: ArrayBufferLike | undefined;
    for await (const piece of stream as AsyncIterable<Uint8Array>) {
      // Not as a Buffer, whose slice() is no copy.
      yield new Uint8Array(piece.buffer, piece.byteOffset, piece.length);
      last = piece.buffer;
      // One that is not full is still written to.
      if (piece.byteOffset + piece.length === last.byteLength) free(last);
    }
    if (last !== undefined) free(last);
  } finally {
    stream.destroy();
    await fed;
  }
}

/**
 * Unpacks a raw deflate stream; a piece is overwritten once the next one is asked for. Throws if
 * it is damaged or cut off.
 */
export function inflatePieces(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  return through(createInflateRaw({ chunkSize: FLATE_PIECE }), packed);
}

/** Packs pieces as a raw deflate stream, whose pieces are overwritten as those of inflating. */
export function deflatePieces(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  return through(createDeflateRaw({ chunkSize: FLATE_PIECE }), pieces);
}
