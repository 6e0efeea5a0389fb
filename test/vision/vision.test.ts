import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { decode } from 'fast-png';
import { afterAll, describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { readBytesSync, writeBytes } from '../../ts/platform/browser.js';

const { datasets, transforms, utils } = torch.vision;

/** Answers of torchvision 0.14: images, options, and the grid of them. */
const grids: {
  images: { shape: number[]; data: number[] };
  options: object;
  grid: { shape: number[]; data: number[] };
}[] = JSON.parse(readFileSync(new URL('./grid.json', import.meta.url), 'utf8'));

const folder = mkdtempSync(join(tmpdir(), 'isotorch-vision-'));
afterAll(() => rmSync(folder, { recursive: true }));

const count = 5;

function idx(dims: number[], element: (i: number) => number): Uint8Array {
  const header = [0, 0, 8, dims.length, ...dims.flatMap((d) => [0, 0, d >> 8, d & 255])];
  const size = dims.reduce((a, b) => a * b, 1);
  return Uint8Array.from([...header, ...Array.from({ length: size }, (_, i) => element(i))]);
}

const images = idx([count, 28, 28], (i) => (i * 7) % 256);
const labels = idx([count], (i) => 9 - i);

describe('MNIST and FashionMNIST', () => {
  it('read from bytes: samples and whole batches', () => {
    const set = new datasets.MNIST({ images, labels: gzipSync(labels) });
    expect(set.length).toBe(count);
    expect([set.data.shape, set.data.dtype]).toEqual([[count, 28, 28], torch.uint8]);
    expect(set.targets.tolistSync()).toEqual([9, 8, 7, 6, 5]);
    const [image, label] = set.at(-1);
    expect([image.shape, label]).toEqual([[28, 28], 5]);
    expect(() => set.at(count)).toThrow(torch.IndexError);
    expect(set.classes[9]).toBe('9 - nine');
  });

  it('batches are the collated samples, with transforms that work on batches or not', async () => {
    const whole = new transforms.Compose([
      transforms.ToTensor(),
      transforms.Normalize([0.5], [0.25]),
    ]);
    const single = transforms.Compose([whole, transforms.Lambda((x) => x.mul(1))]);
    expect([typeof whole.batch, typeof single.batch]).toEqual(['function', 'undefined']);
    const batches = await Promise.all(
      [whole, single].map((transform) => {
        const set = new datasets.FashionMNIST({ images, labels }, { transform });
        return new torch.data.DataLoader(set, { batchSize: 3 }).next();
      }),
    );
    const [[a, la], [b, lb]] = batches;
    expect(a.shape).toEqual([3, 1, 28, 28]);
    expect(a.dataSync()).toEqual(b.dataSync());
    expect(la.tolistSync()).toEqual(lb.tolistSync());
    const first = (0 / 255 - 0.5) / 0.25;
    expect(a.at(0, 0, 0, 0).itemSync()).toBe(first);
  });

  it('targetTransform changes the labels', async () => {
    const targetTransform = (label: number) => label / 2;
    const set = new datasets.MNIST({ images, labels }, { targetTransform });
    expect(set.at(0)[1]).toBe(4.5);
    const [, targets] = await new torch.data.DataLoader(set, { batchSize: 2 }).next();
    expect(targets.tolistSync()).toEqual([4.5, 4]);
  });

  it('read a folder, directly or in the layout of torchvision, at once or awaited', async () => {
    const raw = join(folder, 'FashionMNIST/raw');
    const { writeBytes: write } = await import('../../ts/platform/node.js');
    await write(join(raw, 't10k-images-idx3-ubyte.gz'), gzipSync(images));
    await write(join(raw, 't10k-labels-idx1-ubyte'), labels);
    const options = { train: false };
    expect(new datasets.FashionMNIST(folder, options).length).toBe(count);
    expect(new datasets.FashionMNIST(`${raw}/`, options).classes[8]).toBe('Bag');
    const loaded = await datasets.FashionMNIST.load(folder, options);
    expect(loaded).toBeInstanceOf(datasets.FashionMNIST);
    expect(loaded.targets.tolistSync()).toEqual([9, 8, 7, 6, 5]);
  });

  it('say what is wrong with a data set', () => {
    expect(() => new datasets.MNIST(join(folder, 'none'))).toThrow(
      'train-images-idx3-ubyte.gz is neither in',
    );
    const cut = () => new datasets.MNIST({ images: images.subarray(0, 1000), labels });
    expect(cut).toThrow(torch.FileFormatError);
    expect(cut).toThrow('train-images-idx3-ubyte: expected 3936 bytes');
    const swapped = () => new datasets.MNIST({ images: labels, labels: images });
    expect(swapped).toThrow('are images and labels swapped?');
    const fewer = () => new datasets.MNIST({ images, labels: idx([2], () => 1) });
    expect(fewer).toThrow('has 5 images, but train-labels-idx1-ubyte has 2 labels');
    const options = JSON.parse('{"download": true}');
    expect(() => new datasets.MNIST(folder, options)).toThrow("unknown option 'download'");
  });
});

describe('transforms', () => {
  it('ToTensor scales bytes and puts channels first', () => {
    const rgb = torch.tensor(Uint8Array.of(0, 51, 255, 102, 0, 0)).reshape([1, 2, 3]);
    const x = transforms.ToTensor()(rgb);
    expect(x.shape).toEqual([3, 1, 2]);
    expect(x.flatten().tolistSync()).toEqual(
      [0, 102, 51, 0, 255, 0].map((v) => Math.fround(v / 255)),
    );
    expect(() => transforms.ToTensor()(torch.zeros(3))).toThrow('expected [H, W] or [H, W, C]');
  });

  it('Normalize works by channel', () => {
    const x = torch.ones(2, 1, 1);
    const y = transforms.Normalize([0.5, 1], [0.5, 2])(x);
    expect(y.flatten().tolistSync()).toEqual([1, 0]);
    expect(() => transforms.Normalize([1, 2, 3], [1, 1, 1])(x)).toThrow(torch.ShapeError);
    expect(() => transforms.Normalize([1], [0])).toThrow(torch.ValueError);
  });

  it('print as in torchvision', () => {
    const both = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.5])]);
    expect(String(both)).toBe('Compose(\n    ToTensor()\n    Normalize(mean=[0.5], std=[0.5])\n)');
  });
});

describe('makeGrid', () => {
  it.each(grids)('gives the grid of torchvision: $images.shape $options', (c) => {
    const batch = torch.tensor(c.images.data).reshape(c.images.shape);
    const grid = utils.makeGrid(batch, c.options);
    expect(grid.shape).toEqual(c.grid.shape);
    const values = Array.from(grid.dataSync(), Number);
    const wrong = values.findIndex((v, i) => Math.abs(v - c.grid.data[i]) > 1e-6);
    expect(wrong).toBe(-1);
  });

  it('takes a list, and refuses other shapes and unknown options', () => {
    expect(utils.makeGrid([torch.zeros(1, 2, 2), torch.ones(1, 2, 2)]).shape).toEqual([3, 6, 10]);
    expect(() => utils.makeGrid(torch.zeros(3))).toThrow(torch.ShapeError);
    const options = JSON.parse('{"nRow": 2}');
    expect(() => utils.makeGrid(torch.zeros(1, 2, 2), options)).toThrow("Did you mean 'nrow'?");
  });
});

describe('saveImage', () => {
  it('writes a PNG with rounded bytes', async () => {
    const x = torch.tensor([0, 0.5, 1, 2, -1, 0.2]).reshape([1, 2, 3]);
    const path = join(folder, 'deep/er/image.png');
    const png = await utils.saveImage(x, path);
    expect(new Uint8Array(readFileSync(path))).toEqual(png);
    expect(readdirSync(join(folder, 'deep/er'))).toEqual(['image.png']);
    const { width, height, channels, data } = decode(png);
    expect([width, height, channels]).toEqual([3, 2, 3]);
    const red = Array.from(data).filter((_, i) => i % 3 === 0);
    expect(red).toEqual([0, 128, 255, 255, 0, 51]);
    const bytes = torch.tensor(Uint8Array.of(7, 8)).reshape([1, 2]);
    expect(Array.from(decode(await utils.saveImage(bytes)).data)).toEqual([7, 7, 7, 8, 8, 8]);
    await expect(utils.saveImage(torch.zeros(2, 2, 2))).rejects.toThrow(
      '1, 3 or 4 channels, got 2',
    );
  });
});

describe('in a browser', () => {
  it('paths are refused with the way out', async () => {
    expect(() => readBytesSync('a.gz')).toThrow('pass the bytes');
    await expect(writeBytes('a.png', new Uint8Array())).rejects.toThrow('leave the path out');
  });

  it('gzip is unpacked', async () => {
    const { gunzip } = await import('../../ts/platform/browser.js');
    expect(gunzip(gzipSync(labels))).toEqual(labels);
  });

  it('URLs are read', async () => {
    const { readBytes } = await import('../../ts/platform/browser.js');
    expect(await readBytes('data:application/octet-stream;base64,AQID')).toEqual(
      Uint8Array.of(1, 2, 3),
    );
  });
});
