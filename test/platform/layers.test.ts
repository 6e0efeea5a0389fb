import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checkLayers, importsOf, objection } from '../../scripts/layers.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('layer rules', () => {
  it('reads every form of import with its line', () => {
    const text = [
      "import { a } from './a.js';",
      "import type { B } from './b.js';",
      'import {',
      '  c,',
      '  type D,',
      "} from './c.js';",
      "export * from './e.js';",
      "export type { F } from './f.js';",
      "const g = await import('./g.js');",
      "import './h.js';",
      "// an example: import * as torch from 'isotorch';",
    ].join('\n');
    expect(importsOf(text)).toEqual([
      { specifier: './a.js', typeOnly: false, line: 1 },
      { specifier: './b.js', typeOnly: true, line: 2 },
      { specifier: './c.js', typeOnly: false, line: 3 },
      { specifier: './e.js', typeOnly: false, line: 7 },
      { specifier: './f.js', typeOnly: true, line: 8 },
      { specifier: './g.js', typeOnly: false, line: 9 },
      { specifier: './h.js', typeOnly: false, line: 10 },
    ]);
  });

  it('refuses imports from above and between devices', () => {
    expect(objection('ts/core/print.ts', 'ts/tensor.js')).toContain('higher layer');
    expect(objection('ts/ops/apply.ts', 'ts/nn/module.js')).toContain('higher layer');
    expect(objection('ts/device/cpu/cpu.ts', 'ts/device/webgpu/gpu.js')).toContain('must not');
    expect(objection('ts/nn/module.ts', 'ts/tensor.js')).toBeNull();
    expect(objection('ts/device/cpu/cpu.ts', 'wasm/loader.js')).toBeNull();
  });

  it('hold in this repository', () => {
    expect(checkLayers(root)).toEqual([]);
  });
});
