/** Every optimiser against PyTorch's steps and states, in float64, and files in both directions. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { havePyTorch, run } from '../checkpoint/python.js';
import {
  camel,
  cases,
  decode,
  type Encoded,
  expectClose,
  gradient,
  HALF,
  parameter,
} from './recorded.js';

type AnyOptimizer = torch.optim.Optimizer<never> & { step(): void };
type Maker = new (groups: object[], options: object) => AnyOptimizer;
type Saved = ReturnType<AnyOptimizer['stateDict']>;

function make(name: string, kwargs: Record<string, unknown>, from?: readonly Encoded[]) {
  const params = [parameter(0), parameter(1)];
  if (from !== undefined) {
    params.forEach((param, i) => {
      param.data.copy_(decode(from[i]) as torch.Tensor);
    });
  }
  const Class = torch.optim[name as 'SGD'] as unknown as Maker;
  const groups = [{ params: [params[0]] }, { params: [params[1]], lr: 0.3 }];
  return { params, optimizer: new Class(groups, camel(kwargs)) };
}

function steps({ params, optimizer }: ReturnType<typeof make>, from: number, to: number): void {
  for (let step = from; step < to; step++) {
    params.forEach((param, i) => {
      param.grad = gradient(i, step);
    });
    optimizer.step();
  }
}

const named = cases.optimizers.map(
  (one) => [`${one.optimizer} ${JSON.stringify(one.kwargs)}`, one] as const,
);

describe.each(named)('%s', (_, { optimizer: name, kwargs, state, half, final }) => {
  it('steps as PyTorch, with the same state', () => {
    const made = make(name, kwargs);
    steps(made, 0, HALF);
    expectClose(made.params, half, 'parameters');
    const { foreach: _foreach, ...first } = state.param_groups[0];
    const own = made.optimizer.stateDict();
    const options = Object.fromEntries(
      Object.entries(first).filter(([key]) => !/capturable|differentiable|fused/.test(key)),
    );
    expectClose(own.param_groups[0], options, 'options');
    expectClose(own.state, state.state, 'state');
    expect(Object.keys(own.state[0]).sort()).toEqual(Object.keys(state.state[0]).sort());
    steps(made, HALF, 2 * HALF);
    expectClose(made.params, final, 'parameters');
  });

  it('goes on from the state PyTorch had', () => {
    const made = make(name, { lr: 1 }, half);
    made.optimizer.loadStateDict(decode(state) as Saved);
    steps(made, HALF, 2 * HALF);
    expectClose(made.params, final, 'parameters');
  });
});

describe.each(cases.lbfgs.map((one) => [JSON.stringify(one.kwargs), one] as const))(
  'LBFGS %s',
  (_, one) => {
    const make = (options: object) => {
      const params = [parameter(0), parameter(1)];
      const optimizer = new torch.optim.LBFGS(params, options);
      const closure = () => {
        optimizer.zeroGrad();
        const x = torch.cat(params.map((param) => param.reshape([-1])));
        const [a, b] = [x.narrow(0, 0, 9), x.narrow(0, 1, 9)];
        const loss = b.sub(a.square()).square().mul(100).add(a.neg().add(1).square()).sum().div(50);
        loss.backward();
        return loss;
      };
      return {
        params,
        optimizer,
        step: () => (optimizer.step(closure) as torch.Tensor).itemSync(),
      };
    };

    it('takes the steps PyTorch takes', () => {
      const { params, optimizer, step } = make(camel(one.kwargs));
      expectClose([step(), step(), step(), step()], one.losses, 'losses', 1e-7);
      expectClose(params, one.final, 'parameters', 1e-7);
      const state = optimizer.state.get(params[0]);
      expect([state?.func_evals, state?.n_iter]).toEqual([one.evals, one.iterations]);
    });

    it('goes on from the state PyTorch had, and from its own', () => {
      const first = make({});
      const second = make({});
      for (const { params, optimizer } of [first, second]) {
        params.forEach((param, i) => {
          param.data.copy_(decode(one.half[i]) as torch.Tensor);
        });
        const from =
          optimizer === first.optimizer ? decode(one.state) : first.optimizer.stateDict();
        optimizer.loadStateDict(from as Saved);
      }
      for (const { params, step } of [first, second]) {
        expectClose([step(), step()], one.losses.slice(2), 'losses', 1e-7);
        expectClose(params, one.final, 'parameters', 1e-7);
      }
    });
  },
);

/** Loads our file, checks what it holds, takes the remaining steps, and saves its own state. */
const PROGRAM = `
import json, math, sys, torch
name, kwargs, path, back = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3], sys.argv[4]
saved = torch.load(path)
shapes = [(2, 3), (4,)]
params = [p.clone().requires_grad_() for p in saved["params"]]
groups = [{"params": [params[0]]}, {"params": [params[1]]}]
optimizer = getattr(torch.optim, name)(groups, **({"lr": 1} if name == "SGD" else {}))
optimizer.load_state_dict(saved["optimizer"])
def go(start):
    for step in range(start, start + ${HALF}):
        for i, param in enumerate(params):
            values = [math.sin(1.3 * k + 0.7 * step + i) for k in range(param.numel())]
            param.grad = torch.tensor(values, dtype=torch.float64).view(shapes[i])
        optimizer.step()
go(${HALF})
print(json.dumps([p.reshape(-1).tolist() for p in params]))
torch.save({"params": [p.detach() for p in params], "optimizer": optimizer.state_dict()}, back)
go(${2 * HALF})
print(json.dumps([p.reshape(-1).tolist() for p in params]))
`;

/** PyTorch loads numbers of a float64 parameter, which it keeps in float32, as float64. */
const LOADED = 1e-9;

describe.runIf(havePyTorch)('files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'isotorch-optim-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const last = new Map(cases.optimizers.map((one) => [one.optimizer, one]));

  it.each([...last])('%s: PyTorch goes on from ours, and we from its', async (name, one) => {
    const [ours, theirs] = [join(folder, `${name}.pt`), join(folder, `${name}-back.pt`)];
    const made = make(name, one.kwargs);
    steps(made, 0, HALF);
    const params = made.params.map((param) => param.detach());
    await torch.save({ params, optimizer: made.optimizer.stateDict() }, ours);
    const printed = run(PROGRAM, name, JSON.stringify(one.kwargs), ours, theirs).split('\n');
    expectClose(
      JSON.parse(printed[0]),
      one.final.map(({ data }) => data),
      'by PyTorch',
      LOADED,
    );
    const back = (await torch.load(theirs)) as { params: torch.Tensor[]; optimizer: Saved };
    const again = make(name, { lr: 1 });
    again.params.forEach((param, i) => {
      param.data.copy_(back.params[i]);
    });
    again.optimizer.loadStateDict(back.optimizer);
    steps(again, 2 * HALF, 3 * HALF);
    const actual = again.params.map((param) => Array.from(param.detach().dataSync(), Number));
    expectClose(actual, JSON.parse(printed[1]), 'by us', LOADED);
  });
});
