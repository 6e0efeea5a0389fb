import { describe, expect, it } from 'vitest';
import { makeModel, makeOptimizer } from '../../examples/demo/model.js';
import { readOptions } from '../../examples/demo/options.js';
import { evaluate, type Run, trainEpoch } from '../../examples/demo/train.js';
import * as torch from '../../ts/index.js';

/** Images whose class is the row of a bright band, with noise. */
function bands(count: number): [torch.Tensor, torch.Tensor] {
  const images = torch.rand(count, 1, 28, 28).mul(0.5);
  const labels = torch.randint(0, 10, [count]);
  for (let i = 0; i < count; i++) {
    const row = 2 * (labels.at(i).itemSync() as number) + 4;
    images.select(0, i).narrow(1, row, 2).fill_(1);
  }
  return [images, labels];
}

function makeRun(model: string, stopped = () => false): Run {
  torch.manualSeed(1);
  const options = readOptions(['--model', model], {});
  if (options === undefined) throw new Error('no options');
  const network = makeModel(options.model);
  const data = (count: number) => new torch.data.TensorDataset(...bands(count));
  return {
    model: network,
    optimizer: makeOptimizer(network, options),
    training: new torch.data.DataLoader(data(320), { batchSize: 32, shuffle: true }),
    test: new torch.data.DataLoader(data(100), { batchSize: 50 }),
    images: 320,
    epochs: 2,
    history: { batches: [], epochs: [] },
    stopped,
  };
}

describe('the training loop of the demo', () => {
  it.each(['mlp', 'cnn'])('learns: %s', async (model) => {
    const run = makeRun(model);
    const before = await evaluate(run);
    const losses = [await trainEpoch(run, 1), await trainEpoch(run, 2)];
    const after = await evaluate(run);
    expect(losses[1]).toBeLessThan(losses[0] as number);
    expect(after.loss).toBeLessThan(before.loss);
    expect(after.accuracy).toBeGreaterThan(0.9);
    expect(run.history.batches).toHaveLength(20);
    expect(run.history.batches.at(-1)?.epoch).toBe(2);
  });

  it('stops when told to', async () => {
    const run = makeRun('mlp', () => true);
    expect(await trainEpoch(run, 1)).toBeUndefined();
    expect(run.history.batches.length).toBeGreaterThan(0);
  });
});
