/** The entries of a folder of recordings: one per file of ops/ and nn/, one per listed record. */

import { basename, join } from 'node:path';
import { type ExpectedCheckpoints, runCheckpoint } from './checkpoints.js';
import {
  checkpointFiles,
  type ModuleFile,
  type OpFile,
  readJson,
  recordedNames,
} from './format.js';
import { type Entry, LIST_KINDS, listEntries } from './lists.js';
import { runModule } from './modules.js';
import { runOp } from './ops.js';
import type { RecipeRecord } from './recipes.js';
import { runTraining, type TrainingRecord } from './training.js';

export type { Entry };

function opEntries(folder: string, device: string): Entry[] {
  return recordedNames(join(folder, 'ops')).map((name) => ({
    name: `ops/${name}`,
    subject: name,
    run: () => runOp(readJson(join(folder, 'ops', name)) as OpFile, device),
  }));
}

function moduleEntries(folder: string, device: string): Entry[] {
  return recordedNames(join(folder, 'nn')).map((name) => ({
    name: `nn/${name}`,
    subject: name,
    run: () => runModule(readJson(join(folder, 'nn', name)) as ModuleFile, device),
  }));
}

function trainingEntries(folder: string, device: string): Entry[] {
  const records = (readJson(join(folder, 'training')) ?? []) as (TrainingRecord | RecipeRecord)[];
  return records.map((record) => ({
    name: `training/${record.name}`,
    subject: record.name,
    run: () => runTraining(record, device),
  }));
}

function checkpointEntries(folder: string, device: string): Entry[] {
  const inside = join(folder, 'checkpoints');
  const expected = (readJson(join(inside, 'expected')) ?? {}) as ExpectedCheckpoints;
  return checkpointFiles(inside).map((path) => ({
    name: `checkpoints/${basename(path)}`,
    subject: basename(path),
    run: () => runCheckpoint(path, expected, device),
  }));
}

/** Every entry of the folder, whatever is there. */
export function folderEntries(folder: string, device: string): Entry[] {
  const lists = LIST_KINDS.flatMap((kind) => {
    const records = readJson(join(folder, kind)) as unknown[] | undefined;
    return listEntries(kind, records ?? [], device);
  });
  return [
    ...opEntries(folder, device),
    ...moduleEntries(folder, device),
    ...lists,
    ...trainingEntries(folder, device),
    ...checkpointEntries(folder, device),
  ];
}

/** Whether `kind/name` is meant by a pattern: a regular expression, or text it contains. */
export function matches(name: string, pattern: string): boolean {
  if (name === pattern || name.startsWith(`${pattern}/`) || name.startsWith(`${pattern} #`))
    return true;
  try {
    return new RegExp(pattern).test(name);
  } catch {
    return name.includes(pattern);
  }
}
