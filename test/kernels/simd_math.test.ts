import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { compileNative, compileWasm } from './native.js';

/** Largest errors in ULP, as the comments of simd_math.h state them. */
const LIMITS: Record<string, number> = {
  exp: 0.9,
  exp2: 1.5,
  expm1: 1.7,
  log: 0.9,
  log2: 1.3,
  log10: 1.7,
  log1p: 1.5,
  sin: 1.6,
  cos: 1.6,
  tan: 0.6,
  asin: 1.9,
  acos: 1.2,
  atan: 1.7,
  sinh: 1.5,
  cosh: 1.4,
  tanh: 1.3,
  asinh: 0.51,
  acosh: 0.51,
  atanh: 0.51,
  erf: 1.3,
  erfc: 0.6,
  erfinv: 0.51,
  lgamma: 0.51,
  sigmoid: 1.8,
  rsqrt: 1.5,
  log1pexp: 1.7,
  logsigmoid: 1.7,
  pow: 0.6,
  atan2: 1.7,
  hypot: 0.51,
  xlogy: 1.8,
  fmod: 0,
  remainder: 0,
  logaddexp: 2.4,
  logaddexp2: 2.5,
};

function lines(program: string, args: string[] = []): string[][] {
  const text = execFileSync(program, args, { encoding: 'utf8' });
  return text
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
}

describe('simd.h', () => {
  it('agrees with scalar C under the sanitizers', () => {
    const sanitizers = '-fsanitize=address,undefined,float-cast-overflow';
    const program = compileNative('simd', ['-O1', '-g', sanitizers, '-fno-sanitize-recover=all']);
    expect(execFileSync(program, { encoding: 'utf8' })).toBe('');
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
    const rows = lines(compileNative('simd_math', ['-O2']));
    expect(rows.map(([name]) => name).sort()).toEqual(Object.keys(LIMITS).sort());
    const beyond = rows.filter(([name, error]) => !(Number(error) <= LIMITS[name!]!));
    expect(beyond.map((row) => row.join(' '))).toEqual([]);
  });

  it('gives the same bits natively and as WebAssembly', () => {
    const native = lines(compileNative('simd_twin', ['-O2']));
    const wasm = compileWasm('simd_twin');
    const hashes = native.map(([name]) => [name, String((wasm[name!] as () => number)() >>> 0)]);
    expect(hashes).toEqual(native);
    expect(native.length).toBeGreaterThan(30);
  });
});
