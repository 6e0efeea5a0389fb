/**
 * The demo as a page. Run it with `make demo-web`, or `make demo-web ARGS=--build` for a folder
 * that any static host can serve; `--help` lists the options.
 */

import { relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { getData } from '../scripts/get-data.mjs';
import { serveSite } from './web/server.js';
import { buildSite, copyData, describeData, writeManifest } from './web/site.js';

const USAGE = `Serves the Fashion-MNIST demo as a page. Usage: make demo-web ARGS='--port 9000'
  --port NUMBER   first port to try (default 8000)
  --host ADDRESS  address to listen on (default 127.0.0.1: only this machine)
  --no-isolation  leave out the headers that isolate the page from other origins
  --build         write a static site instead of serving
  --out FOLDER    where to write it (default out/web)`;

function readOptions(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      build: { type: 'boolean', default: false },
      'no-isolation': { type: 'boolean', default: false },
      port: { type: 'string', default: '8000' },
      host: { type: 'string', default: '127.0.0.1' },
      out: { type: 'string', default: 'out/web' },
    },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535 || values.port.trim() === '') {
    throw new Error(`--port must be a port number from 0 to 65535, got '${values.port}'`);
  }
  return { ...values, port };
}

/** Fashion-MNIST, and the digits where they can be had. Returns the folder. */
async function bringData(): Promise<string> {
  const { name, root } = await getData('fashion', { data: 'data' });
  if (name === 'MNIST') return root;
  try {
    await getData('mnist', { data: 'data' });
  } catch (error) {
    console.log(`The digits of MNIST could not be had (${(error as Error).message}).`);
    console.log('The page offers Fashion-MNIST only.');
  }
  return root;
}

async function main(options: ReturnType<typeof readOptions>): Promise<void> {
  const data = await bringData();
  const sets = describeData(data);
  if (options.build) {
    const folder = resolve(options.out);
    await buildSite(resolve('.'), folder);
    await writeManifest(folder, { isolate: true, sets: await copyData(data, sets, folder) });
    console.log(`The site is in ${relative(process.cwd(), folder) || folder}.`);
    return;
  }
  const site = resolve('build/web');
  await buildSite(resolve('.'), site);
  await writeManifest(site, { isolate: false, sets });
  const { port, host } = options;
  const { url } = await serveSite({ site, data, port, host, isolation: !options['no-isolation'] });
  console.log(`The demo is at ${url} (Ctrl-C ends it).`);
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) console.log(USAGE);
  else await main(options);
} catch (error) {
  console.error(`demo-web: ${(error as Error).message}`);
  process.exitCode = 1;
}
