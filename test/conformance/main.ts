/**
 * npm run conformance -- [--dir <folder>] [--device cpu|webgpu] [--only <pattern>]
 *                        [--list <file>] [--json <file>]
 * Runs a folder of recorded answers and prints what passed, failed, is missing, or does not apply
 * to the device and why. Without --dir: the cases in the repository.
 */

import { existsSync, writeFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startDevice } from './device.js';
import { type Entry, folderEntries, matches } from './folder.js';
import { readNames } from './format.js';
import { describeError, formatEntry, type Outcome } from './report.js';

const USAGE =
  'usage: npm run conformance -- [--dir <folder>] [--device cpu|webgpu] ' +
  '[--only <pattern on kind/name>] ' +
  '[--list <names file>] [--json <file>]';

const OWN = ['test/conformance/cases', 'test/conformance/cases/recorded'];

interface Options {
  readonly dirs: readonly string[];
  readonly device: string;
  readonly only?: string;
  readonly list?: string;
  readonly json?: string;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      dir: { type: 'string', multiple: true },
      device: { type: 'string', default: 'cpu' },
      only: { type: 'string' },
      list: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit();
  }
  const dirs = values.dir ?? OWN;
  for (const dir of dirs) if (!existsSync(dir)) throw new Error(`there is no folder ${dir}`);
  if (values.list !== undefined && !existsSync(values.list)) {
    throw new Error(`there is no file ${values.list}`);
  }
  return { ...values, dirs };
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
  console.log(
    `${absent.length} listed names have no recording in ${options.dirs.join(', ')}, not counted:`,
  );
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
  const counts: Record<Outcome['status'], number> = {
    passed: 0,
    failed: 0,
    missing: 0,
    inapplicable: 0,
  };
  const skipped: Record<string, number> = {};
  const results: Record<string, Outcome> = {};
  const entries = options.dirs.flatMap((dir) => folderEntries(dir, options.device));
  const chosen = select(entries, options);
  if (chosen.length === 0) {
    refuse(`nothing matches; names are like '${entries[0]?.name}'. ${USAGE}`);
    return;
  }
  for (const entry of chosen) {
    const outcome = await runEntry(entry);
    // Finalizers of dropped tensors run between tasks only.
    await setImmediate();
    counts[outcome.status]++;
    results[entry.name] = outcome;
    for (const [reason, count] of Object.entries(outcome.inapplicable ?? {})) {
      skipped[reason] = (skipped[reason] ?? 0) + count;
    }
    console.log(formatEntry(entry.name, outcome));
  }
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify({ ...counts, entries: results }, null, 1)}\n`);
  }
  if (counts.failed > 0) process.exitCode = 1;
  for (const [reason, count] of Object.entries(skipped)) {
    console.log(`${count} checks not applicable: ${reason}`);
  }
  const { passed, failed, missing, inapplicable } = counts;
  const rest = inapplicable > 0 ? `, ${inapplicable} not applicable` : '';
  console.log(`${passed} passed, ${failed} failed, ${missing} missing${rest}`);
}

function refuse(error: unknown): void {
  console.error(`conformance: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}

async function start(): Promise<void> {
  let options: Options;
  try {
    options = readOptions();
  } catch (error) {
    refuse(error);
    console.error(USAGE);
    return;
  }
  try {
    await startDevice(options.device);
  } catch (error) {
    refuse(error);
    return;
  }
  await main(options);
}

void start();
