/** Brings a drawing into the form that the training images have. */

export const SIDE = 28;

/** How the images of a data set lie in their frame. */
export interface Frame {
  /** Pixels that the longer side of the subject takes. */
  size: number;
  /** What lies in the middle: the bounding box, or the centre of mass. */
  centre: 'box' | 'mass';
}

export const FRAMES = {
  FashionMNIST: { size: 28, centre: 'box' },
  MNIST: { size: 20, centre: 'mass' },
} as const satisfies Record<string, Frame>;

/** Ink that is fainter counts as background. */
const FAINT = 24;
/** Points per pixel and direction at which the drawing is looked up. */
const POINTS = 8;
/** A dot is not blown up further than this. */
const LARGEST = 3;

interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** The part of the drawing that has ink, or undefined for an empty one. */
export function inkBox(ink: Uint8Array, side: number): Box | undefined {
  const box = { left: side, top: side, right: 0, bottom: 0 };
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      if (ink[y * side + x] < FAINT) continue;
      box.left = Math.min(box.left, x);
      box.right = Math.max(box.right, x + 1);
      box.top = Math.min(box.top, y);
      box.bottom = Math.max(box.bottom, y + 1);
    }
  }
  return box.right > 0 ? box : undefined;
}

/** Mean ink in each of the 28 x 28 pixels, where pixel (0, 0) begins at (left, top). */
function sample(
  ink: Uint8Array,
  side: number,
  left: number,
  top: number,
  step: number,
): Float32Array {
  const image = new Float32Array(SIDE * SIDE);
  const at = (start: number, i: number) => Math.floor(start + ((i + 0.5) * step) / POINTS);
  for (let row = 0; row < SIDE * POINTS; row++) {
    const y = at(top, row);
    if (y < 0 || y >= side) continue;
    for (let column = 0; column < SIDE * POINTS; column++) {
      const x = at(left, column);
      if (x < 0 || x >= side) continue;
      const pixel = Math.floor(row / POINTS) * SIDE + Math.floor(column / POINTS);
      image[pixel] += ink[y * side + x];
    }
  }
  return image.map((sum) => sum / (255 * POINTS * POINTS));
}

/** Centre of mass in pixels; the middle for an empty image. */
function massCentre(image: Float32Array): [x: number, y: number] {
  let [mass, x, y] = [0, 0, 0];
  image.forEach((value, i) => {
    mass += value;
    x += value * ((i % SIDE) + 0.5);
    y += value * (Math.floor(i / SIDE) + 0.5);
  });
  return mass > 0 ? [x / mass, y / mass] : [SIDE / 2, SIDE / 2];
}

/**
 * A drawing of side x side bytes (0: nothing, 255: full ink) as an image of 28 x 28 values in
 * 0 ... 1: scaled and centred like the images of a data set, or as it lies where no frame is given.
 */
export function fitDrawing(ink: Uint8Array, side: number, frame?: Frame): Float32Array {
  const box = inkBox(ink, side);
  if (frame === undefined || box === undefined) return sample(ink, side, 0, 0, side / SIDE);
  const longest = Math.max(box.right - box.left, box.bottom - box.top);
  const step = Math.max(longest / frame.size, side / SIDE / LARGEST);
  const half = (SIDE / 2) * step;
  const left = (box.left + box.right) / 2 - half;
  const top = (box.top + box.bottom) / 2 - half;
  const image = sample(ink, side, left, top, step);
  if (frame.centre === 'box') return image;
  const [x, y] = massCentre(image);
  return sample(ink, side, left + (x - SIDE / 2) * step, top + (y - SIDE / 2) * step, step);
}
