/** The cost of a call: additions of four floats, where the arithmetic is nothing. */

import { type Case, type Inputs, toTensor, uniform, values } from '../case.js';

const inputs = () => ({ x: uniform(5, [4]), y: uniform(6, [4]) });
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
];
