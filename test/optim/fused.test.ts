import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';

type Tensor = torch.Tensor;
const { nn, optim } = torch;

describe('steps of many parameters', () => {
  it('takes more parameters than the block of one launch describes', () => {
    const params = Array.from(
      { length: 3000 },
      (_, i) => new nn.Parameter(torch.full([2], i + 0.5)),
    );
    const optimizer = new optim.Adam(params, { lr: 0.1 });
    for (const param of params) param.grad = torch.ones(2);
    optimizer.step();
    params.forEach((param, i) => {
      expect(param.select(0, 1).itemSync()).toBeCloseTo(i + 0.4, 3);
    });
  });

  it('gives the bits that parameters give one by one', () => {
    const start = torch.linspace(-1, 1, 7);
    const make = () => new nn.Parameter(start.clone());
    const [alone, many] = [[make()], Array.from({ length: 2049 }, make)];
    for (const params of [alone, many]) {
      const optimizer = new optim.SGD(params, { lr: 0.3, momentum: 0.9 });
      for (let step = 0; step < 2; step++) {
        for (const param of params) param.grad = torch.linspace(1, 3, 7);
        optimizer.step();
      }
    }
    const expected = alone[0].tolistSync();
    for (const param of many) expect(param.tolistSync()).toEqual(expected);
  });
});

describe('steps and memory', () => {
  it('frees the copies of parameters that are not contiguous', () => {
    const param = new nn.Parameter(torch.ones(4, 3).t());
    const optimizer = new optim.SGD([param], { lr: 1 });
    const step = () => {
      const given = torch.ones(4, 3);
      param.grad = given.t();
      optimizer.step();
      param.grad?.dispose();
      param.grad = null;
      given.dispose();
    };
    step();
    const before = torch.memory().storages;
    step();
    expect(torch.memory().storages).toBe(before);
    expect(param.tolistSync()).toEqual(torch.full([3, 4], -1).tolistSync());
  });

  it('changes nothing if one parameter has a dtype it cannot step', () => {
    const whole = new nn.Parameter(torch.ones(2));
    const half = new nn.Parameter(torch.ones(2).half());
    const optimizer = new optim.Adam([whole, half]);
    whole.grad = torch.ones(2);
    half.grad = torch.ones(2).half();
    expect(() => optimizer.step()).toThrow(
      /Adam: parameters are float32 or float64, got torch.float16/,
    );
    expect(whole.tolistSync()).toEqual([1, 1]);
    expect(optimizer.state.size).toBe(0);
  });

  it('checks all groups, dtypes and states before anything is changed', () => {
    const make = () => [
      new nn.Parameter(torch.ones(2)),
      new nn.Parameter(torch.ones(3, { dtype: torch.float64 })),
      new nn.Parameter(torch.ones(2, 2)),
    ];
    const wrong: [string, Tensor][] = [
      ['shape', torch.zeros(4, { dtype: torch.float64 })],
      ['dtype', torch.zeros(3)],
    ];
    for (const groups of [1, 2]) {
      for (const [what, replaced] of wrong) {
        const [first, second, third] = make();
        const lists = groups === 1 ? [[first, second, third]] : [[first], [second, third]];
        const optimizer = new optim.NAdam(
          lists.map((params) => ({ params })),
          { lr: 0.1 },
        );
        const all = [first, second, third];
        for (const param of all) param.grad = param.detach().onesLike();
        optimizer.step();
        const state = () =>
          all.map((param) => ({ ...optimizer.state.get(param), exp_avg: undefined }));
        const [values, states] = [all.map((param) => param.tolistSync()), state()];
        const own = optimizer.state.get(second) as Record<string, unknown>;
        const kept = own.exp_avg;
        own.exp_avg = replaced;
        expect(() => optimizer.step(), what).toThrow(/^NAdam.step: 'exp_avg' is .*Nothing was/);
        expect(all.map((param) => param.tolistSync())).toEqual(values);
        expect(state()).toEqual(states);
        own.exp_avg = kept;
        optimizer.step();
        expect(optimizer.state.get(first)?.step).toBe(2);
      }
    }
  });

  it('refuses a state that lies otherwise than its parameter', () => {
    const param = new nn.Parameter(torch.ones(2, 3));
    const optimizer = new optim.SGD([param], { lr: 0.1, momentum: 0.9 });
    param.grad = torch.ones(2, 3);
    optimizer.step();
    optimizer.state.set(param, { step: 1, momentum_buffer: torch.ones(3, 2).t() });
    expect(() => optimizer.step()).toThrow(/'momentum_buffer' is .*, not contiguous; its/);
    expect(optimizer.state.get(param)?.step).toBe(1);
  });

  it('writes nothing into memory that was given up', () => {
    const [first, param] = [new nn.Parameter(torch.ones(2)), new nn.Parameter(torch.ones(2))];
    const optimizer = new optim.SGD([first, param], { lr: 1 });
    first.grad = torch.ones(2);
    const grad = torch.ones(2);
    param.grad = grad;
    grad.dispose();
    expect(() => optimizer.step()).toThrow(torch.DisposedError);
    param.grad = torch.ones(2);
    param.dispose();
    const other = torch.ones(2);
    expect(() => optimizer.step()).toThrow(/SGD.step: .*was disposed/);
    expect([first, other].map((x) => x.tolistSync())).toEqual([
      [1, 1],
      [1, 1],
    ]);
  });
});
