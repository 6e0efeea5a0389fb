/** The data sets of handwritten digits and of clothes: 28 x 28 grey images in ten classes. */

import { exists, hasFiles, readBytes, readBytesSync } from '#platform';
import { FileFormatError, ValueError } from '../core/errors.js';
import { checkOptions } from '../core/options.js';
import { defaultCollate, indexTensor } from '../data/collate.js';
import { checkIndex, Dataset } from '../data/dataset.js';
import { tensor } from '../ops/creation.js';
import { isUrl } from '../platform/url.js';
import type { Tensor } from '../tensor.js';
import { parseIdxBytes } from './idx.js';

/** The two files of a part, as bytes: idx, gzipped or not. */
export interface IdxBuffers {
  images: ArrayBuffer | Uint8Array;
  labels: ArrayBuffer | Uint8Array;
}

/** Options of {@link MNIST}. */
export interface ImageOptions<X, Y> {
  /** The training part (default), or the test part. */
  train?: boolean;
  /** Applied to each image, a uint8 tensor [28, 28]. */
  transform?: ((image: Tensor) => X) & { readonly batch?: (images: Tensor) => Tensor };
  /** Applied to each label, a number. */
  targetTransform?: (label: number) => Y;
}

const optionNames = ['train', 'transform', 'targetTransform'];

function fileNames(train: boolean): [string, string] {
  const part = train ? 'train' : 't10k';
  return [`${part}-images-idx3-ubyte`, `${part}-labels-idx1-ubyte`];
}

/**
 * The digits of MNIST. The constructor reads from a folder (in Node) or from bytes (anywhere);
 * `load` also reads from URLs. A sample is [image, label].
 *
 * Throws FileFormatError, naming the file, for a truncated file or one that is something else.
 */
export class MNIST<X = Tensor, Y = number> extends Dataset<[X, Y]> {
  /** Name of the folder inside the root: `root/MNIST/raw`. */
  static readonly folder: string = 'MNIST';
  static readonly classes: readonly string[] = [
    '0 - zero',
    '1 - one',
    '2 - two',
    '3 - three',
    '4 - four',
    '5 - five',
    '6 - six',
    '7 - seven',
    '8 - eight',
    '9 - nine',
  ];

  /** All images: uint8 [N, 28, 28]. */
  readonly data: Tensor;
  /** All labels: int32 [N]. */
  readonly targets: Tensor;
  readonly train: boolean;
  private readonly labels: Int32Array;

  constructor(
    source: string | IdxBuffers,
    private readonly options: ImageOptions<X, Y> = {},
  ) {
    super();
    checkOptions(new.target.folder, options, optionNames);
    this.train = options.train ?? true;
    const [imageFile, labelFile] = fileNames(this.train);
    const read = (file: string) => readBytesSync(locate(source as string, new.target.folder, file));
    const content =
      typeof source === 'string' ? { images: read(imageFile), labels: read(labelFile) } : source;
    const images = parseIdxBytes(content.images, 3, imageFile);
    const labels = parseIdxBytes(content.labels, 1, labelFile);
    if (images.shape[0] !== labels.shape[0]) {
      throw new FileFormatError(
        `${imageFile} has ${images.shape[0]} images, but ${labelFile} has ${labels.shape[0]} ` +
          `labels`,
      );
    }
    this.labels = Int32Array.from(labels.data);
    this.data = tensor(images.data).reshape(images.shape).keep();
    this.targets = tensor(this.labels).keep();
  }

  /** Reads the files of `root`: a folder in Node, or a URL of the folder that holds them. */
  static async load<X = Tensor, Y = number>(
    root: string,
    options: ImageOptions<X, Y> = {},
  ): Promise<MNIST<X, Y>> {
    return new MNIST(await readParts(root, MNIST.folder, options.train), options);
  }

  /** Names of the classes, in the order of the labels. */
  get classes(): readonly string[] {
    return (this.constructor as typeof MNIST).classes;
  }

  get length(): number {
    return this.labels.length;
  }

  at(index: number): [X, Y] {
    const i = checkIndex('MNIST', index, this.length);
    const { transform, targetTransform } = this.options;
    const image = this.data.select(0, i);
    const label = this.labels[i];
    return [
      (transform === undefined ? image : transform(image)) as X,
      (targetTransform === undefined ? label : targetTransform(label)) as Y,
    ];
  }

  /** A batch: one gather and one pass of the transforms, where these can do whole batches. */
  batch(indices: readonly number[]): unknown {
    const { transform, targetTransform } = this.options;
    const whole = transform === undefined ? (x: Tensor) => x : transform.batch;
    if (whole === undefined || targetTransform !== undefined) {
      return defaultCollate(indices.map((i) => this.at(i)));
    }
    const index = indexTensor(indices, this.data);
    const batch = [whole(this.data.indexSelect(0, index)), this.targets.indexSelect(0, index)];
    index.dispose();
    return batch;
  }
}

/** Zalando's clothes: made like MNIST, harder to tell apart. */
export class FashionMNIST<X = Tensor, Y = number> extends MNIST<X, Y> {
  static override readonly folder = 'FashionMNIST';
  static override readonly classes = [
    'T-shirt/top',
    'Trouser',
    'Pullover',
    'Dress',
    'Coat',
    'Sandal',
    'Shirt',
    'Sneaker',
    'Bag',
    'Ankle boot',
  ];

  static override async load<X = Tensor, Y = number>(
    root: string,
    options: ImageOptions<X, Y> = {},
  ): Promise<FashionMNIST<X, Y>> {
    const parts = await readParts(root, FashionMNIST.folder, options.train);
    return new FashionMNIST(parts, options);
  }
}

/** Both files of a part. */
async function readParts(root: string, folder: string, train = true): Promise<IdxBuffers> {
  const [images, labels] = await Promise.all(
    fileNames(train).map((file) => readBytes(locate(root, folder, file))),
  );
  return { images, labels };
}

/** Path of a file: in torchvision's layout or directly in the root, gzipped or not. */
function locate(root: string, folder: string, file: string): string {
  const base = root.replace(/\/+$/, '');
  const candidates = [`${base}/${folder}/raw`, base].flatMap((place) => [
    `${place}/${file}.gz`,
    `${place}/${file}`,
  ]);
  const found = candidates.find(exists);
  if (found !== undefined) return found;
  // Nothing to look at behind a URL: the usual place is asked for.
  if (!hasFiles || isUrl(root)) return `${base}/${file}.gz`;
  throw new ValueError(
    `${folder}: ${file}.gz is neither in ${base}/${folder}/raw nor in ${base}; pass the folder ` +
      'that holds the four idx files',
  );
}
