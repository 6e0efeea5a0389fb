import { encode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { readOptions, usage } from '../../examples/demo/options.js';
import { drawCurves, drawPredictions } from '../../examples/demo/pictures.js';

describe('options of the demo', () => {
  it('flags win over the environment, which wins over the defaults', () => {
    const environment = { EPOCHS: '2', BATCH_SIZE: '64', OPTIMIZER: 'sgd' };
    const options = readOptions(['--epochs', '7', '--model', 'cnn'], environment);
    expect(options).toMatchObject({ epochs: 7, batchSize: 64, model: 'cnn', lr: 0.1 });
    expect(readOptions([], {})).toMatchObject({ optimizer: 'adam', lr: 0.001, dataset: 'fashion' });
    expect(readOptions(['--lr', '0.01'], environment)?.lr).toBe(0.01);
  });

  it('help names every option', () => {
    expect(readOptions(['--help'], {})).toBeUndefined();
    for (const name of ['epochs', 'batch-size', 'lr', 'optimizer', 'model', 'dataset', 'seed']) {
      expect(usage()).toContain(`--${name}`);
    }
  });

  it.each([
    [['--epochs', '0'], '--epochs must be an integer of at least 1'],
    [['--model', 'vgg'], '--model must be one of mlp, cnn'],
    [['--lr', 'fast'], '--lr must be a number'],
    [['--epoch', '1'], "'--epoch'"],
  ])('refuses %j', (args, message) => {
    expect(() => readOptions(args, {})).toThrow(message);
  });
});

describe('pictures of the demo', () => {
  it('draws the curves', async () => {
    const batches = Array.from({ length: 20 }, (_, i) => ({ epoch: i / 10, loss: 2 / (i + 1) }));
    const epochs = [1, 2].map((epoch) => ({
      epoch,
      trainLoss: 0.5,
      testLoss: 0.4 / epoch,
      testAccuracy: 0.8 + epoch / 100,
    }));
    const svg = await drawCurves({ batches, epochs }, 'Fashion');
    expect(svg).toMatch(/^<svg/);
    expect(svg).toContain('test accuracy');
    expect(svg).toContain('82.0%');
    expect(svg.match(/<path/g)?.length).toBeGreaterThan(4);
    expect(svg).not.toContain('NaN');
  });

  it('draws predictions, right and wrong', () => {
    const png = encode({ width: 2, height: 2, channels: 1, data: Uint8Array.of(0, 90, 180, 255) });
    const svg = drawPredictions([
      { png, truth: 'Bag', predicted: 'Bag', confidence: 0.994 },
      { png, truth: 'Ankle <boot>', predicted: 'Bag', confidence: 0.5 },
    ]);
    expect(svg).toContain('✓ Bag 99%');
    expect(svg).toContain('✗ Bag 50%');
    expect(svg).toContain('is Ankle &lt;boot>');
    expect(svg.match(/data:image\/png;base64,/g)).toHaveLength(2);
  });
});
