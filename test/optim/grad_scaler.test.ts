/** Loss scaling: what it does to gradients and steps, how the scale moves, its state, mistakes. */

import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { havePyTorch, run } from '../checkpoint/python.js';

const { nn } = torch;
const { GradScaler } = torch.amp;
const F = nn.functional;

function parameter(...values: number[]): torch.Tensor {
  return torch.tensor(values, { dtype: torch.float32, requiresGrad: true });
}

/** One iteration whose gradient is `grad` before scaling. */
function iterate(
  scaler: torch.amp.GradScaler,
  sgd: torch.optim.SGD,
  param: torch.Tensor,
  grad: number,
): void {
  sgd.zeroGrad();
  scaler.scale(param.mul(grad).sum()).backward();
  scaler.step(sgd);
  scaler.update();
}

describe('GradScaler', () => {
  it('keeps gradients that float16 would lose, and leaves the step as it is', () => {
    const weights = [parameter(1, 2), parameter(1, 2)];
    const [plain, scaled] = weights.map((weight) => new torch.optim.SGD([weight], { lr: 1 }));
    const scaler = new GradScaler({ initScale: 2 ** 12 });
    const losses = weights.map((weight) =>
      weight
        .half()
        .mul(2 ** -14)
        .mul(2 ** -12)
        .sum(),
    );
    losses[0].backward();
    scaler.scale(losses[1]).backward();
    expect(scaler.step(scaled)).toBe(undefined);
    plain.step();
    expect(weights[0].tolistSync()).toEqual([1, 2]);
    const moved = 2 ** -26;
    expect(weights[1].grad?.tolistSync()).toEqual([moved, moved]);
  });

  it('scales lists, and divides before the gradients are clipped', () => {
    const [a, b] = [parameter(3), parameter(4)];
    const sgd = new torch.optim.SGD([a, b], { lr: 1 });
    const scaler = new GradScaler();
    const outputs = scaler.scale([a.mul(3), [b.mul(4)]]) as [torch.Tensor, [torch.Tensor]];
    expect(outputs[1][0].itemSync()).toBe(16 * 65536);
    outputs[0].add(outputs[1][0]).sum().backward();
    scaler.unscale_(sgd);
    expect(torch.nn.utils.clipGradNorm_([a, b], 1).itemSync()).toBe(5);
    scaler.step(sgd);
    expect(a.itemSync()).toBeCloseTo(2.4, 5);
  });

  it('leaves out steps that are not finite, lowers the scale, and raises it again', () => {
    const weight = parameter(1);
    const sgd = new torch.optim.SGD([weight], { lr: 0.5 });
    const scaler = new GradScaler({ initScale: 8, growthFactor: 4, growthInterval: 2 });
    const scales = [1, Number.POSITIVE_INFINITY, 1, Number.NaN, 1, 1, 1, 1].map((grad) => {
      iterate(scaler, sgd, weight, grad);
      return scaler.getScale();
    });
    expect(scales).toEqual([8, 4, 4, 2, 2, 8, 8, 32]);
    expect(weight.itemSync()).toBe(1 - 6 * 0.5);
  });

  it('does not grow past float32', () => {
    const weight = parameter(1);
    const sgd = new torch.optim.SGD([weight], { lr: 0 });
    const scaler = new GradScaler({ initScale: 2 ** 127, growthInterval: 1 });
    iterate(scaler, sgd, weight, 2 ** -100);
    expect(scaler.getScale()).toBe(2 ** 127);
  });

  it('lowers the scale for all optimisers if one of them overflows', () => {
    const [a, b] = [parameter(1), parameter(1)];
    const [first, second] = [a, b].map((weight) => new torch.optim.SGD([weight], { lr: 1 }));
    const scaler = new GradScaler({ initScale: 4 });
    scaler.scale(a.mul(Number.POSITIVE_INFINITY).add(b).sum()).backward();
    scaler.step(first);
    scaler.step(second);
    scaler.update();
    expect([a.itemSync(), b.itemSync(), scaler.getScale()]).toEqual([1, 0, 2]);
  });

  it('does nothing if it is not enabled, and takes closures then', () => {
    const weight = parameter(1);
    const sgd = new torch.optim.SGD([weight], { lr: 1 });
    const scaler = new GradScaler('cpu', { enabled: false });
    const loss = weight.mul(2).sum();
    expect(scaler.scale(loss)).toBe(loss);
    const result = scaler.step(sgd, () => {
      loss.backward();
      return loss;
    });
    expect(result).toBe(loss);
    expect([scaler.getScale(), scaler.stateDict()]).toEqual([1, {}]);
    expect(weight.itemSync()).toBe(-1);
    scaler.update();
  });

  it('says what went wrong, before anything changes', () => {
    const weight = parameter(1);
    const sgd = new torch.optim.SGD([weight], { lr: 1 });
    const scaler = new GradScaler();
    expect(() => new GradScaler({ growthFactor: 1 })).toThrow(/growthFactor above 1/);
    expect(() => new GradScaler({ growthfactor: 3 } as never)).toThrow(/mean 'growthFactor'/);
    expect(() => scaler.update()).toThrow(/update\(\) is called before step/);
    weight.grad = torch.ones(1);
    expect(() => scaler.step(sgd, () => 1)).toThrow(/a closure cannot be used/);
    scaler.unscale_(sgd);
    expect(() => scaler.unscale_(sgd)).toThrow(/called twice/);
    scaler.step(sgd);
    expect(() => scaler.step(sgd)).toThrow(/step\(\) is called twice/);
    expect(() => scaler.unscale_(sgd)).toThrow(/called after step\(\)/);
    const half = torch.ones(1, { dtype: torch.float16, requiresGrad: true });
    half.grad = torch.ones(1).half();
    const halves = new torch.optim.SGD([half], { lr: 1 });
    expect(() => scaler.unscale_(halves)).toThrow(torch.DtypeError);
    expect(() => scaler.loadStateDict({})).toThrow(torch.StateDictError);
    const bad = { ...scaler.stateDict(), scale: -1 };
    expect(() => scaler.loadStateDict(bad)).toThrow(torch.ValueError);
    expect(scaler.getScale()).toBe(65536);
  });

  it.runIf(havePyTorch)('has the state of PyTorch', () => {
    const scaler = new GradScaler({ initScale: 512, growthInterval: 7 });
    const weight = parameter(1);
    iterate(scaler, new torch.optim.SGD([weight], { lr: 1 }), weight, 1);
    const code = `
import json, sys, torch
torch.cuda.amp.grad_scaler.amp_definitely_not_available = lambda: False
scaler = torch.cuda.amp.GradScaler()
scaler.load_state_dict(json.loads(sys.argv[1]))
print(json.dumps(scaler.state_dict()))`;
    const theirs = JSON.parse(run(code, JSON.stringify(scaler.stateDict())));
    expect(theirs).toEqual(scaler.stateDict());
    const other = new GradScaler();
    other.loadStateDict(theirs);
    expect(other.stateDict()).toEqual(scaler.stateDict());
    expect([other.getGrowthInterval(), other.getGrowthFactor(), other.getBackoffFactor()]).toEqual([
      7, 2, 0.5,
    ]);
  });
});

describe('training in float16', () => {
  /** Losses of a small network whose layers compute in `dtype` with weights in float32. */
  function train(dtype: torch.Dtype, initScale: number, steps: number) {
    torch.manualSeed(0);
    const net = new nn.Sequential(new nn.Linear(6, 16), new nn.Tanh(), new nn.Linear(16, 3));
    const optimizer = new torch.optim.SGD(net.parameters(), { lr: 0.5, momentum: 0.9 });
    const scaler = new torch.amp.GradScaler({ initScale, growthInterval: 10 });
    const [x, y] = [torch.randn(32, 6), torch.randint(0, 3, [32])];
    const losses: number[] = [];
    for (let step = 0; step < steps; step++) {
      let h = x.to(dtype);
      for (const i of [0, 2]) {
        const { weight, bias } = net.at(i) as torch.nn.Linear;
        h = F.linear(h, weight.to(dtype), bias?.to(dtype));
        if (i === 0) h = h.tanh();
      }
      const loss = F.crossEntropy(h.float(), y);
      optimizer.zeroGrad();
      scaler.scale(loss).backward();
      scaler.unscale_(optimizer);
      nn.utils.clipGradNorm_(net.parameters(), 1);
      scaler.step(optimizer);
      scaler.update();
      losses.push(loss.itemSync() as number);
    }
    return { losses, scale: scaler.getScale() };
  }

  it('follows the losses of float32', () => {
    const [half, single] = [train(torch.float16, 1024, 30), train(torch.float32, 1, 30)];
    expect(half.losses[29]).toBeLessThan(0.5 * half.losses[0]);
    half.losses.forEach((loss, i) => {
      expect(Math.abs(loss - single.losses[i]), String(i)).toBeLessThan(0.02);
    });
  });

  it('lowers a scale that is too large until the gradients fit', () => {
    const { losses, scale } = train(torch.float16, 2 ** 26, 12);
    expect(losses[1]).toBe(losses[0]);
    expect(losses[11]).toBeLessThan(losses[0]);
    expect(scale).toBeLessThan(2 ** 26);
  });
});
