import { describe, expect, it } from 'vitest';
import { kernel } from '../../ts/ops/kernel.js';
import { collectKernels, headerOf, structOf } from '../../wasm/declarations.mjs';

const declaration = kernel({
  dtypes: ['f32'],
  buffers: ['x', 'out'],
  params: { rows: 'u32', shift: 'i32', eps: 'f64', dims: 'u32[]' },
});

describe('kernel declarations', () => {
  it('become a C struct: buffers, parameters, counted tail', () => {
    expect(structOf('norm', declaration)).toBe(
      [
        'typedef struct {',
        '  uint32_t x;',
        '  uint32_t out;',
        '  uint32_t rows;',
        '  int32_t shift;',
        '  f64w eps;',
        '  uint32_t dims_count;',
        '  uint32_t dims[];',
        '} norm_params;',
      ].join('\n'),
    );
  });

  it('of one name may be shared by rows, whose dtypes add up', () => {
    const other = { ...declaration, dtypes: ['f64'] };
    const kernels = collectKernels({
      a: { kernels: { norm: declaration } },
      b: { kernels: { norm: other } },
    });
    expect(kernels.get('norm')?.dtypes).toEqual(['f32', 'f64']);
    expect(headerOf(kernels).match(/norm_params/g)).toHaveLength(1);
  });

  it('refuses two meanings of one name', () => {
    const other = { ...declaration, buffers: ['out', 'x'] };
    const rows = { a: { kernels: { norm: declaration } }, b: { kernels: { norm: other } } };
    expect(() => collectKernels(rows)).toThrow(/kernel norm is declared in two ways/);
  });

  it('refuses a counted tail that is not last', () => {
    const bad = { dtypes: ['f32'], buffers: [], params: { dims: 'u32[]', n: 'u32' } };
    expect(() => structOf('bad', bad)).toThrow(/'dims' must be the last parameter/);
  });
});
