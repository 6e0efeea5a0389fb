/** Who frees what: dispose, `using`, scopes, the counts of torch.memory(), the limit. */

import { afterEach, describe, expect, test } from 'vitest';
import { cpu } from '../../ts/device/cpu/cpu.js';
import * as torch from '../../ts/index.js';
import { collect } from './collect.js';

type Tensor = torch.Tensor;
const bytes = () => torch.memory().bytes;

describe('torch.memory()', () => {
  test('counts bytes and storages of live tensors, views once', () => {
    const before = torch.memory();
    const x = torch.zeros(1000);
    const v = x.view(10, 100);
    const after = torch.memory();
    expect(after.bytes - before.bytes).toBe(4000);
    expect(after.storages - before.storages).toBe(1);
    x.dispose();
    expect(bytes() - before.bytes).toBe(4000);
    expect(v.at(0, 0).itemSync()).toBe(0);
    v.dispose();
    expect(torch.memory().storages).toBeLessThanOrEqual(before.storages + 1);
  });

  test('the peak, and where tensors were made', () => {
    torch.resetPeakMemory();
    const base = torch.memory().peak;
    torch.zeros(1000).dispose();
    expect(torch.memory().peak - base).toBe(4000);
    torch.debugMemory(true);
    const x = torch.zeros(123);
    const { origins = [] } = torch.memory();
    expect(
      origins.some(({ stack, bytes: size }) => /memory\.test/.test(stack) && size === 492),
    ).toBe(true);
    x.dispose();
    torch.debugMemory(false);
    expect(torch.memory().origins).toBeUndefined();
  });

  test('temporaries of operators are gone when they return', () => {
    const x = torch.randn(50, 40).to(torch.float16);
    const y = torch.randn(50, 40).t();
    for (const f of [
      () => x.add(x),
      () => x.t().sum(0),
      () => y.softmax(0),
      () => y.matmul(y.t()),
      () => y.int().double(),
      () => y.cumsum(0),
    ]) {
      const before = bytes();
      const kept = torch.scope(f);
      expect(bytes() - before).toBe(kept.numel() * kept.elementSize());
      kept.dispose();
      expect(bytes()).toBe(before);
    }
  });

  test('of operators that need no scope', () => {
    const x = torch.randn(50, 40).to(torch.float16);
    const y = torch.randn(50, 40).t();
    for (const f of [() => x.add(x), () => x.exp(), () => y.mul(2), () => y.t().clone()]) {
      const before = bytes();
      const out = f();
      expect(bytes() - before).toBe(out.numel() * out.elementSize());
    }
  });
});

describe('dispose and `using`', () => {
  test('a disposed tensor refuses every use and says what to do', () => {
    const x = torch.ones(2, 3);
    x.dispose();
    x.dispose();
    const uses: Record<string, () => unknown> = {
      add: () => x.add(1),
      exp: () => x.exp(),
      sum: () => x.sum(),
      item: () => x.sum().itemSync(),
      at: () => x.at(0),
      view: () => x.view(6),
      matmul: () => torch.ones(2, 2).matmul(x),
      dataSync: () => x.dataSync(),
      detach: () => x.detach(),
      clone: () => x.clone(),
      add_: () => x.add_(1),
      zero_: () => x.zero_(),
      reshape: () => x.reshape(3, 2),
      t: () => x.t(),
      max: () => x.max(),
      var: () => x.var_(),
    };
    for (const [name, use] of Object.entries(uses)) {
      expect(use, name).toThrow(torch.DisposedError);
      expect(use, name).toThrow(/\[2, 3\] was disposed .*keep\(\)/);
    }
    expect(String(x)).toBe('tensor(<disposed>, size=[2, 3])');
    expect(x.shape).toEqual([2, 3]);
  });

  test('`using` frees at the end of the block', () => {
    const before = bytes();
    {
      using x = torch.zeros(1000);
      using y = x.add(1);
      expect(bytes() - before).toBe(8000);
      expect(y.dataSync()[0]).toBe(1);
    }
    expect(bytes() - before).toBeLessThan(100);
  });

  test('the two handles of `.data` do not free the memory of the tensor', () => {
    const p = torch.ones(1000);
    for (let i = 0; i < 3; i++) {
      torch.scope(() => {
        using d = p.data;
        d.mul_(2);
      });
    }
    const fill = torch.zeros(1000);
    expect(p.at(0).itemSync()).toBe(8);
    expect(p.dataPtr()).not.toBe(fill.dataPtr());
    const kept = torch.scope(() => p.data);
    expect(kept.at(0).itemSync()).toBe(8);
  });
});

describe('torch.scope', () => {
  test('keeps what is returned, in arrays, objects, maps and sets', () => {
    const before = bytes();
    const result = torch.scope(() => {
      torch.zeros(5000);
      const [a, b, c, d] = [1, 2, 3, 4].map((v) => torch.full([250], v));
      return { a, list: [[b]], map: new Map([['c', c]]), set: new Set([d]) };
    });
    expect(bytes() - before).toBe(4000);
    const all: Tensor[] = [result.a, result.list[0][0], ...result.map.values(), ...result.set];
    expect(all.map((x) => x.at(0).itemSync())).toEqual([1, 2, 3, 4]);
  });

  test('nested: an inner result belongs to the outer scope', () => {
    const before = bytes();
    torch.scope(() => {
      const x = torch.scope(() => torch.zeros(1000).add(1));
      expect(x.at(0).itemSync()).toBe(1);
    });
    expect(bytes()).toBe(before);
  });

  test('keep() leaves a tensor to the collector', () => {
    let kept: Tensor | undefined;
    torch.scope(() => {
      kept = torch.ones(3).keep();
    });
    expect((kept as Tensor).sum().itemSync()).toBe(3);
  });

  test('gradients of leaves stay, also with createGraph and when assigned', () => {
    const x = torch.ones(3).requiresGrad_();
    const y = torch.ones(3).requiresGrad_();
    const z = torch.ones(3).requiresGrad_();
    torch.scope(() => x.square().sum().backward());
    torch.scope(() => x.square().sum().backward());
    torch.scope(() => y.square().sum().backward({ createGraph: true }));
    torch.scope(() => {
      z.grad = torch.full([3], 4.5);
    });
    expect([x, y, z].map((leaf) => (leaf.grad as Tensor).at(0).itemSync())).toEqual([4, 2, 4.5]);
  });

  test('state of optimisers stays', () => {
    const p = torch.ones(4).requiresGrad_();
    for (const make of [
      () => new torch.optim.Adam([p], { lr: 0.1, amsgrad: true }),
      () => new torch.optim.SGD([p], { lr: 0.1, momentum: 0.9 }),
      () => new torch.optim.RMSprop([p], { lr: 0.1, momentum: 0.9, centered: true }),
    ]) {
      const optimizer = make();
      for (let i = 0; i < 3; i++) {
        torch.scope(() => {
          optimizer.zeroGrad();
          p.square().sum().backward();
          optimizer.step();
        });
      }
      expect(Number.isFinite(p.sum().itemSync())).toBe(true);
    }
  });

  test('an error frees what was made; a promise is refused', async () => {
    const before = bytes();
    const failing = () => {
      torch.zeros(1000);
      throw new Error('inside');
    };
    expect(() => torch.scope(failing)).toThrow('inside');
    expect(bytes()).toBe(before);
    expect(() => torch.scope(async () => 1)).toThrow(/scope: .*promise.*using/);
  });
});

describe('the collector', () => {
  test('frees what user code drops', async () => {
    await collect();
    const before = bytes();
    for (let i = 0; i < 50; i++) torch.randn(10_000).mul(2);
    await collect();
    expect(bytes() - before).toBeLessThan(100_000);
  });

  test('frees graphs with their cycles: hooks, retained gradients, custom functions', async () => {
    await collect();
    const before = bytes();
    for (let i = 0; i < 10; i++) {
      const x = torch.randn(10_000).requiresGrad_();
      const y = x.sin();
      y.retainGrad();
      y.registerHook((g) => g.mul(y));
      y.at(':10').mul_(2);
      y.sum().backward();
    }
    await collect();
    expect(bytes() - before).toBeLessThan(100_000);
  });

  test('does not keep results that no gradient needs', async () => {
    const x = torch.randn(10_000).requiresGrad_();
    await collect();
    const before = bytes();
    let y: Tensor = x;
    for (let i = 0; i < 50; i++) y = y.mul(2).add(1);
    await collect();
    expect(bytes() - before).toBeLessThan(3 * 40_000);
    expect(y.requiresGrad).toBe(true);
  });
});

describe('the limit', () => {
  afterEach(() => {
    torch.cpu.setMemoryLimit(2 ** 32 - 65536);
  });

  test('is a typed error with the numbers, after which all works', async () => {
    await collect();
    torch.cpu.setMemoryLimit(bytes() + 1_000_000);
    let error: unknown;
    try {
      torch.zeros(1_000_000);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(torch.OutOfMemoryError);
    const { requested, live, limit } = error as torch.OutOfMemoryError;
    expect(requested).toBe(4_000_000);
    expect(live).toBeGreaterThan(0);
    expect(limit).toBe(torch.cpu.info().limit);
    expect(String(error)).toMatch(/out of memory on cpu: 4000000 bytes.*scope/);
    expect(torch.ones(1000).sum().itemSync()).toBe(1000);
  });

  test('nothing larger than the address space, and no wrong number instead', () => {
    expect(() => torch.empty(2 ** 31, 8)).toThrow(torch.OutOfMemoryError);
    expect(cpu.limit).toBeLessThan(2 ** 32);
  });
});
