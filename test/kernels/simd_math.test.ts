import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { compileNative, compileWasm } from './native.js';

/** Sanitizers need their run-time library, which `make sanitize` brings. */
const SANITIZERS = process.env.ISOTORCH_RECORD
  ? ['-g', '-fsanitize=address,undefined,float-cast-overflow', '-fno-sanitize-recover=all']
  : [];

function output(program: string): string {
  return spawnSync(program, { encoding: 'utf8' }).stdout.trim();
}

describe('simd.h', () => {
  it('agrees with scalar C natively', () => {
    const run = spawnSync(compileNative('simd', ['-O1', ...SANITIZERS]), { encoding: 'utf8' });
    expect([run.status, run.stdout, run.stderr]).toEqual([0, '', '']);
  });

  it('agrees with scalar C as WebAssembly', () => {
    const { check, first_failure, memory } = compileWasm('simd');
    const failures = (check as () => number)();
    const at = (first_failure as WebAssembly.Global).value as number;
    const line = new Int32Array((memory as WebAssembly.Memory).buffer)[at / 4];
    expect({ failures, line }).toEqual({ failures: 0, line: 0 });
  });
});

describe('simd_math.h', () => {
  it('is within its stated errors over a sample of all floats', () => {
    const lines = output(compileNative('simd_math', ['-O2'])).split('\n');
    expect(lines.length).toBeGreaterThan(30);
    expect(lines.filter((line) => line.includes('BEYOND'))).toEqual([]);
  });

  it('is within its stated errors of doubles, and exact where results are doubles', () => {
    const lines = output(compileNative('simd_double', ['-O2'])).split('\n');
    expect(lines.length).toBe(19);
    expect(lines.filter((line) => line.includes('BEYOND'))).toEqual([]);
  });

  it('gives the same bits natively, as WebAssembly and in every lane', () => {
    const native = output(compileNative('simd_twin', ['-O2'])).split('\n');
    const wasm = compileWasm('simd_twin');
    const names = native.map((line) => line.split(' ')[0]!);
    expect(names.length).toBeGreaterThan(30);
    expect(native.filter((line) => line.endsWith(' 0'))).toEqual([]);
    const hash = (name: string) => (wasm[name] as () => number)() >>> 0;
    expect(names.map((name) => `${name} ${hash(name)}`)).toEqual(native);
  });
});
