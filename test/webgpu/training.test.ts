/** Whole trainings on the GPU: PyTorch's recorded losses, and those of the CPU. */

import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';
import type { Tensor } from '../../ts/tensor.js';
import { type Entry, folderEntries } from '../conformance/folder.js';
import { formatEntry } from '../conformance/report.js';
import { withGpu } from './agree.js';

const { nn, optim } = torch;
const F = nn.functional;
const CASES = fileURLToPath(new URL('../conformance/cases', import.meta.url));

const recorded = (folder: string): Entry[] =>
  folderEntries(folder, 'webgpu').filter(({ name }) => name.startsWith('training/'));

const MODELS = {
  mlp: () =>
    new nn.Sequential(new nn.Flatten(), new nn.Linear(64, 24), new nn.Tanh(), new nn.Linear(24, 5)),
  cnn: () =>
    new nn.Sequential(
      new nn.Conv2d(1, 6, 3),
      new nn.BatchNorm2d(6),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Flatten(),
      new nn.Linear(54, 5),
    ),
} as const;
const OPTIMIZERS = {
  SGD: (p: Iterable<Tensor>) => new optim.SGD(p, { lr: 0.05, momentum: 0.9 }),
  Adam: (p: Iterable<Tensor>) => new optim.Adam(p, { lr: 3e-3 }),
  AdamW: (p: Iterable<Tensor>) => new optim.AdamW(p, { lr: 3e-3 }),
  RMSprop: (p: Iterable<Tensor>) => new optim.RMSprop(p, { lr: 1e-3 }),
} as const;

async function losses(
  model: keyof typeof MODELS,
  optimizer: keyof typeof OPTIMIZERS,
  device: 'cpu' | 'webgpu',
): Promise<number[]> {
  torch.manualSeed(3);
  const net = MODELS[model]();
  const [x, y] = [torch.randn([6, 16, 1, 8, 8]), torch.randint(0, 5, [6, 16]).int()];
  net.to(device);
  const steps = OPTIMIZERS[optimizer](net.parameters());
  const list: Tensor[] = [];
  for (let k = 0; k < 30; k++) {
    steps.zeroGrad();
    const loss = F.crossEntropy(
      net.forward(x.at(k % 6).to(device)) as Tensor,
      y.at(k % 6).to(device),
    );
    loss.backward();
    steps.step();
    list.push(loss.detach());
  }
  return (await Promise.all(list.map((loss) => loss.item()))) as number[];
}

await withGpu('trainings on the GPU', () => {
  describe("follow PyTorch's recorded losses", () => {
    for (const entry of [...recorded(CASES), ...recorded(`${CASES}/recorded`)]) {
      // Software adapters on a busy machine take minutes for a hundred steps of a CNN.
      test(entry.name, { timeout: 300_000 }, async () => {
        const outcome = await entry.run();
        expect(outcome.status, formatEntry(entry.name, outcome, 8)).toBe('passed');
      });
    }
  });

  describe('follow the CPU', () => {
    for (const model of ['mlp', 'cnn'] as const) {
      for (const optimizer of Object.keys(OPTIMIZERS) as (keyof typeof OPTIMIZERS)[]) {
        test(`${model} with ${optimizer}`, async () => {
          const expected = await losses(model, optimizer, 'cpu');
          const found = await losses(model, optimizer, 'webgpu');
          expect(expected.at(-1)).toBeLessThan(expected[0] as number);
          found.forEach((loss, k) => {
            const wanted = expected[k] as number;
            expect(Math.abs(loss - wanted), `step ${k}`).toBeLessThan(1e-3 * wanted);
          });
        });
      }
    }
  });
});
