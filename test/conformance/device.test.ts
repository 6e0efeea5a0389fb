/** The runner on a device that has fewer dtypes than the CPU: a CPU that refuses them. */

import { beforeAll, describe, expect, test } from 'vitest';
import { type Dtype, float64, int32, int64 } from '../../ts/core/dtype.js';
import { DtypeError } from '../../ts/core/errors.js';
import { CpuDevice } from '../../ts/device/cpu/cpu.js';
import { registerDevice } from '../../ts/device/registry.js';
import { startDevice, storedDtype } from './device.js';
import type { EncodedTensor, OpFile } from './format.js';
import { listEntries } from './lists.js';
import { runOp } from './ops.js';
import { formatEntry } from './report.js';

/** Stores int64 as int32, and has no float64. */
function stored(dtype: Dtype): Dtype {
  if (dtype === float64) throw new DtypeError('no float64 here');
  return dtype === int64 ? int32 : dtype;
}

beforeAll(async () => {
  const own: Record<PropertyKey, unknown> = { type: 'webgpu', stored };
  const narrow = new Proxy(new CpuDevice(), {
    get: (target, key) => (key in own ? own[key] : Reflect.get(target, key)),
  });
  registerDevice('webgpu', narrow);
});

const tensor = (dtype: string, data: number[]): EncodedTensor => ({
  tensor: dtype,
  shape: [data.length],
  data,
});

function negation(...dtypes: string[]): OpFile {
  const cases = dtypes.map((dtype) => ({
    args: [tensor(dtype, [1, 2])],
    kwargs: {},
    output: tensor(dtype, [-1, -2]),
  }));
  const flags = { inplace: false, method: true };
  return { op: 'neg', variant: '', dtype: 'float32', ...flags, cases, errors: [] };
}

describe('a device without float64', () => {
  test('knows what it stores', () => {
    expect(storedDtype('int64', 'webgpu')).toBe('int32');
    expect(storedDtype('float32', 'webgpu')).toBe('float32');
    expect(() => storedDtype('float64', 'webgpu')).toThrow('webgpu has no float64');
    expect(storedDtype('float64', 'cpu')).toBe('float64');
  });

  test('runs the cases it can, and says which it cannot', async () => {
    const outcome = await runOp(negation('float32', 'int64', 'float64'), 'webgpu');
    expect(outcome.inapplicable).toEqual({ 'webgpu has no float64': 8 });
    expect(formatEntry('neg', outcome)).toBe(
      'passed   neg (16 checks, 8 not applicable: webgpu has no float64)',
    );
  });

  test('says so where nothing can be run', async () => {
    const outcome = await runOp(negation('float64'), 'webgpu');
    expect(outcome.status).toBe('inapplicable');
    expect(formatEntry('neg', outcome)).toBe('n/a      neg: webgpu has no float64');
  });

  test('still fails what is wrong', async () => {
    const file = negation('float32', 'float64');
    const wrong = { ...file.cases[0]!, output: tensor('float32', [1, 2]) };
    const outcome = await runOp({ ...file, cases: [wrong, file.cases[1]!] }, 'webgpu');
    expect(outcome.status).toBe('failed');
    expect(formatEntry('neg', outcome)).toContain('8 of 8 checks, 8 not applicable');
  });

  test('takes integers that fit', async () => {
    const outcome = await runOp(
      {
        ...negation('int64'),
        cases: [{ ...negation('int64').cases[0]!, args: [tensor('int64', [1, 2 ** 40])] }],
      },
      'webgpu',
    );
    expect(outcome.status).toBe('inapplicable');
  });

  test('draws the numbers of the CPU', async () => {
    const values = tensor('float32', [0.49625659, 0.7682218]);
    const records = [
      { seed: 0, torch: 'torch.rand(2)', values },
      { seed: 0, torch: 'x = torch.empty(2); x.uniform_()', values },
      { seed: 0, torch: 'torch.rand(2, dtype=torch.float64)', values },
      { seed: 0, torch: 'F.dropout(torch.ones(2))', values },
    ];
    const outcomes = await Promise.all(
      listEntries('random', records, 'webgpu').map((e) => e.run()),
    );
    expect(outcomes.map((outcome) => outcome.status)).toEqual([
      'passed',
      'passed',
      'inapplicable',
      'inapplicable',
    ]);
  });
});

describe('starting', () => {
  test('a device that there is', async () => {
    await expect(startDevice('cpu')).resolves.toBeUndefined();
  });

  test('a device that there is not', async () => {
    await expect(startDevice('abacus')).rejects.toThrow("no device 'abacus'");
  });
});
