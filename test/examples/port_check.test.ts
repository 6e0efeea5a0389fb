import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { portCheck, report } from '../../examples/port-check/check.js';
import { Net, port } from '../../examples/port-check/model.js';
import * as torch from '../../ts/index.js';
import { havePyTorch, run } from '../checkpoint/python.js';

const folder = fileURLToPath(new URL('../../examples/port-check/', import.meta.url));
const recorded = readFileSync(join(folder, 'recorded.pt'));

class WrongActivation extends Net {
  override forward(x: torch.Tensor): torch.Tensor {
    const F = torch.nn.functional;
    const h = F.maxPool2d(F.leakyRelu(this.norm(this.conv(x))), 2);
    const [sequence] = this.gru(h.permute(0, 2, 1, 3).flatten(2));
    return this.out(sequence.at(':', -1));
  }
}

class WrongOrder extends Net {
  override out = new torch.nn.Linear(10, 3);
}

class WrongName extends torch.nn.Module {
  convolution = new torch.nn.Conv2d(1, 6, 3);

  forward(x: torch.Tensor): torch.Tensor {
    return this.convolution(x);
  }
}

const parts = (findings: Awaited<ReturnType<typeof portCheck>>) =>
  findings.filter(({ ok }) => !ok).map(({ part }) => part);

describe('the check of a port', () => {
  it('says that the example follows PyTorch', async () => {
    const findings = await portCheck(recorded, port);
    expect(findings.map(({ ok }) => ok)).toEqual([true, true, true, true]);
    expect(Math.max(...findings.map(({ difference }) => difference))).toBeLessThan(1e-5);
    const text = report(findings).split('\n');
    expect(text[0]).toBe('same     initial weights: 0.0e+0');
    expect(text.at(-1)).toBe('It follows PyTorch.');
  });

  it('says that another checkpoint is no recording', async () => {
    const other = await torch.save({ model: {} });
    await expect(portCheck(other, port)).rejects.toThrow('is no recording of record.py');
  });

  it('finds another activation in the gradients', async () => {
    const findings = await portCheck(recorded, { ...port, build: () => new WrongActivation() });
    expect(parts(findings)).toEqual(['gradients', 'losses', 'final weights']);
    expect(report(findings)).toContain('It leaves PyTorch at the gradients.');
  });

  it('finds another learning rate in the losses', async () => {
    const optimizer = (net: Net) => new torch.optim.SGD(net.parameters(), { lr: 0.04 });
    const findings = await portCheck(recorded, { ...port, optimizer });
    expect(parts(findings)).toEqual(['losses', 'final weights']);
  });

  it('finds another order of construction in the initial weights', async () => {
    const findings = await portCheck(recorded, { ...port, build: () => new WrongOrder() });
    expect(parts(findings)).toEqual(['initial weights']);
    expect(findings[0].where).toMatch(/^out\./);
  });

  it('finds other names', async () => {
    const findings = await portCheck(recorded, {
      build: () => new WrongName(),
      loss: (_, x) => x.sum(),
      optimizer: (net) => new torch.optim.SGD(net.parameters(), { lr: 0.1 }),
    });
    expect(findings).toHaveLength(1);
    expect(findings[0].where).toMatch(/\((only|not) in PyTorch\)/);
  });

  it('leaves the default dtype as it was', async () => {
    await portCheck(recorded, port);
    expect(torch.getDefaultDtype()).toBe(torch.float32);
  });

  it.runIf(havePyTorch)('follows the installed PyTorch, in float64 to nine digits', async () => {
    const place = mkdtempSync(join(tmpdir(), 'port-check-'));
    try {
      for (const more of ['--steps=60', '--double']) {
        const file = join(place, 'recorded.pt');
        const program = `import runpy, sys; sys.dont_write_bytecode = True
sys.argv[0] = sys.argv.pop(1)
runpy.run_path(sys.argv[0], run_name='__main__')`;
        run(program, join(folder, 'record.py'), file, '--seed=9', more);
        expect(report(await portCheck(file, port))).toContain('It follows PyTorch.');
      }
    } finally {
      rmSync(place, { recursive: true });
    }
  });
});
