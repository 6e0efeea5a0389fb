/**
 * Bytes of JavaScript's heap that a call takes, the result's included: node scripts/run.mjs
 * bench/garbage.ts. Counted by V8's sampling profiler over many calls that are optimised already;
 * `--sites` says in which functions, by their lines in the bundle build/tools/bench-garbage.mjs.
 */

import { Session } from 'node:inspector';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpu } from '../ts/device/cpu/cpu.js';
import * as torch from '../ts/index.js';
import { emptyTensor } from '../ts/tensor.js';

const CALLS = 10_000;
const ROUNDS = 4;

interface Site {
  readonly selfSize: number;
  readonly callFrame: { readonly functionName: string; readonly lineNumber: number };
  readonly children: readonly Site[];
}

const session = new Session();
session.connect();

/** Asks the profiler, which answers at once. */
function post(method: string, params?: object): unknown {
  let answer: unknown;
  session.post(method, params, (error, result) => {
    if (error) throw error;
    answer = result;
  });
  return answer;
}

/** Bytes that a call takes, by the functions that take them. */
function taken(run: () => void): Map<string, number> {
  post('HeapProfiler.startSampling', {
    samplingInterval: 2048,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  for (let i = 0; i < CALLS; i++) run();
  const { profile } = post('HeapProfiler.stopSampling') as { profile: { head: Site } };
  const sizes = new Map<string, number>();
  const visit = (site: Site, caller: string): void => {
    const { functionName, lineNumber } = site.callFrame;
    // What belongs to the engine has no line: it counts for who called it.
    const name = lineNumber < 0 ? caller : `${functionName || '(unnamed)'}:${lineNumber + 1}`;
    sizes.set(name, (sizes.get(name) ?? 0) + site.selfSize / CALLS);
    for (const called of site.children) visit(called, name);
  };
  visit(profile.head, '(engine)');
  return sizes;
}

const values = [1.5, 2, 3, 4];
const [x, y, w] = [torch.tensor(values), torch.tensor(values), torch.tensor(values)];
w.requiresGrad_();
const layer = new torch.nn.Linear(64, 64);
const norm = new torch.nn.LayerNorm(64);
const conv = new torch.nn.Conv2d(1, 2, 3);
const row = torch.ones([1, 64]);
const square = torch.ones([8, 8]);
const images = torch.ones([1, 1, 8, 8]);
const squares = [square, square];
const embedding = new torch.nn.Embedding(8, 4);
const indices = torch.tensor([1, 2]);
const pool = new torch.nn.MaxPool2d(2);
const photos = torch.ones([1, 1, 8, 8]).requiresGrad_();
const scores = torch.ones([1, 64]).requiresGrad_();
const classes = torch.tensor([3]);
const shape = [4];
const F = torch.nn.functional;

/** A step of an optimiser for so many parameters. */
function stepOf(count: number, make: (params: torch.Tensor[]) => { step(): unknown }): () => void {
  const params = Array.from({ length: count }, () => {
    const param = torch.tensor(values).requiresGrad_();
    param.grad = torch.ones([4]);
    return param;
  });
  const optimizer = make(params);
  return () => {
    optimizer.step();
  };
}

const sgd = (params: torch.Tensor[]) => new torch.optim.SGD(params, { lr: 1e-6, momentum: 0.9 });
const adam = (params: torch.Tensor[]) => new torch.optim.Adam(params, { lr: 1e-6 });

const RESULTS: Readonly<Record<string, () => torch.Tensor>> = {
  'a bare tensor': () => emptyTensor(shape, torch.float32, cpu),
  'x.relu()': () => x.relu(),
  'x.add(y)': () => x.add(y),
  'x.add(1)': () => x.add(1),
  'x.lt(y)': () => x.lt(y),
  'x.add_(y)': () => x.add_(y),
  'x.sum()': () => x.sum(),
  'x.mean()': () => x.mean(),
  'x.amax()': () => x.amax(),
  'square.sum(1)': () => square.sum(1),
  'square.argmax(1)': () => square.argmax(1),
  'square.max(1)': () => {
    const { values, indices } = square.max(1);
    indices.dispose();
    return values;
  },
  'square.softmax(1)': () => square.softmax(1),
  'square.matmul(square)': () => square.matmul(square),
  'square.t()': () => square.t(),
  'square.transpose(0, 1)': () => square.transpose(0, 1),
  'square.view(64)': () => square.view(64),
  'square.reshape(4, 16)': () => square.reshape(4, 16),
  'square.select(0, 1)': () => square.select(0, 1),
  'square.narrow(0, 1, 2)': () => square.narrow(0, 1, 2),
  'torch.cat([square, square])': () => torch.cat(squares),
  'Linear, one row': () => layer(row),
  'Embedding, two rows': () => embedding(indices),
  'MaxPool2d, one image': () => pool(images),
  'LayerNorm, one row': () => norm(row),
  'Conv2d, one image': () => conv(images),
  'crossEntropy, one row': () => F.crossEntropy(row, classes),
};

const CALLS_OF: Readonly<Record<string, () => void>> = {
  ...Object.fromEntries(
    Object.entries(RESULTS).map(([name, run]) => [
      name,
      name.endsWith('_(y)') ? run : () => run().dispose(),
    ]),
  ),
  'recorded w.add(y)': () => w.add(y).dispose(),
  'recorded w.relu()': () => w.relu().dispose(),
  'recorded w.sum()': () => w.sum().dispose(),
  'recorded Linear': () => layer(row).dispose(),
  'recorded Conv2d': () => conv(images).dispose(),
  'recorded MaxPool2d': () => pool(photos).dispose(),
  'recorded Embedding': () => embedding(indices).dispose(),
  'recorded crossEntropy': () => F.crossEntropy(scores, classes).dispose(),
  'recorded, sum(), backward()': () => {
    w.grad = null;
    torch.scope(() => w.add(y).sum().backward());
  },
  'SGD, one parameter': stepOf(1, sgd),
  'SGD, eight parameters': stepOf(8, sgd),
  'Adam, one parameter': stepOf(1, adam),
  'Adam, eight parameters': stepOf(8, adam),
};

const withSites = process.argv.includes('--sites');
const chosen = process.argv[2]?.startsWith('--') ? undefined : process.argv[2];
for (const [name, run] of Object.entries(CALLS_OF)) {
  if (chosen && !name.includes(chosen)) continue;
  torch.setGradEnabled(!(name in RESULTS));
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < CALLS; i++) run();
    await sleep(20);
  }
  const sizes = [...taken(run)].sort((a, b) => b[1] - a[1]);
  const total = sizes.reduce((sum, [, size]) => sum + size, 0);
  console.log(`${total.toFixed(0).padStart(6)} bytes  ${name}`);
  for (const [site, size] of withSites ? sizes : []) {
    if (size >= 8) console.log(`${size.toFixed(0).padStart(20)}  ${site}`);
  }
}
