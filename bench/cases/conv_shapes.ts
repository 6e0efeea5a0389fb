/** Convolutions of well-known networks, beside native PyTorch: forward, and each gradient alone. */

import type * as Torch from '../../ts/index.js';
import type { Tensor } from '../../ts/index.js';
import { type Case, type Inputs, toTensor, uniform, values } from '../case.js';

interface Shape {
  /** Channels and filters as the name says them, or 'depthwise' and their count. */
  readonly name: string;
  readonly x: readonly [number, number, number, number];
  readonly filters: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly padding?: number;
  readonly groups?: number;
}

const resnet = (channels: number, filters: number, size: number, more: Partial<Shape> = {}) => ({
  name: `resnet ${channels}-${filters} 3x3 ${size}${more.stride ? ' stride 2' : ''}`,
  x: [1, channels, size, size] as const,
  ...{ filters, kernel: 3, padding: 1, ...more },
});
const pointwise = (channels: number, filters: number, size: number, stride = 1) => ({
  name: `${stride > 1 ? 'resnet' : 'mobilenet'} ${channels}-${filters} 1x1 ${size}`,
  x: [1, channels, size, size] as const,
  ...{ filters, kernel: 1, stride },
});
const depthwise = (channels: number, size: number, stride = 1) => ({
  name: `mobilenet depthwise ${channels} ${size}${stride > 1 ? ' stride 2' : ''}`,
  x: [1, channels, size, size] as const,
  ...{ filters: channels, kernel: 3, padding: 1, groups: channels, stride },
});

const SHAPES: readonly Shape[] = [
  { name: 'lenet 1-6 5x5 28', x: [64, 1, 28, 28], filters: 6, kernel: 5, padding: 2 },
  { name: 'lenet 6-16 5x5 14', x: [64, 6, 14, 14], filters: 16, kernel: 5 },
  { name: 'cnn 1-10 5x5 28', x: [64, 1, 28, 28], filters: 10, kernel: 5 },
  { name: 'cnn 10-20 5x5 12', x: [64, 10, 12, 12], filters: 20, kernel: 5 },
  {
    name: 'resnet 3-64 7x7 224',
    x: [1, 3, 224, 224],
    filters: 64,
    kernel: 7,
    stride: 2,
    padding: 3,
  },
  resnet(64, 64, 56),
  resnet(64, 128, 56, { stride: 2 }),
  resnet(128, 128, 28),
  resnet(256, 256, 14),
  resnet(512, 512, 7),
  pointwise(64, 128, 56, 2),
  pointwise(32, 64, 112),
  pointwise(128, 128, 56),
  pointwise(512, 512, 14),
  depthwise(32, 112),
  depthwise(64, 112, 2),
  depthwise(512, 14),
  { name: 'conv1d 64-64 3 256', x: [16, 64, 1, 256], filters: 64, kernel: 3 },
];

const isLine = ({ x }: Shape) => x[2] === 1;

function sizes(shape: Shape) {
  const { x, filters, kernel, stride = 1, padding = 0, groups = 1 } = shape;
  const across = Math.floor((x[3] + 2 * padding - kernel) / stride) + 1;
  const [kh, down] = isLine(shape) ? [1, 1] : [kernel, across];
  const weight = [filters, x[1] / groups, kh, kernel];
  return { weight, out: [x[0], filters, down, across], stride, padding, groups };
}

/** Calls `visit(x, w, out, count, step)` with runs of pixels of one tap, `step` apart in x. */
function products(
  shape: Shape,
  visit: (x: number, w: number, out: number, count: number, step: number) => void,
): void {
  const [batch, channels, height, width] = shape.x;
  const { weight, out, stride, padding, groups } = sizes(shape);
  const [filters, each, kh, kw] = weight;
  const [, , down, across] = out;
  for (let n = 0; n < batch * filters * each * kh * kw; n++) {
    const [kx, ky] = [n % kw, Math.floor(n / kw) % kh];
    const c = Math.floor(n / kw / kh) % each;
    const filter = Math.floor(n / kw / kh / each) % filters;
    const image = Math.floor(n / kw / kh / each / filters);
    const channel = Math.floor((filter * groups) / filters) * each + c;
    const low = Math.max(0, Math.ceil((padding - kx) / stride));
    const high = Math.min(across, Math.floor((width - 1 + padding - kx) / stride) + 1);
    for (let y = 0; y < down; y++) {
      const row = kh === 1 && isLine(shape) ? 0 : y * stride + ky - padding;
      if (row < 0 || row >= height) continue;
      const from = ((image * channels + channel) * height + row) * width;
      const to = ((image * filters + filter) * down + y) * across + low;
      const w = n % (filters * each * kh * kw);
      visit(from + low * stride + kx - padding, w, to, high - low, stride);
    }
  }
}

type Of = 'y' | 'x' | 'w';

function naive(shape: Shape, of: Of, { x, w, g }: Inputs): Float64Array {
  const { weight, out } = sizes(shape);
  const count = { y: out, x: shape.x, w: weight }[of].reduce((a, b) => a * b, 1);
  const result = new Float64Array(count);
  products(shape, (i, j, o, run, step) => {
    let sum = 0;
    for (let q = 0; q < run; q++) {
      if (of === 'y') result[o + q] += x.data[i + q * step] * w.data[j];
      else if (of === 'x') result[i + q * step] += g.data[o + q] * w.data[j];
      else sum += x.data[i + q * step] * g.data[o + q];
    }
    if (of === 'w') result[j] += sum;
  });
  return result;
}

function conv(torch: typeof Torch, shape: Shape, x: Tensor, w: Tensor): Tensor {
  const { stride, padding, groups } = sizes(shape);
  const { conv1d, conv2d } = torch.nn.functional;
  return (isLine(shape) ? conv1d : conv2d)(x, w, null, stride, padding, 1, groups);
}

function python(shape: Shape, of: Of): string {
  const { stride, padding, groups } = sizes(shape);
  const name = isLine(shape) ? 'conv1d' : 'conv2d';
  const call = `F.${name}(x, w, None, ${stride}, ${padding}, 1, ${groups})`;
  if (of === 'y') return `def run(): return ${call}`;
  return `${of}.requires_grad_()
y = ${call}
def run(): return torch.autograd.grad(y, [${of}], g, retain_graph=True)[0]`;
}

const NAMES = { y: 'forward', x: 'input gradient', w: 'weight gradient' } as const;

function shapeCase(shape: Shape, of: Of): Case {
  const { weight, out } = sizes(shape);
  const line = (size: readonly number[]) => (isLine(shape) ? size.filter((_, d) => d !== 2) : size);
  const depth = weight.slice(1).reduce((a, b) => a * b, 1);
  const elements = out.reduce((a, b) => a * b, 1);
  return {
    name: `conv2d/${shape.name} ${NAMES[of]}`,
    flops: 2 * elements * depth,
    inputs: () => ({
      x: uniform(7, line(shape.x)),
      w: uniform(8, line(weight), 0.1),
      g: uniform(9, line(out)),
    }),
    expected: (inputs) => naive(shape, of, inputs),
    // Sums of many products, of up to 50 000 in a weight's gradient.
    tolerance: of === 'w' ? 1e-3 : 1e-4,
    isotorch(torch, given) {
      const [x, w, g] = [given.x, given.w, given.g].map((input) => toTensor(torch, input));
      if (of === 'y') {
        const run = () => conv(torch, shape, x, w);
        return { run: () => run().dispose(), check: () => values(run()) };
      }
      const target = { x, w }[of].requiresGrad_();
      const y = conv(torch, shape, x, w);
      const run = () =>
        torch.grad(y, [target], { gradOutputs: [g], retainGraph: true })[0] as Tensor;
      return { run: () => run().dispose(), check: () => values(run()) };
    },
    pytorch: python(shape, of),
  };
}

export const convShapeCases: readonly Case[] = SHAPES.flatMap((shape) =>
  (['y', 'x', 'w'] as const).map((of) => shapeCase(shape, of)),
);
