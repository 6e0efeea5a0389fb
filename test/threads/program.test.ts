import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleInto, nodes } from '../platform/package.js';

let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'isotorch-threads-'));
  await bundleInto(folder, ['test/threads/program.ts', 'ts/index.ts']);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(
  node: string,
  file: string,
  env: Record<string, string> = {},
  flags: readonly string[] = [],
): string {
  return execFileSync(node, [...flags, file], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: 50_000,
  });
}

/** What a short program prints. */
function evaluate(
  node: string,
  text: string,
  env?: Record<string, string>,
  flags?: readonly string[],
): string {
  const file = join(folder, 'short.mjs');
  writeFileSync(file, `import * as torch from './ts/index.mjs';\n${text}`);
  return run(node, file, env, flags).trim();
}

function versionOf(node: string): number {
  return Number.parseInt(run(node, '--version').slice(1), 10);
}

describe.each(nodes())('a program with threads (%s)', (node) => {
  it('ends by itself, and its workers rest while there is nothing to do', () => {
    const measured = { ISOTORCH_KERNELS: 'auto' };
    const report = JSON.parse(run(node, join(folder, 'test/threads/program.mjs'), measured));
    expect(report).toMatchObject({ threads: 3, workers: 2 });
    expect(report.idle).toBeLessThan(50);
    expect(report.kernels).not.toBe('auto');
    const [, milliseconds] = report.kernelsReason.match(/GFLOP\/s, measured in (\d\.\d) ms$/);
    expect(Number(milliseconds)).toBeLessThan(5.3);
  });

  it.each([
    ['process.exit(3);', 3],
    ["throw new Error('on purpose');", 1],
    ["Promise.reject(new Error('on purpose'));", 1],
  ])('ends while its threads look for work: %s', (end, status) => {
    const file = join(folder, 'end.mjs');
    const work = `
      torch.setNumThreads(3);
      const x = torch.randn(512, 512);
      while (torch.cpu.info().workers < 2) {
        x.matmul(x);
        await new Promise((done) => setTimeout(done, 5));
      }
      x.matmul(x);`;
    writeFileSync(file, `import * as torch from './ts/index.mjs';\n${work}\n${end}`);
    expect(spawnSync(node, [file], { timeout: 50_000 }).status).toBe(status);
  });

  it('has no threads before work is large enough', () => {
    const text = `
      import { availableParallelism } from 'node:os';
      console.log(torch.getNumThreads() === availableParallelism());
      const x = torch.randn(2000);
      for (let i = 0; i < 100; i++) x.exp().add(x);
      const rest = () => new Promise((done) => setTimeout(done, 300));
      await rest();
      console.log(torch.cpu.info().workers);
      torch.setNumThreads(2);
      torch.randn(512, 512).matmul(torch.randn(512, 512));
      while (torch.cpu.info().workers === 0) await rest();
      console.log(torch.cpu.info().workers);`;
    expect(evaluate(node, text).split('\n')).toEqual(['true', '0', '1']);
  });

  it('says why it has one thread where it can have no more', () => {
    const text = (before: string) => `
      ${before}
      torch.setNumThreads(2);
      const x = torch.randn(512, 512);
      for (let i = 0; i < 3; i++) x.matmul(x);
      const { threads, reason } = torch.cpu.info();
      console.log(threads, reason);`;
    const without = evaluate(node, text('delete globalThis.SharedArrayBuffer;'));
    expect(without).toBe('1 there is no SharedArrayBuffer');
    const permission = versionOf(node) >= 24 ? '--permission' : '--experimental-permission';
    const flags = ['--no-warnings', permission, '--allow-fs-read=*'];
    expect(evaluate(node, text(''), {}, flags)).toMatch(
      /^1 workers cannot be started: .*restricted/,
    );
  });

  it('has the kernels that the environment names', () => {
    const env = { ISOTORCH_KERNELS: 'plain-4x16' };
    const text = 'torch.ones(1); console.log(torch.cpu.info().kernels);';
    expect(evaluate(node, text, env)).toBe('plain-4x16');
    const wrong = 'try { torch.ones(1); } catch (error) { console.log(error.message); }';
    expect(evaluate(node, wrong, { ISOTORCH_KERNELS: 'fast' })).toMatch(/'fast'.*plain-2x16/);
    const relaxed = { ISOTORCH_KERNELS: 'relaxed-6x8' };
    expect(evaluate(node, wrong, relaxed)).toMatch(
      versionOf(node) >= 22 ? /^$/ : /cannot run.*relaxed-6x8/,
    );
  });

  it('has the kernels that configure() names, the plain ones with the same bits', () => {
    const text = (name: string) => `
      torch.cpu.configure({ kernels: '${name}' });
      // What a later call leaves out stays.
      torch.cpu.configure({ workerUrl: './worker.js' });
      torch.manualSeed(0);
      const product = torch.randn(211, 307).matmul(torch.randn(307, 100));
      console.log(torch.cpu.info().kernels, product.dataSync().join());`;
    const results = ['plain-2x16', 'plain-4x16'].map((name) => {
      const [kernels, values] = evaluate(node, text(name)).split(' ');
      expect(kernels).toBe(name);
      return values;
    });
    expect(new Set(results).size).toBe(1);
  });

  it('refuses settings that come too late, or name nothing', () => {
    const text = `
      const attempt = (options) => {
        try { torch.cpu.configure(options); } catch (error) { console.log(error.name); }
      };
      attempt({ kernels: 'none' });
      attempt({ threads: 2 });
      try { torch.cpu.setMemoryLimit(Number.NaN); } catch (error) { console.log(error.name); }
      torch.ones(1);
      attempt({ kernels: 'auto' });`;
    const [last, ...others] = evaluate(node, text).split('\n').reverse();
    expect(last).toBe('DeviceError');
    expect(others).toEqual(['ValueError', 'ValueError', 'ValueError']);
  });

  it('pairs vectors where the engine can, and says where it cannot', () => {
    const text = `
      try { torch.cpu.configure({ revectorize: true }); } catch (error) { console.log(error.message); }
      const x = torch.randn(300, 300);
      const error = x.matmul(x).sub(x.double().matmul(x.double()).float()).abs().max().itemSync();
      console.log(error < 1e-3, torch.cpu.info().revectorize);`;
    const lines = evaluate(node, text).split('\n');
    const paired = versionOf(node) >= 24;
    expect(lines.at(-1)).toBe(`true ${paired}`);
    if (paired) expect(lines).toHaveLength(1);
    else expect(lines[0]).toMatch(/revectorize needs Node 24/);
  });
});
