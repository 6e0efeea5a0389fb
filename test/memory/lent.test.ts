import { describe, expect, it } from 'vitest';
import { giveBack, lend, lend2, only } from '../../ts/core/lend.js';
import * as torch from '../../ts/index.js';

describe('lists that calls are lent', () => {
  it('come back empty, and are others while one is out', () => {
    const list = lend2<unknown>('x', 'y');
    const other = lend2<unknown>('a', 'b');
    expect(other).not.toBe(list);
    giveBack(list);
    expect(list).toEqual([undefined, undefined]);
    expect(lend(2)).toBe(list);
    expect(other).toEqual(['a', 'b']);
    expect(only([7])).toBe(7);
  });

  it('serve calls within calls, in hooks and in functions of users', () => {
    class Twice extends torch.autograd.Function {
      static forward(_: unknown, x: torch.Tensor): torch.Tensor {
        return x.add(x.add(x).sub(x));
      }
      static backward(_: unknown, g: torch.Tensor): torch.Tensor {
        return g.add(g.mul(1).sum(0).sub(g.sum(0)).add(g));
      }
    }
    const net = new torch.nn.Sequential(new torch.nn.Linear(3, 2), new torch.nn.Softmax(1));
    net.registerForwardHook((_, __, output) => (output as torch.Tensor).add(net.children.length));
    const x = torch.tensor([[1.5, 2, 3]]).requiresGrad_();
    x.registerHook((g) =>
      g.mul(
        torch
          .ones([1])
          .add(torch.ones([1]))
          .sum(),
      ),
    );
    const twice = Twice.apply(x) as torch.Tensor;
    twice.add(net(x).mul(0).sum()).sum().backward();
    expect(x.grad?.dataSync()).toEqual(Float32Array.of(4, 4, 4));
  });

  it('are not mixed up by what throws half way', () => {
    const x = torch.tensor([1.5, 2.5, 3]);
    const wrong = torch.tensor([1.5, 2]);
    const matrix = torch.ones([3, 3]);
    for (let i = 0; i < 40; i++) {
      expect(() => x.add(wrong)).toThrow(torch.ShapeError);
      expect(() => x.add_(wrong)).toThrow(torch.ShapeError);
      expect(() => matrix.matmul(wrong)).toThrow(torch.ShapeError);
      expect(() => x.sum(4)).toThrow(torch.IndexError);
      expect(() =>
        torch.scope(() => {
          x.add(x.mul(2));
          throw new RangeError('half way');
        }),
      ).toThrow('half way');
    }
    expect(x.add(x.mul(2)).tolistSync()).toEqual([4.5, 7.5, 9]);
    expect(matrix.matmul(x).tolistSync()).toEqual([7, 7, 7]);
    expect(matrix.sum([0, 1]).itemSync()).toBe(9);
  });

  it('shares no layout with a list that its owner changes', () => {
    const shape = [2, 3];
    const x = torch.zeros(shape);
    const view = torch.ones([6]).view(shape);
    shape[0] = 3;
    shape[1] = 2;
    expect(x.shape).toEqual([2, 3]);
    expect(view.shape).toEqual([2, 3]);
    expect(torch.zeros(shape).shape).toEqual([3, 2]);
    expect(x.add(view).sum(0).shape).toEqual([3]);
  });
});
