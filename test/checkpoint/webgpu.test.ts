/** Files straight to the GPU and from it. */

import { expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { withGpu } from '../webgpu/agree.js';
import { listed } from './files.js';

const { numpy, safetensors } = torch;

const values = async (tensor: torch.Tensor) => listed(await tensor.cpu());

await withGpu('files and the GPU', () => {
  it('checkpoints come to the GPU, with shared storages and views', async () => {
    const x = torch.arange(12).float().reshape([3, 4]);
    const state = {
      x,
      t: x.t(),
      row: x.at(1, '1:3'),
      flags: torch.tensor([true, false, true]),
      half: torch.tensor([1, 2, 3]).to(torch.bfloat16),
      long: torch.tensor([2n, -1n]),
      p: new torch.nn.Parameter(torch.ones(3)),
    };
    for (const legacy of [false, true]) {
      const bytes = await torch.save(state, null, { legacy });
      const loaded = await torch.load<typeof state>(bytes, { mapLocation: 'webgpu' });
      for (const [name, tensor] of Object.entries(loaded)) {
        expect(tensor.device).toBe('webgpu');
        expect(await values(tensor), name).toEqual(listed(state[name as keyof typeof state]));
      }
      const { t, row, long, p } = loaded;
      expect([t.strides, row.strides, row.offset]).toEqual([[1, 4], [1], 5]);
      expect(new Set([loaded.x, t, row].map((tensor) => tensor.storage())).size).toBe(1);
      expect(long.dtype).toBe(torch.int32);
      expect(p).toBeInstanceOf(torch.nn.Parameter);
      loaded.x.zero_();
      expect(await values(row)).toEqual([0, 0]);
    }
  });

  it('what lies on the GPU is written as if it lay on the CPU', async () => {
    const x = torch.arange(7).float();
    const gpu = x.to('webgpu');
    for (const legacy of [false, true]) {
      const options = { legacy };
      const own = await torch.save({ x, part: x.at('1:4') }, null, options);
      expect(await torch.save({ x: gpu, part: gpu.at('1:4') }, null, options)).toEqual(own);
    }
    expect(await numpy.save(gpu.at('::2'))).toEqual(await numpy.save(x.at('::2')));
    const bytes = await safetensors.save({ x: gpu });
    expect(bytes).toEqual(await safetensors.save({ x }));
    const { x: again } = await safetensors.loadFile(bytes, { device: 'webgpu' });
    expect([again.device, await values(again)]).toEqual(['webgpu', listed(x)]);
    const array = await numpy.load(await numpy.save(x), { device: 'webgpu' });
    expect([array.device, await values(array)]).toEqual(['webgpu', listed(x)]);
  });

  it('a dtype the GPU has not is a typed error, and nothing is loaded', async () => {
    const state = { x: torch.ones(2000), y: torch.ones(2).double() };
    const bytes = await torch.save(state);
    const before = torch.memory().bytes;
    const loading = torch.load(bytes, { mapLocation: 'webgpu' });
    await expect(loading).rejects.toThrow(torch.DtypeError);
    expect(torch.memory().bytes).toBeLessThanOrEqual(before);
  });
});
