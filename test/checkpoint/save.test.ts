import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { afterAll, describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { int, listed, text } from './files.js';
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

  it('writes the older format byte by byte', async () => {
    const x = torch.arange(3).to(torch.int16);
    const bytes = await torch.save({ x: x.at('1:') }, null, { legacy: true });
    const facts = [
      `\x80\x02}q\0(${text('protocol_version')}q\x01J\xe9\x03\0\0`,
      `${text('little_endian')}q\x02\x88${text('type_sizes')}q\x03`,
      `}q\x04(${text('short')}q\x05${int(2)}${text('int')}q\x06${int(4)}${text('long')}`,
      `q\x07${int(4)}uu.`,
    ];
    const view = [
      `\x80\x02}q\0(${text('x')}q\x01ctorch._utils\n_rebuild_tensor_v2\nq\x02`,
      `((${text('storage')}q\x03ctorch\nShortStorage\nq\x04${text('0')}q\x05${text('cpu')}`,
      `q\x06${int(3)}NtQ${int(1)}(${int(2)}t(${int(1)}t\x89ccollections\nOrderedDict\n`,
      'q\x07)RtRq\x08u.',
    ];
    const expected = [
      '\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02J\xe9\x03\0\0.',
      ...facts,
      ...view,
      `\x80\x02]q\0(${text('0')}q\x01e.`,
      '\x03\0\0\0\0\0\0\0\0\0\x01\0\x02\0',
    ];
    expect(Buffer.from(bytes).toString('latin1')).toBe(expected.join(''));
    const alias = await torch.save({ x: x.at('1:') }, null, { _useNewZipfileSerialization: false });
    expect(alias).toEqual(bytes);
    const path = join(folder, 'legacy.pth');
    await torch.save({ x: x.at('1:') }, path, { legacy: true });
    expect(new Uint8Array(readFileSync(path))).toEqual(bytes);
    const misspelt = torch.save({}, null, { legaci: true } as object);
    await expect(misspelt).rejects.toThrow("Did you mean 'legacy'?");
  });

  it('writes what is there twice once', async () => {
    const x = torch.ones(2);
    const shared = { x };
    const bytes = await torch.save({ a: shared, b: shared, c: x, list: [x, [1], [1]] });
    const loaded = await torch.load<Record<string, Record<string, torch.Tensor>>>(bytes);
    expect(loaded.a).toBe(loaded.b);
    expect(loaded.a.x).toBe(loaded.c);
    const parts = loaded.list as unknown as unknown[];
    expect(parts[0]).toBe(loaded.c);
    expect(parts[1]).not.toBe(parts[2]);
  });

  it('writes sets, bytes, dtypes, parameters and wide integers', async () => {
    const value = {
      set: new Set(['a', 1]),
      bytes: Uint8Array.of(0, 127, 128, 255),
      dtype: torch.bfloat16,
      wide: 2n ** 3000n,
      p: new torch.nn.Parameter(torch.ones(2), false),
    };
    for (const legacy of [false, true]) {
      const { p, ...rest } = await torch.load<typeof value>(
        await torch.save(value, null, { legacy }),
      );
      const { p: _, ...expected } = value;
      expect(rest).toEqual(expected);
      expect(p).toBeInstanceOf(torch.nn.Parameter);
      expect(p.requiresGrad).toBe(false);
    }
  });

  it('refuses one storage under two dtypes', async () => {
    const x = torch.ones(4);
    const bits = x.view(torch.int32);
    await expect(torch.save([x, bits])).rejects.toThrow('share one storage');
  });

  it('keeps the old file if the new one cannot be written', async () => {
    const path = join(folder, 'kept.pt');
    await torch.save({ x: torch.ones(1) }, path);
    const x = torch.ones(3);
    const device = x.storage().device;
    const read = device.read;
    device.read = () => Promise.reject(new torch.DeviceError('lost'));
    try {
      for (const legacy of [false, true]) {
        await expect(torch.save({ x }, path, { legacy })).rejects.toThrow('lost');
      }
      await expect(torch.numpy.save(path, x)).rejects.toThrow('lost');
      await expect(torch.safetensors.saveFile({ x }, path)).rejects.toThrow('lost');
    } finally {
      device.read = read;
    }
    expect(readdirSync(folder).filter((name) => name.includes('kept'))).toEqual(['kept.pt']);
    expect((await torch.load(path)).x.shape).toEqual([1]);
    const inFile = torch.save({ x }, join(path, 'below.pt'));
    await expect(inFile).rejects.toThrow(torch.TorchError);
  });

  const dtypes = [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32];
  const more = [torch.int16, torch.int8, torch.uint8, torch.bool];

  it.runIf(havePyTorch)('writes what PyTorch reads, with weights_only too', async () => {
    const x = torch.arange(6).float().reshape([2, 3]);
    const value = {
      x,
      t: x.t(),
      row: x.at(1),
      again: x,
      scalar: torch.tensor(2.5),
      empty: torch.zeros(0, 3),
      expanded: torch.ones(1).expand(2, 2),
      leaf: torch.ones(2, { requiresGrad: true }),
      p: new torch.nn.Parameter(torch.ones(2)),
      casts: [...dtypes, ...more].map((dtype) => torch.tensor([0, 1, 2]).to(dtype)),
      epoch: 3,
      ordered: new Map([['b', 1]]),
      dtype: torch.float16,
      wide: 2n ** 1000n,
      rest: [true, null, 'ü', []],
    };
    const code = [
      'import torch, sys',
      'for only in (False, True):',
      '  v = torch.load(sys.argv[1], weights_only=only)',
      "  print(v['t'].tolist(), v['row'].tolist(), v['scalar'].item(), tuple(v['empty'].shape))",
      "  print(v['leaf'].requires_grad, v['x'].data_ptr() == v['t'].data_ptr(), v['epoch'])",
      "  print([str(c.dtype)[6:] + str([int(e) for e in c.tolist()]) for c in v['casts']])",
      "  print(v['expanded'].stride(), type(v['p']).__name__, v['again'] is v['x'])",
      "  print(dict(v['ordered']), v['dtype'], v['wide'] == 2**1000, v['rest'])",
    ].join('\n');
    const lines = [
      '[[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]] [3.0, 4.0, 5.0] 2.5 (0, 3)',
      'True True 3',
      "['float64[0, 1, 2]', 'float16[0, 1, 2]', 'bfloat16[0, 1, 2]', 'int64[0, 1, 2]', " +
        "'int32[0, 1, 2]', 'int16[0, 1, 2]', 'int8[0, 1, 2]', 'uint8[0, 1, 2]', 'bool[0, 1, 1]']",
      '(0, 0) Parameter True',
      "{'b': 1} torch.float16 True [True, None, 'ü', []]",
    ];
    for (const [name, legacy] of [
      ['all.pt', false],
      ['all.pth', true],
    ] as const) {
      const path = join(folder, name);
      await torch.save(value, path, { legacy });
      expect(run(code, path).split('\n'), name).toEqual([...lines, ...lines]);
    }
  });

  it.runIf(havePyTorch)('writes sets, bytes and fractions that PyTorch reads', async () => {
    const code = 'import torch, sys; v = torch.load(sys.argv[1]); print(*v.values())';
    for (const legacy of [false, true]) {
      const path = join(folder, 'plain.pt');
      await torch.save({ s: new Set([2, 1]), b: Uint8Array.of(0, 255), f: -0.5 }, path, { legacy });
      expect(run(code, path)).toBe("{1, 2} b'\\x00\\xff' -0.5");
    }
  });

  it.runIf(havePyTorch)('writes optimiser states that PyTorch continues with', async () => {
    const net = new torch.nn.Linear(3, 2);
    const adam = new torch.optim.Adam(net.parameters(), { lr: 0.01 });
    net(torch.ones(4, 3)).sum().backward();
    adam.step();
    const code = [
      'import torch, sys, json, io',
      // Before 2.0, numbers with a fraction were refused in PyTorch's own files too.
      "own = io.BytesIO(); torch.save({'lr': 0.5}, own); own.seek(0); only = True",
      'try: torch.load(own, weights_only=True)',
      'except Exception: only = False',
      'net = torch.nn.Linear(3, 2); opt = torch.optim.Adam(net.parameters())',
      'v = torch.load(sys.argv[1], weights_only=only)',
      "net.load_state_dict(v['net']); opt.load_state_dict(v['opt'])",
      'net(torch.ones(4, 3)).sum().backward(); opt.step()',
      'print(json.dumps([net.weight.flatten().tolist(), net.bias.tolist()]))',
    ].join('\n');
    const path = join(folder, 'training.pt');
    const printed: string[] = [];
    for (const legacy of [false, true]) {
      await torch.save({ net: net.stateDict(), opt: adam.stateDict() }, path, { legacy });
      printed.push(run(code, path));
    }
    adam.zeroGrad();
    net(torch.ones(4, 3)).sum().backward();
    adam.step();
    for (const line of printed) {
      const [weight, bias] = JSON.parse(line) as [number[], number[]];
      listed(net.weight).forEach((value, i) => {
        expect(weight[i]).toBeCloseTo(value, 5);
      });
      listed(net.bias as torch.Tensor).forEach((value, i) => {
        expect(bias[i]).toBeCloseTo(value, 5);
      });
    }
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
