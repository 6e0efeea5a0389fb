import { describe, expect, it } from 'vitest';
import { readOptions } from '../../examples/demo/options.js';
import { evaluate, makeRun, type Progress, type Run, train } from '../../examples/demo/train.js';
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

interface Watched {
  run: Run;
  seen: Progress[];
}

function watch(model: string, stopped: (seen: Progress[]) => boolean = () => false): Watched {
  const options = readOptions(['--model', model, '--epochs', '2', '--batch-size', '32'], {});
  if (options === undefined) throw new Error('no options');
  torch.manualSeed(1);
  const data = (count: number) => {
    const [images, labels] = bands(count);
    const targets = labels.tolistSync() as number[];
    return { length: count, at: (i: number): [torch.Tensor, number] => [images.at(i), targets[i]] };
  };
  const seen: Progress[] = [];
  const run = makeRun(options, data(320), data(100), {
    show: (progress) => seen.push(progress),
    turn: () => new Promise((resolve) => setTimeout(resolve)),
    stopped: () => stopped(seen),
  });
  return { run, seen };
}

describe('the training loop of the demo', () => {
  it.each(['mlp', 'cnn'])('learns: %s', async (model) => {
    const { run, seen } = watch(model);
    const before = await evaluate(run);
    const heard: number[] = [];
    await train(run, ({ epoch }) => void heard.push(epoch));
    const [first, second] = run.history.epochs;
    expect(heard).toEqual([1, 2]);
    expect(second.trainLoss).toBeLessThan(first.trainLoss);
    expect(second.testLoss).toBeLessThan(before?.loss as number);
    expect(second.testAccuracy).toBeGreaterThan(0.9);
    expect(run.history.batches).toHaveLength(20);
    expect(run.history.batches.at(-1)?.epoch).toBe(2);
    const last = seen.at(-1);
    expect(last).toMatchObject({ epoch: 2, epochs: 2, batch: 10, batches: 10, secondsLeft: 0 });
    expect(last?.loss).toBeCloseTo(second.trainLoss);
  });

  it('is the same for the same recipe', async () => {
    const losses = async () => {
      const { run } = watch('mlp');
      await train(run, () => {});
      return run.history.batches;
    };
    expect(await losses()).toEqual(await losses());
  });

  it('stops when told to', async () => {
    const { run } = watch('mlp', (seen) => seen.length > 0);
    await train(run, () => {});
    expect(run.history.epochs).toEqual([]);
    expect(run.history.batches.length).toBeGreaterThan(0);
  });
});
