/**
 * Measures this library beside its peers: npm run bench -- [pattern] [--json <file>]
 * [--peers isotorch,pytorch,tfjs,jax] [--seconds 2] [--rounds 10] [--clock wall|cpu]. Everything runs on one thread.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { cases } from './cases/index.js';
import { measure, type Result, type Settings } from './measure.js';
import { openPeers, peerNames } from './peers/index.js';
import type { Clock, Peer } from './peers/peer.js';
import { chart, failures, header, markdown, row } from './report.js';

interface Options extends Settings {
  readonly pattern: string;
  readonly json: string | undefined;
  readonly peers: readonly string[];
  readonly clock: Clock;
}

function readOptions(): Options {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'string' },
      peers: { type: 'string', default: peerNames.join(',') },
      seconds: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '10' },
      clock: { type: 'string', default: 'wall' },
    },
  });
  const peers = values.peers.split(',');
  const unknown = peers.find((name) => !peerNames.includes(name));
  if (unknown !== undefined) {
    throw new Error(`--peers: there is no '${unknown}'; there are ${peerNames.join(', ')}`);
  }
  if (values.clock !== 'wall' && values.clock !== 'cpu') {
    throw new Error(`--clock: 'wall' or 'cpu', got '${values.clock}'`);
  }
  return {
    pattern: positionals.join(' '),
    json: values.json,
    peers,
    clock: values.clock,
    seconds: Number(values.seconds),
    rounds: Number(values.rounds),
  };
}

/** What the figures hold for. */
function machine(peers: readonly Peer[], clock: Clock) {
  const [{ model }] = cpus();
  return {
    cpu: model,
    cores: cpus().length,
    clock,
    load: loadavg()[0],
    node: process.version,
    v8: process.versions.v8,
    libraries: Object.fromEntries(peers.map(({ name, about }) => [name, about])),
  };
}

function printRow(cells: readonly string[]): void {
  const widths = [30, 16, 8, 20, 20, 20];
  console.log(cells.map((cell, i) => cell.padEnd(widths[i])).join(' '));
}

async function main(): Promise<void> {
  const options = readOptions();
  const chosen = cases.filter(({ name }) => name.includes(options.pattern));
  if (chosen.length === 0) {
    console.error(`No case matches '${options.pattern}'. There are:`);
    for (const { name } of cases) console.error(`  ${name}`);
    process.exitCode = 1;
    return;
  }
  const program = process.argv[1];
  const peers = await openPeers(program, options.peers, options.clock);
  const about = machine(peers, options.clock);
  const names = peers.map(({ name }) => name);
  const versions = Object.values(about.libraries).join(', ');
  console.log(`${about.cpu}, Node ${process.version}, one thread; ${versions}`);
  const time = options.clock === 'cpu' ? 'processor time' : 'time';
  console.log(
    `Medians of ${time} with half the 10-90 % spread; in brackets the peer's time over ours.\n`,
  );
  printRow(header(names));
  const results: Result[] = [];
  for (const benchmark of chosen) {
    const result = await measure(benchmark, peers, options);
    results.push(result);
    printRow(row(result, names));
  }
  for (const peer of peers) peer.close();
  for (const line of failures(results)) console.log(`fails: ${line}`);
  await write(options, join(dirname(program), 'results'), about, results, names);
  if (results.some(({ peers: own }) => 'reason' in (own.isotorch ?? {}))) process.exitCode = 1;
}

async function write(
  { json, pattern }: Options,
  folder: string,
  about: ReturnType<typeof machine>,
  results: readonly Result[],
  names: readonly string[],
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const stem = join(folder, pattern.replace(/\W+/g, '-') || 'all');
  const text = JSON.stringify({ ...about, results }, null, 2);
  for (const file of [`${stem}.json`, ...(json === undefined ? [] : [json])]) {
    writeFileSync(file, `${text}\n`);
  }
  writeFileSync(`${stem}.md`, `${markdown(results, names)}\n`);
  writeFileSync(
    `${stem}.svg`,
    await chart(results, `${about.cpu}, Node ${about.node}, one thread`),
  );
  console.log(`\nWritten: ${relative('.', stem)}.json, .md, .svg`);
}

await main();
