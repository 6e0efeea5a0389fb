/** What a run is asked to do, and what is wrong with it if it cannot. */

import { createHash } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { MOST_THREADS } from '../ts/device/cpu/pool.js';
import type { DeviceName } from './case.js';
import type { Settings } from './measure.js';
import { peerNames } from './peers/index.js';
import type { Clock } from './peers/peer.js';

export interface Options extends Partial<Settings> {
  readonly device: DeviceName;
  readonly pattern: string;
  readonly json: string | undefined;
  readonly peers: readonly string[];
  readonly clock: Clock;
  readonly threads: number;
  readonly smoke: boolean;
}

const USAGE = `npm run bench -- [pattern] [--json <file>] [--threads n] [--peers list] \
[--device cpu|webgpu]
                 [--seconds s] [--rounds n] [--clock wall|cpu] [--smoke]
  pattern    parts of names of cases: 'matmul', 'matmul/256|1M/exp' (default: all)
  --json     a file for the figures, beside those in bench/results/
  --threads  of the libraries that have any (default 1)
  --peers    the libraries beside this one, with commas between (default: all that are installed)
  --device   where the cases run (default cpu)
  --seconds  each library gets per case (default 2), taken in so many --rounds (default 10)
  --clock    'cpu' counts processor time, for busy machines (default wall)
  --smoke    in less than two minutes: is each kernel as much faster than plain C as it should be?
Ctrl-C ends a run after the case under way; what was measured until then is written.`;

const MOST_ROUNDS = 1000;

/** A wrong argument: told without a stack. */
export class UsageError extends Error {}

function fail(option: string, wanted: string, given: string): never {
  throw new UsageError(`--${option}: ${wanted}, got '${given}'`);
}

function oneOf<T extends string>(option: string, known: readonly T[], given: string): T {
  const found = known.find((name) => name === given);
  return found ?? fail(option, `${known.map((name) => `'${name}'`).join(' or ')}`, given);
}

function count(option: string, most: number, given: string): number {
  const value = Number(given);
  if (Number.isInteger(value) && value > 0 && value <= most) return value;
  return fail(option, `a whole number from 1 to ${most}`, given);
}

function duration(option: string, given: string): number {
  const value = Number(given);
  return value > 0 && value <= 3600 ? value : fail(option, 'seconds, up to an hour', given);
}

/** A file that can be written: better known before an hour of measuring than after. */
function writable(option: string, given: string): string {
  try {
    closeSync(openSync(given, 'a'));
    return given;
  } catch (error) {
    throw new UsageError(`--${option}: the file cannot be written: ${(error as Error).message}`);
  }
}

/** The libraries that are asked for, this one first: ratios are to it. */
function readPeers(device: DeviceName, smoke: boolean, given: string | undefined): string[] {
  const known = peerNames(device);
  const usual = smoke ? ['naive'] : known.filter((name) => name !== 'naive');
  const names = given?.split(',').map((name) => name.trim()) ?? usual;
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(
      `--peers: there is no '${unknown}' on ${device}; there are ${known.join(', ')}`,
    );
  }
  if (smoke && given !== undefined) throw new UsageError('--smoke has peers of its own');
  return [...new Set(['isotorch', ...names])];
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        json: { type: 'string' },
        device: { type: 'string', default: 'cpu' },
        peers: { type: 'string' },
        seconds: { type: 'string' },
        rounds: { type: 'string' },
        clock: { type: 'string', default: 'wall' },
        threads: { type: 'string', default: '1' },
        smoke: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('. ')[0]}\n\n${USAGE}`);
  }
}

/** The options of the command line; undefined: it asked for help and got it. */
export function readOptions(args: string[]): Options | undefined {
  const { values, positionals } = parse(args);
  if (values.help) {
    console.log(USAGE);
    return undefined;
  }
  const { smoke, json, seconds, rounds } = values;
  const device = oneOf('device', ['cpu', 'webgpu'], values.device);
  if (smoke && device !== 'cpu') throw new UsageError('--smoke measures the CPU');
  return {
    pattern: positionals.join(' '),
    json: json === undefined ? undefined : writable('json', json),
    peers: readPeers(device, smoke, values.peers),
    clock: oneOf('clock', ['wall', 'cpu'], values.clock),
    threads: count('threads', MOST_THREADS, values.threads),
    smoke,
    device,
    seconds: seconds === undefined ? undefined : duration('seconds', seconds),
    rounds: rounds === undefined ? undefined : count('rounds', MOST_ROUNDS, rounds),
  };
}

const LONGEST_NAME = 48;

/** The name of a run's files: its device and pattern, cut where that is long, and then a hash. */
export function resultName({ device, pattern }: Pick<Options, 'device' | 'pattern'>): string {
  const words = pattern.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '');
  const name = `${device === 'webgpu' ? 'webgpu-' : ''}${words || 'all'}`;
  if (name.length <= LONGEST_NAME) return name;
  const hash = createHash('sha256').update(pattern).digest('hex').slice(0, 8);
  return `${name.slice(0, LONGEST_NAME - 9).replace(/-[^-]*$/, '')}-${hash}`;
}
