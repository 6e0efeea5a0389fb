import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Case } from '../../bench/case.js';
import { gpuCases } from '../../bench/cases/gpu.js';
import { cases } from '../../bench/cases/index.js';
import { measure, type Timing } from '../../bench/measure.js';
import { readOptions, resultName, UsageError } from '../../bench/options.js';
import { Lines } from '../../bench/peers/lines.js';
import { inProcess, type Peer } from '../../bench/peers/peer.js';
import { chart, failures, markdown } from '../../bench/report.js';
import { smokeCases, tooSlow } from '../../bench/smoke.js';
import { root } from '../platform/package.js';

const read = (...args: string[]) => readOptions(args);

describe('options of the benchmarks', () => {
  it('are read, this library first', () => {
    const options = read('1M/layer', 'norm', '--peers', 'tfjs,isotorch,tfjs', '--threads', '2');
    expect(options).toMatchObject({
      pattern: '1M/layer norm',
      peers: ['isotorch', 'tfjs'],
      threads: 2,
      device: 'cpu',
      smoke: false,
    });
    expect(read('--smoke')?.peers).toEqual(['isotorch', 'naive']);
  });

  it.each([
    [['--threads', '0'], /--threads: a whole number from 1 to 64, got '0'/],
    [['--threads', '65'], /--threads: a whole number from 1 to 64, got '65'/],
    [['--rounds', '1.5'], /--rounds: a whole number/],
    [['--json', '/nowhere/figures.json'], /--json: the file cannot be written: ENOENT/],
    [['--json', tmpdir()], /--json: the file cannot be written: EISDIR/],
    [['--seconds', 'x'], /--seconds: seconds, up to an hour, got 'x'/],
    [['--device', 'tpu'], /--device: 'cpu' or 'webgpu', got 'tpu'/],
    [['--peers', 'nobody'], /there is no 'nobody' on cpu; there are isotorch/],
    [['--device', 'webgpu', '--peers', 'onnx'], /there is no 'onnx' on webgpu/],
    [['--smoke', '--device', 'webgpu'], /--smoke measures the CPU/],
    [['--speed'], /Unknown option '--speed'[\s\S]*npm run bench/],
  ])('are refused with what is wrong: %j', (args, message) => {
    expect(() => read(...args)).toThrow(UsageError);
    expect(() => read(...args)).toThrow(message);
  });

  it('name the files of a run, in few letters', () => {
    const name = (pattern: string) => resultName({ device: 'cpu', pattern });
    expect(name('')).toBe('all');
    expect(name('matmul/256 NN')).toBe('matmul-256-NN');
    expect(resultName({ device: 'webgpu', pattern: '|a|' })).toBe('webgpu-a');
    const long = Array.from({ length: 40 }, (_, i) => `1M/case ${i}`).join('|');
    expect(name(long)).toMatch(/^1M-case-0-1M-case-1-.*-[0-9a-f]{8}$/);
    expect(name(long).length).toBeLessThanOrEqual(48);
    expect(name(long)).not.toBe(name(`${long}|x`));
  });
});

describe('the cases', () => {
  it.each([
    ['cpu', cases],
    ['webgpu', gpuCases],
  ])('have names of their own (%s)', (_, all) => {
    const names = all.map(({ name }) => name);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });

  it('of the smoke test have plain C to be measured against', () => {
    const own = cases.filter(({ name }) => smokeCases.includes(name));
    expect(own).toHaveLength(smokeCases.length);
    const source = readFileSync(join(root, 'bench/ladder/naive.c'), 'utf8');
    for (const { naive } of own) expect(source).toContain(`void ${naive?.name}(`);
  });

  it('fail the smoke test where they are slow, or were not measured', () => {
    const [name] = smokeCases as [string];
    const timing = (median: number) => ({ median, low: median, high: median, samples: 3 });
    const judge = (own: number) =>
      tooSlow([{ name, peers: { isotorch: timing(own), naive: timing(1) } }]);
    expect(judge(0.001)).toEqual([]);
    expect(judge(1)).toEqual([expect.stringMatching(/1\.0 times as fast as plain C, should be/)]);
    expect(tooSlow([{ name, peers: { naive: timing(1) } }])).toEqual([`${name}: was not measured`]);
  });
});

describe('the ladder', () => {
  const climb = (name: string) =>
    spawnSync(process.execPath, ['scripts/run.mjs', 'bench/ladder/main.ts', name], {
      cwd: root,
      encoding: 'utf8',
    });

  it('checks and times every step', () => {
    const { stdout, stderr, status } = climb('softmax');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout.match(/ \d+\.\dx/g)).toHaveLength(4);
  });

  it('says which there are', () => {
    expect(climb('--help').stdout).toBe('npm run ladder -- [gemm|conv|softmax] (default: all)\n');
    const { stderr, status } = climb('sofmax');
    expect([status, stderr.trim()]).toEqual([
      2,
      "There is no ladder 'sofmax'; there are gemm, conv, softmax.",
    ]);
  });
});

describe('Ctrl-C', () => {
  it('ends a run after the case under way; what was measured is written', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'isotorch-bench-'));
    const json = join(folder, 'figures.json');
    const options = ['--smoke', '--seconds', '0.1', '--json', json];
    const bench = spawn(process.execPath, ['scripts/run.mjs', 'bench/main.ts', ...options], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for await (const text of bench.stdout) {
      if (!bench.killed && /±\d+%/.test(String(text))) bench.kill('SIGINT');
    }
    expect(bench.exitCode ?? (await once(bench, 'exit'))[0]).toBe(130);
    const { results } = JSON.parse(readFileSync(json, 'utf8'));
    expect(results.length).toBeGreaterThan(0);
    expect(results.length).toBeLessThan(smokeCases.length);
    rmSync(folder, { recursive: true });
  });
});

describe('a library in a process of its own', () => {
  it.each([
    ['ends', process.execPath],
    ['does not start', '/nowhere/node'],
  ])('that %s is told of, and nothing else breaks', async (_, program) => {
    const lines = new Lines('other', program, ['-e', "console.log('{}'); process.exit()"]);
    await lines.read().catch(() => {});
    for (let i = 0; i < 3; i++) {
      await expect(lines.ask({ do: 'sample' })).rejects.toThrow('other: its process ended');
    }
    lines.close();
  });
});

describe('a run', () => {
  const benchmark: Case = {
    name: 'sum/a name longer than that of any case there is, which the chart must not cut',
    inputs: () => ({ x: { shape: [2], data: Float32Array.of(1, 2) } }),
    expected: () => [3],
    tolerance: 1e-6,
    isotorch: () => ({ run: () => {}, check: () => [3] }),
    pytorch: '',
  };
  const peer = (name: string, check: () => number[], run: () => void): Peer => ({
    name,
    about: name,
    prepare: async () => inProcess({ run, check }, 'wall'),
    close: () => {},
  });
  const wait = (ms: number) => () => {
    for (const until = performance.now() + ms; performance.now() < until; );
  };
  const breaks = () => {
    throw new Error('out of order');
  };

  it('times who is right, and says why others have no figure', async () => {
    const peers = [
      peer('isotorch', () => [3], wait(1)),
      peer('slow', () => [3], wait(4)),
      peer('wrong', () => [4], wait(1)),
      peer('broken', () => [3], breaks),
      { ...peer('without', () => [3], wait(1)), prepare: async () => undefined },
    ];
    const result = await measure(benchmark, peers, { seconds: 0.1, rounds: 2 });
    const { isotorch, slow } = result.peers as Record<string, Timing>;
    expect(isotorch?.low).toBeGreaterThanOrEqual(0.001);
    expect(slow?.low).toBeGreaterThanOrEqual(0.004);
    expect(slow?.high).toBeGreaterThanOrEqual(slow?.median as number);
    expect(result.peers).not.toHaveProperty('without');
    expect(failures([result])).toEqual([
      expect.stringMatching(/^wrong on sum.*wrong at 0: expected 3, got 4$/),
      expect.stringMatching(/^broken on sum.*out of order$/),
    ]);
    const names = peers.map(({ name }) => name);
    expect(markdown([result], names).split('\n')[2]).toMatch(/ms .*x\) \| fails \| fails \| - \|$/);
    const svg = await chart([result], 'here', names);
    expect(svg).toContain(benchmark.name);
    expect(svg).toContain('prefers-color-scheme: dark');
  });
});
