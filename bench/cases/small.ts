/** The cost of a call: additions of four floats and a layer of one row, where arithmetic is little. */

import type * as Torch from '../../ts/index.js';
import { type Case, deviceInUse, type Inputs, toTensor, uniform, values } from '../case.js';

const inputs = () => ({ x: uniform(5, [4]), y: uniform(6, [4]) });
const layer = () => ({
  x: uniform(7, [1, 64]),
  w: uniform(8, [64, 64], 1 / 8),
  b: uniform(9, [64], 1 / 8),
});
const product = ({ x, w, b }: Inputs) =>
  Float64Array.from(b.data, (bias, i) =>
    Array.from(x.data).reduce((sum, v, k) => sum + v * w.data[i * 64 + k], bias),
  );

/** The layer as users call it, with the weights given. */
function linearOf(torch: typeof Torch, { w, b }: Inputs) {
  const linear = new torch.nn.Linear(64, 64).to(deviceInUse());
  torch.noGrad(() => {
    linear.weight.copy_(toTensor(torch, w));
    linear.bias?.copy_(toTensor(torch, b));
  });
  return linear;
}

const PYTHON_LINEAR = `
layer = nn.Linear(64, 64)
with torch.no_grad():
    layer.weight.copy_(w)
    layer.bias.copy_(b)
`;

const expected = ({ x, y }: Inputs) => Float64Array.from(x.data, (v, i) => v + y.data[i]);

export const smallCases: readonly Case[] = [
  {
    name: 'small/add of 4',
    inputs,
    expected,
    tolerance: 1e-6,
    isotorch(torch, given) {
      const [x, y] = [toTensor(torch, given.x), toTensor(torch, given.y)];
      return { run: () => x.add(y).dispose(), check: () => values(x.add(y)) };
    },
    tfjs(tf, given) {
      const [x, y] = [tf.tensor(given.x.data, [4]), tf.tensor(given.y.data, [4])];
      return { run: () => x.add(y).dispose(), check: () => x.add(y).data() };
    },
    jax({ numpy: np }, given) {
      const [x, y] = [np.array(given.x.data), np.array(given.y.data)];
      const run = async () => (await x.ref.add(y.ref).blockUntilReady()).dispose();
      return { run, check: () => x.ref.add(y.ref).data() };
    },
    pytorch: 'def run(): return x + y',
  },
  {
    name: 'small/add of 4, recorded',
    inputs,
    expected,
    tolerance: 1e-6,
    isotorch(torch, given) {
      const x = toTensor(torch, given.x).requiresGrad_();
      const y = toTensor(torch, given.y);
      return { run: () => x.add(y).dispose(), check: () => values(x.add(y)) };
    },
    pytorch: `
x.requires_grad_()
def run(): return x + y
def check(): return (x + y).detach()
`,
  },
  {
    name: 'small/add of 4, sum, backward',
    inputs,
    expected: () => [1, 1, 1, 1],
    tolerance: 0,
    isotorch(torch, given) {
      const x = toTensor(torch, given.x).requiresGrad_();
      const y = toTensor(torch, given.y);
      const run = () => {
        x.grad?.dispose();
        x.grad = null;
        torch.scope(() => x.add(y).sum().backward());
      };
      const check = () => {
        run();
        return values(x.grad as NonNullable<typeof x.grad>);
      };
      return { run, check };
    },
    pytorch: `
x.requires_grad_()
def run():
    x.grad = None
    (x + y).sum().backward()
def check():
    run()
    return x.grad
`,
  },
  {
    name: 'small/linear of 1 x 64',
    inputs: layer,
    expected: product,
    tolerance: 1e-6,
    isotorch(torch, given) {
      const linear = linearOf(torch, given);
      const x = toTensor(torch, given.x);
      const forward = () => torch.noGrad(() => linear(x));
      return { run: () => forward().dispose(), check: () => values(forward()) };
    },
    pytorch: `${PYTHON_LINEAR}
def run():
    with torch.no_grad(): return layer(x)
`,
  },
  {
    name: 'small/linear of 1 x 64, backward',
    inputs: layer,
    expected: ({ x }) => Float64Array.from({ length: 64 * 64 }, (_, i) => x.data[i % 64]),
    tolerance: 1e-6,
    isotorch(torch, given) {
      const linear = linearOf(torch, given);
      const x = toTensor(torch, given.x);
      const ones = torch.ones([1, 64], { device: deviceInUse() });
      const run = () => {
        linear.zeroGrad();
        const y = linear(x);
        y.backward(ones);
        y.dispose();
      };
      const check = () => {
        run();
        return values(linear.weight.grad as NonNullable<typeof linear.weight.grad>);
      };
      return { run, check };
    },
    pytorch: `${PYTHON_LINEAR}
ones = torch.ones(1, 64)
def run():
    layer.zero_grad(set_to_none=True)
    layer(x).backward(ones)
def check():
    run()
    return layer.weight.grad
`,
  },
];
