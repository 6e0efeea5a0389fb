/** Reading from the network, the same everywhere. */

import { TorchError } from '../core/errors.js';

/** Whether a path is a URL that fetch() takes. */
export function isUrl(path: string): boolean {
  return /^(https?|blob|data):/.test(path);
}

/** The bytes behind a URL. Throws TorchError with the status if the server refuses. */
export async function fetchBytes(url: string): Promise<Uint8Array> {
  const response = await fetch(url).catch((error: Error) => {
    throw new TorchError(`${url}: nothing came: ${error.message}`);
  });
  if (!response.ok) {
    throw new TorchError(`${url}: the server answered ${response.status} ${response.statusText}`);
  }
  return new Uint8Array(await response.arrayBuffer());
}
