/** Hooks, retained gradients, detaching, leaves, and the recording modes. */

import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';

type Tensor = torch.Tensor;
const options = { dtype: torch.float64 };
const leaf = (...values: number[]) => torch.tensor(values, options).requiresGrad_();
const numbers = (x: Tensor | null): number[] => [
  ...((x as Tensor).reshape(-1).dataSync() as Float64Array),
];

describe('hooks', () => {
  test('see and replace gradients, in the order they were registered', () => {
    const x = leaf(1, 2);
    const h = x.mul(3);
    const seen: number[][] = [];
    h.registerHook((g) => {
      seen.push(numbers(g));
    });
    h.registerHook((g) => g.mul(2));
    const handle = h.registerHook((g) => g.mul(100));
    handle.remove();
    h.registerHook((g) => {
      seen.push(numbers(g));
      return null;
    });
    h.square().sum().backward();
    expect(seen).toEqual([
      [6, 12],
      [12, 24],
    ]);
    expect(numbers(x.grad)).toEqual([36, 72]);
  });

  test('on leaves change what is accumulated', () => {
    const x = leaf(1, 2, 3);
    const handle = x.registerHook((g) => g.mul(2));
    x.square().sum().backward();
    expect(numbers(x.grad)).toEqual([4, 8, 12]);
    handle.remove();
    handle.remove();
    x.grad = null;
    x.square().sum().backward();
    expect(numbers(x.grad)).toEqual([2, 4, 6]);
  });

  test('run once per backward with the whole gradient', () => {
    const x = leaf(1);
    let count = 0;
    x.registerHook(() => {
      count++;
    });
    x.add(x).mul(x).sum().backward();
    expect([count, numbers(x.grad)]).toEqual([1, [4]]);
  });

  test('may keep the gradient they see', () => {
    const x = leaf(1, 2);
    let kept: Tensor | undefined;
    const h = x.mul(2);
    h.registerHook((g) => {
      kept = g;
    });
    h.square().sum().backward();
    expect(numbers(kept as Tensor)).toEqual([4, 8]);
  });

  test('take part in double backward', () => {
    const x = leaf(2);
    const h = x.square();
    h.registerHook((g) => g.mul(h));
    const [g] = torch.grad(h.sum(), x, { createGraph: true });
    const [gg] = torch.grad((g as Tensor).sum(), x);
    // g = h * 2x; the second pass goes through h too, where the hook multiplies again.
    expect([numbers(g as Tensor), numbers(gg as Tensor)]).toEqual([[16], [72]]);
  });

  test('refused replacements and tensors', () => {
    const x = leaf(1, 2);
    const h = x.mul(2);
    h.registerHook(() => torch.ones(3));
    expect(() => h.sum().backward()).toThrow(/hook: .*\[3\].*\[2\]/);
    expect(() => torch.ones(1).registerHook(() => null)).toThrow(torch.AutogradError);
    const n = x.mul(2);
    n.registerHook(() => 3 as never);
    expect(() => n.sum().backward()).toThrow(/registerHook: the hook returned 3/);
    expect(() => x.registerHook(3 as never)).toThrow(torch.ValueError);
  });
});

test('retainGrad keeps the gradient of a tensor that is no leaf', () => {
  const x = leaf(1, 2);
  const h = x.mul(3);
  h.retainGrad();
  x.retainGrad();
  const y = h.square().sum();
  y.backward({ retainGraph: true });
  y.backward();
  expect([numbers(h.grad), numbers(x.grad)]).toEqual([
    [12, 24],
    [36, 72],
  ]);
  expect(x.mul(1).grad).toBeNull();
});

describe('leaves', () => {
  test('what is one', () => {
    const x = leaf(1);
    expect([x.isLeaf, x.mul(1).isLeaf, x.detach().isLeaf, torch.ones(1).isLeaf]).toEqual([
      true,
      false,
      true,
      true,
    ]);
    expect(torch.noGrad(() => x.mul(2)).isLeaf).toBe(true);
  });

  test('detach shares memory and leaves the graph', () => {
    const x = leaf(1, 2);
    const y = x.mul(2);
    const d = y.detach();
    expect([d.requiresGrad, d.dataPtr()]).toEqual([false, y.dataPtr()]);
    x.mul(y.detach()).sum().backward();
    expect(numbers(x.grad)).toEqual([2, 4]);
  });

  test('detach_ keeps a gradient and is refused on views', () => {
    const x = leaf(1, 2);
    x.sum().backward();
    x.detach_();
    expect([x.requiresGrad, numbers(x.grad)]).toEqual([false, [1, 1]]);
    const y = leaf(1, 2).mul(2);
    expect(() => y.at(0).detach_()).toThrow(/detach_: .*view.*detach\(\)/);
    y.detach_();
    expect([y.requiresGrad, y.isLeaf]).toEqual([false, true]);
  });

  test('requiresGrad only for floats, and only of leaves', () => {
    expect(() => torch.ones(2, { dtype: torch.int32 }).requiresGrad_()).toThrow(torch.DtypeError);
    expect(() => leaf(1).mul(2).requiresGrad_(false)).toThrow(/detach\(\)/);
    const x = leaf(1);
    x.requiresGrad = false;
    expect(x.mul(2).requiresGrad).toBe(false);
  });

  test('an assigned gradient has the shape and dtype of the tensor', () => {
    const x = leaf(1, 2);
    expect(() => {
      x.grad = torch.ones(3, options);
    }).toThrow(torch.ShapeError);
    expect(() => {
      x.grad = torch.ones(2);
    }).toThrow(/grad: .*torch.float64.*torch.float32/);
    x.grad = torch.ones(2, options);
    x.sum().backward();
    expect(numbers(x.grad)).toEqual([2, 2]);
  });
});

describe('modes', () => {
  const x = leaf(1);

  test('noGrad, enableGrad and inferenceMode, nested', () => {
    expect(torch.noGrad(() => x.mul(2).requiresGrad)).toBe(false);
    expect(torch.inferenceMode(() => x.mul(2).requiresGrad)).toBe(false);
    expect(torch.noGrad(() => torch.enableGrad(() => x.mul(2).requiresGrad))).toBe(true);
    expect(x.mul(2).requiresGrad).toBe(true);
  });

  test('restored after an error', () => {
    expect(() =>
      torch.noGrad(() => {
        throw new Error('inside');
      }),
    ).toThrow('inside');
    expect(torch.isGradEnabled()).toBe(true);
  });

  test('a promise is refused, by name, with the mode restored', () => {
    const { noGrad, enableGrad, inferenceMode } = torch;
    for (const [name, mode] of Object.entries({ noGrad, enableGrad, inferenceMode })) {
      expect(() => mode(async () => 1)).toThrow(torch.ValueError);
      expect(() => mode(async () => 1)).toThrow(new RegExp(`${name}: .*promise.*using`));
    }
    expect(torch.isGradEnabled()).toBe(true);
  });

  test('the `using` form', () => {
    {
      using _ = torch.noGrad();
      expect(torch.isGradEnabled()).toBe(false);
      {
        using _inner = torch.enableGrad();
        expect(x.mul(2).requiresGrad).toBe(true);
      }
      expect(x.mul(2).requiresGrad).toBe(false);
    }
    expect(torch.isGradEnabled()).toBe(true);
  });

  test('set by a condition: from now on, within a guard, or for a function', () => {
    const { setGradEnabled, isGradEnabled } = torch;
    for (const training of [true, false]) {
      expect(setGradEnabled(training, () => x.mul(2).requiresGrad)).toBe(training);
      expect(setGradEnabled({ mode: training }, isGradEnabled)).toBe(training);
    }
    {
      using _ = setGradEnabled(false);
      expect(isGradEnabled()).toBe(false);
    }
    expect(isGradEnabled()).toBe(true);
    setGradEnabled({ mode: false });
    expect(isGradEnabled()).toBe(false);
    setGradEnabled(true);
    const loose = setGradEnabled as unknown as (mode: unknown) => void;
    for (const wrong of [0, 'no', null, { on: true }, setGradEnabled(true)]) {
      expect(() => loose(wrong)).toThrow(torch.ValueError);
    }
    expect(isGradEnabled()).toBe(true);
  });

  test('backward inside noGrad', () => {
    const w = leaf(2);
    const y = w.square().sum();
    torch.noGrad(() => y.backward());
    expect(numbers(w.grad)).toEqual([4]);
  });
});
