import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Shader files are imported as their text, as in the bundles. */
const wgsl = {
  name: 'wgsl',
  transform(code: string, id: string) {
    return id.endsWith('.wgsl') ? `export default ${JSON.stringify(code)}` : undefined;
  },
};

/** Tests that judge time, memory or threads, and so want the machine for themselves. */
const ALONE = [
  'test/bench/*.test.ts',
  'test/checkpoint/memory.test.ts',
  'test/examples/web.test.ts',
  'test/memory/*.test.ts',
  'test/threads/*.test.ts',
];

/** Test files of which `maxWorkers` run at once, after those of lower order. */
function group(name: string, maxWorkers: number, groupOrder: number, include: string[]) {
  return {
    extends: true as const,
    test: { name, maxWorkers, sequence: { groupOrder }, include },
  };
}

export default defineConfig({
  plugins: [wgsl],
  test: {
    globalSetup: ['scripts/test_setup.mjs'],
    setupFiles: ['test/record.ts'],
    pool: 'forks',
    // See scripts/test_revec.mjs.
    execArgv: process.env.ISOTORCH_REVECTORIZE ? ['--experimental-wasm-revectorize'] : [],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    projects: [
      // Most tests use one core. (An `exclude` here would replace that of the command line.)
      group('together', availableParallelism(), 0, [
        'test/**/*.test.ts',
        ...ALONE.map((pattern) => `!${pattern}`),
      ]),
      group('alone', 1, 1, ALONE),
    ],
  },
});
