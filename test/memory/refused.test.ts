/** An engine that has no memory left for WebAssembly. */

import { expect, test, vi } from 'vitest';
import * as torch from '../../ts/index.js';

test('is told by a typed error, after which the device starts as soon as there is some', () => {
  const Instance = WebAssembly.Memory;
  vi.stubGlobal('WebAssembly', {
    ...Object.getOwnPropertyDescriptors(WebAssembly),
    Module: WebAssembly.Module,
    Instance: WebAssembly.Instance,
    validate: WebAssembly.validate,
    Memory: class {
      constructor() {
        throw new RangeError('WebAssembly.Memory(): could not allocate memory');
      }
    },
  });
  try {
    expect(() => torch.ones(2)).toThrow(torch.DeviceError);
    expect(() => torch.ones(2)).toThrow(/^cpu: the engine gave no memory .*ulimit -v/);
  } finally {
    vi.unstubAllGlobals();
  }
  expect(WebAssembly.Memory).toBe(Instance);
  expect(torch.ones(2).tolistSync()).toEqual([1, 1]);
});
