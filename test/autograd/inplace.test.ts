/** In-place operations: gradients as PyTorch 1.13 gives them, and what is refused. */

import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';

type Tensor = torch.Tensor;
const options = { dtype: torch.float64 };

const leaf = () =>
  torch
    .tensor(
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      options,
    )
    .requiresGrad_();
const weight = torch.tensor(
  [
    [0.5, -1, 2],
    [3, 0.25, -2],
  ],
  options,
);
const numbers = (x: Tensor): number[] => [...(x.reshape(-1).dataSync() as Float64Array)];

interface Case {
  readonly name: string;
  readonly f: (x: Tensor) => Tensor;
  /** Recorded: d sum(weight * y) / dx, and y. */
  readonly grad: readonly number[];
  readonly value: readonly number[];
}

const cases: Case[] = [
  {
    name: 'a base after a view of it',
    f: (x) => {
      const y = x.mul(2);
      const v = y.at(0);
      y.mul_(3);
      return torch.cat([v.unsqueeze(0).mul(v), y.at('1:')], 0);
    },
    grad: [36, -144, 432, 18, 1.5, -12],
    value: [36, 144, 324, 24, 30, 36],
  },
  {
    name: 'a view, then its base is used',
    f: (x) => {
      const y = x.mul(2);
      y.at(0).mul_(x.at(1));
      return y.mul(y);
    },
    grad: [64, -400, 1728, 112, -150, 768],
    value: [64, 400, 1296, 64, 100, 144],
  },
  {
    name: 'a view of a view of a transposed view',
    f: (x) => {
      const y = x.mul(1);
      y.t().at('1:').at(0).exp_();
      return y.mul(x);
    },
    grad: [1, -22.16716829679195, 12, 24, 222.6197386538649, -24],
    value: [1, 14.7781121978613, 9, 16, 742.065795512883, 36],
  },
  {
    name: 'a column assigned',
    f: (x) => {
      const y = x.mul(1);
      y.setAt([':', 1], x.at(':', 0).mul(x.at(':', 2)));
      return y;
    },
    grad: [-2.5, 0, 1, 4.5, 0, -1],
    value: [1, 3, 3, 4, 24, 6],
  },
  {
    name: 'a slice set to a number',
    f: (x) => {
      const y = x.mul(x);
      y.setAt([0, '1:'], 7);
      return y;
    },
    grad: [1, 0, 0, 24, 2.5, -24],
    value: [1, 7, 7, 16, 25, 36],
  },
  {
    name: 'a chain',
    f: (x) => x.mul(1).add_(1).mul_(x).sigmoid_(),
    grad: [
      0.15749037810525993, -0.012332546456799653, 8.601791591856041e-5, 5.565114957382367e-8,
      2.5707214135193097e-13, -0,
    ],
    value: [
      0.8807970779778823, 0.9975273768433653, 0.9999938558253978, 0.9999999979388463,
      0.9999999999999065, 1,
    ],
  },
  {
    name: 'two views that cross',
    f: (x) => {
      const y = x.mul(1);
      const a = y.at(0);
      const b = y.at(':', 0);
      a.mul_(2);
      b.mul_(b.clone());
      return y.add(a);
    },
    grad: [32, -3.5, 4, 24, 0.25, -2],
    value: [8, 8, 12, 20, 9, 12],
  },
  {
    name: 'times a copy of itself',
    f: (x) => {
      const y = x.mul(1);
      return y.mul_(y.clone());
    },
    grad: [1, -4, 12, 24, 2.5, -24],
    value: [1, 4, 9, 16, 25, 36],
  },
  {
    name: 'times itself',
    f: (x) => {
      const y = x.mul(1);
      return y.mul_(y);
    },
    grad: [1, -4, 12, 24, 2.5, -24],
    value: [1, 4, 9, 16, 25, 36],
  },
  {
    name: 'copies into rows of a constant',
    f: (x) => {
      const y = torch.zeros(2, 3, options);
      y.at(0).copy_(x.at(1));
      y.at(1).copy_(x.at(0).mul(x.at(1)));
      return y;
    },
    grad: [12, 1.25, -12, 3.5, -0.5, -4],
    value: [4, 5, 6, 4, 10, 18],
  },
  {
    name: 'a constant that comes to require gradients',
    f: (x) => {
      const y = torch.ones(2, 3, options);
      y.setAt([':', 2], x.at(':', 0));
      return y.mul_(x);
    },
    grad: [6.5, -1, 2, -9, 0.25, -8],
    value: [1, 2, 3, 4, 5, 24],
  },
  {
    name: 'a diagonal',
    f: (x) => {
      const y = x.mul(x);
      y.diagonal().mul_(x.at(0, ':2'));
      return y;
    },
    grad: [1.5, 2.25, 12, 24, 5, -24],
    value: [1, 4, 9, 16, 50, 36],
  },
  {
    name: 'a row filled',
    f: (x) => {
      const y = x.mul(x);
      y.at(1).fill_(2);
      return y.mul(x);
    },
    grad: [1.5, -12, 54, 6, 0.5, -4],
    value: [1, 8, 27, 8, 10, 12],
  },
  {
    name: 'filled under a mask',
    f: (x) => {
      const y = x.mul(x);
      y.maskedFill_(x.gt(4), 1);
      return y.mul(x);
    },
    grad: [1.5, -12, 54, 144, 0.25, -2],
    value: [1, 8, 27, 64, 5, 6],
  },
  {
    name: 'transposed in place',
    f: (x) => {
      const y = x.mul(2);
      y.t_();
      y.mul_(2);
      return y.mul(y).t();
    },
    grad: [16, -64, 192, 384, 40, -384],
    value: [16, 64, 144, 256, 400, 576],
  },
  {
    name: 'relu_',
    f: (x) => x.sub(3).relu_().mul(x),
    grad: [0, 0, 0, 15, 1.75, -18],
    value: [0, 0, 0, 4, 10, 18],
  },
  {
    name: 'an expanded leaf',
    f: (x) => x.at(':1').expand(2, 3).mul(x),
    grad: [13, -2.75, 0, 3, 0.5, -6],
    value: [1, 4, 9, 4, 10, 18],
  },
];

describe('gradients through in-place operations', () => {
  for (const { name, f, grad, value } of cases) {
    test(name, () => {
      const x = leaf();
      const y = f(x);
      y.mul(weight).sum().backward();
      numbers(y).forEach((v, i) => {
        expect(v).toBeCloseTo(value[i], 10);
      });
      numbers(x.grad as Tensor).forEach((v, i) => {
        expect(v).toBeCloseTo(grad[i], 10);
      });
    });
    test(`${name}: second derivatives`, () => {
      expect(
        torch.autograd.gradgradcheck(f, leaf().detach().add(0.1).requiresGrad_(), {
          atol: 1e-4,
          rtol: 1e-3,
        }),
      ).toBe(true);
    });
  }

  test('double backward through a written view', () => {
    const x = leaf();
    const y = x.mul(1);
    y.at(0).mul_(x.at(1));
    const [g] = torch.grad(y.mul(y).sum(), x, { createGraph: true });
    (g as Tensor).pow(2).sum().backward();
    expect(numbers(x.grad as Tensor)).toEqual([2560, 14000, 48384, 1152, 9000, 35904]);
  });
});

describe('elements that are read and written at once', () => {
  const square = () => torch.arange(9, options).view(3, 3);
  const rows = (x: Tensor) => x.tolistSync();

  test('the transpose of the target', () => {
    const a = square();
    const expected = rows(a.add(a.t()));
    expect(rows(a.add_(a.t()))).toEqual(expected);
    const b = square();
    expect(rows(b.copy_(b.t()))).toEqual(rows(square().t()));
  });

  test('rows moved down and up', () => {
    const a = square();
    a.at('1:').copy_(a.at(':2'));
    expect(rows(a)).toEqual([
      [0, 1, 2],
      [0, 1, 2],
      [3, 4, 5],
    ]);
    const b = square();
    b.at(':2').add_(b.at('1:'));
    expect(rows(b)).toEqual([
      [3, 5, 7],
      [9, 11, 13],
      [6, 7, 8],
    ]);
  });

  test('a row of the target broadcast over it', () => {
    const a = square();
    const expected = rows(a.mul(a.at(1)));
    expect(rows(a.mul_(a.at(1)))).toEqual(expected);
  });
});

describe('what is refused', () => {
  test('a leaf, and a view of a leaf', () => {
    const x = leaf();
    expect(() => x.add_(1)).toThrow(torch.AutogradError);
    expect(() => x.add_(1)).toThrow(/add_: a leaf that requires gradients.*noGrad/);
    expect(() => x.at(0).mul_(2)).toThrow(/mul_: .*view of a leaf.*noGrad/);
    expect(() => x.setAt([0, 0], 1)).toThrow(/leaf/);
    expect(numbers(x)).toEqual([1, 2, 3, 4, 5, 6]);
    torch.noGrad(() => x.add_(1));
    x.data.sub_(1);
    expect(numbers(x)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(x.isLeaf).toBe(true);
  });

  test('a saved tensor written later names both operations', () => {
    const x = leaf();
    const y = x.mul(2);
    const z = y.mul(y).sum();
    y.add_(1);
    expect(() => z.backward()).toThrow(/MulBackward0: .*\[2, 3\].*changed in place by add_\(\)/);
  });

  test('a saved output written later', () => {
    const x = leaf();
    const y = x.exp();
    y.mul_(2);
    expect(() => y.sum().backward()).toThrow(/ExpBackward0: .*mul_\(\).*version 1, expected 0/);
  });

  test('a saved tensor written through a view of it, and through a detached one', () => {
    const x = leaf();
    const y = x.mul(1);
    const u = y.view(6).square();
    y.add_(x);
    expect(() => u.sum().backward()).toThrow(/PowBackward0: .*add_\(\)/);
    const w = x.mul(1);
    const s = w.square().sum();
    w.detach().zero_();
    expect(() => s.backward()).toThrow(/zero_\(\)/);
  });

  test('writes through `.data` are not noticed, as in PyTorch', () => {
    const x = leaf();
    const y = x.mul(1);
    const s = y.square().sum();
    y.data.zero_();
    s.backward();
    expect(numbers(x.grad as Tensor)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test('copysign_ needs no more of the signs once it has run', () => {
    const x = leaf();
    const signs = weight.clone();
    const y = x.sub(3).copysign_(signs);
    signs.zero_();
    y.sum().backward();
    expect(numbers(x.grad as Tensor)).toEqual([-1, 1, 0, 1, 1, -1]);
  });

  test('a view made inside noGrad()', () => {
    const y = leaf().mul(1);
    const v = torch.noGrad(() => y.at(0));
    expect(() => v.mul_(2)).toThrow(/mul_: .*view made inside noGrad/);
    torch.noGrad(() => v.mul_(2));
    expect(v.requiresGrad).toBe(false);
  });

  test('shapes and dtypes that do not fit, before anything changes', () => {
    const x = torch.ones(2, 3);
    expect(() => x.add_(torch.ones(4, 2, 3))).toThrow(/add_: .*\[4, 2, 3\].*\[2, 3\]/);
    expect(() => x.int().add_(0.5)).toThrow(torch.DtypeError);
    expect(() => x.at(0).expand(2, 3).add_(1)).toThrow(/add_: .*share one place.*clone/);
    expect(numbers(x)).toEqual([1, 1, 1, 1, 1, 1]);
  });
});

test('a view keeps its name in print after its base changed', () => {
  const y = leaf().mul(1);
  const v = y.at(0);
  expect(v.gradFn?.name).toBe('SelectBackward0');
  y.mul_(2);
  expect(v.gradFn?.name).toBe('AsStridedBackward0');
  expect(y.gradFn?.name).toBe('MulBackward0');
  v.add_(1);
  expect(y.gradFn?.name).toBe('CopySlices');
});
