/**
 * Trains a network on Fashion-MNIST and shows what it learned. Run it with `make demo`, or
 * `make demo ARGS='--model cnn --epochs 2'`; `--help` lists the options.
 */

import { dirname, join, relative } from 'node:path';
import { getData } from '../scripts/get-data.mjs';
import * as torch from '../ts/index.js';
import { writeBytes } from '../ts/platform/node.js';
import { EpochBars } from './demo/bar.js';
import { prepareDevice } from './demo/device.js';
import { type DemoOptions, readOptions, usage } from './demo/options.js';
import { comparePairing } from './demo/pairing.js';
import { drawCurves, drawPredictions, type Prediction } from './demo/pictures.js';
import { makeRun, predict, type Run, train } from './demo/train.js';

const { datasets, transforms, utils } = torch.vision;

type Images = InstanceType<typeof datasets.MNIST>;

/** What the network says about the first images of the test part. */
async function showPredictions(run: Run, images: Images, count: number): Promise<string> {
  const indices = Array.from({ length: count }, (_, i) => i);
  const [x, y] = images.batch(indices) as [torch.Tensor, torch.Tensor];
  const { answers, confidences } = await predict(run.model, x.to(run.device));
  const truths = await y.toArray();
  const predictions: Promise<Prediction>[] = indices.map(async (i) => ({
    png: await utils.saveImage(images.data.at(i).unsqueeze(0)),
    truth: images.classes[Number(truths[i])],
    predicted: images.classes[answers[i]],
    confidence: confidences[i],
  }));
  return drawPredictions(await Promise.all(predictions));
}

async function main(options: DemoOptions): Promise<void> {
  const { name, root } = await getData(options.dataset, { data: 'data' });
  const computer = await prepareDevice(options.device);
  if (options.threads > 0) torch.setNumThreads(options.threads);
  const { threads, reason } = torch.cpu.info();
  if (options.threads > threads) console.log(`Threads: ${threads} (${reason})`);
  const transform = transforms.ToTensor();
  const images = (train: boolean) => new datasets[name](root, { train, transform });
  const [trainingImages, testImages] = [images(true), images(false)];
  let interrupted = false;
  const bars = new EpochBars();
  const run = makeRun(options, trainingImages, testImages, {
    show: (progress) => bars.show(progress),
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    stopped: () => interrupted,
  });
  process.once('SIGINT', () => {
    interrupted = true;
  });
  const file = (path: string) => join(options.out, path);
  console.log(`${name}: ${trainingImages.length} training and ${testImages.length} test images`);
  if (options.device !== 'cpu') console.log(`Device: ${computer}`);
  console.log(String(run.model));
  const start = performance.now();
  await train(run, async ({ trainLoss, testLoss, testAccuracy }) => {
    console.log(
      `  training loss ${trainLoss.toFixed(4)}, test loss ${testLoss.toFixed(4)}, ` +
        `test accuracy ${(100 * testAccuracy).toFixed(2)} %`,
    );
    await torch.save(run.model.stateDict(), file('model.pt'));
  });
  bars.stop();
  if (interrupted) console.log('Stopped.');
  if (run.history.epochs.length === 0) {
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
    await writeBytes(file('predictions.svg'), text(await showPredictions(run, testImages, 36)));
    console.log(`Checkpoint   ${shown(file('model.pt'))}`);
    console.log(`Curves       ${shown(file('curves.svg'))}`);
    console.log(`Predictions  ${shown(file('predictions.svg'))}`);
    if (!interrupted && options.device === 'cpu') {
      const speeds = await comparePairing(options, join(dirname(process.argv[1]), '..'));
      if (speeds !== undefined) console.log(speeds);
    }
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
