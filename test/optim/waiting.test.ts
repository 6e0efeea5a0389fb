/** Optimisers on a device that cannot be read at once: promises where something must be known. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DeviceError } from '../../ts/core/errors.js';
import type { Device } from '../../ts/device/device.js';
import * as torch from '../../ts/index.js';
import { expectClose, parameter } from './recorded.js';

/** The CPU, which for a while refuses to be read at once as a GPU does. */
let device: Device;
const own = (name: string, value: unknown) =>
  Object.defineProperty(device, name, { value, configurable: true, writable: true });

beforeAll(() => {
  device = torch.zeros(1).backend;
});

async function waiting<R>(body: () => Promise<R>): Promise<R> {
  const { readSync, synchronous } = device;
  own('synchronous', false);
  own('read', async (...where: Parameters<Device['readSync']>) => readSync.apply(device, where));
  own('readSync', () => {
    throw new DeviceError('read at once');
  });
  try {
    return await body();
  } finally {
    own('synchronous', synchronous);
    for (const name of ['read', 'readSync']) Reflect.deleteProperty(device, name);
  }
}

afterAll(() => {
  expect(device.synchronous).toBe(true);
});

function search(options: object) {
  const params = [parameter(0), parameter(1)];
  const optimizer = new torch.optim.LBFGS(params, options);
  const closure = () => {
    optimizer.zeroGrad();
    const x = torch.cat(params.map((param) => param.reshape([-1])));
    const loss = x.square().sum().add(x.sin().sum());
    loss.backward();
    return loss;
  };
  return { params, optimizer, step: () => optimizer.step(closure) };
}

describe('LBFGS', () => {
  it.each([[{ lr: 0.3, maxIter: 5 }], [{ lineSearchFn: 'strong_wolfe', maxIter: 5 }]])(
    'gives a promise of the same steps: %j',
    async (options) => {
      const [atOnce, later] = [search(options), search(options)];
      const expected = [atOnce.step(), atOnce.step()].map((loss) =>
        (loss as torch.Tensor).itemSync(),
      );
      const actual = await waiting(async () => {
        const first = later.step();
        expect(first).toBeInstanceOf(Promise);
        const losses = [await first, await later.step()];
        return Promise.all(losses.map((loss) => loss.item()));
      });
      expect(actual).toEqual(expected);
      expect(torch.isGradEnabled()).toBe(true);
      expectClose(
        later.params,
        atOnce.params
          .map((param) => Array.from(param.detach().dataSync(), Number))
          .map((data, i) => ({
            tensor: 'float64',
            shape: [...atOnce.params[i].shape],
            data,
          })),
        'parameters',
      );
    },
  );

  it('lets other code record while it waits', async () => {
    const { step } = search({ maxIter: 3 });
    await waiting(async () => {
      const pending = step();
      expect(torch.isGradEnabled()).toBe(true);
      await pending;
    });
  });

  it('rejects with what the closure throws', async () => {
    const param = parameter(0);
    const optimizer = new torch.optim.LBFGS([param], { maxIter: 3 });
    let calls = 0;
    const closure = () => {
      if (calls++ > 0) throw new Error('no loss today');
      param.grad = torch.onesLike(param);
      return param.sum();
    };
    await waiting(async () => {
      await expect(optimizer.step(closure)).rejects.toThrow('no loss today');
    });
  });
});

it('state dicts with numbers on the device are taken over later', async () => {
  const make = () => {
    const param = parameter(0);
    param.grad = torch.onesLike(param);
    return new torch.optim.Adam([param], { lr: 0.1 });
  };
  const [first, second] = [make(), make()];
  first.step();
  first.step();
  const saved = first.stateDict();
  await waiting(async () => {
    const taken = second.loadStateDict(saved);
    expect(taken).toBeInstanceOf(Promise);
    expect(second.state.size).toBe(0);
    await taken;
  });
  expect(second.state.get(second.paramGroups[0].params[0])?.step).toBe(2);
});

it('ReduceLROnPlateau waits for a loss', async () => {
  const sgd = new torch.optim.SGD([parameter(0)], { lr: 1 });
  const rates = new torch.optim.lrScheduler.ReduceLROnPlateau(sgd, { patience: 0 });
  const loss = torch.tensor(2);
  await waiting(async () => {
    await rates.step(loss);
    expect(sgd.paramGroups[0].lr).toBe(1);
    await rates.step(loss);
  });
  expect(sgd.paramGroups[0].lr).toBe(0.1);
});

it('GradScaler waits for what it must know, and only in step()', async () => {
  const param = torch.ones(2, { requiresGrad: true });
  const sgd = new torch.optim.SGD([param], { lr: 1 });
  const scaler = new torch.amp.GradScaler({ initScale: 4 });
  await waiting(async () => {
    for (const factor of [1, Number.POSITIVE_INFINITY]) {
      sgd.zeroGrad();
      scaler.scale(param.mul(factor).sum()).backward();
      scaler.unscale_(sgd);
      await scaler.step(sgd);
      await scaler.update();
    }
  });
  expect(param.tolistSync()).toEqual([0, 0]);
  expect(scaler.getScale()).toBe(2);
});

it('clipGradNorm_ reads nothing, and says so where it would', async () => {
  const param = torch.ones(4, { requiresGrad: true });
  await waiting(async () => {
    param.grad = torch.ones(4);
    const norm = torch.nn.utils.clipGradNorm_([param], 1);
    expect(await norm.item()).toBe(2);
    expect(() => torch.nn.utils.clipGradNorm_([param], 1, 2, true)).toThrow(/errorIfNonfinite/);
  });
  expect(param.grad?.norm().itemSync()).toBeCloseTo(1, 5);
});
