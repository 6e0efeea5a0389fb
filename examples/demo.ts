/**
 * Trains a network on Fashion-MNIST and shows what it learned. Run it with `make demo`, or
 * `make demo ARGS='--model cnn --epochs 2'`; `--help` lists the options.
 */

import { join, relative } from 'node:path';
import { getData } from '../scripts/get-data.mjs';
import * as torch from '../ts/index.js';
import { writeBytes } from '../ts/platform/node.js';
import { makeModel, makeOptimizer } from './demo/model.js';
import { type DemoOptions, readOptions, usage } from './demo/options.js';
import { drawCurves, drawPredictions, type Prediction } from './demo/pictures.js';
import { evaluate, type Run, trainEpoch } from './demo/train.js';

const { datasets, transforms, utils } = torch.vision;

type Images = InstanceType<typeof datasets.MNIST>;

/** What the network says about the first images of the test part. */
async function predict(run: Run, images: Images, count: number): Promise<Prediction[]> {
  const indices = Array.from({ length: count }, (_, i) => i);
  const [x, y] = images.batch(indices) as [torch.Tensor, torch.Tensor];
  const probabilities = torch.noGrad(() => run.model(x).softmax(1));
  const { values, indices: answers } = probabilities.max(1);
  const [truths, said, sure] = await Promise.all([y, answers, values].map((t) => t.toArray()));
  return Promise.all(
    indices.map(async (i) => ({
      png: await utils.saveImage(images.data.at(i).unsqueeze(0)),
      truth: images.classes[Number(truths[i])],
      predicted: images.classes[Number(said[i])],
      confidence: Number(sure[i]),
    })),
  );
}

/** Trains, evaluates and saves, epoch by epoch. Returns whether an epoch was finished. */
async function train(run: Run, checkpoint: string): Promise<boolean> {
  for (let epoch = 1; epoch <= run.epochs; epoch++) {
    const trainLoss = await trainEpoch(run, epoch);
    if (trainLoss === undefined) break;
    const { loss, accuracy } = await evaluate(run);
    run.history.epochs.push({ epoch, trainLoss, testLoss: loss, testAccuracy: accuracy });
    console.log(
      `  training loss ${trainLoss.toFixed(4)}, test loss ${loss.toFixed(4)}, ` +
        `test accuracy ${(100 * accuracy).toFixed(2)} %`,
    );
    await torch.save(run.model.stateDict(), checkpoint);
  }
  return run.history.epochs.length > 0;
}

async function main(options: DemoOptions): Promise<void> {
  const { name, root } = await getData(options.dataset, { data: 'data' });
  torch.manualSeed(options.seed);
  const { threads, reason } = torch.cpu.info();
  if (options.threads > threads) console.log(`Threads: ${threads} (${reason})`);
  const transform = transforms.ToTensor();
  const images = (train: boolean) => new datasets[name](root, { train, transform });
  const [trainingImages, testImages] = [images(true), images(false)];
  const model = makeModel(options.model);
  let interrupted = false;
  const run: Run = {
    model,
    optimizer: makeOptimizer(model, options),
    training: new torch.data.DataLoader(trainingImages, {
      batchSize: options.batchSize,
      shuffle: true,
    }),
    test: new torch.data.DataLoader(testImages, { batchSize: 1000 }),
    images: trainingImages.length,
    epochs: options.epochs,
    history: { batches: [], epochs: [] },
    stopped: () => interrupted,
  };
  process.once('SIGINT', () => {
    interrupted = true;
  });
  const file = (path: string) => join(options.out, path);
  console.log(`${name}: ${run.images} training and ${testImages.length} test images`);
  console.log(String(model));
  const start = performance.now();
  const learned = await train(run, file('model.pt'));
  if (interrupted) console.log('Stopped.');
  if (!learned) {
    console.log('No epoch was finished; nothing was saved.');
  } else {
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    const done = run.history.epochs.length;
    const percent = (100 * run.history.epochs[done - 1].testAccuracy).toFixed(2);
    const passes = done === 1 ? '1 epoch' : `${done} epochs`;
    console.log(`Test accuracy ${percent} % after ${passes}, ${seconds} s`);
    const text = (content: string) => new TextEncoder().encode(content);
    const title = `${name}, ${options.model.toUpperCase()}, ${options.optimizer}`;
    await writeBytes(file('curves.svg'), text(await drawCurves(run.history, title)));
    const predictions = await predict(run, testImages, 36);
    await writeBytes(file('predictions.svg'), text(drawPredictions(predictions)));
    console.log(`Checkpoint   ${shown(file('model.pt'))}`);
    console.log(`Curves       ${shown(file('curves.svg'))}`);
    console.log(`Predictions  ${shown(file('predictions.svg'))}`);
  }
  if (interrupted) process.exitCode = 130;
}

function shown(path: string): string {
  return relative(process.cwd(), path) || path;
}

try {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options === undefined) console.log(usage());
  else await main(options);
} catch (error) {
  console.error(`demo: ${(error as Error).message}`);
  if (error instanceof torch.TorchError) console.error((error as Error).stack);
  process.exitCode = 1;
}
