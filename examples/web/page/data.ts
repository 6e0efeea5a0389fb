/** The data sets as the worker loads them: over the network, with news of the progress. */

import * as torch from '../../../ts/index.js';
import type { Manifest, PartEntry, SetName } from '../manifest.js';

const { datasets, transforms } = torch.vision;

export type Images = torch.vision.datasets.MNIST;
type Part = 'train' | 'test';
type Listener = (bytes: number, total: number) => void;

const PARTS: Readonly<Record<Part, string>> = { train: 'training images', test: 'test images' };

async function download(path: string, heard: (bytes: number) => void): Promise<ArrayBuffer> {
  const url = new URL(path, import.meta.url);
  const response = await fetch(url).catch((cause: Error) => {
    throw new Error(`${url.pathname} could not be loaded (${cause.message}).`, { cause });
  });
  if (!response.ok || response.body === null) {
    throw new Error(`${url.pathname} could not be loaded: the server said ${response.status}.`);
  }
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return new Blob(chunks).arrayBuffer();
    chunks.push(value);
    bytes += value.length;
    heard(bytes);
  }
}

/** Loads each part of each data set once. */
export class DataStore {
  private readonly loaded = new Map<string, Promise<Images>>();

  constructor(
    private readonly sets: Manifest['sets'],
    private readonly heard: (part: string, bytes: number, total: number) => void,
  ) {}

  get(set: SetName, part: Part): Promise<Images> {
    const key = `${set} ${part}`;
    const known = this.loaded.get(key);
    if (known !== undefined) return known;
    const entry = this.sets[set]?.[part];
    if (entry === undefined) throw new Error(`The page has no data set ${set}.`);
    const loading = load(set, part, entry, (bytes, total) => this.heard(PARTS[part], bytes, total));
    this.loaded.set(key, loading);
    // What failed may be tried again.
    loading.catch(() => this.loaded.delete(key));
    return loading;
  }
}

async function load(
  set: SetName,
  part: Part,
  { images, labels }: PartEntry,
  heard: Listener,
): Promise<Images> {
  const total = images.bytes + labels.bytes;
  const labelBytes = await download(labels.path, () => {});
  // A host may unpack the files on the way: the size is then larger than was said.
  const imageBytes = await download(images.path, (bytes) => heard(Math.min(bytes, total), total));
  heard(total, total);
  const transform = transforms.ToTensor();
  const options = { train: part === 'train', transform };
  return new datasets[set]({ images: imageBytes, labels: labelBytes }, options);
}
