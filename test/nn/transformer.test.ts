/** Attention and transformers: numbers of PyTorch 1.13 under the same seed, dropout included. */

import { beforeEach, describe, expect, expectTypeOf, it } from 'vitest';
import type { Tensor } from '../../ts/index.js';
import * as torch from '../../ts/index.js';

const { nn } = torch;

beforeEach(() => {
  torch.manualSeed(3);
});

/** The first elements of a tensor. */
function starts(x: Tensor, expected: readonly number[]): void {
  const values = Array.from(x.detach().reshape(-1).dataSync(), Number);
  expected.forEach((value, i) => {
    expect(values[i]).toBeCloseTo(value, 5);
  });
}

const padding = torch
  .tensor([
    [0, 0, 1],
    [0, 1, 1],
  ])
  .bool();

describe('MultiheadAttention', () => {
  it('with other sizes of keys and values, learned keys, zeros, dropout, weights per head', () => {
    const options = { dropout: 0.3, kdim: 3, vdim: 5, addBiasKv: true, addZeroAttn: true };
    const attention = new nn.MultiheadAttention(6, 2, options);
    const inputs = [torch.randn(2, 2, 6), torch.randn(3, 2, 3), torch.randn(3, 2, 5)] as const;
    const [output, weights] = attention(...inputs, { averageAttnWeights: false });
    expectTypeOf(weights).toEqualTypeOf<Tensor | null>();
    expect([output.shape, weights?.shape]).toEqual([
      [2, 2, 6],
      [2, 2, 2, 5],
    ]);
    starts(output, [0.923926, -0.668134, -0.181136, 0.86662, 0.126148, 0.483573]);
    starts(weights as Tensor, [1.260354, 0.111667, 0.000306, 0, 0.021666]);
    const starting = Object.entries(attention.stateDict()).map(([name, value]) => [
      name,
      Number(Number(value.reshape(-1).dataSync()[0]).toFixed(5)),
    ]);
    expect(starting).toEqual([
      ['q_proj_weight', -0.08018],
      ['k_proj_weight', 0.18608],
      ['v_proj_weight', -0.4989],
      ['in_proj_bias', 0],
      ['bias_k', 0.27154],
      ['bias_v', 0.01949],
      ['out_proj.weight', -0.40477],
      ['out_proj.bias', 0],
    ]);
  });

  it('with masks of both kinds, with and without weights', () => {
    const attention = new nn.MultiheadAttention(4, 2, { bias: false, batchFirst: true });
    const [x, y] = [torch.randn(2, 3, 4), torch.randn(2, 5, 4)];
    const hidden = torch.tensor([
      [0, 0, 0, 1, 1],
      [0, 0, 0, 0, 1],
    ]);
    const masks = { keyPaddingMask: hidden.bool(), attnMask: torch.randn(4, 3, 5) };
    const [output, weights] = attention(x, y, y, masks);
    starts(output, [-0.205784, -0.139132, 0.260694, 0.150606]);
    starts(weights as Tensor, [0.407439, 0.42357, 0.168991, 0, 0]);
    const [fast, none] = attention(x, y, y, { ...masks, needWeights: false });
    expect(none).toBe(null);
    expect(fast.sub(output).abs().max().itemSync()).toBeLessThan(1e-6);
    starts(attention(x, x, x, { needWeights: false })[0], [-0.045908, -0.034303, 0.01728]);
    // Bool masks alone: what is hidden gets no weight; one sample is as a batch of one.
    const both = { keyPaddingMask: hidden.bool(), attnMask: hidden.bool().at([0, 1, 1]) };
    const [, seen] = attention(x, y, y, both);
    expect((seen as Tensor).mul(hidden.unsqueeze(1)).sum().itemSync()).toBe(0);
    const single = { keyPaddingMask: hidden.bool().select(0, 0) };
    const [one, few] = attention(x.select(0, 0), y.select(0, 0), y.select(0, 0), single);
    expect([one.shape, few?.shape]).toEqual([
      [3, 4],
      [3, 5],
    ]);
  });

  it('gives the gradients that differences give', () => {
    const attention = new nn.MultiheadAttention(4, 2, { addBiasKv: true, addZeroAttn: true });
    attention.double();
    const inputs = [2, 3, 3].map((n) => torch.randn(n, 2, 4, { dtype: torch.float64 }));
    const mask = { keyPaddingMask: padding };
    const run = (needWeights: boolean) => (q: Tensor, k: Tensor, v: Tensor) =>
      attention(q, k, v, { ...mask, needWeights }).filter((x) => x !== null);
    for (const input of inputs) input.requiresGrad_();
    expect(torch.autograd.gradcheck(run(true), inputs)).toBe(true);
    expect(torch.autograd.gradcheck(run(false), inputs)).toBe(true);
  });

  it('says what it expected', () => {
    const attention = new nn.MultiheadAttention(4, 2);
    const x = torch.ones(3, 2, 4);
    expect(() => new nn.MultiheadAttention(5, 2)).toThrow('does not divide into 2 heads');
    expect(() => attention(x, x, torch.ones(2, 2, 4))).toThrow(
      'expected query [L, N, 4], key [S, N, 4] and value [S, N, 4], all perhaps without N, got ' +
        '[3, 2, 4], [3, 2, 4], [2, 2, 4]',
    );
    expect(() => attention(x, x, x, { attnMask: torch.ones(2, 3) })).toThrow(
      'expected attnMask [3, 3] or [4, 3, 3], got [2, 3]',
    );
    expect(() => attention(x, x, x, { keyPaddingMask: torch.ones(2, 3).int() })).toThrow(
      'keyPaddingMask is bool (true: not seen) or floating point',
    );
    // @ts-expect-error there is no such option
    expect(() => attention(x, x, x, { mask: null })).toThrow("unknown option 'mask'");
  });
});

describe('Transformer', () => {
  it('draws its numbers as PyTorch', () => {
    const net = new nn.Transformer(4, 2, 2, 1, 8, { dropout: 0.5 });
    starts(
      net(torch.randn(3, 2, 4), torch.randn(2, 2, 4)),
      [1.123765, -1.593779, 0.443003, 0.027011, 0.807059, -0.590815, -1.327994, 1.11175],
    );
  });

  it('with masks, norm first, batch first, another activation', () => {
    const options = { dropout: 0.1, batchFirst: true, normFirst: true } as const;
    const net = new nn.Transformer(4, 2, 1, 2, 8, { ...options, activation: 'gelu' }).eval();
    const y = net(torch.randn(2, 3, 4), torch.randn(2, 5, 4), {
      tgtMask: nn.Transformer.generateSquareSubsequentMask(5),
      srcKeyPaddingMask: padding,
      memoryKeyPaddingMask: padding,
    });
    expectTypeOf(y).toEqualTypeOf<Tensor>();
    starts(y, [0.008269, -1.577861, 1.157935, 0.411658, -0.82191, -0.465173, 1.711199]);
  });

  it('stacks copies of a layer', () => {
    const options = { dropout: 0.2, activation: new nn.GELU(), layerNormEps: 1e-3 };
    const layer = new nn.TransformerEncoderLayer(4, 2, 8, options);
    const encoder = new nn.TransformerEncoder(layer, 2, new nn.LayerNorm(4));
    starts(encoder(torch.randn(3, 2, 4)), [-1.46478, 0.523443, 1.224767, -0.28343, 1.305182]);
    const parameters = [...encoder.parameters()];
    expect(parameters.length).toBe(26);
    expect(encoder.layers.at(0)).not.toBe(layer);
    expect(String(encoder.layers.at(1))).toBe(String(layer));
    expect(String(layer)).toContain("(activation): GELU(approximate='none')");
  });

  it('decodes single samples', () => {
    const layer = new nn.TransformerDecoderLayer(6, 3, 8, { dropout: 0 });
    const decoder = new nn.TransformerDecoder(layer, 2);
    const y = decoder(torch.randn(3, 6), torch.randn(2, 6));
    starts(y, [0.39104, -0.185929, 0.696035, -1.857671, -0.364232, 1.320758, 0.337205, 1.51929]);
  });

  it('says what it expected', () => {
    const net = new nn.Transformer(4, 2, 1, 1, 8);
    expect(() => net(torch.ones(3, 2, 4), torch.ones(2, 1, 4))).toThrow(
      'expected src [S, N, 4] and tgt [T, N, 4], got [3, 2, 4] and [2, 1, 4]',
    );
    const options = { activation: 'tanh' as 'relu' };
    expect(() => new nn.TransformerEncoderLayer(4, 2, options)).toThrow("got 'tanh'");
  });
});
