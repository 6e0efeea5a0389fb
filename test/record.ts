/** With ISOTORCH_RECORD=<folder>, every test file adds its launches to a recording in that folder. */

import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { observeLaunches } from '../wasm/recorder.js';
import { type RecordingCounts, recordingObserver } from '../wasm/recording.js';

const folder = process.env.ISOTORCH_RECORD;
if (folder) {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${process.pid}.launches`);
  // One process runs several test files, each with fresh modules: the counts outlive them.
  const shared = globalThis as { launchCounts?: RecordingCounts };
  shared.launchCounts ??= new Map();
  observeLaunches(recordingObserver((record) => appendFileSync(file, record), shared.launchCounts));
}
