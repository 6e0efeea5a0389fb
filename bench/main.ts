/**
 * Measures this library beside its peers; `npm run bench -- --help` lists the options. Libraries
 * without threads of their own in Node (TensorFlow.js, jax-js) use one in any case.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { type Case, useDevice } from './case.js';
import { gpuCases } from './cases/gpu.js';
import { cases } from './cases/index.js';
import { measure, type Result, type Settings } from './measure.js';
import { type Options, readOptions, resultName, UsageError } from './options.js';
import { openPeers } from './peers/index.js';
import type { Peer } from './peers/peer.js';
import { gpuInUse } from './peers/webgpu.js';
import { chart, failures, header, markdown, row } from './report.js';
import { smokeCases, tooSlow } from './smoke.js';

/** The exit status of a program that Ctrl-C ended. */
const INTERRUPTED = 130;

/** Samples of a library per case: few where a processor plays the GPU, and in a smoke test. */
function settings({ seconds, rounds, smoke }: Options, software: boolean): Settings {
  const short = software || smoke;
  return { seconds: seconds ?? (short ? 1 : 2), rounds: rounds ?? (short ? 3 : 10) };
}

/** Where the figures come from, in a line. */
function place({ cpu, gpu, threads }: ReturnType<typeof machine>): string {
  if (gpu === undefined) {
    return `${cpu}, Node ${process.version}, ${threads === 1 ? 'one thread' : `${threads} threads`}`;
  }
  const { vendor, architecture, description } = gpu.adapter;
  const name = [vendor, architecture, description].filter(Boolean).join(' ');
  return `${name}, Dawn in Node ${process.version} (webgpu ${gpu.dawn})`;
}

/** What the figures hold for. */
function machine(peers: readonly Peer[], { clock, device, threads }: Options) {
  const [{ model }] = cpus();
  return {
    cpu: model,
    cores: cpus().length,
    clock,
    threads,
    load: loadavg()[0],
    node: process.version,
    v8: process.versions.v8,
    ...(device === 'webgpu' ? { gpu: gpuInUse() } : { gpu: undefined }),
    libraries: Object.fromEntries(peers.map(({ name, about }) => [name, about])),
  };
}

function printRow(cells: readonly string[], first: number): void {
  const widths = [first, 16, 8];
  console.log(cells.map((cell, i) => cell.padEnd(widths[i] ?? 22)).join(' '));
}

function chooseCases({ device, pattern, smoke }: Options): readonly Case[] {
  const all = device === 'webgpu' ? gpuCases : cases;
  const known = smoke ? all.filter(({ name }) => smokeCases.includes(name)) : all;
  const parts = pattern.toLowerCase().split('|').filter(Boolean);
  if (parts.length === 0) return known;
  const matches = ({ name }: Case) => parts.some((part) => name.toLowerCase().includes(part));
  const chosen = known.filter(matches);
  if (chosen.length > 0) return chosen;
  const names = known.map(({ name }) => `\n  ${name}`);
  throw new UsageError(`No case matches '${pattern}'. There are:${names.join('')}`);
}

/** The libraries; without this one there is nothing to compare with. */
function open({ device, peers, ...conditions }: Options, program: string): Promise<Peer[]> {
  return openPeers(device, program, peers, conditions).catch((error: Error) => {
    throw new UsageError(error.message);
  });
}

/** Tells whether Ctrl-C was pressed; a second time ends the program at once. */
function stopOnInterrupt(): () => boolean {
  let pressed = false;
  process.once('SIGINT', () => {
    pressed = true;
    console.error('\nThe case under way is finished, then the results so far are written.');
    console.error('Ctrl-C once more ends without them.');
  });
  return () => pressed;
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) return;
  const chosen = chooseCases(options);
  const program = process.argv[1];
  useDevice(options.device);
  const peers = await open(options, program);
  const about = machine(peers, options);
  const software = about.gpu?.adapter.software ?? false;
  const names = peers.map(({ name }) => name);
  console.log(`${place(about)}; ${Object.values(about.libraries).join(', ')}`);
  if (about.load > about.cores / 2) {
    console.log(`The machine is busy (load ${about.load.toFixed(1)}): mind the spreads.`);
  }
  const sampling = settings(options, software);
  if (software) {
    console.log(
      'A processor plays the GPU: ratios count, not times; ' +
        `${sampling.rounds} rounds of ${(sampling.seconds / sampling.rounds).toFixed(1)} s.`,
    );
  }
  const time = options.clock === 'cpu' ? 'processor time' : 'time';
  console.log(
    `Medians of ${time} with half the 10-90 % spread; in brackets the peer's time over ours.\n`,
  );
  const width = Math.max(...chosen.map(({ name }) => name.length));
  printRow(header(names), width);
  const results: Result[] = [];
  const interrupted = stopOnInterrupt();
  for (const benchmark of chosen) {
    if (interrupted()) break;
    const result = await measure(benchmark, peers, sampling);
    results.push(result);
    printRow(row(result, names), width);
  }
  for (const peer of peers) peer.close();
  for (const line of failures(results)) console.log(`fails: ${line}`);
  await write(options, join(dirname(program), 'results'), about, results, names);
  if (options.smoke && !interrupted()) judge(results);
  if (results.some(({ peers: own }) => 'reason' in (own.isotorch ?? {}))) process.exitCode = 1;
  if (interrupted()) process.exitCode = INTERRUPTED;
  // Devices of the peers would keep the process alive.
  if (options.device === 'webgpu') process.exit();
}

/** Says which kernels are slower than they should be, and has the process fail then. */
function judge(results: readonly Result[]): void {
  const slow = tooSlow(results);
  for (const line of slow) console.log(`too slow: ${line}`);
  if (slow.length > 0) process.exitCode = 1;
  else console.log('\nEvery case is as much faster than plain C as it should be.');
}

async function write(
  options: Options,
  folder: string,
  about: ReturnType<typeof machine>,
  results: readonly Result[],
  names: readonly string[],
): Promise<void> {
  const stem = join(folder, resultName(options));
  const files = options.smoke ? [] : [`${stem}.json`];
  if (options.json !== undefined) files.push(options.json);
  const text = JSON.stringify({ ...about, results }, null, 2);
  mkdirSync(folder, { recursive: true });
  for (const file of files) writeFileSync(file, `${text}\n`);
  if (!options.smoke) {
    writeFileSync(`${stem}.md`, `${markdown(results, names)}\n`);
    writeFileSync(`${stem}.svg`, await chart(results, place(about), names));
  }
  if (files.length === 0) return;
  const rest = options.smoke ? '' : '; .md and .svg beside it';
  console.log(`\nWritten: ${files.map((file) => relative('.', file)).join(', ')}${rest}`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
