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

/** Two layers with one weight, and a module under two names. */
class Tied extends nn.Module {
  a = new nn.Linear(2, 2);
  b = new nn.Linear(2, 2);
  c = this.a;

  constructor() {
    super();
    this.b.weight = this.a.weight;
  }

  forward(x: Tensor): Tensor {
    return this.b(this.a(x));
  }
}

const names = (entries: Iterable<readonly [string, unknown]>) => [...entries].map(([name]) => name);

describe('walking through modules', () => {
  it('counts what is shared once, and saves it under each name', () => {
    const net = new Tied();
    const own = ['a.weight', 'a.bias', 'b.bias'];
    expect(names(net.namedParameters())).toEqual(own);
    expect([...net.parameters()].length).toBe(3);
    const all = ['a.weight', 'a.bias', 'b.weight', 'b.bias', 'c.weight', 'c.bias'];
    expect(Object.keys(net.stateDict())).toEqual(all);
    expect(names(net.namedParameters({ removeDuplicate: false }))).toEqual(all);
    expect(names(net.namedModules())).toEqual(['', 'a', 'b']);
    expect(names(net.namedModules({ removeDuplicate: false }))).toEqual(['', 'a', 'b', 'c']);
    expect(names(net.namedChildren())).toEqual(['a', 'b']);
    net(torch.ones(1, 2)).sum().backward();
    net.double();
    expect(net.b.weight).toBe(net.a.weight);
    const copy = nn.deepcopy(net);
    expect(copy.b.weight).toBe(copy.a.weight);
    expect(copy.c).toBe(copy.a);
    expect(copy.a.weight === net.a.weight).toBe(false);
  });

  it('takes prefixes, and stays on top if asked', () => {
    const net = new Tied();
    expect(names(net.namedParameters('p'))).toEqual(['p.a.weight', 'p.a.bias', 'p.b.bias']);
    expect(names(net.namedParameters({ recurse: false }))).toEqual([]);
    expect(names(net.namedModules({ prefix: 'm' }))).toEqual(['m', 'm.a', 'm.b']);
    expect(names(net.namedModules(new Set([net.b])))).toEqual(['', 'a']);
    expect(names(new nn.BatchNorm1d(2).namedBuffers('q'))).toEqual([
      'q.running_mean',
      'q.running_var',
      'q.num_batches_tracked',
    ]);
    const order: string[] = [];
    new nn.Sequential(new nn.Linear(1, 1), new nn.Sequential(new nn.ReLU())).apply((module) => {
      order.push(module.constructor.name);
    });
    expect(order).toEqual(['Linear', 'ReLU', 'Sequential', 'Sequential']);
  });

  it('finds what a path names', () => {
    const net = new nn.Sequential(new nn.Linear(2, 3), new nn.BatchNorm1d(3));
    expect(net.getSubmodule('')).toBe(net);
    expect(net.getSubmodule('1')).toBe(net.at(1));
    expect(net.getParameter('0.bias').shape).toEqual([3]);
    expect(net.getBuffer('1.running_var').shape).toEqual([3]);
    expect(() => net.getSubmodule('0.weight')).toThrow("there is no '0.weight'");
    expect(() => net.getParameter('1.running_var')).toThrow('getParameter');
    expect(() => net.getBuffer('0.weight')).toThrow('getBuffer');
    expect(() => net.getParameter('0.wieght')).toThrow("Did you mean 'weight'?");
  });
});

describe('registration', () => {
  it('of buffers that are saved and others that are not', () => {
    const layer = new nn.Linear(1, 1);
    layer.registerBuffer('x', torch.ones(1), false);
    layer.registerBuffer('y', null);
    expect(Object.keys(layer.stateDict())).toEqual(['weight', 'bias']);
    expect(names(layer.namedBuffers())).toEqual(['x']);
    layer.double();
    expect(layer.getBuffer('x').dtype).toBe(torch.float64);
  });

  it('of nothing under a name, which is printed for modules', () => {
    class Holder extends nn.Module {
      forward(): void {}
    }
    const holder = new Holder();
    holder.registerModule('x', null);
    holder.addModule('y', new nn.ReLU());
    holder.registerParameter('z', null);
    expect(String(holder)).toBe('Holder(\n  (x): None\n  (y): ReLU()\n)');
    expect(Object.keys(holder.stateDict())).toEqual([]);
  });

  it('refuses what does not belong there', () => {
    const layer = new nn.Linear(1, 1);
    layer.registerBuffer('x', torch.ones(1));
    const parameter = new nn.Parameter(torch.ones(1));
    expect(() => layer.registerBuffer('weight', torch.ones(1))).toThrow("a field 'weight' already");
    expect(() => layer.registerParameter('x', parameter)).toThrow("a field 'x' already");
    expect(() => layer.registerParameter('q', torch.ones(1) as never)).toThrow('new nn.Parameter');
    expect(() => layer.addModule('weight', new nn.ReLU())).toThrow("a field 'weight' already");
    expect(() => layer.addModule('a.b', new nn.ReLU())).toThrow('has no dot');
    expect(() => layer.addModule('forward', new nn.ReLU())).toThrow('is a method of modules');
    expect(() => layer.addModule('r', torch.ones(1) as never)).toThrow('a module or null');
    expect(() => layer.registerBuffer('r', 3 as never)).toThrow('a tensor or null');
  });
});

describe('modes and conversions', () => {
  it('keep parameters the objects they are, with their gradients', () => {
    const net = new nn.Sequential(new nn.Linear(2, 1), new nn.BatchNorm1d(1));
    const parameters = [...net.parameters()];
    const sgd = new torch.optim.SGD(parameters, { lr: 1 });
    net(torch.randn(4, 2)).sum().backward();
    net.to(torch.float64);
    expect([...net.parameters()].every((p, i) => p === parameters[i])).toBe(true);
    expect(parameters.every((p) => p.dtype === torch.float64)).toBe(true);
    expect(parameters[0].grad?.dtype).toBe(torch.float64);
    const before = parameters[3].itemSync();
    sgd.step();
    expect(parameters[3].itemSync()).toBe(before - 4);
    net.half().float().bfloat16();
    expect(parameters[0].dtype).toBe(torch.bfloat16);
    expect(net.getBuffer('1.num_batches_tracked').dtype).toBe(torch.int64);
  });

  it('zero or forget gradients', () => {
    const layer = new nn.Linear(2, 1);
    layer(torch.ones(1, 2)).sum().backward();
    layer.zeroGrad(false);
    expect(layer.weight.grad?.tolistSync()).toEqual([[0, 0]]);
    layer.zeroGrad();
    expect(layer.weight.grad).toBe(null);
    layer.requiresGrad_(false);
    expect(layer(torch.ones(1, 2)).requiresGrad).toBe(false);
  });
});

describe('state dicts in parts', () => {
  it('with prefixes, into another one, with the parameters themselves', () => {
    const net = new Net();
    const state = net.fc1.stateDict({ prefix: 'x.' });
    net.fc2.stateDict({ destination: state, prefix: 'y.', keepVars: true });
    expect(Object.keys(state)).toEqual(['x.weight', 'x.bias', 'y.weight', 'y.bias']);
    expect(state['y.weight']).toBe(net.fc2.weight);
    expect(state['x.weight'].requiresGrad).toBe(false);
    expect(state['x.weight'].dataPtr()).toBe(net.fc1.weight.dataPtr());
    expect(net.loadStateDict({}, false).missingKeys.length).toBe(4);
  });
});

describe('containers of modules and parameters', () => {
  it('change as lists and dictionaries do', () => {
    const list = new nn.ModuleList([new nn.ReLU(), new nn.Tanh()]);
    list.insert(0, new nn.GELU()).pop(1);
    const printed = "ModuleList(\n  (0): GELU(approximate='none')\n  (1): Tanh()\n)";
    expect(String(list)).toBe(printed);
    expect(list.slice(0, 1).length).toBe(1);
    list.set(-1, new nn.ReLU()).extend([new nn.ELU()]).insert(3, new nn.SELU());
    expect([...list].map((m) => m.constructor.name)).toEqual(['GELU', 'ReLU', 'ELU', 'SELU']);
    expect(() => list.extend(3 as never)).toThrow('expected modules, got 3');
    const dict = new nn.ModuleDict({ b: new nn.ReLU(), a: new nn.Linear(1, 1) });
    dict.update([['c', new nn.Tanh()]]);
    dict.update(new nn.ModuleDict({ d: new nn.ReLU() }));
    expect(dict.keys()).toEqual(['b', 'a', 'c', 'd']);
    expect(names(dict.items())).toEqual(dict.keys());
    expect(dict.values().length).toBe(4);
    expect(dict.pop('c').constructor.name).toBe('Tanh');
    dict.clear();
    expect([dict.length, String(dict)]).toEqual([0, 'ModuleDict()']);
  });

  it('hold parameters in order', () => {
    const list = new nn.ParameterList([torch.ones(2, 3), new nn.Parameter(torch.ones(2))]);
    expect(String(list)).toBe(
      'ParameterList(\n    (0): Parameter containing: [torch.float32 of size 2x3]\n' +
        '    (1): Parameter containing: [torch.float32 of size 2]\n)',
    );
    expect(names(list.namedParameters())).toEqual(['0', '1']);
    list.append(torch.ones(1)).set(0, torch.zeros(1));
    expect([list.length, list.at(-1).shape, list[0].itemSync()]).toEqual([3, [1], 0]);
    expect([...list].every((value) => value instanceof nn.Parameter)).toBe(true);
    expect(() => list.at(3)).toThrow('there is no parameter 3; it holds 3');
    expect(() => list.extend(torch.ones(2) as never)).toThrow('expected a list of tensors');
    expect(() => list.forward()).toThrow('it is not called');
  });

  it('hold parameters by name', () => {
    const given = { b: torch.ones(2, 3), a: torch.ones(1, { dtype: torch.float64 }) };
    const dict = new nn.ParameterDict(given);
    expect(String(dict)).toBe(
      'ParameterDict(\n    (a): Parameter containing: [torch.DoubleTensor of size 1]\n' +
        '    (b): Parameter containing: [torch.FloatTensor of size 2x3]\n)',
    );
    expect(dict.keys()).toEqual(['a', 'b']);
    expect(new nn.ParameterDict(new Map(Object.entries(given))).keys()).toEqual(['b', 'a']);
    expect(names(dict.namedParameters())).toEqual(['a', 'b']);
    expect(dict.setdefault('c', torch.ones(4)).shape).toEqual([4]);
    expect(dict.copy().get('c')).toBe(dict.get('c'));
    expect([dict.has('x'), dict.get('x', null), dict.length]).toEqual([false, null, 3]);
    expect(() => dict.get('x')).toThrow("there is no 'x'; it has a, b, c");
    expect(() => dict.set('forward', torch.ones(1))).toThrow("'forward' cannot be a name");
    expect(dict.popitem()[0]).toBe('c');
    expect(dict.pop('a').dtype).toBe(torch.float64);
    dict.clear();
    expect([String(dict), [...dict]]).toEqual(['ParameterDict()', []]);
  });

  it('print a single one as PyTorch does', () => {
    expect(String(new nn.ParameterList([torch.tensor(1).float()]))).toBe(
      'ParameterList(  (0): Parameter containing: [torch.float32 of size ])',
    );
  });
});
