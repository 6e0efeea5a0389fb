import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { type DtypeName, dtypes, float32, int32 } from '../../ts/core/dtype.js';
import { ValueError } from '../../ts/core/errors.js';
import { exponential, fixed, formatTensor, setPrintoptions } from '../../ts/core/print.js';

/** Infinities, NaN, -0 and integers beyond 2^53 are written as strings. */
type Raw = number | string | boolean;

interface Recorded {
  dtype: DtypeName;
  shape: number[];
  data: Raw[];
  requiresGrad: boolean;
  gradFnName: string | null;
  options: Parameters<typeof setPrintoptions>[0];
  repr: string;
}

const cases: Recorded[] = JSON.parse(
  gunzipSync(readFileSync(new URL('./print.cases.json.gz', import.meta.url))).toString(),
);

function value(raw: Raw, dtype: DtypeName): number | bigint | boolean {
  if (typeof raw === 'boolean') return raw;
  if (dtype === 'int64') return BigInt(raw);
  return dtype === 'float32' ? Math.fround(Number(raw)) : Number(raw);
}

function text(shown: Omit<Recorded, 'options' | 'repr'>): string {
  return formatTensor({
    element: (i) => value(shown.data[i], shown.dtype),
    shape: shown.shape,
    dtype: dtypes[shown.dtype],
    requiresGrad: shown.requiresGrad,
    gradFnName: shown.gradFnName ?? undefined,
    device: 'cpu',
  });
}

afterEach(() => setPrintoptions({ profile: 'default' }));

describe('formatTensor', () => {
  it.each(cases.map((c, i) => ({ ...c, name: `${i} ${c.dtype} [${c.shape}]` })))(
    'prints as PyTorch: $name',
    (recorded) => {
      setPrintoptions(recorded.options);
      expect(text(recorded)).toBe(recorded.repr);
    },
  );

  it('reads only the elements it shows', () => {
    const asked: number[] = [];
    const element = (i: number) => {
      asked.push(i);
      return i;
    };
    const shown = formatTensor({ element, shape: [1000, 1000], dtype: int32 });
    expect(asked).toHaveLength(36);
    expect(Math.max(...asked)).toBe(999_999);
    expect(shown).toContain('...');
  });

  it('shows a header where the elements are elsewhere', () => {
    const element = () => {
      throw new Error('not readable');
    };
    expect(
      formatTensor({ element, shape: [2, 3], dtype: float32, device: 'webgpu:0', contents: '...' }),
    ).toBe("tensor(..., device='webgpu:0', size=(2, 3))");
  });

  it('refuses an unknown option and an unknown profile', () => {
    expect(() => setPrintoptions(JSON.parse('{"precison": 2}'))).toThrow(ValueError);
    expect(() => setPrintoptions(JSON.parse('{"precison": 2}'))).toThrow("'precision'");
    expect(() => setPrintoptions(JSON.parse('{"profile": "long"}'))).toThrow('default, short');
  });
});

describe('number formats', () => {
  it('rounds ties to even, as Python does', () => {
    expect(fixed(0.5, 0)).toBe('0');
    expect(fixed(2.5, 0)).toBe('2');
    expect(fixed(-1.5, 0)).toBe('-2');
    expect(fixed(0.03125, 4)).toBe('0.0312');
    expect(fixed(1e22, 2)).toBe('10000000000000000000000.00');
    expect(exponential(123445, 4)).toBe('1.2344e+05');
    expect(exponential(-2.5, 0)).toBe('-2e+00');
    expect(exponential(5e-324, 4)).toBe('4.9407e-324');
  });
});
