/** Values and names are those of PyTorch in the same program. */

import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../ts/index.js';
import * as torch from '../../ts/index.js';

const { nn } = torch;
const { parametrize, parametrizations } = nn.utils;

class Symmetric extends nn.Module {
  forward(x: Tensor): Tensor {
    return x.triu().add(x.triu(1).t());
  }

  rightInverse(x: Tensor): Tensor {
    return x.triu();
  }
}

class Exp extends nn.Module {
  forward(x: Tensor): Tensor {
    return x.exp();
  }
}

const matrix = (...rows: number[][]) => torch.tensor(rows).float();

function symmetricLinear() {
  const layer = new nn.Linear(2, 2);
  layer.weight.data = matrix([1, 2], [3, 4]);
  const { weight } = layer;
  parametrize.registerParametrization(layer, 'weight', new Symmetric());
  return { layer, weight };
}

describe('parametrized tensors', () => {
  it('are computed from the original parameter, which stays the object it is', () => {
    const { layer, weight } = symmetricLinear();
    expect(layer.weight.tolistSync()).toEqual([
      [1, 2],
      [2, 4],
    ]);
    expect(weight.tolistSync()).toEqual([
      [1, 2],
      [0, 4],
    ]);
    expect(Object.keys(layer.stateDict())).toEqual(['bias', 'parametrizations.weight.original']);
    expect(layer.getParameter('parametrizations.weight.original')).toBe(weight);
    expect(layer).toBeInstanceOf(nn.Linear);
    expect(parametrize.typeBeforeParametrizations(layer)).toBe(nn.Linear);
    layer.weight = matrix([5, 6], [6, 7]) as torch.nn.Parameter;
    expect(weight.tolistSync()).toEqual([
      [5, 6],
      [0, 7],
    ]);
    const names = (name?: string) => parametrize.isParametrized(layer, name);
    expect([names(), names('weight'), names('bias')]).toEqual([true, true, false]);
  });

  it('are computed by several modules, and trained through them', () => {
    const { layer, weight } = symmetricLinear();
    layer.weight = matrix([5, 6], [6, 7]) as torch.nn.Parameter;
    parametrize.registerParametrization(layer, 'weight', new Exp());
    expect(String(layer)).toBe(
      'ParametrizedLinear(\n  in_features=2, out_features=2, bias=True\n' +
        '  (parametrizations): ModuleDict(\n    (weight): ParametrizationList(\n' +
        '      (0): Symmetric()\n      (1): Exp()\n    )\n  )\n)',
    );
    layer(torch.ones(1, 2)).sum().backward();
    const expected = [148.4132, 806.8576, 0, 1096.6332];
    expected.forEach((value, i) => {
      expect(Number(weight.grad?.dataSync()[i])).toBeCloseTo(value, 2);
    });
    expect(() => {
      layer.weight = torch.ones(2, 2) as torch.nn.Parameter;
    }).toThrow('Exp has no rightInverse()');
    parametrize.removeParametrizations(layer, 'weight');
    expect(layer.weight).toBe(weight);
    expect(Number(weight.dataSync()[1])).toBeCloseTo(403.4288, 2);
    expect(String(layer)).toBe('Linear(in_features=2, out_features=2, bias=True)');
    expect(Object.keys(layer.stateDict()).sort()).toEqual(['bias', 'weight']);
  });

  it('are computed once within cached()', () => {
    const { layer } = symmetricLinear();
    expect(Object.is(layer.weight, layer.weight)).toBe(false);
    parametrize.cached(() => {
      expect(layer.weight).toBe(layer.weight);
      parametrize.cached(() => expect(layer.weight).toBe(layer.weight));
      expect(layer.weight).toBe(layer.weight);
    });
    {
      using _ = parametrize.cached();
      expect(layer.weight).toBe(layer.weight);
    }
    expect(Object.is(layer.weight, layer.weight)).toBe(false);
  });

  it('may be buffers', () => {
    const norm = new nn.BatchNorm1d(2);
    parametrize.registerParametrization(norm, 'running_mean', new nn.Identity());
    expect(Object.keys(norm.stateDict())).toEqual([
      'weight',
      'bias',
      'running_var',
      'num_batches_tracked',
      'parametrizations.running_mean.original',
    ]);
    parametrize.removeParametrizations(norm, 'running_mean');
    expect([...norm.namedBuffers()].map(([name]) => name).sort()).toEqual([
      'num_batches_tracked',
      'running_mean',
      'running_var',
    ]);
  });

  it('are copied with their module, saved and loaded', () => {
    const { layer } = symmetricLinear();
    const copy = nn.deepcopy(layer);
    copy.weight = matrix([0, 1], [1, 0]) as torch.nn.Parameter;
    expect(layer.weight.tolistSync()).toEqual([
      [1, 2],
      [2, 4],
    ]);
    layer.loadStateDict(copy.stateDict());
    expect(layer.weight.tolistSync()).toEqual([
      [0, 1],
      [1, 0],
    ]);
  });

  it('keep shape and dtype, unless told otherwise', () => {
    class First extends nn.Module {
      forward(x: Tensor): Tensor {
        return x.select(0, 0);
      }
    }
    const layer = new nn.Linear(2, 2);
    const before = layer.weight;
    const register = (options?: { unsafe: boolean }) =>
      parametrize.registerParametrization(layer, 'weight', new First(), options);
    expect(() => register()).toThrow('has shape [2], the tensor [2, 2]');
    expect(layer.weight).toBe(before);
    register({ unsafe: true });
    expect(layer.weight.shape).toEqual([2]);
    expect(() => parametrize.registerParametrization(layer, 'wieght', new First())).toThrow(
      "no parameter or buffer 'wieght'",
    );
    expect(() => parametrize.removeParametrizations(layer, 'bias')).toThrow('is not parametrized');
    const plain = { leaveParametrized: false };
    expect(parametrize.removeParametrizations(layer, 'weight', plain).weight).toBe(before);
  });
});

describe('weight norm', () => {
  it('computes the weight from lengths and directions before every forward', () => {
    const layer = nn.utils.weightNorm(new nn.Linear(2, 3));
    expect(Object.keys(layer.stateDict())).toEqual(['bias', 'weight_g', 'weight_v']);
    expect(String(layer)).toBe('Linear(in_features=2, out_features=3, bias=True)');
    const g = layer.getParameter('weight_g');
    const v = layer.getParameter('weight_v');
    layer.loadStateDict({
      weight_v: matrix([3, 4], [0, 2], [1, 1]),
      weight_g: matrix([10], [1], [2]),
      bias: torch.zeros(3),
    });
    const y = layer(torch.ones(1, 2));
    [14, 1, 2.8284].forEach((value, i) => {
      expect(Number(y.dataSync()[i])).toBeCloseTo(value, 4);
    });
    y.sum().backward();
    [1.4, 1, Math.SQRT2].forEach((value, i) => {
      expect(Number(g.grad?.dataSync()[i])).toBeCloseTo(value, 4);
    });
    [0.32, -0.24, 0.5, 0, 0, 0].forEach((value, i) => {
      expect(Number(v.grad?.dataSync()[i])).toBeCloseTo(value, 4);
    });
    const copy = nn.deepcopy(layer);
    for (const each of [layer, copy]) {
      nn.utils.removeWeightNorm(each);
      expect(Object.keys(each.stateDict())).toEqual(['bias', 'weight']);
      expect(Number(each.weight.dataSync()[1])).toBeCloseTo(8, 5);
    }
    expect(() => nn.utils.removeWeightNorm(layer)).toThrow('is not normalised');
  });

  it('along another dimension, or as a whole', () => {
    const shape = (dim: number | null) =>
      nn.utils.weightNorm(new nn.Conv2d(2, 3, 2), { dim }).getParameter('weight_g').shape;
    expect([shape(0), shape(1), shape(null)]).toEqual([[3, 1, 1, 1], [1, 2, 1, 1], []]);
    expect(() => nn.utils.weightNorm(new nn.ReLU())).toThrow("ReLU has no parameter 'weight'");
    const twice = nn.utils.weightNorm(new nn.Linear(1, 1));
    expect(() => nn.utils.weightNorm(twice)).toThrow("'weight' is normalised already");
  });

  it('as a parametrization, which loads states of the other form', () => {
    const layer = parametrizations.weightNorm(new nn.Linear(2, 3));
    const prefix = 'parametrizations.weight.original';
    expect(Object.keys(layer.stateDict())).toEqual(['bias', `${prefix}0`, `${prefix}1`]);
    expect(String(layer)).toContain('(weight): ParametrizationList(\n      (0): _WeightNorm()');
    const older = nn.utils.weightNorm(new nn.Linear(2, 3));
    layer.loadStateDict(older.stateDict());
    const x = torch.randn(4, 2);
    expect(layer(x).tolistSync()).toEqual(older(x).tolistSync());
    layer(x).sum().backward();
    expect(layer.getParameter(`${prefix}0`).grad?.shape).toEqual([3, 1]);
    parametrize.removeParametrizations(layer, 'weight');
    expect(layer.weight).toBeInstanceOf(nn.Parameter);
    expect(() =>
      parametrize.removeParametrizations(
        parametrizations.weightNorm(new nn.Linear(1, 1)),
        'weight',
        { leaveParametrized: false },
      ),
    ).toThrow('is computed from 2 tensors');
  });
});

describe('parameters as one vector', () => {
  it('in order, in both directions', () => {
    const layer = new nn.Linear(2, 1);
    const vector = nn.utils.parametersToVector(layer.parameters());
    expect([vector.shape, vector.gradFn?.name]).toEqual([[3], 'CatBackward0']);
    nn.utils.vectorToParameters(torch.tensor([1, 2, 3]).float(), layer.parameters());
    expect([layer.weight.tolistSync(), layer.bias?.tolistSync()]).toEqual([[[1, 2]], [3]]);
    expect(() => nn.utils.vectorToParameters(torch.ones(4), layer.parameters())).toThrow(
      'expected a vector of 3 elements',
    );
  });
});
