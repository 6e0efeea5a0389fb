/** Tools that look at gradients: gradcheck, Jacobians, anomaly mode, drawings. */

import { afterEach, describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';

type Tensor = torch.Tensor;
type Context = torch.autograd.FunctionContext;
const { gradcheck, gradgradcheck, jacobian, hessian, setDetectAnomaly } = torch.autograd;
const options = { dtype: torch.float64 };
const leaf = (...values: number[]) => torch.tensor(values, options).requiresGrad_();
const numbers = (x: Tensor): number[] => [...(x.reshape(-1).dataSync() as Float64Array)];

/** sin with a first derivative that is wrong by a factor, or a second one that is. */
function sine(first: number, second: number) {
  return class Sine extends torch.autograd.Function {
    static forward(ctx: Context, x: Tensor): Tensor {
      ctx.saveForBackward(x);
      return x.sin();
    }

    static backward(ctx: Context, g: Tensor): Tensor {
      const [x] = ctx.savedTensors as [Tensor];
      const value = g.mul(x.cos()).mul(first);
      // Adds nothing to the value, but to its derivative.
      return value.add(x.sub(x.detach()).mul(second).mul(g.detach()));
    }
  };
}

describe('gradcheck', () => {
  const [Right, Wrong, WrongTwice] = [sine(1, 0), sine(1.01, 0), sine(1, 0.1)];
  const x = leaf(0.3, 1.2);

  test('accepts right gradients', () => {
    expect(gradcheck((v) => Right.apply(v), x)).toBe(true);
    expect(gradgradcheck((v) => Right.apply(v), x)).toBe(true);
  });

  test('refuses a wrong first derivative, naming element and values', () => {
    expect(() => gradcheck((v) => Wrong.apply(v), x)).toThrow(
      /gradcheck: d output\[0\] \/ d input 0\[0\] \(shape \[2\]\) is 0\.96.* but 0\.95/,
    );
    expect(gradcheck((v) => Wrong.apply(v), x, { raiseException: false })).toBe(false);
  });

  test('refuses a wrong second derivative', () => {
    expect(gradcheck((v) => WrongTwice.apply(v), x)).toBe(true);
    expect(() => gradgradcheck((v) => WrongTwice.apply(v), x)).toThrow(torch.AutogradError);
  });

  test('wants float64 inputs that require gradients', () => {
    expect(() => gradcheck((v) => v.sin(), torch.ones(2).requiresGrad_())).toThrow(
      torch.DtypeError,
    );
    expect(() => gradcheck((v) => v.sin(), torch.ones(2, options))).toThrow(torch.AutogradError);
  });

  test('several inputs and outputs, strided and empty inputs', () => {
    const a = torch.arange(6, options).view(2, 3).t().requiresGrad_();
    const b = torch.ones(0, options).requiresGrad_();
    expect(gradcheck((p, q) => [p.sin().matmul(p.t()), q.mul(2)], [a, b])).toBe(true);
  });
});

describe('Jacobians', () => {
  const make = () =>
    torch.tensor(
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      options,
    );

  test('of one tensor, as PyTorch 1.13', () => {
    const j = jacobian((x) => x.at(0).mul(x.at(1).exp()), make()) as Tensor;
    expect(j.shape).toEqual([3, 2, 3]);
    const expected = [
      54.598150033144236, 0, 0, 54.598150033144236, 0, 0, 0, 148.4131591025766, 0, 0,
      296.8263182051532, 0, 0, 0, 403.4287934927351, 0, 0, 1210.2863804782053,
    ];
    numbers(j).forEach((v, i) => {
      expect(v).toBeCloseTo(expected[i], 9);
    });
  });

  test('of several tensors and results', () => {
    const [a, b] = [leaf(1, 2), leaf(3)];
    const j = jacobian((x, y) => [x.mul(y), y.square()], [a, b]) as Tensor[][];
    expect(j.map((row) => row.map((t) => t.shape))).toEqual([
      [
        [2, 2],
        [2, 1],
      ],
      [
        [1, 2],
        [1, 1],
      ],
    ]);
    expect(numbers(j[0][0])).toEqual([3, 0, 0, 3]);
    expect(numbers(j[1][0])).toEqual([0, 0]);
  });

  test('createGraph', () => {
    const x = leaf(1, 2);
    const j = jacobian((v) => v.pow(3), x, { createGraph: true }) as Tensor;
    j.sum().backward();
    expect(numbers(x.grad as Tensor)).toEqual([6, 12]);
  });

  test('Hessian, as PyTorch 1.13', () => {
    const h = hessian((x) => x.at(0).mul(x.at(1)).prod(), make()) as Tensor;
    expect(h.shape).toEqual([2, 3, 2, 3]);
    const row = [0, 360, 240, 180, 144, 120];
    numbers(h)
      .slice(0, 6)
      .forEach((v, i) => {
        expect(v).toBeCloseTo(row[i], 8);
      });
    expect(numbers(hessian((x) => x.mul(2).sum(), leaf(1, 2)) as Tensor)).toEqual([0, 0, 0, 0]);
    expect(() => hessian((x) => x, leaf(1, 2))).toThrow(/hessian: .*one number.*\[2\]/);
  });

  test('Hessian of several tensors', () => {
    const h = hessian((a, b) => a.mul(b).sum(), [leaf(1, 2), leaf(3, 4)]) as Tensor[][];
    expect(h.map((row) => row.map(numbers))).toEqual([
      [
        [0, 0, 0, 0],
        [1, 0, 0, 1],
      ],
      [
        [1, 0, 0, 1],
        [0, 0, 0, 0],
      ],
    ]);
  });
});

describe('anomaly mode', () => {
  afterEach(() => {
    setDetectAnomaly(false);
  });

  test('names the operation that made NaN, and where it was called', () => {
    setDetectAnomaly(true);
    const x = leaf(0);
    const y = x.sqrt().mul(0).sum();
    expect(() => y.backward()).toThrow(torch.AutogradError);
    expect(() => x.sqrt().mul(0).sum().backward()).toThrow(
      /SqrtBackward0 returned NaN in the gradient of its input 0.*\n.*tools\.test\.ts/s,
    );
  });

  test('costs nothing and says nothing when off', () => {
    const x = leaf(0);
    x.sqrt().mul(0).sum().backward();
    expect(numbers(x.grad as Tensor)).toEqual([Number.NaN]);
  });
});

describe('drawings', () => {
  test('DOT and SVG of a small graph', () => {
    const [a, b] = [leaf(1, 2), leaf(3, 4)];
    const { dot, svg } = torch.graph(a.mul(b).add(a).sum());
    expect(dot).toMatch(/^digraph autograd \{\n/);
    expect(dot.trimEnd().endsWith('}')).toBe(true);
    for (const label of ['SumBackward0', 'AddBackward0', 'MulBackward0', 'leaf [2]']) {
      expect(dot).toContain(`label="${label}"`);
      expect(svg).toContain(`>${label}<`);
    }
    expect(dot.match(/ -> /g)).toHaveLength(5);
    const boxes = svg.match(/<rect [^>]*\/>/g) ?? [];
    const texts = svg.match(/<text [^>]*>[^<]*<\/text>/g) ?? [];
    const lines = svg.match(/<line [^>]*\/>/g) ?? [];
    expect([boxes.length, texts.length, lines.length]).toEqual([5, 5, 5]);
    const rest = svg.replace(/<(rect|line) [^>]*\/>|<text [^>]*>[^<]*<\/text>/g, '');
    expect(rest).toMatch(/^<svg [^<>]*><\/svg>\n$/);
    expect(svg).not.toMatch(/NaN|undefined/);
  });

  test('labels are escaped; a tensor without a graph draws none', () => {
    class A extends torch.autograd.Function {
      static forward(_ctx: Context, x: Tensor): Tensor {
        return x.mul(1);
      }

      static backward(_ctx: Context, g: Tensor): Tensor {
        return g;
      }
    }
    Object.defineProperty(A, 'name', { value: 'a<b>"&' });
    const { dot, svg } = torch.graph(A.apply(leaf(1)));
    expect(svg).toContain('a&lt;b&gt;');
    expect(dot).toContain('label="a<b>\\"&Backward"');
    expect(torch.graph(torch.ones(1)).svg).toMatch(/<svg [^<>]*><\/svg>/);
  });

  test('deep graphs', () => {
    let y: Tensor = leaf(1);
    for (let i = 0; i < 5000; i++) y = y.mul(1);
    expect(torch.graph(y).dot.match(/MulBackward0/g)).toHaveLength(5000);
  });
});
