/** Expected numbers and texts are those of PyTorch 1.13 under the same seed. */

import { beforeEach, describe, expect, it } from 'vitest';
import type { Tensor } from '../../ts/index.js';
import * as torch from '../../ts/index.js';

const { nn } = torch;
const { gradcheck, gradgradcheck } = torch.autograd;

beforeEach(() => {
  torch.manualSeed(3);
});

function numbers(x: Tensor): number[] {
  return Array.from(x.dataSync(), Number);
}

function close(x: Tensor, expected: readonly number[]): void {
  const actual = numbers(x);
  expect(actual.length).toBe(expected.length);
  actual.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i], 5);
  });
}

describe('printing', () => {
  const printed: [torch.nn.Module, string][] = [
    [new nn.AvgPool1d(3), 'AvgPool1d(kernel_size=(3,), stride=(3,), padding=(0,))'],
    [new nn.AdaptiveAvgPool2d([null, 2]), 'AdaptiveAvgPool2d(output_size=(None, 2))'],
    [new nn.Embedding(3, 2, { paddingIdx: -1 }), 'Embedding(3, 2, padding_idx=2)'],
    [new nn.RNNCell(2, 3, { nonlinearity: 'relu' }), 'RNNCell(2, 3, nonlinearity=relu)'],
    [new nn.RNN(2, 3, { dropout: 0.5, numLayers: 2 }), 'RNN(2, 3, num_layers=2, dropout=0.5)'],
    [new nn.Unflatten(1, [2, 3]), 'Unflatten(dim=1, unflattened_size=torch.Size([2, 3]))'],
    [new nn.LayerNorm([2, 3]), 'LayerNorm((2, 3), eps=1e-05, elementwise_affine=True)'],
    [new nn.ReLU(true), 'ReLU(inplace=True)'],
    [new nn.LeakyReLU(0.2, true), 'LeakyReLU(negative_slope=0.2, inplace=True)'],
    [
      new nn.InstanceNorm2d(3),
      'InstanceNorm2d(3, eps=1e-05, momentum=0.1, affine=False, track_running_stats=False)',
    ],
    [
      new nn.Conv1d(2, 4, 3, {
        dilation: 2,
        groups: 2,
        bias: false,
        paddingMode: 'circular',
        padding: 1,
      }),
      'Conv1d(2, 4, kernel_size=(3,), stride=(1,), padding=(1,), dilation=(2,), groups=2, ' +
        'bias=False, padding_mode=circular)',
    ],
    [new nn.GLU(), 'GLU(dim=-1)'],
    [new nn.CELU(), 'CELU(alpha=1.0)'],
    [new nn.Dropout(0.25), 'Dropout(p=0.25, inplace=False)'],
  ];
  for (const [module, text] of printed) {
    it(text, () => {
      expect(String(module)).toBe(text);
    });
  }
});

describe('batch norm', () => {
  it('averages over all batches without a momentum', () => {
    const norm = new nn.BatchNorm1d(2, { momentum: null });
    norm(
      torch
        .tensor([
          [1, 2],
          [3, 5],
        ])
        .float(),
    );
    norm(
      torch
        .tensor([
          [0, 2],
          [3, 4],
        ])
        .float(),
    );
    close(norm.running_mean as Tensor, [1.75, 3.25]);
    close(norm.running_var as Tensor, [3.25, 3.25]);
    expect(norm.num_batches_tracked?.itemSync()).toBe(2);
    norm.eval();
    close(norm(torch.ones(1, 2)), [-0.75 / Math.sqrt(3.25), -2.25 / Math.sqrt(3.25)]);
    expect(norm.num_batches_tracked?.itemSync()).toBe(2);
  });

  it('keeps no statistics if told so', () => {
    const norm = new nn.BatchNorm2d(3, { trackRunningStats: false, affine: false }).eval();
    expect(norm.stateDict()).toEqual({});
    close(norm(torch.randn(4, 3, 2, 2)).mean([0, 2, 3]), [0, 0, 0]);
  });
});

describe('dropout', () => {
  it("draws PyTorch's numbers, and does nothing in eval", () => {
    const layer = new nn.Dropout2d(0.5);
    const kept = layer(torch.ones(2, 3, 2, 2));
    close(kept.select(3, 0).select(2, 0), [2, 2, 0, 2, 0, 0]);
    const x = torch.ones(1, 1, 2, 2);
    expect(layer.eval()(x)).toBe(x);
  });
});

describe('embedding', () => {
  it('keeps the padding row out of training', () => {
    const layer = new nn.Embedding(3, 2, { paddingIdx: 0 });
    close(layer.weight, [0, 0, 0.0889781, -0.613718, 0.0461824, -1.3682592]);
    layer(
      torch.tensor([
        [0, 2],
        [2, 0],
      ]),
    )
      .sum()
      .backward();
    close(layer.weight.grad as Tensor, [0, 0, 0, 0, 2, 2]);
  });

  it('takes a given table', () => {
    const table = torch.tensor([
      [3, 4],
      [0.3, 0.4],
    ]);
    const layer = nn.Embedding.fromPretrained(table, { maxNorm: 1 });
    expect(layer.weight.requiresGrad).toBe(false);
    close(layer(torch.tensor([0, 1])), [0.6, 0.8, 0.3, 0.4]);
    expect(nn.Embedding.fromPretrained(table, false).weight.requiresGrad).toBe(true);
    expect(String(layer)).toBe('Embedding(2, 2, max_norm=1.0)');
  });
});

describe('recurrent layers', () => {
  it("start and drop as PyTorch's", () => {
    const rnn = new nn.RNN(2, 2, { numLayers: 2, dropout: 0.5 });
    const [output] = rnn(torch.ones(3, 1, 2));
    close(output, [0.9314343, -0.0442342, 0.442959, -0.5537851, 0.7744576, -0.2219082]);
    torch.manualSeed(3);
    const weight = new nn.LSTMCell(2, 1).weight_ih;
    close(weight.at(0), [-0.991473, -0.7888613]);
  });

  const double = { dtype: torch.float64 };
  const layers: Record<string, torch.nn.RNN | torch.nn.GRU | torch.nn.LSTM> = {
    rnn: new nn.RNN(2, 3, { ...double, nonlinearity: 'tanh' }),
    'gru, two ways': new nn.GRU(2, 3, { ...double, bidirectional: true }),
    lstm: new nn.LSTM(2, 3, { ...double, numLayers: 2 }),
    'lstm, projected': new nn.LSTM(2, 3, { ...double, projSize: 2, bias: false }),
  };
  for (const [name, layer] of Object.entries(layers)) {
    it(`${name}: first and second derivatives`, () => {
      const run = (x: Tensor): Tensor[] => {
        const [output, states] = (layer as torch.nn.Module as torch.nn.LSTM)(x);
        return [output, ...(Array.isArray(states) ? states : [states as unknown as Tensor])];
      };
      const x = torch.randn(2, 2, 2, double).requiresGrad_();
      expect(gradcheck(run, [x])).toBe(true);
      expect(gradgradcheck(run, [x])).toBe(true);
    });
  }

  it('agree with their cells', () => {
    for (const [Layer, Cell] of [
      [nn.GRU, nn.GRUCell],
      [nn.RNN, nn.RNNCell],
    ] as const) {
      const layer = new Layer(2, 3);
      const cell = new Cell(2, 3);
      const state = layer.stateDict();
      cell.loadStateDict(
        Object.fromEntries(Object.entries(state).map(([k, v]) => [k.replace('_l0', ''), v])),
      );
      const x = torch.randn(4, 1, 2);
      const [output, last] = layer(x);
      let h = torch.zeros(1, 3);
      x.unbind(0).forEach((input, t) => {
        h = cell(input, h);
        close(output.select(0, t), numbers(h));
      });
      close(last, numbers(h));
    }
  });
});

describe('init', () => {
  it("gives PyTorch's numbers", () => {
    const seeded = (fill: (x: Tensor) => Tensor, ...shape: number[]): Tensor => {
      torch.manualSeed(3);
      return fill(torch.empty(shape));
    };
    const { init } = nn;
    const options = { mode: 'fanOut', nonlinearity: 'relu' } as const;
    const normal = seeded((x) => init.kaimingNormal_(x, options), 2, 3);
    close(normal.at(0), [0.8032761, 0.1748334, 0.0889781]);
    close(seeded((x) => init.xavierUniform_(x), 2, 3).at(0), [-1.0861043, -0.8641543, -0.4691956]);
    const sparse = seeded((x) => init.sparse_(x, 0.4), 3, 2);
    close(sparse, [0, 0, 0.0008898, -0.0061372, 0, 0]);
    expect(
      init
        .dirac_(torch.empty(4, 2, 3), 2)
        .at(':', ':', 1)
        .tolistSync(),
    ).toEqual([
      [1, 0],
      [0, 1],
      [1, 0],
      [0, 1],
    ]);
    expect(init.eye_(torch.empty(2, 3)).tolistSync()).toEqual([
      [1, 0, 0],
      [0, 1, 0],
    ]);
    expect(init.calculateGain('leakyRelu', 1)).toBe(1);
    const truncated = numbers(init.truncNormal_(torch.empty(500), 0, 1, -1, 0.5));
    expect(truncated.every((value) => value >= -1 && value <= 0.5)).toBe(true);
    const wide = init.orthogonal_(torch.empty(2, 2, 3), 2).view(2, 6);
    close(wide.matmul(wide.t()), [4, 0, 0, 4]);
    expect(() => init.xavierNormal_(torch.empty(3))).toThrow('need at least 2 dimensions');
  });
});

describe('utils', () => {
  it('clips gradients by their common norm and by value', () => {
    const parameters = [torch.ones(2).requiresGrad_(), torch.ones(1).requiresGrad_()];
    parameters[0].grad = torch.tensor([3, 0]).float();
    parameters[1].grad = torch.tensor([4]).float();
    expect(nn.utils.clipGradNorm_(parameters, 1).itemSync()).toBe(5);
    close(parameters[0].grad as Tensor, [0.6, 0]);
    nn.utils.clipGradValue_(parameters, 0.5);
    close(parameters[1].grad as Tensor, [0.5]);
    const vector = nn.utils.parametersToVector(parameters);
    expect(vector.shape).toEqual([3]);
    nn.utils.vectorToParameters(torch.tensor([7, 8, 9]).float(), parameters);
    close(parameters[0], [7, 8]);
    expect(() => nn.utils.vectorToParameters(torch.ones(2), parameters)).toThrow(
      'vectorToParameters: expected a vector of 3 elements',
    );
  });
});

describe('mistakes', () => {
  const cases: [string, () => unknown, string][] = [
    [
      'rank of a batch norm input',
      () => new nn.BatchNorm2d(3)(torch.ones(2, 3)),
      'BatchNorm2d: expected input [N, 3, H, W], got [2, 3]',
    ],
    [
      'last dimension of a recurrent input',
      () => new nn.GRU(4, 3)(torch.ones(2, 1, 5)),
      'GRU: expected input [time, batch, 4] (or [time, 4]), got [2, 1, 5]',
    ],
    [
      'initial state',
      () => new nn.GRU(4, 3)(torch.ones(2, 1, 4), torch.ones(1, 2, 3)),
      'GRU: expected a hidden state [1, 1, 3], got [1, 2, 3]',
    ],
    [
      'one state for an LSTM',
      () => new nn.LSTM(4, 3)(torch.ones(2, 1, 4), torch.ones(1, 1, 3) as never),
      'LSTM: the state is [h, c]',
    ],
    ['projection', () => new nn.LSTM(4, 3, { projSize: 3 }), 'projSize must be smaller'],
    ['groups', () => new nn.Conv2d(3, 4, 3, { groups: 2 }), 'must divide into 2 groups'],
    [
      'same with a stride',
      () => new nn.Conv2d(3, 4, 3, 2, 'same'),
      "padding 'same' needs stride 1",
    ],
    [
      'row of a table',
      () => new nn.Embedding(3, 2)(torch.tensor([3])),
      'embedding: index 3 at position 0 is out of range for a dimension of size 3: the weight is [3, 2]',
    ],
    [
      'size',
      () => new nn.Linear(2.5, 1),
      'Linear: inFeatures is an integer of at least 0, got 2.5',
    ],
    ['probability', () => new nn.Dropout(2), 'Dropout: the probability p lies between 0 and 1'],
    ['list that is called', () => new nn.ModuleList()(), 'ModuleList: a list is not called'],
  ];
  for (const [name, call, text] of cases) {
    it(name, () => {
      expect(call).toThrow(torch.TorchError);
      expect(call).toThrow(text);
    });
  }
});

describe('memory', () => {
  it('stays flat in a training loop inside torch.scope', () => {
    const net = new nn.Sequential(
      new nn.Conv2d(1, 2, 3, { padding: 'same' }),
      new nn.BatchNorm2d(2, { momentum: null }),
      new nn.ReLU(true),
      new nn.Dropout2d(0.2),
      new nn.Flatten(2),
    );
    const gru = new nn.GRU(16, 4, { numLayers: 2, batchFirst: true, bidirectional: true });
    const both = new nn.ModuleList([net, gru]);
    const x = torch.randn(4, 1, 4, 4);
    const step = () =>
      torch.scope(() => {
        both.zeroGrad();
        const [output] = gru(net(x));
        output.square().mean().backward();
        nn.utils.clipGradNorm_(both.parameters(), 1);
      });
    for (let i = 0; i < 3; i++) step();
    const { bytes, storages } = torch.memory();
    for (let i = 0; i < 20; i++) step();
    expect(torch.memory()).toMatchObject({ bytes, storages });
  });
});
