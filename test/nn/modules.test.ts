import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Tensor } from '../../ts/index.js';
import * as torch from '../../ts/index.js';

const { nn } = torch;

class Net extends nn.Module {
  fc1 = new nn.Linear(4, 8);
  fc2 = new nn.Linear(8, 2);

  forward(x: Tensor): Tensor {
    return this.fc2(nn.functional.relu(this.fc1(x)));
  }
}

describe('modules are called like functions', () => {
  it('types what layers take and give', () => {
    const layer = new nn.Linear(4, 2);
    expectTypeOf(layer).toBeCallableWith(torch.ones(3, 4));
    expectTypeOf(layer(torch.ones(3, 4))).toEqualTypeOf<Tensor>();
    expectTypeOf(new Net()(torch.ones(3, 4))).toEqualTypeOf<Tensor>();
    const net = new nn.Sequential(new nn.Linear(4, 8), new nn.ReLU());
    expectTypeOf(net(torch.ones(3, 4))).toEqualTypeOf<Tensor>();
    const loss = new nn.CrossEntropyLoss({ labelSmoothing: 0.1 });
    const value = loss(torch.ones(3, 4), torch.tensor([0, 1, 2]));
    expectTypeOf(value).toEqualTypeOf<Tensor>();
    const [output, hidden] = new nn.GRU(4, 5)(torch.ones(2, 3, 4));
    expectTypeOf(output).toEqualTypeOf<Tensor>();
    expectTypeOf(hidden).toEqualTypeOf<Tensor>();
    const [, [h, c]] = new nn.LSTM(4, 5, { numLayers: 2 })(torch.ones(2, 3, 4));
    expect([h.shape, c.shape]).toEqual([
      [2, 3, 5],
      [2, 3, 5],
    ]);
    // @ts-expect-error a layer takes a tensor
    expect(() => layer('x')).toThrow();
    // @ts-expect-error there is no such option
    expect(() => new nn.Linear(4, 2, { bais: false })).toThrow("Did you mean 'bias'?");
  });

  it('takes constructor arguments by position and by name', () => {
    const byPosition = new nn.Conv2d(2, 4, 3, 2, 1);
    const mixed = new nn.Conv2d(2, 4, 3, { stride: 2, padding: 1 });
    const byName = new nn.Conv2d({
      inChannels: 2,
      outChannels: 4,
      kernelSize: 3,
      stride: 2,
      padding: 1,
    });
    const printed = 'Conv2d(2, 4, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1))';
    for (const layer of [byPosition, mixed, byName]) expect(String(layer)).toBe(printed);
    expect(() => new nn.Linear({ inFeatures: 3 })).toThrow(
      "Linear: 'outFeatures' must be given. It takes: inFeatures, outFeatures, bias",
    );
    expect(() => new nn.Linear(3, 2, { inFeatures: 3 } as never)).toThrow('given twice');
    expect(new nn.Linear(3, 2, { dtype: torch.float64 }).weight.dtype).toBe(torch.float64);
  });
});

describe('state dicts', () => {
  it("has PyTorch's names in PyTorch's order", () => {
    expect(Object.keys(new Net().stateDict())).toEqual([
      'fc1.weight',
      'fc1.bias',
      'fc2.weight',
      'fc2.bias',
    ]);
    expect(Object.keys(new nn.BatchNorm2d(3).stateDict())).toEqual([
      'weight',
      'bias',
      'running_mean',
      'running_var',
      'num_batches_tracked',
    ]);
    const gru = new nn.LSTM(2, 3, { bidirectional: true, projSize: 1 });
    expect(Object.keys(gru.stateDict())).toEqual([
      'weight_ih_l0',
      'weight_hh_l0',
      'bias_ih_l0',
      'bias_hh_l0',
      'weight_hr_l0',
      'weight_ih_l0_reverse',
      'weight_hh_l0_reverse',
      'bias_ih_l0_reverse',
      'bias_hh_l0_reverse',
      'weight_hr_l0_reverse',
    ]);
  });

  it('loads all or nothing', () => {
    const net = new Net();
    const other = new Net();
    const before = net.fc1.weight.tolistSync();
    const state = other.stateDict();
    state['fc1.wieght'] = state['fc1.weight'];
    expect(() => net.loadStateDict(state)).toThrow(torch.StateDictError);
    expect(() => net.loadStateDict(state)).toThrow("Did you mean 'fc1.weight'?");
    const { 'fc2.bias': _, ...partial } = other.stateDict();
    expect(() => net.loadStateDict(partial)).toThrow("missing keys: 'fc2.bias'");
    const wrong = { ...other.stateDict(), 'fc2.bias': torch.zeros(3) };
    expect(() => net.loadStateDict(wrong)).toThrow(
      "size mismatch for 'fc2.bias': the state dict has [3], the module [2]",
    );
    expect(net.fc1.weight.tolistSync()).toEqual(before);
    expect(net.loadStateDict(partial, { strict: false })).toEqual({
      missingKeys: ['fc2.bias'],
      unexpectedKeys: [],
    });
    net.loadStateDict(other.stateDict());
    expect(net.fc1.weight.tolistSync()).toEqual(other.fc1.weight.tolistSync());
  });

  it('casts only floating point members', () => {
    const norm = new nn.BatchNorm1d(2).to(torch.float64);
    expect(norm.running_mean?.dtype).toBe(torch.float64);
    expect(norm.num_batches_tracked?.dtype).toBe(torch.int64);
  });
});

describe('hooks', () => {
  it('sees and changes what goes in and comes out', () => {
    const layer = new nn.Linear(2, 2);
    const seen: number[][] = [];
    const handle = layer.registerForwardHook((_m: unknown, _a: unknown, out: Tensor) => {
      seen.push([...out.shape]);
      return out.mul(0).abs();
    });
    const before = layer.registerForwardPreHook((_m: unknown, [x]: [Tensor]) => [
      x.narrow(0, 0, 1),
    ]);
    expect(layer(torch.ones(3, 2)).tolistSync()).toEqual([[0, 0]]);
    expect(seen).toEqual([[1, 2]]);
    handle.remove();
    before.remove();
    expect(layer(torch.ones(3, 2)).shape).toEqual([3, 2]);
    expect(seen.length).toBe(1);
  });

  it('sees and changes gradients', () => {
    const layer = new nn.Linear(2, 1);
    layer.registerFullBackwardHook((_m: unknown, gradInput: Tensor[], gradOutput: Tensor[]) => {
      expect(gradOutput[0].tolistSync()).toEqual([[1]]);
      return [gradInput[0].mul(0)];
    });
    const x = torch.ones(1, 2, { requiresGrad: true });
    layer(x).sum().backward();
    expect(x.grad?.abs().tolistSync()).toEqual([[0, 0]]);
    expect(layer.bias?.grad?.tolistSync()).toEqual([1]);
  });
});

describe('containers', () => {
  it('holds modules in order', () => {
    const net = new nn.Sequential(new nn.Linear(2, 3), new nn.ReLU());
    expect(net.length).toBe(2);
    expect(net[0]).toBe(net.at(-2));
    net.append(new nn.Linear(3, 1)).insert(1, new nn.Tanh());
    expect([...net].map((m) => m.constructor.name)).toEqual(['Linear', 'Tanh', 'ReLU', 'Linear']);
    expect(net.pop(1).constructor.name).toBe('Tanh');
    expect(String(net)).toBe(
      'Sequential(\n  (0): Linear(in_features=2, out_features=3, bias=True)\n  (1): ReLU()\n' +
        '  (2): Linear(in_features=3, out_features=1, bias=True)\n)',
    );
    expect(net(torch.ones(4, 2)).shape).toEqual([4, 1]);
    expect(() => net.at(3)).toThrow('Sequential: there is no module 3; it holds 3');
  });

  it('holds modules by name', () => {
    const layers = { fc: new nn.Linear(2, 3), act: new nn.ReLU() };
    for (const named of [layers, new Map(Object.entries(layers))]) {
      const net = new nn.Sequential(named);
      expect([...net.namedChildren()].map(([name]) => name)).toEqual(['fc', 'act']);
      expect(Object.keys(net.stateDict())).toEqual(['fc.weight', 'fc.bias']);
    }
    const dict = new nn.ModuleDict(layers);
    expect(dict.get('fc')).toBe(layers.fc);
    expect([...dict]).toEqual(['fc', 'act']);
    expect(() => dict.get('conv')).toThrow("ModuleDict: there is no 'conv'; it has fc, act");
    expect([...dict.parameters()].length).toBe(2);
    const list = new nn.ModuleList([new nn.Linear(1, 1), new nn.Linear(1, 1)]);
    expect([...list.namedParameters()].map(([name]) => name)).toEqual([
      '0.weight',
      '0.bias',
      '1.weight',
      '1.bias',
    ]);
  });

  it('changes mode and initialises all below', () => {
    const net = new nn.Sequential(new nn.Dropout(0.5), new nn.Sequential(new nn.Dropout2d()));
    net.eval();
    expect([...net.modules()].every((m) => !m.training)).toBe(true);
    const x = torch.ones(5, 5);
    expect(net.at(0)(x as never)).toBe(x);
    const linear = new Net().apply((m) => {
      if (m instanceof nn.Linear) nn.init.constant_(m.weight, 2);
    });
    expect(linear.fc2.weight.sum().itemSync()).toBe(32);
  });
});
