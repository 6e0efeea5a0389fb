/** Nothing is half loaded: not from a file, and not from a state dict into a network. */

import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { caseOf, listed } from './files.js';

const { nn, optim } = torch;

/** Every value of a network, and of an optimiser. */
function valuesOf(net: torch.nn.Module): number[][] {
  return Object.values(net.stateDict()).map(listed);
}

describe('Module.loadStateDict', () => {
  const make = () => new nn.Sequential(new nn.Linear(3, 2), new nn.BatchNorm1d(2));
  const wrong: [what: string, change: (state: Record<string, unknown>) => void][] = [
    ['a missing name', (state) => delete state['1.bias']],
    ['an unknown name', (state) => Object.assign(state, { 'x.weight': torch.ones(1) })],
    ['another shape', (state) => Object.assign(state, { '1.running_var': torch.ones(3) })],
    ['no tensor', (state) => Object.assign(state, { '1.bias': [1, 2] })],
    ['a disposed tensor', (state) => (state['1.bias'] as torch.Tensor).dispose()],
  ];
  it.each(wrong)('changes nothing for %s', (_, change) => {
    const net = make();
    const before = valuesOf(net);
    const state: Record<string, unknown> = { ...make().stateDict() };
    change(state);
    expect(() => net.loadStateDict(state as never)).toThrow(torch.StateDictError);
    expect(valuesOf(net)).toEqual(before);
  });

  it('names what is no state dict', () => {
    const net = make();
    const load = (given: unknown) => () => net.loadStateDict(given as never, { strict: false });
    expect(load(null)).toThrow('got null');
    expect(load(make())).toThrow('got Sequential: give its stateDict()');
    expect(load(Promise.resolve({}))).toThrow('got Promise: await torch.load');
    expect(load(torch.ones(2))).toThrow(torch.StateDictError);
    expect(load(Object.create(null))()).toMatchObject({ unexpectedKeys: [] });
  });

  it('changes nothing if a part of the network was disposed', () => {
    const net = make();
    const state = make().stateDict();
    const { weight } = net.at(0) as torch.nn.Linear;
    const before = listed(weight);
    (net.at(1) as torch.nn.BatchNorm1d).bias?.dispose();
    expect(() => net.loadStateDict(state)).toThrow("'1.bias' of the module was disposed");
    expect(listed(weight)).toEqual(before);
  });
});

describe('Optimizer.loadStateDict', () => {
  const make = () => {
    const net = new nn.Linear(3, 2);
    const adam = new optim.Adam(net.parameters(), { lr: 0.1 });
    net(torch.ones(1, 3)).sum().backward();
    adam.step();
    return adam;
  };
  type State = ReturnType<ReturnType<typeof make>['stateDict']>;
  const wrong: [what: string, change: (state: State) => void][] = [
    ['another shape', ({ state }) => Object.assign(state[1], { exp_avg: torch.ones(7) })],
    ['text for a tensor', ({ state }) => Object.assign(state[1], { exp_avg_sq: 'x' })],
    ['a number for a tensor', ({ state }) => Object.assign(state[1], { exp_avg: 0.5 })],
    ['text for a number', ({ state }) => Object.assign(state[1], { step: 'first' })],
    ['a flag for a number', ({ state }) => Object.assign(state[1], { step: true })],
    ['text for the states', ({ state }) => Object.assign(state, { 1: 'x' })],
    ['a disposed tensor', ({ state }) => (state[1].exp_avg as torch.Tensor).dispose()],
    ['no groups', (state) => Object.assign(state, { param_groups: undefined })],
    ['no dict', (state) => Object.assign(state, { state: null })],
    ['other groups', (state) => state.param_groups.push({ params: [2] } as never)],
    ['a bad option', ({ param_groups }) => Object.assign(param_groups[0], { lr: -1 })],
  ];
  it.each(wrong)('changes nothing for %s', async (_, change) => {
    const adam = make();
    const shown = () => {
      const { state, param_groups } = adam.stateDict();
      const tensors = Object.values(state).flatMap((item) => Object.values(item));
      return [tensors.map((item) => String(item)), param_groups[0].lr];
    };
    const before = shown();
    const state = make().stateDict();
    state.param_groups[0].lr = 0.7;
    change(state);
    await expect((async () => adam.loadStateDict(state))()).rejects.toThrow(torch.TorchError);
    expect(shown()).toEqual(before);
  });
});

it('LBFGS.loadStateDict changes nothing for a history of something else', () => {
  const w = torch.ones(3, { requiresGrad: true });
  const lbfgs = new optim.LBFGS([w], { maxIter: 4 });
  lbfgs.step(() => {
    lbfgs.zeroGrad();
    const loss = w.sub(3).pow(4).sum();
    loss.backward();
    return loss;
  });
  const before = String(lbfgs.stateDict().state[0].d);
  for (const wrong of [{ old_dirs: ['x'] }, { ro: 'x' }, { d: [1] }, { H_diag: 'x' }]) {
    const saved = lbfgs.stateDict();
    Object.assign(saved.state[0], wrong);
    expect(() => lbfgs.loadStateDict(saved)).toThrow(torch.StateDictError);
    expect(String(lbfgs.stateDict().state[0].d)).toBe(before);
  }
});

describe('loading', () => {
  const x = torch.arange(4000).float();
  const files = {
    load: () => torch.save({ x, y: x.clone() }),
    legacy: () => torch.save({ x, y: x.clone() }, null, { legacy: true }),
    safetensors: () => torch.safetensors.save({ x, y: x.clone() }),
    npz: () => torch.numpy.savez({ x, y: x }),
  };
  const loaders = {
    load: torch.load,
    legacy: torch.load,
    safetensors: torch.safetensors.loadFile,
    npz: torch.numpy.load,
  };
  it.each(Object.keys(files) as (keyof typeof files)[])(
    'gives everything back if memory ends: %s',
    async (format) => {
      const bytes = await files[format]();
      const load: (bytes: Uint8Array) => Promise<unknown> = loaders[format];
      const { device } = x.storage() as unknown as { device: { limit: number } };
      const before = torch.memory().bytes;
      const { limit } = device;
      device.limit = before + 24_000;
      try {
        await expect(load(bytes)).rejects.toThrow(torch.OutOfMemoryError);
      } finally {
        device.limit = limit;
      }
      expect(torch.memory().bytes).toBeLessThanOrEqual(before);
    },
  );

  it('gives everything back if the file ends early while it is read', async () => {
    for (const [format, most] of Object.entries({ load: 7, legacy: 4, safetensors: 3, npz: 5 })) {
      const bytes = await files[format as keyof typeof files]();
      const load: (source: Blob) => Promise<unknown> = loaders[format as keyof typeof files];
      let reads = 0;
      const blob = new Blob([bytes]);
      const slice = blob.slice.bind(blob);
      blob.slice = (...range) => {
        if (++reads > most) throw new torch.TorchError('the disk is gone');
        return slice(...range);
      };
      const before = torch.memory().bytes;
      const message = await load(blob).then(
        () => 'it was loaded',
        (error: Error) => error.message,
      );
      expect(message).toBe('the disk is gone');
      expect(torch.memory().bytes).toBeLessThanOrEqual(before);
    }
  });
});

describe('mapLocation', () => {
  it('is a device, a map or a function', async () => {
    const bytes = await torch.save({ x: torch.ones(2) });
    const good = [
      'cpu',
      null,
      { 'cuda:0': 'cpu' },
      new Map([['cpu', 'cpu']]),
      () => null,
      () => 'cpu',
    ];
    for (const mapLocation of good) {
      const { x } = await torch.load(bytes, { mapLocation: mapLocation as 'cpu' });
      expect(x.device).toBe('cpu');
    }
    const bad = [
      'webgpu',
      'cuda',
      'cpu:7',
      { 'cuda:0': 'cuda:1' },
      new Map([['cpu', 'tpu']]),
      () => 'mars',
    ];
    for (const mapLocation of bad) {
      const loading = torch.load(bytes, { mapLocation: mapLocation as 'cpu' });
      await expect(loading).rejects.toThrow(torch.DeviceError);
    }
    const number = torch.load(bytes, { mapLocation: 7 as never });
    await expect(number).rejects.toThrow('mapLocation is a device');
    const misspelt = torch.load(bytes, { map_location: 'cpu' } as object);
    await expect(misspelt).rejects.toThrow("Did you mean 'mapLocation'?");
  });

  it('refuses models if only weights are wanted', async () => {
    const model = torch.load(caseOf('whole_model.pt'), { weightsOnly: true });
    await expect(model).rejects.toThrow(/asks for torch.nn.modules/);
    const state = await torch.load(caseOf('state_dict.pt'), { weightsOnly: true });
    expect(Object.keys(state).length).toBeGreaterThan(0);
  });
});

describe('files and arguments of another kind', () => {
  it('are named, with what to call instead', async () => {
    const npy = await torch.numpy.save(torch.ones(2));
    await expect(torch.load(npy)).rejects.toThrow('torch.numpy.load reads .npy files');
    const safe = await torch.safetensors.save({ x: torch.ones(2) });
    await expect(torch.load(safe)).rejects.toThrow('torch.safetensors.loadFile reads');
    const zip = await torch.save({ x: torch.ones(2) });
    await expect(torch.safetensors.loadFile(zip)).rejects.toThrow('a zip, as torch.load');
    const nowhere = torch.load('http://127.0.0.1:9/x.pt');
    await expect(nowhere).rejects.toThrow(/127.0.0.1:9\/x.pt: nothing came/);
    await expect(nowhere).rejects.toThrow(torch.TorchError);
  });

  it('exchanged arguments are refused before anything is written', async () => {
    const { save, numpy, safetensors } = torch;
    const x = torch.ones(2);
    await expect(save('a.pt', { x } as never)).rejects.toThrow('save(value, path)');
    await expect(numpy.savez({ x } as never, { x })).rejects.toThrow(torch.ValueError);
    await expect(safetensors.save({ x }, 'a' as never)).rejects.toThrow('saveFile(tensors, path');
  });
});
