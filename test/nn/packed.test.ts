import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';

const { nn } = torch;
const {
  PackedSequence,
  packPaddedSequence,
  packSequence,
  padPackedSequence,
  padSequence,
  unpackSequence,
  unpadSequence,
} = nn.utils.rnn;

const sequences = [[1, 2], [3, 4, 5], [6]].map((values) => torch.tensor(values));

describe('padding and packing', () => {
  test('padSequence fills up behind or in front, unpadSequence takes it off', () => {
    expect(padSequence(sequences).tolistSync()).toEqual([
      [1, 3, 6],
      [2, 4, 0],
      [0, 5, 0],
    ]);
    const padded = padSequence(sequences, { batchFirst: true, paddingValue: -1 });
    expect(padded.tolistSync()).toEqual([
      [1, 2, -1],
      [3, 4, 5],
      [6, -1, -1],
    ]);
    expect(padSequence(sequences, true, 0, 'left').tolistSync()).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [0, 0, 6],
    ]);
    const parts = unpadSequence(padded, [2, 3, 1], true);
    expect(parts.map((x) => x.tolistSync())).toEqual([[1, 2], [3, 4, 5], [6]]);
  });

  // The values PyTorch gives for the same calls.
  test('packSequence sorts, and padPackedSequence restores the order', () => {
    const packed = packSequence(sequences, { enforceSorted: false });
    expect(packed.data.tolistSync()).toEqual([3, 1, 6, 4, 2, 5]);
    expect(packed.batchSizes.tolistSync()).toEqual([3, 2, 1]);
    expect(packed.sortedIndices?.tolistSync()).toEqual([1, 0, 2]);
    expect(packed.unsortedIndices?.tolistSync()).toEqual([1, 0, 2]);
    const [padded, lengths] = padPackedSequence(packed, true, 9, 4);
    expect(padded.tolistSync()).toEqual([
      [1, 2, 9, 9],
      [3, 4, 5, 9],
      [6, 9, 9, 9],
    ]);
    expect(lengths.tolistSync()).toEqual([2, 3, 1]);
    expect(unpackSequence(packed).map((x) => x.tolistSync())).toEqual([[1, 2], [3, 4, 5], [6]]);
  });

  test('packPaddedSequence takes lengths as a tensor, and gradients pass', () => {
    const x = torch.arange(12, { dtype: torch.float32 }).reshape(2, 3, 2).requiresGrad_();
    const packed = packPaddedSequence(x, torch.tensor([3, 1]), true);
    expect(packed.data.tolistSync()).toEqual([
      [0, 1],
      [6, 7],
      [2, 3],
      [4, 5],
    ]);
    expect(packed.sortedIndices).toBeNull();
    padPackedSequence(packed)[0].sum().backward();
    expect(x.grad?.sum(-1).tolistSync()).toEqual([
      [2, 2, 2],
      [2, 0, 0],
    ]);
    expect(packed.to(torch.float64).data.dtype).toBe(torch.float64);
    expect(packed.to(torch.float32)).toBe(packed);
  });

  test('mistakes say what is wrong', () => {
    const x = torch.zeros([3, 2, 1]);
    expect(() => packPaddedSequence(x, [2, 3])).toThrow(/enforceSorted: false/);
    expect(() => packPaddedSequence(x, [4, 3])).toThrow(torch.ShapeError);
    expect(() => packPaddedSequence(x, [3])).toThrow(torch.ShapeError);
    expect(() => packPaddedSequence(x, [3, 0])).toThrow(/from 1 to T/);
    const packed = packPaddedSequence(x, [3, 2]);
    expect(() => padPackedSequence(packed, false, 0, 2)).toThrow(/totalLength 2/);
    expect(() => new PackedSequence(x, [1, 2])).toThrow(/do not rise/);
  });
});

const LENGTHS = [3, 5, 1, 5, 2];

type Net = torch.nn.RNN | torch.nn.GRU | torch.nn.LSTM;
const layers: Record<string, (dtype: torch.Dtype) => Net> = {
  RNN: (dtype) => new nn.RNN(3, 4, { nonlinearity: 'relu', dtype }),
  GRU: (dtype) => new nn.GRU(3, 4, { numLayers: 2, bidirectional: true, dtype }),
  LSTM: (dtype) => new nn.LSTM(3, 4, { numLayers: 2, bidirectional: true, dtype }),
  'LSTM with projections': (dtype) =>
    new nn.LSTM(3, 4, { bidirectional: true, projSize: 2, dtype }),
};

describe('recurrent layers over packed sequences', () => {
  test.each(Object.keys(layers))('%s: as every sequence alone, with gradients', (name) => {
    torch.manualSeed(5);
    const net = layers[name]!(torch.float64);
    const given = LENGTHS.map((n) => torch.randn([n, 3], { dtype: torch.float64 }));
    const isLstm = net instanceof nn.LSTM;
    const directions = net.bidirectional ? 2 : 1;
    const layer = net.numLayers * directions;
    const size = net.projSize || 4;
    const options = { dtype: torch.float64 };
    const h0 = torch.randn([layer, LENGTHS.length, size], options);
    const c0 = torch.randn([layer, LENGTHS.length, 4], options);
    const run = (input: torch.Tensor | torch.nn.utils.rnn.PackedSequence, states: unknown) =>
      (net as unknown as (...args: unknown[]) => [unknown, unknown])(input, states);
    const grads = (loss: torch.Tensor) => torch.autograd.grad([loss], [...net.parameters()]);

    const packed = packSequence(given, false);
    const [output, state] = run(packed, isLstm ? [h0, c0] : h0);
    const [padded] = padPackedSequence(output as torch.nn.utils.rnn.PackedSequence);
    const [hn, cn] = isLstm ? (state as torch.Tensor[]) : [state as torch.Tensor];
    let loss = padded.square().sum().add(hn!.sum());
    if (cn) loss = loss.add(cn.sum());
    const actual = grads(loss);

    let total = torch.zeros([], options);
    given.forEach((x, i) => {
      const at = (s: torch.Tensor) => s.select(1, i);
      const [alone, last] = run(x, isLstm ? [at(h0), at(c0)] : at(h0)) as [
        torch.Tensor,
        torch.Tensor | torch.Tensor[],
      ];
      const [h, c] = isLstm ? (last as torch.Tensor[]) : [last as torch.Tensor];
      expect(torch.allclose(padded.select(1, i).narrow(0, 0, x.shape[0]!), alone)).toBe(true);
      expect(torch.allclose(at(hn!), h!)).toBe(true);
      if (c) expect(torch.allclose(at(cn!), c)).toBe(true);
      total = total.add(alone.square().sum()).add(h!.sum());
      if (c) total = total.add(c.sum());
    });
    grads(total).forEach((expected, i) => {
      expect(torch.allclose(actual[i]!, expected!)).toBe(true);
    });
  });

  test('sequences of one length, from zeros, are the batch itself', () => {
    const net = new nn.GRU(3, 4);
    const x = torch.randn([6, 2, 3]);
    const [packed, hn] = net(packPaddedSequence(x, [6, 6]));
    const [output, last] = net(x);
    expect(packed.data.tolistSync()).toEqual(output.flatten(0, 1).tolistSync());
    expect(hn.tolistSync()).toEqual(last.tolistSync());
    expect(() => net(packPaddedSequence(torch.zeros([2, 2, 5]), [2, 1]))).toThrow(torch.ShapeError);
  });
});
