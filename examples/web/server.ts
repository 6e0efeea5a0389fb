/** A small static server for the page, with the headers that isolate it. */

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { POLICY } from './manifest.js';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
};

/** A page with these has SharedArrayBuffer: it shares its process with no other origin. */
export const ISOLATION: Readonly<Record<string, string>> = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

const COMMON: Readonly<Record<string, string>> = {
  'content-security-policy': `${POLICY}; frame-ancestors 'none'`,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
};

export interface ServerOptions {
  /** The folder of the page. */
  site: string;
  /** The folder behind /data/. Default: the site's own. */
  data?: string;
  host?: string;
  /** The first port to try (default 8000); the next free one is taken. 0 takes any. */
  port?: number;
  /** Whether to send the headers of ISOLATION (default true). */
  isolation?: boolean;
}

export interface SiteServer {
  readonly url: string;
  close(): Promise<void>;
}

/** The file a URL asks for, or undefined for one outside of the folders. */
function locate(url: string, { site, data }: ServerOptions): string | undefined {
  let path: string;
  try {
    path = normalize(decodeURIComponent(url.split(/[?#]/)[0]));
  } catch {
    return undefined;
  }
  if (!path.startsWith('/') || path.includes('\0')) return undefined;
  if (path.endsWith('/')) path += 'index.html';
  return data !== undefined && path.startsWith('/data/')
    ? join(data, path.slice('/data/'.length))
    : join(site, path);
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: ServerOptions,
): Promise<void> {
  const headers = { ...COMMON, ...(options.isolation === false ? {} : ISOLATION) };
  const refuse = (status: number, text: string) =>
    response.writeHead(status, { ...headers, 'content-type': TYPES['.txt'] }).end(`${text}\n`);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    refuse(405, 'Only GET and HEAD are answered.');
    return;
  }
  const file = locate(request.url ?? '/', options);
  const found = file ? await stat(file).catch(() => undefined) : undefined;
  if (!file || !found?.isFile()) {
    refuse(404, 'There is no such file.');
    return;
  }
  const etag = `"${found.size.toString(36)}-${Math.round(found.mtimeMs).toString(36)}"`;
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, { ...headers, etag }).end();
    return;
  }
  const type = TYPES[extname(file)] ?? 'application/octet-stream';
  const size = String(found.size);
  response.writeHead(200, { ...headers, etag, 'content-type': type, 'content-length': size });
  if (request.method === 'HEAD') response.end();
  else
    createReadStream(file)
      .on('error', () => response.destroy())
      .pipe(response);
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Serves the page. Rejects if none of twenty ports is free. */
export async function serveSite(options: ServerOptions): Promise<SiteServer> {
  const { host = '127.0.0.1', port = 8000 } = options;
  const server = createServer((request, response) => {
    answer(request, response, options).catch(() => response.destroy());
  });
  for (let attempt = 0; ; attempt++) {
    try {
      await listen(server, port && port + attempt, host);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || attempt === 19) throw error;
    }
  }
  const shown = host === '127.0.0.1' || host === '0.0.0.0' || host === '::' ? 'localhost' : host;
  return {
    url: `http://${shown}:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
