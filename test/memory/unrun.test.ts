/** What is saved for a backward goes as soon as nothing can ask for it: no collector is needed. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { collect } from './collect.js';

const { nn } = torch;
const F = nn.functional;

class Cube extends torch.autograd.Function {
  static forward(ctx: torch.autograd.FunctionContext, x: torch.Tensor) {
    const square = x.mul(x);
    ctx.saveForBackward(x, square);
    return square.mul(x);
  }
  static backward(ctx: torch.autograd.FunctionContext, g: torch.Tensor) {
    const [x] = ctx.savedTensors as torch.Tensor[];
    return g.mul(x.mul(x)).mul(3);
  }
}

const leaf = () => torch.randn(8, 8).requiresGrad_();

describe('a forward without backward leaves no memory behind', () => {
  const forwards: [string, () => () => torch.Tensor][] = [
    ['functions that save their result', () => () => leaf().sigmoid().exp().tanh().relu()],
    ['softmax', () => () => F.logSoftmax(leaf().softmax(1), 0)],
    ['views and writes in place', () => () => leaf().mul(2).at('1:').exp_().t().sigmoid().sum()],
    ['parts', () => () => torch.cat(leaf().exp().split(2)).max(1).values],
    ['a custom function', () => () => Cube.apply(leaf().exp()) as torch.Tensor],
    [
      'a gradient with a graph of its own',
      () => () => {
        const x = leaf();
        const [g] = torch.autograd.grad(x.exp().sum(), [x], { createGraph: true });
        return (g as torch.Tensor).square().sum();
      },
    ],
    [
      'an MLP',
      () => {
        const net = new nn.Sequential(new nn.Linear(8, 8), new nn.Sigmoid(), new nn.Dropout(0.5));
        return () => net(torch.randn(4, 8));
      },
    ],
    [
      'a CNN',
      () => {
        const net = new nn.Sequential(
          new nn.Conv2d(1, 4, 3),
          new nn.BatchNorm2d(4),
          new nn.ReLU(),
          new nn.MaxPool2d(2),
        );
        return () => net(torch.randn(2, 1, 10, 10));
      },
    ],
    [
      'a GRU',
      () => {
        const gru = new nn.GRU(4, 8, { numLayers: 2, bidirectional: true });
        return () => gru(torch.randn(5, 2, 4))[0];
      },
    ],
    [
      'a transformer',
      () => {
        const layer = new nn.TransformerEncoderLayer(8, 2, { dimFeedforward: 16 });
        return () => layer(torch.randn(5, 2, 8));
      },
    ],
  ];
  it.each(forwards)('%s, in a scope', (_, make) => {
    const forward = make();
    const once = () => {
      torch.scope(() => {
        forward();
      });
      return torch.memory();
    };
    once();
    const { bytes, storages } = once();
    for (let i = 0; i < 5; i++) expect(once()).toMatchObject({ bytes, storages });
  });

  it('disposed by hand, from either end', () => {
    const x = leaf();
    const before = torch.memory().bytes;
    for (const order of [0, 1]) {
      const y = x.exp();
      const z = y.sigmoid();
      const list = order ? [y, z] : [z, y];
      list[0].dispose();
      list[1].dispose();
      expect(torch.memory().bytes).toBe(before);
    }
  });

  it('detached in place, and left to the collector', async () => {
    const w = torch.randn(64, 64).requiresGrad_();
    const forward = () => {
      let h = torch.ones(64, 64);
      for (let i = 0; i < 50; i++) h = h.matmul(w).tanh().detach_();
    };
    await collect();
    const before = torch.memory().bytes;
    forward();
    await collect();
    // Engines hold on to what they had last.
    expect(torch.memory().bytes - before).toBeLessThan(5 * 64 * 64 * 4);
  });

  it('detached, and written over in place', () => {
    const x = leaf();
    const before = torch.memory().bytes;
    torch.scope(() => {
      x.exp().detach_();
      const y = x.sigmoid().mul(2);
      y.copy_(x.tanh());
    });
    expect(torch.memory().bytes).toBe(before);
  });
});

describe('what can still be asked for stays', () => {
  const grad = (x: torch.Tensor) => [...(x.grad as torch.Tensor).dataSync()];

  it('a result that a scope returns', () => {
    const [x, y] = [leaf(), leaf()];
    const loss = torch.scope(() => x.exp().sigmoid().mul(y.tanh()).sum());
    loss.backward();
    const expected = leaf();
    expected.data = x.detach();
    expected.exp().sigmoid().mul(y.detach().tanh()).sum().backward();
    expect(grad(x)).toEqual(grad(expected));
  });

  it('one of several results', () => {
    const x = leaf();
    const [a, b] = x.exp().split(4);
    a.dispose();
    b.sum().backward();
    expect(grad(x).slice(0, 32)).toEqual(new Array(32).fill(0));
    expect(grad(x)[32]).toBeCloseTo(Math.exp(Number(x.at(4, 0).itemSync())), 5);
  });

  it('a view, though what it shows a part of is gone', () => {
    const x = leaf();
    const base = x.exp();
    const view = base.at(0);
    base.dispose();
    view.mul(2).sum().backward();
    expect(grad(x)[0]).toBeCloseTo(2 * Math.exp(Number(x.at(0, 0).itemSync())), 4);
    expect(grad(x)[8]).toBe(0);
  });

  const writes: [string, (base: torch.Tensor, w: torch.Tensor) => torch.Tensor][] = [
    [
      'was written',
      (base, w) => {
        const view = base.at(0);
        base.mul_(w);
        return view;
      },
    ],
    [
      'was written through another view',
      (base, w) => {
        const view = base.at(0);
        base.t().at(1).mul_(w);
        return view;
      },
    ],
    [
      'was written through the view of a view',
      (base, w) => {
        const view = base.at('0:2');
        const part = view.at(0);
        view.at(0, 1).mul_(w);
        return part;
      },
    ],
  ];
  it.each(writes)('a view of what is gone and %s', (_, write) => {
    for (const plain of [false, true]) {
      const [x, w] = [leaf(), torch.tensor(3, { requiresGrad: true })];
      const make = () => (plain ? torch.ones(8, 8) : x.mul(2));
      const expected = torch.autograd.grad(write(make(), w).sum(), [x, w], { allowUnused: true });
      const view = torch.scope(() => write(make(), w));
      // What is written once nobody has the base any more still reaches its other views.
      view.mul_(2);
      const found = torch.autograd.grad(view.sum(), [x, w], { allowUnused: true });
      found.forEach((g, i) => {
        expect(g?.tolistSync()).toEqual(expected[i]?.mul(2).tolistSync());
      });
    }
  });

  it('a view made before what it shows first required gradients', () => {
    const w = torch.tensor(3, { requiresGrad: true });
    const base = torch.ones(4);
    const [view, other] = [base.view([2, 2]), base.view([4, 1])];
    base.requiresGrad_().requiresGrad_(false).mul_(w);
    const later = base.mul(2);
    base.dispose();
    other.dispose();
    expect(view.gradFn?.name).toBe('AsStridedBackward0');
    view.sum().backward({ retainGraph: true });
    view.dispose();
    later.sum().backward();
    expect(w.grad?.itemSync()).toBe(4 + 8);
  });

  it('what a custom function saved, for a gradient of the gradient', () => {
    const x = leaf();
    const y = x.exp();
    const cube = Cube.apply(y) as torch.Tensor;
    y.dispose();
    const [g] = torch.autograd.grad(cube.sum(), [x], { createGraph: true });
    cube.dispose();
    (g as torch.Tensor).sum().backward();
    expect(grad(x)[0]).toBeCloseTo(9 * Math.exp(3 * Number(x.at(0, 0).itemSync())), 1);
  });

  it('a graph whose root a hook disposes of', () => {
    const x = leaf();
    const y = torch.scope(() => x.exp().sigmoid());
    const loss = y.sum();
    y.registerHook(() => {
      loss.dispose();
      y.dispose();
    });
    loss.backward();
    expect(x.grad?.shape).toEqual([8, 8]);
  });

  it('a graph that is run twice', () => {
    const x = leaf();
    const y = x.exp();
    const loss = y.sigmoid().sum();
    y.dispose();
    loss.backward({ retainGraph: true });
    const once = grad(x);
    loss.backward();
    expect(grad(x)).toEqual(once.map((v) => Math.fround(2 * Number(v))));
  });
});

describe('any graph', () => {
  const steps = fc.array(fc.record({ op: fc.nat(7), a: fc.nat(), b: fc.nat(), drop: fc.nat(3) }), {
    minLength: 1,
    maxLength: 25,
  });
  const operations: ((a: torch.Tensor, b: torch.Tensor) => torch.Tensor)[] = [
    (a) => a.sigmoid(),
    (a) => a.tanh(),
    (a, b) => a.mul(b),
    (a, b) => torch.cat([a, b]).split(4)[1],
    (a) => a.t(),
    (a, b) => a.clone().add_(b.sigmoid()),
    (a) => a.max(1, true).values.expand(4, 4),
    (a, b) => a.matmul(b).tanh(),
  ];

  /** The gradient of the leaf, with some of what was computed on the way gone or not. */
  function run(
    list: readonly { op: number; a: number; b: number; drop: number }[],
    drops: boolean,
  ) {
    const x = torch.arange(16).reshape(4, 4).div(9).requiresGrad_();
    const tensors = [x.sin()];
    for (const { op, a, b } of list) {
      const [left, right] = [a, b].map((i) => tensors[i % tensors.length]);
      tensors.push(operations[op](left, right));
    }
    const last = tensors.length - 1;
    const results = list.flatMap(({ drop }, i) => (drop === 0 ? [tensors[i]] : []));
    const loss = [...results, tensors[last]].map((t) => t.sum()).reduce((p, q) => p.add(q));
    if (drops) for (const { a } of list) if (a % 3) tensors[a % last].dispose();
    loss.backward({ retainGraph: true });
    if (drops) for (const t of tensors) t.dispose();
    loss.backward();
    const grad = x.grad as torch.Tensor;
    const result = [...grad.dataSync()];
    grad.dispose();
    return result;
  }

  it('has the gradients it has where nothing is disposed, and then no memory', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const expected = torch.scope(() => run(list, false));
        const before = torch.memory().bytes;
        expect(torch.scope(() => run(list, true))).toEqual(expected);
        torch.scope(() => {
          run(list.slice(1), true);
        });
        expect(torch.memory().bytes).toBe(before);
      }),
      { numRuns: 150 },
    );
  });

  const writes = fc.array(fc.record({ op: fc.nat(9), a: fc.nat(), b: fc.nat(), drop: fc.nat(2) }), {
    minLength: 1,
    maxLength: 25,
  });
  /** Views, and writes to what they show. No rule looks at the values. */
  const changes: ((a: torch.Tensor, b: torch.Tensor) => torch.Tensor | undefined)[] = [
    () => torch.zeros(2, 2),
    (a) => a.mul(2),
    (a) => a.t(),
    (a) => a.at('0:1'),
    (a) => a.at(':', -1).unsqueeze(1),
    (a) => torch.noGrad(() => a.at('0:')),
    (a, b) => void torch.noGrad(() => a.add_(b.sum())),
    (a) => void a.mul_(3),
    (a, b) => void a.add_(b.sum()),
    (a, b) => void a.at(0).copy_(b.sum()),
  ];

  /** The gradient of the leaf if that is run; what is dropped is also disposed if `drops`. */
  function runWrites(
    list: readonly { op: number; a: number; b: number; drop: number }[],
    drops: boolean,
    backward = true,
  ) {
    const x = torch.arange(4).reshape(2, 2).div(3).requiresGrad_();
    const tensors = [x.mul(1), torch.ones(2, 2)];
    for (const { op, a, b, drop } of list) {
      const [left, right] = [a, b].map((i) => tensors[i % tensors.length]);
      if (op > 6 && left.meta?.unrecordedView) continue;
      const made = changes[op](left, right);
      if (made !== undefined) tensors.push(made);
      if (drop > 0 || tensors.length < 3) continue;
      const [gone] = tensors.splice((a + b) % tensors.length, 1);
      if (drops) gone.dispose();
    }
    const values = tensors.map((t) => t.tolistSync());
    if (!backward) return values;
    const loss = tensors.map((t, i) => t.sum().mul(i + 1)).reduce((p, q) => p.add(q));
    if (!loss.requiresGrad) return values;
    loss.backward();
    const grad = x.grad as torch.Tensor;
    values.push(grad.tolistSync());
    grad.dispose();
    return values;
  }

  it('also where views outlive what they show and is written', () => {
    fc.assert(
      fc.property(writes, (list) => {
        const expected = torch.scope(() => runWrites(list, false));
        const before = torch.memory().bytes;
        expect(torch.scope(() => runWrites(list, true))).toEqual(expected);
        torch.scope(() => {
          runWrites(list, true, false);
        });
        expect(torch.memory().bytes).toBe(before);
      }),
      { numRuns: 300 },
    );
  });
});
