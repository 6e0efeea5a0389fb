/**
 * npm run conformance -- --dir <folder> [--device cpu] [--only <pattern>] [--list <file>]
 *                        [--json <file>]
 * Runs a folder of recorded answers and prints what passed, failed or is missing.
 */

import { existsSync, writeFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Entry, folderEntries, matches } from './folder.js';
import { readNames } from './format.js';
import { describeError, formatEntry, type Outcome } from './report.js';

const USAGE =
  'usage: npm run conformance -- --dir <folder> [--device cpu] [--only <pattern on kind/name>] ' +
  '[--list <names file>] [--json <file>]';

interface Options {
  readonly dir: string;
  readonly device: string;
  readonly only?: string;
  readonly list?: string;
  readonly json?: string;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      dir: { type: 'string' },
      device: { type: 'string', default: 'cpu' },
      only: { type: 'string' },
      list: { type: 'string' },
      json: { type: 'string' },
    },
  });
  if (values.dir === undefined) throw new Error('--dir is needed');
  if (!existsSync(values.dir)) throw new Error(`there is no folder ${values.dir}`);
  if (values.list !== undefined && !existsSync(values.list)) {
    throw new Error(`there is no file ${values.list}`);
  }
  return { ...values, dir: values.dir };
}

/** The entries that the options ask for. */
function select(entries: readonly Entry[], options: Options): Entry[] {
  const listed = options.list === undefined ? undefined : readNames(options.list);
  if (listed) reportUnrecorded(listed, entries, options);
  const wanted = listed && new Set(listed);
  return entries.filter(({ name, subject }) => {
    if (wanted && !wanted.has(subject) && !wanted.has(name)) return false;
    return options.only === undefined || matches(name, options.only);
  });
}

function reportUnrecorded(listed: string[], entries: readonly Entry[], options: Options): void {
  const known = new Set(entries.flatMap(({ name, subject }) => [name, subject]));
  const absent = listed.filter((name) => !known.has(name));
  if (absent.length === 0) return;
  console.log(`${absent.length} listed names have no recording in ${options.dir}, not counted:`);
  console.log(`  ${absent.join(' ')}`);
}

async function runEntry(entry: Entry): Promise<Outcome> {
  try {
    return await entry.run();
  } catch (error) {
    return { status: 'failed', reasons: [describeError(error)], checks: 1 };
  }
}

async function main(options: Options): Promise<void> {
  const counts = { passed: 0, failed: 0, missing: 0 };
  const results: Record<string, Outcome> = {};
  for (const entry of select(folderEntries(options.dir, options.device), options)) {
    const outcome = await runEntry(entry);
    // Finalizers of dropped tensors run between tasks only.
    await setImmediate();
    counts[outcome.status]++;
    results[entry.name] = outcome;
    console.log(formatEntry(entry.name, outcome));
  }
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify({ ...counts, entries: results }, null, 1)}\n`);
  }
  if (counts.failed > 0) process.exitCode = 1;
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.missing} missing`);
}

function start(): void {
  let options: Options;
  try {
    options = readOptions();
  } catch (error) {
    console.error(`conformance: ${error instanceof Error ? error.message : String(error)}`);
    console.error(USAGE);
    process.exitCode = 2;
    return;
  }
  void main(options);
}

start();
