/**
 * A program that saves tensors of 96 MB or loads them, and prints the largest size that this brought to its process,
 * as a multiple of the tensors' bytes:
 * node peak.mjs <save or load> <format> <path>
 */

import * as torch from '../../ts/index.js';

type State = Record<string, torch.Tensor>;
interface Format {
  save(state: State, path: string): Promise<void>;
  load(path: string): Promise<unknown>;
}

const { numpy, safetensors } = torch;
const formats: Readonly<Record<string, Format>> = {
  pt: torch,
  legacy: { save: (state, path) => torch.save(state, path, { legacy: true }), load: torch.load },
  safetensors: { save: safetensors.saveFile, load: safetensors.loadFile },
  npy: { save: ({ all }, path) => numpy.save(path, all), load: numpy.load },
  npz: { save: (state, path) => numpy.savez(path, state), load: numpy.load },
  packed: { save: (state, path) => numpy.savezCompressed(path, state), load: numpy.load },
};

const [, , task, format, path] = process.argv;
const { save, load } = formats[format];

/**
 * Float tensors of these bytes: one with half of them, and many smaller ones. Packing finds nothing in them: random
 * numbers come again only after more bytes than it looks back.
 */
function make(bytes: number): State {
  const fill = (share: number) => {
    const count = bytes / 4 / share;
    const tile = torch.rand(Math.min(count, 2 ** 16));
    const all = torch.empty([count / tile.numel(), tile.numel()]);
    return all.copy_(tile).reshape(-1);
  };
  if (format === 'npy') return { all: fill(1) };
  const parts = Array.from({ length: 16 }, (_, i) => [`part${i}`, fill(32)]);
  return { all: fill(2), ...Object.fromEntries(parts) };
}

// Kernels, threads, code and buffers are there before anything is measured.
torch.ones([256, 256]).matmul(torch.ones([256, 256]));
const small = make(2 ** 20);
await save(small, `${path}.small`);
await load(`${path}.small`);

const bytes = 96 * 2 ** 20;
const before = process.memoryUsage.rss();
if (task === 'save') await save(make(bytes), path);
else await load(path);
const peak = process.resourceUsage().maxRSS * 1024 - before;
console.log((peak / bytes).toFixed(3));
