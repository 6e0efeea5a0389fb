/** Convolution and its gradients on the GPU: products whose operands are read in place. */

import convSource from '../../../kernels/conv.wgsl';
import forwardSource from '../../../kernels/conv2d.wgsl';
import inputSource from '../../../kernels/conv2d_input.wgsl';
import weightSource from '../../../kernels/conv2d_weight.wgsl';
import { suffix } from '../../core/dtype.js';
import type { Element } from '../../device/webgpu/kernel.js';
import type { ConvAttributes } from '../primitives/conv_geometry.js';
import { inSlices, launchTiled, planOf, splitSumKernel, tiled } from './gemm.js';
import type { Twins } from './twin.js';

const params = {
  cols: 'u32',
  depth: 'u32',
  splits: 'u32',
  images: 'u32',
  groups: 'u32',
  channels: 'u32',
  filters: 'u32',
  height: 'u32',
  width: 'u32',
  out_h: 'u32',
  out_w: 'u32',
  kernel_h: 'u32',
  kernel_w: 'u32',
  stride_h: 'u32',
  stride_w: 'u32',
  pad_h: 'u32',
  pad_w: 'u32',
  dilation_h: 'u32',
  dilation_w: 'u32',
  rows: 'u32',
  biased: 'u32',
} as const;

/** Places below this are small; columns of the largest tile, some of which may be past the last. */
const SMALL = 2 ** 21;
const MOST_COLS = 128;

/** The bias is read by the forward product only. */
const NO_BIAS = 'fn get_bias(i: u32) -> S { return S(0); }\n';

interface Text {
  readonly source: string;
  readonly entry: string;
  readonly buffers: Readonly<Record<string, Element>>;
}

/** The kernels of a product whose places are small numbers, and of any. */
function sized(name: string, { source, ...options }: Text) {
  const [small, large] = [true, false].map((all) => {
    const text = `const SMALL = ${all};\n${convSource}${source}`;
    return tiled(all ? name : `${name}Large`, { ...options, source: text, params });
  });
  return { small, large, kernels: { ...small.kernels, ...large.kernels } };
}

const forwardKernels = sized('conv2d', {
  source: forwardSource,
  entry: 'conv2d',
  buffers: { x: 'S', weight: 'S', bias: 'S', out: 'S' },
});
/** Without strides, and with them. */
const inputKernels = [false, true].map((strided) =>
  sized(strided ? 'conv2dInputGradStrided' : 'conv2dInputGrad', {
    source: `const STRIDED = ${strided};\n${inputSource}${NO_BIAS}`,
    entry: 'conv2d_input',
    buffers: { g: 'S', weight: 'S', out: 'S' },
  }),
);
const weightKernels = sized('conv2dWeightGrad', {
  source: `${weightSource}${NO_BIAS}`,
  entry: 'conv2d_weight',
  buffers: { x: 'S', g: 'S', out: 'S' },
});

/** The forms of a product for its size: see quotient() in kernels/conv.wgsl. */
function formOf(
  { small, large }: ReturnType<typeof sized>,
  { cols, depth }: { readonly cols: number; readonly depth: number },
) {
  return Math.max(cols + MOST_COLS, depth) < SMALL ? small : large;
}

/** The sizes of a convolution from its tensors. */
function sizes(
  input: readonly number[],
  weight: readonly number[],
  output: readonly number[],
  { stride, padding, dilation, groups }: ConvAttributes,
) {
  return {
    images: input[0],
    groups,
    channels: weight[1],
    filters: weight[0] / groups,
    height: input[2],
    width: input[3],
    out_h: output[2],
    out_w: output[3],
    kernel_h: weight[2],
    kernel_w: weight[3],
    stride_h: stride[0],
    stride_w: stride[1],
    pad_h: padding[0],
    pad_w: padding[1],
    dilation_h: dilation[0],
    dilation_w: dilation[1],
    splits: 1,
    biased: 0,
  };
}

export const convTwins: Twins<'conv2d' | 'conv2dInputGrad' | 'conv2dWeightGrad'> = {
  conv2d: {
    kernels: forwardKernels.kernels,
    run(launcher, [x, weight, bias], [out], attributes) {
      const size = sizes(x.shape, weight.shape, out.shape, attributes);
      const cols = size.images * size.out_h * size.out_w;
      const depth = size.channels * size.kernel_h * size.kernel_w;
      const rows = size.filters;
      const values = { ...size, rows, cols, depth, biased: bias === undefined ? 0 : 1 };
      const buffers = [x, weight, bias ?? weight, out];
      const plan = planOf(size.groups, rows, cols, depth, false);
      const form = formOf(forwardKernels, values);
      launchTiled(launcher, form, plan, suffix(x.dtype), buffers, values);
    },
  },
  conv2dInputGrad: {
    kernels: Object.assign({}, ...inputKernels.map(({ kernels }) => kernels)),
    run(launcher, [g, weight], [out], attributes) {
      const size = sizes(out.shape, weight.shape, g.shape, attributes);
      const cols = size.images * size.height * size.width;
      const depth = size.filters * size.kernel_h * size.kernel_w;
      const rows = size.channels;
      const values = { ...size, rows, cols, depth };
      const plan = planOf(size.groups, rows, cols, depth, false);
      const strided = size.stride_h !== 1 || size.stride_w !== 1;
      const form = formOf(inputKernels[Number(strided)], values);
      launchTiled(launcher, form, plan, suffix(g.dtype), [g, weight, out], values);
    },
  },
  conv2dWeightGrad: {
    kernels: { ...weightKernels.kernels, splitSum: splitSumKernel },
    run(launcher, [x, g], [out], attributes) {
      const size = sizes(x.shape, out.shape, g.shape, attributes);
      const cols = size.channels * size.kernel_h * size.kernel_w;
      const depth = size.images * size.out_h * size.out_w;
      const rows = size.filters;
      const plan = planOf(size.groups, rows, cols, depth, true);
      inSlices(launcher, out, plan.splits, undefined, 0, (target) => {
        const values = { ...size, rows, cols, depth, splits: plan.splits };
        const form = formOf(weightKernels, values);
        launchTiled(launcher, form, plan, suffix(x.dtype), [x, g, target], values);
      });
    },
  },
};
