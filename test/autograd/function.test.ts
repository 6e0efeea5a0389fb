/** Operations with gradients written by the user. */

import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';

type Tensor = torch.Tensor;
type Context = torch.autograd.FunctionContext;
const { gradcheck, gradgradcheck } = torch.autograd;
const options = { dtype: torch.float64 };
const leaf = (...values: number[]) => torch.tensor(values, options).requiresGrad_();
const numbers = (x: Tensor | null): number[] => [
  ...((x as Tensor).reshape(-1).dataSync() as Float64Array),
];

class Cube extends torch.autograd.Function {
  static forward(ctx: Context, x: Tensor): Tensor {
    ctx.saveForBackward(x);
    return x.mul(x).mul(x);
  }

  static backward(ctx: Context, g: Tensor): Tensor {
    const [x] = ctx.savedTensors as [Tensor];
    return g.mul(x.square()).mul(3);
  }
}

/** x^n and n x, with the output saved and a number among the arguments. */
class Powers extends torch.autograd.Function {
  static forward(ctx: Context, x: Tensor, n: number): [Tensor, Tensor] {
    const power = x.pow(n);
    ctx.saveForBackward(x, power);
    ctx.n = n;
    return [power, x.mul(n)];
  }

  static backward(ctx: Context, gPower: Tensor, gTimes: Tensor): [Tensor, null] {
    const [x, power] = ctx.savedTensors as [Tensor, Tensor];
    const n = ctx.n as number;
    return [gPower.mul(power.div(x)).mul(n).add(gTimes.mul(n)), null];
  }
}

describe('custom functions', () => {
  test('forward, backward, and the name in the graph', () => {
    const x = leaf(1, 2);
    const y = Cube.apply(x);
    expect([numbers(y), y.gradFn?.name]).toEqual([[1, 8], 'CubeBackward']);
    y.sum().backward();
    expect(numbers(x.grad)).toEqual([3, 12]);
  });

  test('first and second derivatives', () => {
    expect(gradcheck((x) => Cube.apply(x), leaf(0.5, 1.5))).toBe(true);
    expect(gradgradcheck((x) => Cube.apply(x), leaf(0.5, 1.5))).toBe(true);
  });

  test('several outputs and arguments that are no tensors', () => {
    const x = leaf(2, 3);
    const [power, times] = Powers.apply(x, 3);
    power.add(times).sum().backward();
    expect(numbers(x.grad)).toEqual([15, 30]);
    x.grad = null;
    Powers.apply(x, 3)[1].sum().backward();
    expect(numbers(x.grad)).toEqual([3, 3]);
    expect(gradgradcheck((v) => Powers.apply(v, 2), leaf(0.5, 1.5))).toBe(true);
  });

  test('a saved tensor written afterwards', () => {
    const h = leaf(1, 2).mul(1);
    const y = Cube.apply(h).sum();
    h.add_(1);
    expect(() => y.backward()).toThrow(/CubeBackward: .*add_\(\)/);
  });

  test('a second backward', () => {
    const y = Cube.apply(leaf(1)).sum();
    y.backward();
    expect(() => y.backward()).toThrow(/CubeBackward.*already run|retainGraph/);
  });

  test('needsInputGrad, and no graph where nothing is wanted', () => {
    const seen: boolean[][] = [];
    class Product extends torch.autograd.Function {
      static forward(ctx: Context, a: Tensor, b: Tensor): Tensor {
        seen.push([...ctx.needsInputGrad]);
        ctx.saveForBackward(a, b);
        return a.mul(b);
      }

      static backward(ctx: Context, g: Tensor): (Tensor | null)[] {
        const [a, b] = ctx.savedTensors as [Tensor, Tensor];
        return [ctx.needsInputGrad[0] ? g.mul(b) : null, ctx.needsInputGrad[1] ? g.mul(a) : null];
      }
    }
    const [a, b] = [leaf(2), torch.tensor([5], options)];
    Product.apply(a, b).backward();
    expect(numbers(a.grad)).toEqual([5]);
    expect(Product.apply(b, b).requiresGrad).toBe(false);
    expect(torch.noGrad(() => Product.apply(a, a)).requiresGrad).toBe(false);
    expect(seen).toEqual([
      [true, false],
      [false, false],
      [false, false],
    ]);
  });

  test('forward is not recorded, and may return its input', () => {
    class Same extends torch.autograd.Function {
      static forward(_ctx: Context, x: Tensor): Tensor {
        expect(torch.isGradEnabled()).toBe(false);
        return x;
      }

      static backward(_ctx: Context, g: Tensor): Tensor {
        return g.mul(-1);
      }
    }
    const x = leaf(1, 2);
    Same.apply(x).sum().backward();
    expect([numbers(x.grad), x.isLeaf]).toEqual([[-1, -1], true]);
  });

  test('markNonDifferentiable', () => {
    class WithIndex extends torch.autograd.Function {
      static forward(ctx: Context, x: Tensor): [Tensor, Tensor] {
        const rounded = x.round();
        ctx.markNonDifferentiable(rounded);
        return [x.mul(2), rounded];
      }

      static backward(_ctx: Context, g: Tensor): Tensor {
        return g.mul(2);
      }
    }
    const [y, rounded] = WithIndex.apply(leaf(1.2));
    expect([y.requiresGrad, rounded.requiresGrad]).toEqual([true, false]);
  });

  test('gradients that do not fit are refused by name', () => {
    class Wrong extends torch.autograd.Function {
      static forward(_ctx: Context, x: Tensor, _y: Tensor): Tensor {
        return x.mul(1);
      }

      static backward(_ctx: Context, g: Tensor): Tensor {
        return g;
      }
    }
    expect(() => Wrong.apply(leaf(1), leaf(2)).backward()).toThrow(
      /WrongBackward: backward returned 1 gradients for the 2 arguments/,
    );
    class Misshapen extends torch.autograd.Function {
      static forward(_ctx: Context, x: Tensor): Tensor {
        return x.sum();
      }

      static backward(_ctx: Context, _g: Tensor): Tensor {
        return torch.ones(5);
      }
    }
    expect(() => Misshapen.apply(leaf(1, 2)).backward()).toThrow(
      /MisshapenBackward: .*\[5\].*argument 0.*\[2\]/,
    );
  });

  test('a kept result does not keep the outputs of its forward', () => {
    const x = torch.ones(1000).requiresGrad_();
    const before = torch.memory().bytes;
    using loss = torch.scope(() => Cube.apply(x).sum());
    // The input that is saved is x itself; the output of forward is gone.
    expect(torch.memory().bytes - before).toBeLessThan(100);
    expect(loss.requiresGrad).toBe(true);
  });

  test('an input changed in place', () => {
    class AddOne extends torch.autograd.Function {
      static forward(ctx: Context, x: Tensor): Tensor {
        ctx.markDirty(x.add_(1));
        return x;
      }

      static backward(_ctx: Context, g: Tensor): Tensor {
        return g.mul(2);
      }
    }
    const x = leaf(1, 1);
    const y = x.mul(1);
    expect(AddOne.apply(y)).toBe(y);
    expect([numbers(y), y.gradFn?.name]).toEqual([[2, 2], 'AddOneBackward']);
    y.sum().backward();
    expect(numbers(x.grad)).toEqual([2, 2]);
    // Through a view of a larger tensor.
    x.grad = null;
    const whole = x.mul(1);
    AddOne.apply(whole.narrow(0, 0, 1));
    expect(numbers(whole)).toEqual([2, 1]);
    whole.sum().backward();
    expect(numbers(x.grad)).toEqual([2, 1]);
    // A tensor that needs the old values notices.
    const saved = x.mul(1);
    const square = saved.mul(saved).sum();
    AddOne.apply(saved);
    expect(() => square.backward()).toThrow('AddOneBackward');
    expect(() => AddOne.apply(x)).toThrow('a leaf that requires gradients was changed in place');
    // Where nothing is recorded it is only a function.
    const plain = torch.ones(2);
    expect(AddOne.apply(plain)).toBe(plain);
    expect(plain.requiresGrad).toBe(false);
  });

  test('a changed input that is not returned', () => {
    class Lost extends torch.autograd.Function {
      static forward(ctx: Context, x: Tensor): Tensor {
        ctx.markDirty(x.add_(1));
        return x.mul(2);
      }

      static backward(_ctx: Context, g: Tensor): Tensor {
        return g;
      }
    }
    expect(() => Lost.apply(leaf(1).mul(1))).toThrow('must return every tensor it names');
  });

  test('outputs without gradient, as zeros and as null', () => {
    const seen: (number[] | null)[] = [];
    class Both extends torch.autograd.Function {
      static forward(ctx: Context, x: Tensor, zeros: boolean): [Tensor, Tensor, Tensor] {
        ctx.setMaterializeGrads(zeros);
        const least = x.argmin().double();
        ctx.markNonDifferentiable(least);
        return [x.mul(1), x.mul(2), least];
      }

      static backward(_ctx: Context, ...grads: (Tensor | null)[]): [Tensor | null, null] {
        seen.push(...grads.map((grad) => grad && numbers(grad)));
        return [grads[0], null];
      }
    }
    for (const zeros of [true, false]) {
      const [first, , least] = Both.apply(leaf(3, 4), zeros);
      expect(least.requiresGrad).toBe(false);
      first.sum().backward();
    }
    expect(seen).toEqual([[1, 1], [0, 0], [0], [1, 1], null, null]);
  });
});
