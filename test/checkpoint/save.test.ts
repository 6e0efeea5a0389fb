import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { afterAll, describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { havePyTorch, run } from './python.js';

const folder = mkdtempSync(join(tmpdir(), 'isotorch-save-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('torch.save', () => {
  it('stores every storage once, at a multiple of 64 bytes', async () => {
    const x = torch.arange(6).float();
    const path = join(folder, 'views.pt');
    await torch.save({ x, part: x.at('2:'), other: torch.ones(3) }, path);
    const bytes = new Uint8Array(readFileSync(path));
    expect(readdirSync(folder)).toEqual(['views.pt']);
    const entries = unzipSync(bytes);
    expect(Object.keys(entries)).toEqual([
      'views/data.pkl',
      'views/data/0',
      'views/data/1',
      'views/version',
    ]);
    expect(new Float32Array(entries['views/data/0'].slice().buffer)).toEqual(
      Float32Array.of(0, 1, 2, 3, 4, 5),
    );
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (let at = 0; view.getUint32(at, true) === 0x04034b50; ) {
      const start = at + 30 + view.getUint16(at + 26, true) + view.getUint16(at + 28, true);
      expect(start % 64).toBe(0);
      at = start + view.getUint32(at + 18, true);
    }
  });

  it('leaves nothing behind for a value that cannot be saved', async () => {
    const path = join(folder, 'bad.pt');
    await expect(torch.save({ f: () => 1 }, path)).rejects.toThrow(torch.ValueError);
    expect(existsSync(path)).toBe(false);
  });

  it.runIf(havePyTorch)('writes what PyTorch reads: dtypes, views, parameters', async () => {
    const x = torch.arange(6).float().reshape([2, 3]);
    const dtypes = [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32];
    const more = [torch.int16, torch.int8, torch.uint8, torch.bool];
    const value = {
      x,
      t: x.t(),
      row: x.at(1),
      scalar: torch.tensor(2.5),
      empty: torch.zeros(0, 3),
      leaf: torch.ones(2, { requiresGrad: true }),
      casts: [...dtypes, ...more].map((dtype) => torch.tensor([0, 1, 2]).to(dtype)),
      epoch: 3,
    };
    const path = join(folder, 'all.pt');
    await torch.save(value, path);
    const code = [
      'import torch, sys',
      'v = torch.load(sys.argv[1])',
      "print(v['t'].tolist(), v['row'].tolist(), v['scalar'].item(), tuple(v['empty'].shape))",
      "print(v['leaf'].requires_grad, v['x'].data_ptr() == v['t'].data_ptr(), v['epoch'])",
      "print([str(c.dtype)[6:] + str([int(e) for e in c.tolist()]) for c in v['casts']])",
    ].join('\n');
    expect(run(code, path).split('\n')).toEqual([
      '[[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]] [3.0, 4.0, 5.0] 2.5 (0, 3)',
      'True True 3',
      "['float64[0, 1, 2]', 'float16[0, 1, 2]', 'bfloat16[0, 1, 2]', 'int64[0, 1, 2]', " +
        "'int32[0, 1, 2]', 'int16[0, 1, 2]', 'int8[0, 1, 2]', 'uint8[0, 1, 2]', 'bool[0, 1, 1]']",
    ]);
  });

  it.runIf(havePyTorch)('writes state dicts that PyTorch modules load', async () => {
    torch.manualSeed(0);
    const { nn } = torch;
    const net = new nn.Sequential(new nn.Linear(4, 3), new nn.ReLU(), new nn.Linear(3, 2));
    const path = join(folder, 'net.pt');
    await torch.save(net.stateDict(), path);
    const code = [
      'import torch, sys',
      'from torch import nn',
      'net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))',
      'print(net.load_state_dict(torch.load(sys.argv[1])))',
      'print(net(torch.ones(1, 4)).tolist()[0])',
    ].join('\n');
    const [message, values] = run(code, path).split('\n');
    expect(message).toBe('<All keys matched successfully>');
    const expected = net(torch.ones(1, 4)).detach().flatten().dataSync();
    JSON.parse(values).forEach((v: number, i: number) => {
      expect(v).toBeCloseTo(Number(expected[i]), 5);
    });
  });
});
