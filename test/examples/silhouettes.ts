/** Small stand-ins for Fashion-MNIST: rough shapes of the ten garments, as idx files. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

type Rectangle = readonly [left: number, top: number, right: number, bottom: number];

/** Parts of each garment; the second list is cut out again. */
const SHAPES: readonly (readonly [Rectangle[], Rectangle[]?])[] = [
  [
    [
      [9, 5, 19, 24],
      [3, 5, 25, 11],
    ],
  ],
  [
    [
      [8, 3, 20, 8],
      [8, 3, 13, 26],
      [15, 3, 20, 26],
    ],
  ],
  [
    [
      [9, 4, 19, 25],
      [3, 4, 25, 8],
      [3, 4, 7, 23],
      [21, 4, 25, 23],
    ],
  ],
  [
    [
      [11, 2, 17, 14],
      [8, 14, 20, 26],
    ],
  ],
  [[[3, 3, 25, 25]], [[13, 6, 15, 25]]],
  [
    [
      [2, 20, 26, 23],
      [5, 12, 8, 23],
      [14, 14, 17, 23],
    ],
  ],
  [
    [
      [8, 5, 20, 25],
      [3, 5, 25, 13],
    ],
    [[12, 5, 16, 10]],
  ],
  [[[2, 14, 26, 22]]],
  [
    [
      [4, 10, 24, 25],
      [8, 4, 20, 6],
      [8, 4, 10, 10],
      [18, 4, 20, 10],
    ],
  ],
  [
    [
      [12, 3, 20, 25],
      [3, 17, 20, 25],
    ],
  ],
];

/** Park and Miller's random numbers in 0 ... 1: the same files every time. */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

function draw(image: Uint8Array, label: number, random: () => number): void {
  const [parts, holes = []] = SHAPES[label];
  const shift = [0, 1].map(() => Math.floor(5 * random()) - 2);
  const tone = 120 + 130 * random();
  const fill = (rectangles: readonly Rectangle[], value: () => number) => {
    for (const [left, top, right, bottom] of rectangles) {
      for (let y = top + shift[1]; y < bottom + shift[1]; y++) {
        for (let x = left + shift[0]; x < right + shift[0]; x++) {
          if (x >= 0 && x < 28 && y >= 0 && y < 28) image[28 * y + x] = value();
        }
      }
    }
  };
  fill(parts, () => tone * (0.8 + 0.2 * random()));
  fill(holes, () => 0);
}

function header(...sizes: number[]): Buffer {
  const bytes = Buffer.alloc(4 + 4 * sizes.length);
  bytes.writeUInt32BE(0x800 + sizes.length);
  for (const [i, size] of sizes.entries()) bytes.writeUInt32BE(size, 4 + 4 * i);
  return bytes;
}

/** Writes a whole data set into `folder`, in torchvision's layout. */
export function writeSilhouettes(folder: string, name: string, train: number, test: number): void {
  const raw = join(folder, name, 'raw');
  mkdirSync(raw, { recursive: true });
  for (const [part, count, seed] of [
    ['train', train, 1],
    ['t10k', test, 2],
  ] as const) {
    const random = makeRandom(seed);
    const labels = Uint8Array.from({ length: count }, () => Math.floor(10 * random()));
    const images = new Uint8Array(count * 28 * 28);
    for (const [i, label] of labels.entries()) {
      draw(images.subarray(784 * i, 784 * (i + 1)), label, random);
    }
    const write = (kind: string, ...parts: Uint8Array[]) =>
      writeFileSync(join(raw, `${part}-${kind}-ubyte.gz`), gzipSync(Buffer.concat(parts)));
    write('images-idx3', header(count, 28, 28), images);
    write('labels-idx1', header(count), labels);
  }
}
