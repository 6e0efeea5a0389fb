/** States in files: PyTorch goes on from ours, and we from its. Runs where PyTorch is. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { havePyTorch, run } from '../checkpoint/python.js';
import { camel, cases, expectClose, HALF } from './recorded.js';
import {
  follow,
  makeOptimizer,
  makeSchedule,
  makeSearch,
  type Saved,
  STATE_AT,
  steps,
} from './runs.js';

/** Loads our states, goes on, saves its own on the way, and prints where it came to. */
const PROGRAM = `
import copy, json, sys, torch
sys.path.insert(0, sys.argv[1])
import record
ours, theirs = torch.load(sys.argv[2]), {"optimizers": {}, "lbfgs": []}
out = {"optimizers": {}, "lbfgs": [], "schedules": []}
values = lambda params: [p.reshape(-1).tolist() for p in params]
def begin(saved):
    return [p.clone().requires_grad_() for p in saved["params"]]
def pack(params, optimizer):
    return copy.deepcopy({"params": [p.detach() for p in params], "optimizer": optimizer.state_dict()})
for name, saved in ours["optimizers"].items():
    params = begin(saved)
    groups = [{"params": [params[0]]}, {"params": [params[1]]}]
    optimizer = getattr(torch.optim, name)(groups, **({"lr": 1} if name == "SGD" else {}))
    optimizer.load_state_dict(saved["optimizer"])
    found = []
    for part in (1, 2):
        for step in range(part * record.HALF, (part + 1) * record.HALF):
            for i, param in enumerate(params):
                param.grad = record.gradient(i, step, torch.float64)
            optimizer.step()
        found.append(values(params))
        if part == 1:
            theirs["optimizers"][name] = pack(params, optimizer)
    out["optimizers"][name] = found
for saved in ours["lbfgs"]:
    params = begin(saved)
    optimizer = torch.optim.LBFGS(params)
    optimizer.load_state_dict(saved["optimizer"])
    closure = record.closure_of(optimizer, params)
    losses = [optimizer.step(closure).item()]
    theirs["lbfgs"].append(pack(params, optimizer))
    losses.append(optimizer.step(closure).item())
    out["lbfgs"].append(losses)
for (name, kwargs, base), saved in zip(json.loads(sys.argv[4]), ours["schedules"]):
    optimizer, schedule = record.scheduled(name, kwargs, base)
    optimizer.load_state_dict(saved["optimizer"])
    schedule.load_state_dict(saved["schedule"])
    rates = []
    for step in range(${STATE_AT}, 20):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step(*([record.metric(step)] if name == "ReduceLROnPlateau" else []))
    out["schedules"].append(rates)
torch.save(theirs, sys.argv[3])
print(json.dumps(out))
`;

/** PyTorch loads numbers of a float64 parameter, which it keeps in float32, as float64. */
const LOADED = 1e-9;

/** PyTorch 1.13 loses an own scale of a cycle when it loads a state; later versions keep it. */
const schedules = cases.schedules.filter(({ kwargs }) => !('scale_fn' in kwargs));
const last = new Map(cases.optimizers.map((one) => [one.optimizer, one]));

describe.runIf(havePyTorch)('files', () => {
  interface Part {
    params: torch.Tensor[];
    optimizer: Saved;
  }
  const take = (params: readonly torch.Tensor[], from: Part) => {
    params.forEach((param, i) => {
      param.data.copy_(from.params[i]);
    });
  };
  let theirs: { optimizers: Record<string, Part>; lbfgs: Part[] };
  let out: {
    optimizers: Record<string, number[][][]>;
    lbfgs: number[][];
    schedules: number[][][];
  };
  const folder = mkdtempSync(join(tmpdir(), 'isotorch-optim-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  beforeAll(async () => {
    const optimizers = Object.fromEntries(
      [...last].map(([name, { kwargs }]) => {
        const made = makeOptimizer(name, kwargs);
        steps(made, 0, HALF);
        const params = made.params.map((param) => param.detach());
        return [name, { params, optimizer: made.optimizer.stateDict() }];
      }),
    );
    const lbfgs = cases.lbfgs.map(({ kwargs }) => {
      const { params, optimizer, step } = makeSearch(camel(kwargs));
      step();
      step();
      return { params: params.map((param) => param.detach()), optimizer: optimizer.stateDict() };
    });
    const states = schedules.map((one) => {
      const made = makeSchedule(one);
      follow(made, one, 0, STATE_AT);
      return { optimizer: made.optimizer.stateDict(), schedule: made.rates.stateDict() };
    });
    const [ours, back] = ['ours.pt', 'theirs.pt'].map((name) => join(folder, name));
    await torch.save({ optimizers, lbfgs, schedules: states }, ours);
    const kinds = schedules.map((one) => [one.schedule, one.kwargs, one.optimizer]);
    const here = dirname(fileURLToPath(import.meta.url));
    out = JSON.parse(run(PROGRAM, here, ours, back, JSON.stringify(kinds)));
    theirs = (await torch.load(back)) as typeof theirs;
  });

  it.each([...last])('%s goes on in both directions', (name, one) => {
    const [first, second] = out.optimizers[name];
    const final = one.final.map(({ data }) => data);
    expectClose(first, final, 'by PyTorch', LOADED);
    const again = makeOptimizer(name, { lr: 1 });
    take(again.params, theirs.optimizers[name]);
    again.optimizer.loadStateDict(theirs.optimizers[name].optimizer);
    steps(again, 2 * HALF, 3 * HALF);
    const actual = again.params.map((param) => Array.from(param.detach().dataSync(), Number));
    expectClose(actual, second, 'by us', LOADED);
  });

  it.each(cases.lbfgs.map((one, i) => [JSON.stringify(one.kwargs), i] as const))(
    'LBFGS %s goes on in both directions',
    (_, i) => {
      expectClose(out.lbfgs[i], cases.lbfgs[i].losses.slice(2), 'by PyTorch', 1e-7);
      const again = makeSearch({});
      take(again.params, theirs.lbfgs[i]);
      again.optimizer.loadStateDict(theirs.lbfgs[i].optimizer);
      expectClose(again.step(), cases.lbfgs[i].losses[3], 'by us', 1e-7);
    },
  );

  it.each(schedules.map((one, i) => [`${one.schedule} ${i}`, i] as const))(
    'PyTorch goes on with %s',
    (_, i) => {
      expect(out.schedules[i]).toHaveLength(20 - STATE_AT);
      expectClose(out.schedules[i], schedules[i].rates.slice(STATE_AT), 'rates');
    },
  );
});
