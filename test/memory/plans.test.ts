import { expect, it } from 'vitest';
import { cpu } from '../../ts/device/cpu/cpu.js';
import * as torch from '../../ts/index.js';
import { atEveryAllocation } from './failing.js';

const F = torch.nn.functional;
const TIMES = 4;

/** Calls alike are recorded at the second one: all must do as the first. */
function repeatedly(call: (time: number) => void): void {
  for (let i = 0; i < TIMES; i++) call(i);
}

it('what is emitted again reads the tensors of its own call', () => {
  const weight = torch.arange(18).float().view(2, 1, 3, 3);
  const images = torch
    .arange(4 * 36)
    .float()
    .view(4, 1, 6, 6);
  const one = F.conv2d(images, weight, null, 1, 1);
  repeatedly((i) => {
    const image = images.narrow(0, i, 1);
    expect(F.conv2d(image, weight, null, 1, 1).tolistSync()).toEqual(
      one.narrow(0, i, 1).tolistSync(),
    );
    expect(F.maxPool2d(image, 2).sum().itemSync()).toBe(
      9 * 36 * i + [7, 9, 11].reduce((a, b) => a + b) * 3 + 3 * 36,
    );
  });
});

it('a tensor given twice is not taken for two others', () => {
  const square = torch.tensor([
    [1.5, 2],
    [3, 4],
  ]);
  const other = torch
    .tensor([
      [0.0, 1],
      [1, 0],
    ])
    .float();
  repeatedly(() => {
    expect(square.matmul(square).tolistSync()).toEqual([
      [8.25, 11],
      [16.5, 22],
    ]);
    expect(square.matmul(other).tolistSync()).toEqual([
      [2, 1.5],
      [4, 3],
    ]);
  });
  const wide = torch.ones([3, 3]);
  const ones = torch.ones([3, 3]);
  repeatedly(() => expect(wide.matmul(ones).sum().itemSync()).toBe(27));
  repeatedly(() => expect(wide.mul(2).matmul(wide.mul(2)).sum().itemSync()).toBe(108));
  repeatedly(() => expect(wide.matmul(wide).sum().itemSync()).toBe(27));
});

it('a wrong index is found at every call, and not after it', () => {
  const table = torch.arange(8).float().view(4, 2);
  const scores = torch.zeros([2, 4]);
  const [right, wrong] = [torch.tensor([1, 3]), torch.tensor([1, 4])];
  repeatedly(() => {
    expect(F.embedding(right, table).tolistSync()).toEqual([
      [2, 3],
      [6, 7],
    ]);
    expect(() => F.embedding(wrong, table)).toThrow(
      'embedding: index 4 at position 1 is out of range for a dimension of size 4',
    );
    expect(F.crossEntropy(scores, right).itemSync()).toBeCloseTo(Math.log(4), 6);
    expect(() => F.crossEntropy(scores, wrong)).toThrow(torch.IndexError);
  });
});

it('sizes that a user changes are those of the next call', () => {
  const conv = new torch.nn.Conv2d(1, 1, 1, { bias: false });
  conv.weight.detach().fill_(1);
  const x = torch.arange(16).float().view(1, 1, 4, 4);
  repeatedly(() => expect(conv(x).shape).toEqual([1, 1, 4, 4]));
  (conv.stride as number[])[1] = 2;
  repeatedly(() => expect(conv(x).sum([0, 1, 2]).tolistSync()).toEqual([24, 32]));
  (conv.stride as number[])[1] = 1;
  repeatedly(() => expect(conv(x).shape).toEqual([1, 1, 4, 4]));
  for (const stride of [1, 2, 1, 2, 1, 2]) {
    expect(F.maxPool2d(x, 2, stride).shape).toEqual([1, 1, 4 - stride, 4 - stride]);
  }
});

it('dtypes, absent inputs and layouts have launches of their own', () => {
  const x = torch.arange(32).float().view(1, 2, 4, 4);
  const weight = torch.ones([2, 2, 3, 3]);
  const bias = torch.tensor([0.5, 1]);
  const turned = x.transpose(2, 3);
  repeatedly(() => {
    const plain = F.conv2d(x, weight);
    expect(F.conv2d(x, weight, bias).sub(plain).amax([0, 2, 3]).tolistSync()).toEqual([0.5, 1]);
    const doubles = F.conv2d(x.double(), weight.double());
    expect(doubles.dtype).toBe(torch.float64);
    expect(doubles.float().equal(plain)).toBe(true);
    expect(F.conv2d(turned, weight).equal(plain.transpose(2, 3))).toBe(true);
  });
});

it('memory that runs out while launches are emitted again leaves nothing behind', async () => {
  const net = new torch.nn.Sequential(
    new torch.nn.Conv2d(1, 4, 3, { padding: 1 }),
    new torch.nn.MaxPool2d(2),
    new torch.nn.Flatten(),
    new torch.nn.Linear(64, 8),
    new torch.nn.LayerNorm(8),
  );
  const x = torch.rand([2, 1, 8, 8]);
  const classes = torch.tensor([1, 2]);
  const loss = () => torch.noGrad(() => F.crossEntropy(net(x), classes).itemSync());
  const expected = loss();
  repeatedly(() => expect(loss()).toBe(expected));
  const failures = await atEveryAllocation(
    (hear) => {
      cpu.beforeAllocate = hear;
    },
    () => torch.scope(() => torch.noGrad(() => void F.crossEntropy(net(x), classes))),
    async () => expect(loss()).toBe(expected),
  );
  expect(failures).toBeGreaterThan(0);
});

it('arguments that a hook keeps stay what they were', () => {
  const layer = new torch.nn.Linear(2, 2);
  const kept: unknown[][] = [];
  layer.registerForwardPreHook((_, args) => {
    kept.push(args as unknown[]);
  });
  const inputs = [1, 2, 3].map((value) => torch.full([1, 2], value + 0.5));
  for (const x of inputs) layer(x);
  expect(kept.map(([x]) => inputs.indexOf(x as torch.Tensor))).toEqual([0, 1, 2]);
  class Sum extends torch.nn.Module {
    seen: torch.Tensor[][] = [];
    again = (...rest: torch.Tensor[]): torch.Tensor =>
      (this as unknown as typeof this.again)(...rest);
    forward(...all: torch.Tensor[]): torch.Tensor {
      this.seen.push(all);
      return all.length > 1
        ? this.again(...all.slice(1)).add(all[0] as torch.Tensor)
        : (all[0] as torch.Tensor);
    }
  }
  const sum = new Sum();
  expect(sum(...inputs).tolistSync()).toEqual([[7.5, 7.5]]);
  expect(sum.seen.map((list) => list.length)).toEqual([3, 2, 1]);
  expect(sum.seen[0]?.map((x) => inputs.indexOf(x))).toEqual([0, 1, 2]);
  expect(sum(...inputs, ...inputs, ...inputs).tolistSync()).toEqual([[22.5, 22.5]]);
});

it('steps within steps, of several dtypes and layouts, and after a failure', () => {
  const param = torch.ones([2, 3]).requiresGrad_();
  const double = torch.ones([2], { dtype: torch.float64 }).requiresGrad_();
  const turned = torch.ones([3, 2]).t().requiresGrad_();
  const last = torch.ones([4]).requiresGrad_();
  const inner = torch.ones([4]).requiresGrad_();
  const [outer, own] = [
    new torch.optim.SGD([param, double, turned, last], { lr: 0.5, momentum: 0.5 }),
    new torch.optim.Adam([inner], { lr: 0.25 }),
  ];
  for (const p of [param, double, turned, last, inner]) p.grad = torch.onesLike(p);
  outer.step(() => own.step());
  for (const p of [param, double, turned, last]) expect(p.sub(0.5).abs().amax().itemSync()).toBe(0);
  expect(inner.sub(0.75).abs().amax().itemSync()).toBeLessThan(1e-6);
  const half = torch.ones([2], { dtype: torch.float16 }).requiresGrad_();
  half.grad = torch.onesLike(half);
  outer.addParamGroup({ params: half });
  expect(() => outer.step()).toThrow(torch.DtypeError);
  half.grad = null;
  outer.step();
  // What failed changed no group.
  expect(last.tolistSync()).toEqual([-0.25, -0.25, -0.25, -0.25]);
});
