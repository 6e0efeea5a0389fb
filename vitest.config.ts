import { defineConfig } from 'vitest/config';

/** Shader files are imported as their text, as in the bundles. */
const wgsl = {
  name: 'wgsl',
  transform(code: string, id: string) {
    return id.endsWith('.wgsl') ? `export default ${JSON.stringify(code)}` : undefined;
  },
};

export default defineConfig({
  plugins: [wgsl],
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['scripts/test_setup.mjs'],
    setupFiles: ['test/record.ts'],
    pool: 'forks',
    // See scripts/test_revec.mjs.
    execArgv: process.env.ISOTORCH_REVECTORIZE ? ['--experimental-wasm-revectorize'] : [],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
