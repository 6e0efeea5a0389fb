/**
 * Checks the port in model.ts against a recording of record.py:
 *
 *     python3 examples/port-check/record.py mine.pt
 *     node scripts/run.mjs examples/port-check/main.ts mine.pt
 *
 * Without a file it takes the recording in this folder.
 */

import { TorchError } from '../../ts/index.js';
import { portCheck, report } from './check.js';
import { port } from './model.js';

try {
  const findings = await portCheck(process.argv[2] ?? 'examples/port-check/recorded.pt', port);
  console.log(report(findings));
  if (!findings.every(({ ok }) => ok)) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof TorchError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
