/** backward() and grad(): accumulation, freed graphs, higher derivatives, whose memory a grad is. */

import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';

type Tensor = torch.Tensor;
const options = { dtype: torch.float64 };
const leaf = (...values: number[]) => torch.tensor(values, options).requiresGrad_();
const numbers = (x: Tensor | null): number[] => [
  ...((x as Tensor).reshape(-1).dataSync() as Float64Array),
];

describe('accumulation', () => {
  test('into leaves, over several calls', () => {
    const x = leaf(1, 2);
    x.mul(3).sum().backward();
    x.square().sum().backward();
    expect(numbers(x.grad)).toEqual([5, 7]);
    expect(x.grad?.requiresGrad).toBe(false);
  });

  test('a leaf used twice, by both operands, and expanded', () => {
    const x = leaf(2, 3);
    x.mul(x).add(x).sum().backward();
    expect(numbers(x.grad)).toEqual([5, 7]);
    const e = leaf(2);
    e.expand(4)
      .mul(torch.tensor([1, 2, 3, 4], options))
      .sum()
      .backward();
    expect(numbers(e.grad)).toEqual([10]);
  });

  test('diamonds: each node runs once, with the whole gradient', () => {
    const x = leaf(1);
    let y: Tensor = x.mul(1);
    for (let i = 0; i < 40; i++) y = y.add(y);
    y.sum().backward();
    expect(numbers(x.grad)).toEqual([2 ** 40]);
  });

  test('only into the inputs given', () => {
    const [x, w] = [leaf(2), leaf(3)];
    const y = x.mul(w);
    y.backward({ inputs: [x], retainGraph: true });
    expect([numbers(x.grad), w.grad]).toEqual([[3], null]);
    y.backward({ inputs: [x] });
    expect(numbers(x.grad)).toEqual([6]);
    expect(() => x.mul(w).backward({ inputs: [torch.ones(1)] })).toThrow(torch.AutogradError);
  });

  test('with a gradient for what is not one number, by name and by position', () => {
    const x = leaf(1, 2);
    const g = torch.tensor([10, 100], options);
    x.square().backward({ gradient: g });
    x.square().backward(g);
    expect(numbers(x.grad)).toEqual([40, 800]);
    expect(() => x.square().backward()).toThrow(/backward: only a tensor of one element.*\[2\]/);
    expect(() => x.square().backward(torch.ones(3))).toThrow(/\[3\].*\[2\]/);
  });

  test('in the dtype of the leaf', () => {
    const x = torch.ones(2).requiresGrad_();
    const h = torch.ones(2, { dtype: torch.float16 }).requiresGrad_();
    x.mul(torch.ones(2, options)).add(h).sum().backward();
    expect([x.grad?.dtype, h.grad?.dtype]).toEqual([torch.float32, torch.float16]);
  });
});

describe('where a rule could divide or multiply by 0', () => {
  test('elements at a bound of clamp() get the whole gradient', () => {
    const [x, low, high] = [leaf(1, 2, 3), leaf(1, 3, 1), leaf(2, 4, 3)];
    x.clamp(low, high).sum().backward();
    expect([x.grad, low.grad, high.grad].map(numbers)).toEqual([
      [1, 0, 1],
      [0, 1, 0],
      [0, 0, 0],
    ]);
  });

  test('a gradient of 0 stays 0 where the logarithm of xlogy() is none', () => {
    const [x, y] = [leaf(2, 2, 0), leaf(-3, 0, -1)];
    x.xlogy(y).backward(torch.zeros(3, options));
    expect(numbers(x.grad)).toEqual([0, 0, 0]);
  });
});

describe('freed graphs', () => {
  test('a second backward is an error that says what to do', () => {
    const x = leaf(1, 2);
    const y = x.square().sum();
    y.backward();
    expect(() => y.backward()).toThrow(torch.AutogradError);
    expect(() => y.backward()).toThrow(/PowBackward0.*already run.*retainGraph: true/);
    expect(() => x.mul(2).sum().backward()).not.toThrow();
  });

  test('retainGraph keeps it', () => {
    const x = leaf(1, 2);
    const y = x.square().sum();
    y.backward({ retainGraph: true });
    y.backward();
    expect(numbers(x.grad)).toEqual([4, 8]);
    expect(() => y.backward()).toThrow(torch.AutogradError);
  });

  test('what saves nothing runs again, as in PyTorch', () => {
    const x = leaf(1, 2);
    const y = x.add(1).sum();
    y.backward();
    y.backward();
    expect(numbers(x.grad)).toEqual([2, 2]);
    const z = x.mul(2).sum();
    z.backward();
    expect(() => z.backward()).toThrow(/MulBackward0/);
  });

  test('saved memory goes as backward passes', () => {
    const x = torch.randn(1000).requiresGrad_();
    torch.scope(() => {
      const loss = x.exp().sin().tanh().sum();
      loss.backward();
    });
    x.grad = null;
    const before = torch.memory().bytes;
    torch.scope(() => x.exp().sin().tanh().sum().backward());
    expect(torch.memory().bytes - before).toBe(4000);
  });
});

describe('higher derivatives', () => {
  test('createGraph, three times over', () => {
    const x = leaf(2);
    let y: Tensor = x.pow(4).sum();
    for (const expected of [32, 48, 48]) {
      const [g] = torch.grad(y, x, { createGraph: true });
      expect(numbers(g as Tensor)).toEqual([expected]);
      y = (g as Tensor).sum();
    }
  });

  test('backward with createGraph accumulates a gradient that has a history', () => {
    const x = leaf(3);
    x.pow(3).sum().backward({ createGraph: true });
    const g = x.grad as Tensor;
    expect(g.requiresGrad).toBe(true);
    x.grad = null;
    g.sum().backward();
    expect(numbers(x.grad)).toEqual([18]);
  });

  test('a gradient penalty', () => {
    const [x, w] = [leaf(1, 2, 3), leaf(0.5, -1, 2)];
    const [g] = torch.grad(x.mul(w).tanh().sum(), x, { createGraph: true });
    (g as Tensor).norm().sub(1).square().backward();
    // PyTorch 1.13.
    const expected = [-0.5000192423868095, -0.04285472809929254, 3.994366350647645e-8];
    numbers(w.grad).forEach((v, i) => {
      expect(v).toBeCloseTo(expected[i], 10);
    });
  });
});

describe('autograd.grad', () => {
  test('leaves every grad alone, and reaches intermediate tensors', () => {
    const x = leaf(1, 2);
    const h = x.mul(3);
    const y = h.square().sum();
    const [gh, gx] = torch.grad(y, [h, x]);
    expect([numbers(gh), numbers(gx), x.grad]).toEqual([[6, 12], [18, 36], null]);
  });

  test('several outputs with gradients of their own', () => {
    const x = leaf(1, 2);
    const gradOutputs = [torch.tensor([1, 10], options), null];
    const [g] = torch.grad([x.mul(2), x.sum()], [x], { gradOutputs });
    expect(numbers(g)).toEqual([3, 21]);
  });

  test('gradients of the outputs by position', () => {
    const [x, ones] = [leaf(1, 2), torch.ones(2, options)];
    const [first] = torch.grad(x.square(), x, ones, { createGraph: true }) as [Tensor];
    expect(numbers(torch.grad(first, x, [ones.mul(3)])[0])).toEqual([6, 6]);
  });

  test('what is wrong with the gradients of the outputs', () => {
    const [x, ones] = [leaf(1, 2), torch.ones(2, options)];
    const loose = torch.grad as (...args: unknown[]) => unknown;
    expect(() => torch.grad(x.square(), x, [ones, null])).toThrow(/2 gradients for 1 outputs/);
    expect(() => torch.grad(x.square(), x)).toThrow(/shape: \{ gradOutputs \}/);
    expect(() => loose(x.square(), x, true)).toThrow(/grad: options are an object \{.*got true/);
  });

  test('unused inputs', () => {
    const [x, z] = [leaf(1), leaf(1)];
    expect(() => torch.grad(x.sum(), [x, z])).toThrow(/grad: input 1 was not used.*allowUnused/);
    expect(torch.grad(x.sum(), [x, z], { allowUnused: true })[1]).toBeNull();
    expect(() => torch.grad(x.sum(), torch.ones(1))).toThrow(/does not require gradients/);
  });

  test('unknown options', () => {
    const x = leaf(1);
    expect(() => torch.grad(x.sum(), x, { createGrap: true } as object)).toThrow(
      /grad: unknown option 'createGrap'. Did you mean 'createGraph'/,
    );
    expect(() => x.sum().backward({ retain_graph: true } as object)).toThrow(
      /backward: unknown option 'retain_graph'. Did you mean 'retainGraph'/,
    );
  });

  test('the output itself', () => {
    const x = leaf(4);
    expect(numbers(torch.grad(x, x)[0])).toEqual([1]);
  });
});

describe('a gradient is nobody else’s memory', () => {
  const isOwn = (changed: Tensor | null, ...others: (Tensor | null)[]) => {
    const before = others.map(numbers);
    (changed as Tensor).add_(1000);
    expect(others.map(numbers)).toEqual(before);
  };

  test('two leaves that get the same gradient', () => {
    const [a, b] = [leaf(1, 2), leaf(3, 4)];
    a.add(b).sum().backward();
    isOwn(a.grad, b.grad, a, b);
    isOwn(b.grad, a.grad);
  });

  test('the gradient that was given', () => {
    const a = leaf(1, 2);
    const g = torch.tensor([5, 6], options);
    a.backward(g);
    isOwn(a.grad, g);
    const b = leaf(1, 2);
    b.add(0).backward({ gradient: g, inputs: b });
    isOwn(b.grad, g);
    const [c] = torch.grad(b.add(0), b, { gradOutputs: g });
    isOwn(c, g, b.grad);
  });

  test('both results of grad(), and a retained gradient', () => {
    const [a, b] = [leaf(1, 2), leaf(3, 4)];
    const h = a.add(b);
    h.retainGrad();
    const y = h.mul(2).sum();
    const [ga, gb] = torch.grad(y, [a, b], { retainGraph: true });
    isOwn(ga, gb);
    h.grad = null;
    y.backward();
    isOwn(h.grad, a.grad, b.grad);
    isOwn(a.grad, h.grad, b.grad);
  });

  test('a saved tensor and a view', () => {
    const a = leaf(1, 2);
    const w = torch.tensor([3, 4], options);
    const y = a.mul(w).sum();
    y.backward({ retainGraph: true });
    (a.grad as Tensor).zero_();
    y.backward();
    expect(numbers(a.grad)).toEqual([3, 4]);
    const v = leaf(1, 2, 3, 4);
    v.view(2, 2).t().reshape(-1).mul(torch.arange(4, options)).sum().backward();
    isOwn(v.grad, v);
  });

  test('what repeats its elements is a view on its way, which none can write', () => {
    const [a, b] = [torch.ones([2, 3], options).requiresGrad_(), leaf(1, 2, 3)];
    const y = a.add(b).sum();
    const [g] = torch.grad(y, a, { retainGraph: true }) as Tensor[];
    expect(g.stride()).toEqual([0, 0]);
    expect(() => g.add_(1)).toThrow(/add_: .*clone/);
    y.backward({ retainGraph: true });
    expect((a.grad as Tensor).isContiguous()).toBe(true);
    isOwn(a.grad, b.grad, g);
    y.backward();
    expect(numbers(a.grad)).toEqual([1002, 1002, 1002, 1002, 1002, 1002]);
    expect(numbers(b.grad)).toEqual([4, 4, 4]);
    const c = torch.ones([2, 3], options).requiresGrad_();
    c.sum().backward({ inputs: c, createGraph: true });
    isOwn((c.grad as Tensor).detach());
  });

  test('a replaced one handed out by a hook', () => {
    const a = leaf(1, 2);
    const mine = torch.tensor([7, 8], options);
    a.registerHook(() => mine);
    a.mul(2).sum().backward();
    isOwn(a.grad, mine);
  });
});

describe('graphs', () => {
  test('20 000 nodes deep, forwards, backwards, twice', () => {
    const x = leaf(1);
    let y: Tensor = x;
    for (let i = 0; i < 20_000; i++) y = y.mul(1);
    y.sum().backward();
    expect(numbers(x.grad)).toEqual([1]);
    let z: Tensor = x;
    for (let i = 0; i < 3_000; i++) z = z.mul(1);
    const [g] = torch.grad(z.sum(), x, { createGraph: true });
    expect(numbers(g)).toEqual([1]);
  });

  test('a root that needs no gradient', () => {
    expect(() => torch.ones(1).sum().backward()).toThrow(
      /backward: the tensor of shape \[\] does not require gradients.*noGrad/,
    );
  });

  test('branches no gradient reaches cost nothing and fail nothing', () => {
    const x = leaf(1, 4);
    const { values, indices } = x.max(0);
    expect(indices.requiresGrad).toBe(false);
    values.backward();
    expect(numbers(x.grad)).toEqual([0, 1]);
    const parts = leaf(1, 2, 3).split(1);
    (parts[1] as Tensor).sum().backward();
  });

  test('an error in the middle leaves the mode and the memory as they were', () => {
    const x = torch.randn(256).requiresGrad_();
    const failing = () => {
      const h = x.exp();
      h.registerHook(() => {
        throw new Error('from the hook');
      });
      h.mul(2).add(h.sin()).sum().backward();
    };
    expect(() => torch.scope(failing)).toThrow('from the hook');
    expect(torch.isGradEnabled()).toBe(true);
    expect(x.grad).toBeNull();
  });
});

describe('what the graph holds', () => {
  test('disposing tensors leaves what was saved of them', () => {
    const x = leaf(1, 2);
    const y = x.exp();
    const z = y.mul(x).sum();
    y.dispose();
    x.dispose();
    z.backward();
    // d (x exp x) = (1 + x) exp x
    expect(numbers(x.grad)[0]).toBeCloseTo(2 * Math.E, 12);
  });

  test('a training step in a scope frees all but gradients, convolutions and recurrence too', () => {
    const { nn } = torch;
    const conv = new nn.Sequential(
      new nn.Conv2d(1, 4, 3),
      new nn.BatchNorm2d(4),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Flatten(),
      new nn.Linear(4 * 5 * 5, 10),
    );
    const lstm = new nn.LSTM(4, 8, { numLayers: 2, bidirectional: true });
    const images = torch.randn(8, 1, 12, 12);
    const sequences = torch.randn(5, 3, 4);
    const optimizer = new torch.optim.Adam([...conv.parameters(), ...lstm.parameters()], {
      lr: 0.01,
    });
    const seen: number[] = [];
    for (let i = 0; i < 6; i++) {
      torch.scope(() => {
        optimizer.zeroGrad({ setToNone: false });
        conv.forward(images).square().mean().backward();
        lstm.forward(sequences)[0].square().mean().backward();
        optimizer.step();
      });
      seen.push(torch.memory().bytes);
    }
    expect(new Set(seen.slice(1)).size).toBe(1);
  });
});

describe('backward within backward', () => {
  /** y = x^3 and a hook on y that runs `inside` when its gradient arrives. */
  function hooked(inside: (x: torch.Tensor, square: torch.Tensor) => void): torch.Tensor {
    const x = torch.tensor([2, 3], { dtype: torch.float32 }).requiresGrad_();
    const square = x.mul(x);
    const cube = square.mul(x);
    square.registerHook(() => torch.enableGrad(() => inside(x, square)));
    cube.sum().backward({ retainGraph: true });
    return x.grad as torch.Tensor;
  }
  const expected = [12, 27];

  test('through the same nodes, in a hook', () => {
    let inner: torch.Tensor | null = null;
    let depth = 0;
    const grad = hooked((x, square) => {
      if (depth++ === 0) [inner] = torch.autograd.grad(square.sum(), x, { retainGraph: true });
    });
    expect((inner as unknown as torch.Tensor).tolistSync()).toEqual([4, 6]);
    expect(grad.tolistSync()).toEqual(expected);
  });

  test('into the same leaf, with a graph of its own', () => {
    const grad = hooked((x) => x.mul(10).sum().backward());
    expect(grad.tolistSync()).toEqual(expected.map((value) => value + 10));
  });

  test('twice differentiated, in a hook', () => {
    let second: torch.Tensor | null = null;
    const grad = hooked((x) => {
      const [first] = torch.autograd.grad(x.pow(3).sum(), x, { createGraph: true });
      [second] = torch.autograd.grad((first as torch.Tensor).sum(), x);
    });
    expect((second as unknown as torch.Tensor).tolistSync()).toEqual([12, 18]);
    expect(grad.tolistSync()).toEqual(expected);
  });

  test('that fails leaves the graph as it was', () => {
    const grad = hooked((x, square) => {
      const broken = square.mul(2);
      broken.registerHook(() => {
        throw new Error('on purpose');
      });
      const run = () => torch.autograd.grad(broken.sum(), x, { retainGraph: true });
      expect(run).toThrow('on purpose');
    });
    expect(grad.tolistSync()).toEqual(expected);
  });
});
