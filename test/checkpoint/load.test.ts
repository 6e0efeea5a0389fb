import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, unzipSync, zipSync } from 'fflate';
import { afterAll, describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { havePyTorch, run } from './python.js';

const { nn } = torch;
const folder = mkdtempSync(join(tmpdir(), 'isotorch-load-'));
afterAll(() => rmSync(folder, { recursive: true }));

const cases = new URL('../conformance/cases/checkpoints/', import.meta.url).pathname;
const bytesOf = (name: string) => new Uint8Array(readFileSync(join(cases, name)));
const listed = (tensor: torch.Tensor) => [...tensor.detach().flatten().dataSync()].map(Number);

interface Recorded {
  readonly shape: number[];
  readonly data: number[];
}
const expected = JSON.parse(new TextDecoder().decode(gunzipSync(bytesOf('expected.json.gz')))) as {
  state_dict: Record<string, Recorded>;
  input: Recorded;
  output: Recorded;
};

function expectState(state: Readonly<Record<string, torch.Tensor>>): void {
  expect(Object.keys(state)).toEqual(Object.keys(expected.state_dict));
  for (const [name, { shape, data }] of Object.entries(expected.state_dict)) {
    expect(state[name].shape).toEqual(shape);
    listed(state[name]).forEach((value, i) => {
      expect(value).toBeCloseTo(data[i], 6);
    });
  }
}

describe('torch.load of files that PyTorch wrote', () => {
  it('reads state dicts, in the zip and in the older format', async () => {
    expectState(await torch.load(join(cases, 'state_dict.pt')));
    expectState(await torch.load(join(cases, 'state_dict_legacy.pth')));
  });

  it('takes every kind of source', async () => {
    const bytes = bytesOf('state_dict.pt');
    const padded = new Uint8Array(bytes.length + 10);
    padded.set(bytes, 5);
    const stream = new Blob([bytes]).stream() as ReadableStream<Uint8Array>;
    const sources = [
      new URL(`file://${join(cases, 'state_dict.pt')}`),
      bytes,
      padded.subarray(5, -5),
      bytes.buffer,
      new Blob([bytes]),
      new File([bytes], 'state_dict.pt'),
      new Response(bytes),
      stream,
    ];
    for (const source of sources) expectState(await torch.load(source));
    await expect(torch.load(new Response(null, { status: 404 }))).rejects.toThrow('404');
    await expect(torch.load(join(folder, 'none.pt'))).rejects.toThrow(torch.TorchError);
    await expect(torch.load(7 as unknown as string)).rejects.toThrow(torch.ValueError);
  });

  it('reads a training checkpoint that modules and optimisers take', async () => {
    interface Training {
      epoch: number;
      model: Record<string, torch.Tensor>;
      optimizer: ReturnType<torch.optim.Adam['stateDict']>;
    }
    const loaded = await torch.load<Training>(join(cases, 'training.pt'));
    const { model, optimizer, ...rest } = loaded;
    expect(rest).toEqual({ epoch: 7, note: 'héllo', best: null, lrs: [0.1, 0.01], flag: true });
    expect(optimizer.param_groups).toHaveLength(1);
    expect(optimizer.param_groups[0]).toMatchObject({
      lr: 0.01,
      betas: [0.9, 0.999],
      fused: false,
    });
    expect(Object.keys(optimizer.state)).toEqual(['0', '1', '2', '3', '4', '5']);
    expect(listed(model['0.weight'])[0]).toBeCloseTo(-0.180809, 6);
    const net = await torch.load<torch.nn.Sequential>(join(cases, 'whole_model.pt'));
    net.loadStateDict(model);
    const adam = new torch.optim.Adam(net.parameters());
    adam.loadStateDict(optimizer);
    expect(adam.paramGroups[0].lr).toBe(0.01);
    expect(Object.keys(adam.stateDict().state)).toHaveLength(6);
  });

  it('keeps dtypes, views and shared storages', async () => {
    type Views = Record<string, torch.Tensor>;
    const loaded = await torch.load<Views>(join(cases, 'dtypes_and_views.pt'));
    const { base, view, t } = loaded;
    const all = Object.entries(loaded).map(([name, tensor]) => [name, tensor.dtype.name]);
    expect(Object.fromEntries(all)).toEqual({
      base: 'float32',
      view: 'float32',
      t: 'float32',
      half: 'float16',
      bf16: 'bfloat16',
      i64: 'int64',
      u8: 'uint8',
      bool: 'bool',
      scalar: 'float32',
      f64: 'float64',
      empty: 'float32',
    });
    const twelve = [...Array(12).keys()];
    expect([base, loaded.half, loaded.bf16].map(listed)).toEqual([twelve, twelve, twelve]);
    const { i64, u8, bool, scalar, f64 } = loaded;
    const small = [[2 ** 40, -1], [255], [1, 0], [2.5], [1 / 3]];
    expect([i64, u8, bool, scalar, f64].map(listed)).toEqual(small);
    expect(loaded.empty.shape).toEqual([0, 3]);
    expect([view.shape, view.strides, view.offset]).toEqual([[2, 2], [4, 2], 4]);
    expect([t.shape, t.strides]).toEqual([
      [4, 3],
      [1, 4],
    ]);
    expect(new Set([base, view, t].map((tensor) => tensor.storage())).size).toBe(1);
    view.zero_();
    expect(listed(base)).toEqual([0, 1, 2, 3, 0, 5, 0, 7, 0, 9, 0, 11]);
  });

  it('rebuilds models of built-in modules without drawing random numbers', async () => {
    torch.manualSeed(3);
    const before = torch.rand(2);
    torch.manualSeed(3);
    const net = await torch.load<torch.nn.Sequential>(join(cases, 'whole_model.pt'));
    expect(listed(torch.rand(2))).toEqual(listed(before));
    expect(net).toBeInstanceOf(nn.Sequential);
    expect(net.toString()).toContain('Conv2d(3, 4, kernel_size=(3, 3), stride=(1, 1))');
    expect([...net.parameters()].every((p) => p.requiresGrad)).toBe(true);
    expectState(net.stateDict());
    const { shape, data } = expected.input;
    const output = net.eval()(torch.tensor(data).reshape(shape));
    listed(output).forEach((value, i) => {
      expect(value).toBeCloseTo(expected.output.data[i], 5);
    });
  });

  it('refuses to run anything', async () => {
    const hostile = torch.load(join(cases, 'hostile.pt'));
    await expect(hostile).rejects.toThrow(torch.FileFormatError);
    await expect(hostile).rejects.toThrow(
      /hostile.pt, entry 'hostile\/data.pkl', byte \d+: .*posix/,
    );
  });
});

describe('torch.load of files that torch.save wrote', () => {
  it('gives back values, views and parameters', async () => {
    const x = torch.arange(12).float().reshape([3, 4]);
    const dtypes = [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32];
    const more = [torch.int16, torch.int8, torch.uint8, torch.bool];
    const value = {
      x,
      column: x.t().at(1),
      again: x,
      scalar: torch.tensor(2.5),
      empty: torch.zeros(0, 3),
      leaf: torch.ones(2, { requiresGrad: true }),
      casts: [...dtypes, ...more].map((dtype) => torch.tensor([0, 1, 3]).to(dtype)),
      plain: [1, -2.5, 2 ** 40, 2n ** 70n, 'ü', true, null, [], {}],
      state: { 0: { step: 1 }, 10: { step: 2 } },
    };
    const path = join(folder, 'own.pt');
    await torch.save(value, path);
    const loaded = await torch.load<typeof value>(path);
    expect(loaded.plain).toEqual(value.plain);
    expect(loaded.state).toEqual(value.state);
    expect(loaded.column.strides).toEqual([4]);
    expect(loaded.column.storage()).toBe(loaded.x.storage());
    expect(loaded.leaf.requiresGrad).toBe(true);
    expect(loaded.empty.shape).toEqual([0, 3]);
    loaded.casts.forEach((tensor, i) => {
      expect(tensor.dtype).toBe(value.casts[i].dtype);
      expect(listed(tensor)).toEqual(listed(value.casts[i]));
    });
    expect(await torch.save(loaded)).toEqual(await torch.save(value));
  });

  it('reads archives that were packed again', async () => {
    const bytes = await torch.save({ x: torch.arange(100) });
    const { x } = await torch.load(zipSync(unzipSync(bytes), { level: 9 }));
    expect(listed(x)).toEqual([...Array(100).keys()]);
  });

  it('puts tensors where mapLocation says', async () => {
    const bytes = await torch.save({ x: torch.ones(2) });
    const places: string[] = [];
    const mapLocation = (place: string) => {
      places.push(place);
      return 'cpu' as const;
    };
    expect((await torch.load(bytes, { mapLocation })).x.device).toBe('cpu');
    expect(places).toEqual(['cpu']);
    const nowhere = torch.load(bytes, { mapLocation: 'cuda' as 'cpu' });
    await expect(nowhere).rejects.toThrow(torch.DeviceError);
  });
});

describe(`torch.load with ${havePyTorch ? '' : 'no '}PyTorch here to write files`, () => {
  const python = (name: string, ...lines: string[]) => {
    const path = join(folder, name);
    run(['import torch, sys', 'from torch import nn', ...lines].join('\n'), path);
    return path;
  };

  it.runIf(havePyTorch)('reads what it writes, in every protocol', async () => {
    const save = [
      'from collections import Counter, OrderedDict',
      'x = torch.arange(6.).reshape(2, 3)',
      "v = {'x': x, 't': x.t()[1:], 'tuple': (1, (2, 3)), 'ints': {3: 'c', 1: 'a'}, -1: [],",
      "  'set': {1, 2}, 'counter': Counter([30, 80, 80]), 'big': 2**70, 'bytes': b'\\x00\\xff',",
      "  'size': x.shape, 'dtype': x.dtype, 'p': nn.Parameter(x.clone()),",
      "  'expanded': torch.ones(1).expand(1000, 1000), 'bool': torch.tensor([True, False])}",
    ];
    const formats = [
      ['protocol2.pt', 'torch.save(v, sys.argv[1])'],
      ['protocol3.pt', 'torch.save(v, sys.argv[1], pickle_protocol=3)'],
      ['protocol4.pt', 'torch.save(v, sys.argv[1], pickle_protocol=4)'],
      ['protocol5.pt', 'torch.save(v, sys.argv[1], pickle_protocol=5)'],
      ['legacy.pth', 'torch.save(v, sys.argv[1], _use_new_zipfile_serialization=False)'],
    ];
    for (const [name, line] of formats) {
      const loaded = await torch.load<Map<unknown, unknown>>(python(name, ...save, line));
      const get = (key: unknown) => loaded.get(key) as torch.Tensor;
      expect(loaded.get('tuple')).toEqual([1, [2, 3]]);
      expect(loaded.get('ints')).toEqual({ 1: 'a', 3: 'c' });
      expect(loaded.get(-1)).toEqual([]);
      expect(loaded.get('set')).toEqual(new Set([1, 2]));
      expect(loaded.get('counter')).toEqual({ 30: 1, 80: 2 });
      expect(loaded.get('big')).toBe(2n ** 70n);
      expect(loaded.get('bytes')).toEqual(Uint8Array.of(0, 255));
      expect(loaded.get('size')).toEqual([2, 3]);
      expect(loaded.get('dtype')).toBe(torch.float32);
      expect(get('p')).toBeInstanceOf(nn.Parameter);
      expect(listed(get('t'))).toEqual([1, 4, 2, 5]);
      expect(get('t').storage()).toBe(get('x').storage());
      expect(get('expanded').strides).toEqual([0, 0]);
      expect(listed(get('bool'))).toEqual([1, 0]);
    }
  });

  it.runIf(havePyTorch)('rebuilds models of the older format', async () => {
    const path = python(
      'model.pth',
      'torch.manual_seed(0); m = nn.Sequential(nn.Linear(3, 2), nn.Tanh()); x = torch.ones(1, 3)',
      "v = {'model': m, 'x': x, 'y': m(x).detach()}",
      'torch.save(v, sys.argv[1], _use_new_zipfile_serialization=False)',
    );
    type Model = { model: torch.nn.Sequential; x: torch.Tensor; y: torch.Tensor };
    const { model, x, y } = await torch.load<Model>(path);
    expect(torch.allclose(model(x) as torch.Tensor, y)).toBe(true);
  });

  it.runIf(havePyTorch)('rebuilds the models it pickles', async () => {
    const path = python(
      'models.pt',
      'class Net(nn.Module):',
      '  def __init__(self, size):',
      '    super().__init__()',
      '    self.hidden_size = size; self.fc = nn.Linear(3, size); self.out = self.fc',
      'torch.manual_seed(0)',
      'models = [(nn.Linear(4, 3), torch.randn(2, 4)),',
      " (nn.Conv2d(2, 3, 3, padding=1, padding_mode='reflect'), torch.randn(1, 2, 5, 5)),",
      ' (nn.BatchNorm1d(3), torch.randn(4, 3)), (nn.LayerNorm([3]), torch.randn(2, 3)),',
      ' (nn.LSTM(3, 4, 2, bidirectional=True, batch_first=True), torch.randn(2, 5, 3)),',
      ' (nn.GRU(3, 4), torch.randn(5, 2, 3)), (nn.Embedding(5, 3), torch.tensor([1, 4])),',
      ' (nn.MaxPool2d(3, 2, 1), torch.randn(1, 1, 6, 6)), (nn.Dropout(0.3), torch.randn(3)),',
      ' (nn.Softmax(dim=1), torch.randn(2, 3)), (nn.LeakyReLU(0.2), torch.randn(3))]',
      'out = []',
      'for m, x in models:',
      '  y = m.eval()(x); y = (y[0] if isinstance(y, tuple) else y).detach()',
      "  out.append({'model': m, 'x': x, 'y': y, 'text': repr(m)})",
      "torch.save({'cases': out, 'net': Net(7)}, sys.argv[1])",
    );
    class Net extends nn.Module {
      declare hiddenSize: number;
      declare hidden_size: number;
      declare fc: torch.nn.Linear;
      declare out: torch.nn.Linear;
      forward(x: torch.Tensor): torch.Tensor {
        return this.fc(x);
      }
    }
    interface Case {
      model: (x: torch.Tensor) => torch.Tensor | { output: torch.Tensor } | torch.Tensor[];
      x: torch.Tensor;
      y: torch.Tensor;
      text: string;
    }
    type File = { cases: Case[]; net: Net };
    await expect(torch.load(path)).rejects.toThrow('__main__.Net');
    const bad = torch.load(path, { classes: { Net: Map as never } });
    await expect(bad).rejects.toThrow(torch.ValueError);
    const { cases, net } = await torch.load<File>(path, { classes: { Net } });
    for (const { model, x, y, text } of cases) {
      expect(String(model)).toBe(text);
      const result = model(x);
      const output = result instanceof torch.Tensor ? result : Object.values(result)[0];
      expect(torch.allclose(output as torch.Tensor, y, 1e-4, 1e-5), text).toBe(true);
    }
    expect(net).toBeInstanceOf(Net);
    expect([net.hiddenSize, net.hidden_size]).toEqual([7, 7]);
    expect(net.out).toBe(net.fc);
    expect([...net.parameters()]).toHaveLength(2);
    expect(net(torch.ones(1, 3)).shape).toEqual([1, 7]);
  });
});

describe.runIf(havePyTorch)('torch.load of models that hold functions and hooks', () => {
  const file = (name: string, ...lines: string[]) => {
    const path = join(folder, name);
    run(['import torch, sys', 'from torch import nn', ...lines].join('\n'), path);
    return path;
  };

  it('rebuilds Transformers, whose activations are functions', async () => {
    const path = file(
      'transformers.pt',
      'torch.manual_seed(0); F = nn.functional',
      'x, y = torch.randn(5, 2, 8), torch.randn(3, 2, 8)',
      'layer = lambda a: nn.TransformerEncoderLayer(8, 2, 16, activation=a)',
      "layers = [layer(a) for a in ('relu', 'gelu', F.silu, F.leaky_relu, F.logsigmoid)]",
      'stack = nn.TransformerEncoder(layer(nn.Tanh()), 2, nn.LayerNorm(8))',
      'whole = nn.Transformer(8, 2, 1, 1, 16)',
      'for m in (*layers, stack, whole): m.eval()',
      'with torch.no_grad(): out = [m(x) for m in (*layers, stack)] + [whole(x, y)]',
      "torch.save({'layers': [*layers, stack], 'whole': whole, 'x': x, 'y': y, 'out': out},",
      '  sys.argv[1])',
    );
    interface File {
      layers: ((x: torch.Tensor) => torch.Tensor)[];
      whole: torch.nn.Transformer;
      x: torch.Tensor;
      y: torch.Tensor;
      out: torch.Tensor[];
    }
    const { layers, whole, x, y, out } = await torch.load<File>(path);
    const results = [...layers.map((layer) => layer(x)), whole(x, y)];
    results.forEach((result, i) => {
      expect(torch.allclose(result, out[i], 1e-4, 1e-5), String(i)).toBe(true);
    });
    const weights = torch.load(path, { weightsOnly: true });
    await expect(weights).rejects.toThrow(/asks for torch.nn.modules/);
  });

  it('goes on with weight norm', async () => {
    const path = file(
      'norm.pt',
      'torch.manual_seed(0); x = torch.randn(2, 3)',
      'm = nn.Sequential(nn.utils.weight_norm(nn.Linear(3, 4)), nn.Tanh(),',
      "  nn.utils.weight_norm(nn.Linear(4, 2), 'bias', None))",
      "torch.save({'model': m, 'x': x, 'y': m(x).detach()}, sys.argv[1])",
    );
    type File = { model: torch.nn.Sequential; x: torch.Tensor; y: torch.Tensor };
    const { model, x, y } = await torch.load<File>(path);
    const linear = model.at(0) as torch.nn.Linear & { weight_g: torch.nn.Parameter };
    expect([...model.namedParameters()].map(([name]) => name)).toEqual(
      ['bias', 'weight_g', 'weight_v']
        .map((name) => `0.${name}`)
        .concat(['weight', 'bias_g', 'bias_v'].map((name) => `2.${name}`)),
    );
    expect(torch.allclose(model(x) as torch.Tensor, y, 1e-4, 1e-5)).toBe(true);
    torch.noGrad(() => linear.weight_g.mul_(2));
    expect(torch.allclose(model(x) as torch.Tensor, y, 1e-4, 1e-5)).toBe(false);
    nn.utils.removeWeightNorm(linear);
    expect(linear.weight).toBeInstanceOf(nn.Parameter);
  });

  it('refuses functions that are no activations, and other hooks', async () => {
    const names = ['F.mse_loss', 'F._verify_batch_size', 'torch.tanh', 'torch.load'];
    const path = file(
      'hook.pt',
      'F, path = nn.functional, sys.argv[1]',
      'm = nn.Linear(2, 2); m.register_forward_hook(nn.ReLU())',
      'torch.save(m, path)',
      `for i, f in enumerate([${names}]): torch.save([f], path + str(i))`,
    );
    for (const i of names.keys()) {
      await expect(torch.load(path + i)).rejects.toThrow(/asks for (torch|__builtin__)\./);
    }
    await expect(torch.load(path)).rejects.toThrow('has hooks; remove them before it is saved');
  });
});

it('leaves a file of the caller as it was', async () => {
  const bytes = bytesOf('state_dict_legacy.pth');
  const path = join(folder, 'copy.pth');
  writeFileSync(path, bytes);
  const state = await torch.load(path);
  for (const tensor of Object.values(state)) tensor.zero_();
  expect(new Uint8Array(readFileSync(path))).toEqual(bytes);
});
