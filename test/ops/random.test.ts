import { describe, expect, it } from 'vitest';
import '../../ts/ops/methods.js';
import { float64, int32, int64, uint8 } from '../../ts/core/dtype.js';
import { AutogradError, ShapeError, ValueError } from '../../ts/core/errors.js';
import { empty, full, ones, tensor, zeros } from '../../ts/ops/creation.js';
import { bernoulli, multinomial, poisson } from '../../ts/ops/random.js';
import * as torch from '../../ts/ops/random_creation.js';
import { dropoutNoise, sampleThere } from '../../ts/ops/random_fill.js';
import type { Tensor } from '../../ts/tensor.js';

function list(x: Tensor): number[] {
  return Array.from(x.dataSync(), Number);
}

describe('random tensors', () => {
  it('have the shapes, dtypes and limits asked for', () => {
    torch.manualSeed(0);
    expect(list(torch.rand(2))).toEqual([0.49625658988952637, 0.7682217955589294]);
    expect(torch.rand([2, 3]).shape).toEqual([2, 3]);
    expect(torch.randn(2, { dtype: float64 }).dtype).toBe(float64);
    expect(torch.rand(2, { requiresGrad: true }).requiresGrad).toBe(true);
    const whole = torch.randint(-3, 4, [100]);
    expect([whole.dtype, Math.min(...list(whole)), Math.max(...list(whole))]).toEqual([
      int32,
      -3,
      3,
    ]);
    expect(torch.randint({ high: 5, size: [2] }).shape).toEqual([2]);
    expect(torch.randint(2 ** 40, [3], { dtype: int64 }).dtype).toBe(int64);
    expect(list(torch.randperm(5)).sort()).toEqual([0, 1, 2, 3, 4]);
    expect(torch.randLike(ones(2, 2), { dtype: float64 }).dtype).toBe(float64);
    expect(torch.randintLike(ones(4), 1, 2).tolistSync()).toEqual([1, 1, 1, 1]);
    expect(torch.normal(0, 1, [3]).shape).toEqual([3]);
  });

  it('take means and deviations by element', () => {
    torch.manualSeed(2);
    const noise = torch.randn(3);
    torch.manualSeed(2);
    const drawn = torch.normal(tensor([0, 10, 20.5]), tensor([1, 1.0, 0]).float());
    expect(list(drawn)[2]).toBe(20.5);
    expect(list(drawn)[0]).toBe(list(noise)[0]);
    expect(() => torch.normal(0, tensor([-1.5]))).toThrow('std must be >= 0');
  });

  it('use a generator of their own', () => {
    const generator = new torch.Generator().manualSeed(4);
    const a = torch.rand(3, { generator });
    const b = empty(3).uniform_({ generator: new torch.Generator().manualSeed(4) });
    expect(list(a)).toEqual(list(b));
  });

  it('give the state as a tensor', () => {
    const state = torch.getRngState();
    expect(state.shape).toEqual([5056]);
    const first = list(torch.rand(4));
    torch.setRngState(state);
    expect(list(torch.rand(4))).toEqual(first);
    expect(torch.initialSeed()).toBe(torch.defaultGenerator.initialSeed());
  });

  it('generators give and take states as tensors, with the spare normal', () => {
    const generator = new torch.Generator().manualSeed(9);
    torch.randn(1, { generator });
    const state = generator.getState();
    expect([state.dtype, state.shape]).toEqual([uint8, [5056]]);
    const first = list(torch.randn(3, { generator }));
    expect(list(torch.randn(3, { generator: generator.setState(state) }))).toEqual(first);
    const bytes = state.dataSync() as Uint8Array;
    expect(list(torch.randn(3, { generator: generator.setState(bytes) }))).toEqual(first);
    expect(() => generator.setState(zeros(5056))).toThrow('a state is a uint8 tensor');
    expect(() => generator.setState(state.narrow(0, 0, 9))).toThrow('5056 bytes, got 9');
  });

  it('refuse what makes no tensor', () => {
    expect(() => torch.randint(0, 2 ** 40, [2])).toThrow('torch.int64');
    expect(() => torch.randint(5)).toThrow('expected randint(high, size)');
    expect(() => torch.randperm(-1)).toThrow(ValueError);
    expect(() => torch.rand(2, JSON.parse('{"dtyp": 1}'))).toThrow("Did you mean 'dtype'?");
  });
});

describe('random fills', () => {
  it('write through views and raise the version', () => {
    torch.manualSeed(0);
    const x = zeros(3, 4);
    const version = x.storage_.version;
    x.t().narrow(0, 1, 2).uniform_(1, 2);
    const values = list(x);
    expect(values.map((v) => v > 0)).toEqual(
      Array.from({ length: 12 }, (_, i) => i % 4 === 1 || i % 4 === 2),
    );
    expect(x.storage_.version).toBeGreaterThan(version);
  });

  it('draw from their distributions', () => {
    torch.manualSeed(1);
    const mean = (x: Tensor) => list(x).reduce((a, b) => a + b, 0) / x.numel();
    const x = zeros(4000);
    expect(mean(x.normal_(3, 2))).toBeCloseTo(3, 0);
    expect(mean(x.exponential_(4))).toBeCloseTo(0.25, 1);
    expect(mean(x.bernoulli_(0.3))).toBeCloseTo(0.3, 1);
    expect(mean(x.geometric_(0.5))).toBeCloseTo(2, 0);
    expect(mean(x.random_(3))).toBeCloseTo(1, 0);
    expect(mean(x.logNormal_(0, 0.25))).toBeCloseTo(1, 0);
    expect(list(x.cauchy_()).every(Number.isFinite)).toBe(true);
    expect(
      list(
        zeros(3)
          .bernoulli_(tensor([0, 1, 0.5]))
          .narrow(0, 0, 2),
      ),
    ).toEqual([0, 1]);
  });

  it('refuse leaves that require gradients', () => {
    const leaf = ones(3, { requiresGrad: true });
    expect(() => leaf.normal_()).toThrow(AutogradError);
    expect(list(leaf)).toEqual([1, 1, 1]);
  });
});

describe('draws', () => {
  it('bernoulli takes the probabilities of its input', () => {
    const p = tensor([0, 1, 1, 0]).float();
    expect(bernoulli(p).tolistSync()).toEqual([0, 1, 1, 0]);
    expect(p.bernoulli(1).tolistSync()).toEqual([1, 1, 1, 1]);
  });

  it('multinomial gives indices by row', () => {
    const weights = tensor([
      [0, 1.5, 0],
      [2, 0, 0],
    ]);
    expect(multinomial(weights, 2, true).tolistSync()).toEqual([
      [1, 1],
      [0, 0],
    ]);
    const once = list(full([5], 0.2).multinomial(5));
    expect(once.sort()).toEqual([0, 1, 2, 3, 4]);
    for (const replacement of [false, true]) {
      expect(multinomial(full([0, 3], 0.5), 2, replacement).shape).toEqual([0, 2]);
    }
    expect(() => multinomial(tensor(1.5), 2)).toThrow(ShapeError);
  });
});

describe('samples of devices that are not read', () => {
  const weights = () => tensor([0.5, 1, 2, 3.5, 0, 7, 1.5, 0.25, 4, 3, 2, 9]).view(3, 4);
  it.each([
    [2, true],
    [50, true],
    [1, false],
    [3, false],
  ])('%i samples, replacement %s: those of the CPU', (samples, replacement) => {
    const generator = new torch.Generator().manualSeed(5);
    const expected = multinomial(weights(), samples, replacement, generator);
    generator.manualSeed(5);
    const drawn = sampleThere(weights(), samples, replacement, generator);
    expect([drawn.dtype, drawn.shape]).toEqual([int32, [3, samples]]);
    expect(list(drawn)).toEqual(list(expected));
  });
});

/** Values of PyTorch 1.13.1 after torch.manual_seed(0). */
describe("PyTorch's numbers", () => {
  const seeded = (draw: () => Tensor): number[] => {
    torch.manualSeed(0);
    return list(draw());
  };
  const close = (actual: number[], expected: number[]): void => {
    expect(actual.length).toBe(expected.length);
    actual.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i], 5);
    });
  };
  const turned = () => ones(2, 3).t();

  it('come in the order of memory for transposed tensors', () => {
    close(
      seeded(() => torch.randLike(turned())),
      [0.4962566, 0.1320305, 0.7682218, 0.3074228, 0.0884774, 0.6340787],
    );
    close(
      seeded(() => torch.randnLike(turned())),
      [1.5409961, 0.5684313, -0.2934289, -1.0845224, -2.1787894, -1.3985955],
    );
    expect(seeded(() => torch.randintLike(turned(), 10))).toEqual([4, 0, 9, 3, 3, 9]);
    expect(
      seeded(() =>
        empty(2, 3)
          .t()
          .bernoulli_(tensor([0.5, 0.6])),
      ),
    ).toEqual([1, 1, 0, 1, 1, 0]);
    const p = tensor([
      [0.5, 0.6, 0.1],
      [0.3, 0.8, 0.9],
    ]).t();
    expect(seeded(() => bernoulli(p))).toEqual([1, 0, 1, 1, 0, 1]);
    close(
      seeded(() => empty(4, 10).at(':', '::2').normal_().at(0)),
      [1.540996, -0.2934289, -2.1787894, 0.5684313, -1.0845224],
    );
  });

  it('come row-major from normal() with tensors', () => {
    close(
      seeded(() => torch.normal(zeros(2, 3).t(), ones(3, 1))),
      [1.5409961, -0.2934289, -2.1787894, 0.5684313, -1.0845224, -1.3985955],
    );
  });

  it('hold for the rarer distributions', () => {
    expect(seeded(() => empty(3, { dtype: int32 }).random_())).toEqual([
      209652396, 398764591, 924231285,
    ]);
    expect(seeded(() => empty(3).random_(3, 10))).toEqual([7, 6, 3]);
    expect(seeded(() => empty(3).geometric_(0.3))).toEqual([1, 1, 3]);
    close(
      seeded(() => empty(3).cauchy_()),
      [10.5977297, 0.7647673, -0.1282993],
    );
    close(
      seeded(() => empty(3).logNormal_()),
      [59.2634163, 1.51156, 0.0348195],
    );
    expect(seeded(() => poisson(tensor([1.0, 5, 20, 100, 10, 0]).float()))).toEqual([
      2, 6, 19, 96, 10, 0,
    ]);
    expect(seeded(() => torch.randperm(5, { dtype: float64 }))).toEqual([4, 0, 1, 3, 2]);
    expect(seeded(() => tensor([0.1, 0.2, 0.3, 0.4]).multinomial(1, true))).toEqual([3]);
  });

  it('make dropout noise, whole planes at once if asked', () => {
    torch.manualSeed(0);
    const noise = dropoutNoise(ones(2, 3, 4), 0.5, true);
    expect(noise.shape).toEqual([2, 3, 1]);
    expect(new Set(list(noise))).toEqual(new Set([0, 2]));
    expect(list(dropoutNoise(ones(3), 1))).toEqual([0, 0, 0]);
  });

  it('pass no gradient to what was overwritten', () => {
    const x = ones(3, { requiresGrad: true });
    const y = x.mul(2);
    y.normal_();
    y.sum().backward();
    expect(x.grad?.tolistSync()).toEqual([0, 0, 0]);
  });
});

it('draws exact integers beyond 2^53', () => {
  torch.manualSeed(3);
  const small = torch.randint(0, 5, [100], { dtype: int64 }).dataSync();
  torch.manualSeed(3);
  const out = empty([100], { dtype: int64 }).random_(2 ** 53 - 1, 2 ** 53 + 4);
  const far = Array.from(out.dataSync() as BigInt64Array);
  expect(far).toEqual(Array.from(small as BigInt64Array, (v) => v + 2n ** 53n - 1n));
});
