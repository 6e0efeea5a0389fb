/** The format of recorded cases: the encoding of values, and reading a folder of them. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** A number as JSON can hold it: `"NaN"`, `"Infinity"` and `"-Infinity"` stand for themselves. */
export type JsonNumber = number | boolean | string;

export interface EncodedTensor {
  readonly tensor: string;
  readonly shape: readonly number[];
  readonly data: readonly JsonNumber[];
}

/**
 * A recorded value: a tensor, a scalar, a list, or an object. Objects with one key are tagged Python
 * values (`tuple`, `float`, `dtype`, `slice`, `ellipsis`, `device`, `layout`).
 */
export type Encoded =
  | EncodedTensor
  | readonly Encoded[]
  | { readonly [key: string]: Encoded }
  | number
  | boolean
  | string
  | null;

export type EncodedMap = Readonly<Record<string, Encoded>>;

export interface OpCase {
  readonly args: readonly Encoded[];
  readonly kwargs: EncodedMap;
  readonly output: Encoded;
  readonly cotangents?: readonly EncodedTensor[];
  readonly grads?: Readonly<Record<string, EncodedTensor | null>>;
}

export interface ErrorCase {
  readonly args: readonly Encoded[];
  readonly kwargs: EncodedMap;
  readonly error: string;
}

export interface OpFile {
  readonly op: string;
  readonly variant: string;
  readonly dtype: string;
  readonly inplace: boolean;
  readonly method: boolean;
  readonly cases: readonly OpCase[];
  readonly errors: readonly ErrorCase[];
}

export interface ModuleCase {
  readonly label?: string;
  readonly args: readonly Encoded[];
  readonly kwargs: EncodedMap;
  readonly state_dict: Readonly<Record<string, EncodedTensor>>;
  readonly train: boolean;
  readonly input: Encoded;
  readonly input_kwargs?: EncodedMap;
  readonly output: Encoded;
  readonly cotangents?: readonly EncodedTensor[];
  readonly input_grads?: Readonly<Record<string, EncodedTensor | null>>;
  readonly param_grads?: Readonly<Record<string, EncodedTensor | null>>;
  readonly state_dict_after?: Readonly<Record<string, EncodedTensor>>;
  readonly repr?: string;
}

export interface ModuleFile {
  readonly module: string;
  readonly cases: readonly ModuleCase[];
}

export function isTensor(value: Encoded): value is EncodedTensor {
  const fields = fieldsOf(value);
  return typeof fields?.tensor === 'string' && Array.isArray(fields.shape);
}

/** The fields of an object; undefined for anything else. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  const plain = typeof value === 'object' && value !== null && !Array.isArray(value);
  return plain ? (value as Record<string, unknown>) : undefined;
}

/** The elements of a list or tuple; undefined for anything else. */
export function elements(value: Encoded): readonly Encoded[] | undefined {
  if (Array.isArray(value)) return value;
  const tuple = fieldsOf(value)?.tuple;
  return Array.isArray(tuple) ? (tuple as Encoded[]) : undefined;
}

/** A recorded number as a JavaScript number. */
export function toNumber(value: JsonNumber): number {
  return Number(value);
}

/** Calls `visit` for every tensor inside a value, with its path (`1/0`). */
export function eachTensor(
  value: Encoded,
  visit: (tensor: EncodedTensor, path: string) => void,
  path = '',
): void {
  if (isTensor(value)) {
    visit(value, path);
    return;
  }
  const list = elements(value);
  const prefix = path === '' ? '' : `${path}/`;
  list?.forEach((item, index) => {
    eachTensor(item, visit, `${prefix}${index}`);
  });
}

/** Reads `<path>.json.gz` or `<path>.json`; undefined if neither exists. */
export function readJson(path: string): unknown {
  if (existsSync(`${path}.json.gz`)) {
    return JSON.parse(gunzipSync(readFileSync(`${path}.json.gz`)).toString('utf8'));
  }
  if (existsSync(`${path}.json`)) return JSON.parse(readFileSync(`${path}.json`, 'utf8'));
  return undefined;
}

/** The names of the recorded files in a folder, without `.json` or `.json.gz`, sorted. */
export function recordedNames(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const names = new Set<string>();
  for (const file of readdirSync(folder)) {
    const name = /^(.+)\.json(\.gz)?$/.exec(file)?.[1];
    if (name !== undefined) names.add(name);
  }
  return [...names].sort();
}

/** The names in a list file: one a line, `#` starts a comment. */
export function readNames(path: string): string[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
}

/** The checkpoint files (`.pt`, `.pth`) of a folder. */
export function checkpointFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => /\.(pt|pth)$/.test(file))
    .sort()
    .map((file) => join(folder, file));
}
