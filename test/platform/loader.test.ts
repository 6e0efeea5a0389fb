import { afterEach, describe, expect, it, vi } from 'vitest';
import { instantiate, MAIN, moduleBytes, tileBuilds } from '../../wasm/loader.js';
import { collect } from '../memory/collect.js';

afterEach(() => {
  vi.restoreAllMocks();
  vi.resetModules();
});

describe('the kernel module', () => {
  it('instantiates with unshared memory that grows', () => {
    const { memory, kernels, heapBase } = instantiate({ initialPages: 16 });
    expect(memory.buffer).toBeInstanceOf(ArrayBuffer);
    expect(heapBase).toBeGreaterThan(0);
    expect(Object.keys(kernels).length).toBeGreaterThan(10);
    memory.grow(1);
    expect(memory.buffer.byteLength).toBe(17 * 65536);
  });

  it('is the same code for shared memory', () => {
    const shared = instantiate({ shared: true, initialPages: 16 });
    expect(shared.memory.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(Object.keys(shared.kernels)).toEqual(Object.keys(instantiate().kernels));
    for (const name of [MAIN, ...tileBuilds()]) {
      const ofShared = moduleBytes(name, true).slice();
      const differ = moduleBytes(name, false).filter((byte, i) => byte !== ofShared[i]);
      expect(differ).toEqual(Uint8Array.of(1));
    }
  });

  it('keeps no memory for unpacking once all is unpacked', async () => {
    vi.resetModules();
    const { Instance } = WebAssembly;
    const programs: WeakRef<WebAssembly.Instance>[] = [];
    WebAssembly.Instance = class extends Instance {
      constructor(module: WebAssembly.Module) {
        super(module);
        programs.push(new WeakRef(this));
      }
    };
    try {
      const fresh = await import('../../wasm/loader.js');
      for (const name of [fresh.MAIN, ...fresh.tileBuilds()]) fresh.moduleBytes(name, false);
      expect(programs.length).toBe(1);
      for (let i = 0; i < 3; i++) await collect();
      expect(programs[0].deref()).toBeUndefined();
      expect(() => fresh.moduleBytes('none', false)).toThrow("no build 'none'");
    } finally {
      WebAssembly.Instance = Instance;
    }
  });

  it('grows as far as 4 GiB', () => {
    const { memory } = instantiate({ initialPages: 16 });
    memory.grow(65536 - 16 - 1);
    expect(memory.buffer.byteLength).toBe(65535 * 65536);
  });

  it('takes less where the engine refuses to reserve 4 GiB', () => {
    const { Memory } = WebAssembly;
    class SmallMemory extends Memory {
      constructor(descriptor: WebAssembly.MemoryDescriptor) {
        if ((descriptor.maximum ?? 0) > 20_000) throw new RangeError('could not allocate memory');
        super(descriptor);
      }
    }
    WebAssembly.Memory = SmallMemory;
    try {
      const { memory } = instantiate({ initialPages: 16 });
      memory.grow(16_384 - 16);
      expect(() => memory.grow(1)).toThrow(RangeError);
    } finally {
      WebAssembly.Memory = Memory;
    }
  });

  it('says what an engine without SIMD must be replaced by', async () => {
    vi.resetModules();
    vi.spyOn(WebAssembly, 'validate').mockReturnValue(false);
    const fresh = await import('../../wasm/loader.js');
    expect(() => fresh.instantiate()).toThrow(fresh.UnsupportedEngineError);
    expect(() => fresh.instantiate()).toThrow(/needs WebAssembly SIMD.*Node 20 or newer/);
  });

  it('says so where there is no WebAssembly at all', async () => {
    vi.resetModules();
    vi.stubGlobal('WebAssembly', undefined);
    const fresh = await import('../../wasm/loader.js');
    try {
      expect(() => fresh.instantiate()).toThrow(/wasm-unsafe-eval/);
    } finally {
      vi.unstubAllGlobals();
    }
  });
});
