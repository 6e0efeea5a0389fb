/** Writes docs/support.md and the summary in README.md: `make support`. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { support, withSummary } from './support_tables.js';

if (process.argv.length > 2) {
  console.error(`support: takes no arguments, got '${process.argv.slice(2).join(' ')}'`);
  process.exit(2);
}
const root = join(process.argv[1], '../..');
const readme = join(root, 'README.md');

mkdirSync(join(root, 'docs'), { recursive: true });
writeFileSync(join(root, 'docs/support.md'), support());
writeFileSync(readme, withSummary(readFileSync(readme, 'utf8')));
console.log('Written: docs/support.md, and the summary in README.md');
