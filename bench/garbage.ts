/**
 * Bytes of JavaScript's heap that a call takes, the result's included: node scripts/run.mjs
 * bench/garbage.ts. Counted by V8's sampling profiler over many calls that are optimised already;
 * `--sites` says in which functions.
 */

import { Session } from 'node:inspector';
import { setTimeout as sleep } from 'node:timers/promises';
import { contiguousStrides } from '../ts/core/layout.js';
import { cpu } from '../ts/device/cpu/cpu.js';
import * as torch from '../ts/index.js';
import { emptyTensor } from '../ts/tensor.js';

const CALLS = 20_000;
const ROUNDS = 6;

interface Site {
  readonly selfSize: number;
  readonly callFrame: { readonly functionName: string };
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
  const visit = (site: Site): void => {
    const name = site.callFrame.functionName || '(unnamed)';
    sizes.set(name, (sizes.get(name) ?? 0) + site.selfSize / CALLS);
    site.children.forEach(visit);
  };
  visit(profile.head);
  return sizes;
}

const values = [1.5, 2, 3, 4];
const [x, y, w] = [torch.tensor(values), torch.tensor(values), torch.tensor(values)];
w.requiresGrad_();
const layer = new torch.nn.Linear(64, 64);
const row = torch.ones([1, 64]);
const shape = [4];

const CALLS_OF: Readonly<Record<string, () => void>> = {
  'a bare tensor': () => emptyTensor(shape, torch.float32, cpu).dispose(),
  'its strides': () => {
    contiguousStrides(shape);
  },
  'x.relu()': () => x.relu().dispose(),
  'x.add(y)': () => x.add(y).dispose(),
  'x.add(1)': () => x.add(1).dispose(),
  'x.add_(y)': () => x.add_(y),
  'x.sum()': () => x.sum().dispose(),
  'recorded w.add(y)': () => w.add(y).dispose(),
  'recorded w.relu()': () => w.relu().dispose(),
  'recorded, sum(), backward()': () => {
    w.grad = null;
    torch.scope(() => w.add(y).sum().backward());
  },
  'Linear, one row': () => torch.noGrad(() => layer(row)).dispose(),
};

const withSites = process.argv.includes('--sites');
for (const [name, run] of Object.entries(CALLS_OF)) {
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
