/** Files as Node has them. The browser's twin is `browser.ts`. */

import { existsSync, readFileSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { gunzipSync, inflateRawSync } from 'node:zlib';
import { TorchError } from '../core/errors.js';
import { bytesSource, type Source } from './source.js';
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
  const read = async (start: number, end: number) => {
    const bytes = new Uint8Array(end - start);
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
 * Writes a file, and its folder if there is none. The bytes go to a temporary name first, so that
 * the path holds the old content or all of the new one, never a part.
 */
export async function writeBytes(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.${(counter++).toString(36)}.tmp`;
  try {
    await writeFile(temporary, bytes);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

let counter = 0;

/** The bytes of a text that is base64 of a raw deflate stream. */
export function unpack(text: string): Uint8Array {
  return inflateRawSync(Buffer.from(text, 'base64'));
}
