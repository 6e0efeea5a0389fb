/** Optional features: which are used, and that every form of a kernel computes the same. */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { deviceOf } from '../../ts/device/registry.js';
import type { WebGpuDevice } from '../../ts/device/webgpu/device.js';
import { choose } from '../../ts/device/webgpu/features.js';
import { definitions } from '../../ts/device/webgpu/kernel.js';
import * as torch from '../../ts/index.js';
import { library } from '../../ts/ops/twins/index.js';
import type { Tensor } from '../../ts/tensor.js';
import { agree, FEATURES, restart, withGpu } from './agree.js';

const { webgpu } = torch;
const F = torch.nn.functional;

/** What an adapter is asked for its features. */
function offer(features: readonly string[], subgroupMinSize?: number, maxImmediateSize?: number) {
  const languages = maxImmediateSize === undefined ? [] : ['immediate_address_space'];
  return [
    { wgslLanguageFeatures: new Set(languages) } as unknown as GPU,
    {
      features: new Set(features),
      info: { subgroupMinSize },
      limits: { maxImmediateSize },
    } as unknown as GPUAdapter,
  ] as const;
}

describe('the choice of features', () => {
  const ALL = ['shader-f16', 'subgroups', 'timestamp-query', 'depth-clip-control'];

  test('everything of use, where it is', () => {
    const { names, required, limits, uses } = choose(...offer(ALL, 32, 64));
    expect(names).toEqual(['immediates', 'shader-f16', 'subgroups', 'tiles', 'timestamp-query']);
    expect(required).toEqual(['shader-f16', 'subgroups', 'timestamp-query']);
    expect(limits).toEqual({ maxImmediateSize: 64 });
    expect(uses).toEqual({ immediateBytes: 64, subgroup: 32, halves: true, tiles: true });
  });

  test('nothing, where nothing is', () => {
    const nothing = { immediateBytes: 0, subgroup: 0, halves: false, tiles: false };
    expect(choose(...offer([]))).toEqual({
      names: ['tiles'],
      required: [],
      limits: {},
      uses: { ...nothing, tiles: true },
    });
    const old = [{} as GPU, offer(ALL, 32)[1]] as const;
    expect(choose(...old).uses).toMatchObject({ immediateBytes: 0, subgroup: 32, halves: true });
    expect(choose(...offer(ALL, 32, 64), [])).toMatchObject({ names: [], uses: nothing });
  });

  test('small subgroups only for those who ask for them', () => {
    expect(choose(...offer(ALL, 4)).uses.subgroup).toBe(0);
    expect(choose(...offer(ALL)).uses.subgroup).toBe(0);
    expect(choose(...offer(ALL, 8)).uses.subgroup).toBe(8);
    expect(choose(...offer(ALL, 4), ['subgroups'])).toMatchObject({
      names: ['subgroups'],
      required: ['subgroups'],
      uses: { subgroup: 4 },
    });
    expect(choose(...offer(ALL), ['subgroups']).uses.subgroup).toBe(4);
  });

  test('tiles are not for a processor that plays the GPU, unless it is asked to', () => {
    const [gpu, adapter] = offer(ALL);
    const info = { ...adapter.info, isFallbackAdapter: true };
    const software = { ...adapter, info } as unknown as GPUAdapter;
    expect(choose(gpu, software).uses.tiles).toBe(false);
    expect(choose(gpu, software, ['tiles'])).toMatchObject({ names: ['tiles'], required: [] });
  });

  test('immediates are of at most 128 bytes', () => {
    expect(choose(...offer([], 4, 4096)).limits).toEqual({ maxImmediateSize: 128 });
  });
});

const device = () => deviceOf('webgpu') as unknown as WebGpuDevice;

/** Results that need every form of kernels, as bits. */
async function samples(): Promise<number[][]> {
  torch.manualSeed(5);
  const x = torch.randn([37, 130]).to('webgpu');
  const y = torch.randn([6, 5, 4, 3, 2]).to('webgpu').permute(4, 2, 0, 3, 1);
  const z = y.add(y.permute(0, 1, 4, 3, 2).at(1).sum());
  const results = [
    x.add(1),
    x
      .t()
      .mul(3)
      .sub(x.at(0).view([130, 1]), { alpha: 0.25 }),
    z.exp(),
    x.clamp(-0.5, 0.75),
    x.gt(0).float(),
    torch.where(x.gt(0), x, 2),
    x.matmul(x.t()),
    x.at(0).matmul(x.t()),
    F.conv2d(x.view([1, 1, 37, 130]), torch.ones([2, 1, 3, 3], { device: 'webgpu' })),
    F.scaledDotProductAttention(x.view([1, 37, 130]), x.view([1, 37, 130]), x.view([1, 37, 130])),
    torch.full([3, 5], 7, { device: 'webgpu' }),
  ];
  const read = (t: Tensor) => t.contiguous().flatten().tolist() as Promise<number[]>;
  return Promise.all(results.map(read));
}

await withGpu('optional features of the GPU', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test('are those that were asked for and are there', async () => {
    await restart({ features: [] });
    expect(webgpu.info().features).toEqual([]);
    await restart({ features: [...FEATURES, 'nonsense'] });
    const { features } = webgpu.info();
    expect(FEATURES.filter((name) => features.includes(name))).toEqual(features);
    // The other two are not the device's.
    for (const name of FEATURES.filter((known) => !/immediates|tiles/.test(known))) {
      expect(device().gpu.features.has(name as GPUFeatureName), name).toBe(features.includes(name));
    }
  });

  test('parameters that launches carry give the same bits', async (context) => {
    await restart({ features: [] });
    const expected = await samples();
    await restart({ features: ['immediates'] });
    if (!webgpu.info().features.includes('immediates')) context.skip('the GPU has none');
    const before = webgpu.info().launches;
    const x = torch.ones([3], { device: 'webgpu' });
    await x
      .add(1)
      .item()
      .catch(() => {});
    const pass = device().gpu.createCommandEncoder().beginComputePass();
    const carry = vi.spyOn(Object.getPrototypeOf(pass), 'setImmediates');
    pass.end();
    const found = await samples();
    expect(carry.mock.calls.length).toBeGreaterThan(10);
    // Attention has more parameters than that.
    expect(carry.mock.calls.length).toBeLessThan(webgpu.info().launches - before);
    expect(found).toEqual(expected);
  });
});

const { definitions: given } = library;

/**
 * The subgroup form of a library text, with subgroups of `size` played in workgroup memory; the
 * text is told that they have at least `least`.
 */
function played(size: number, least: number): ReadonlyMap<string, string> {
  const uses = { immediateBytes: 0, halves: false, subgroup: least, tiles: true };
  const known = given.call(library, uses);
  const changed = [...known].map(([name, text]) => {
    const type = text.match(/^fn group_\w+\(value: ([\w<>]+),/)?.[1];
    if (type === undefined) return text;
    const exchange = `
var<workgroup> exchange_${name}: array<${type}, WORKGROUP>;
fn shuffle_${name}(value: ${type}, lane: u32, k: u32) -> ${type} {
  exchange_${name}[lane] = value;
  workgroupBarrier();
  let other = exchange_${name}[lane / ${size}u * ${size}u + ((lane % ${size}u) ^ k)];
  workgroupBarrier();
  return other;
}`;
    const lane = 'select(at % team * (WORKGROUP / team) + at / team, at, team_inner() == 1u)';
    return `${exchange}\n${text
      .replace('subgroupShuffleXor(total, k)', `shuffle_${name}(total, ${lane}, k)`)
      .replaceAll('subgroup_lanes', `${size}u`)
      .replaceAll('subgroup_lane', `(${lane} % ${size}u)`)}`;
  });
  return definitions(changed.join('\n'));
}

const LINES: readonly (readonly [readonly number[], number])[] = [
  [[40, 37], 1],
  [[7, 300], 1],
  [[3, 9000], 1],
  [[70, 33], 0],
  [[2, 300, 5], 1],
  [[2000, 3], 0],
];

await withGpu('subgroups of every size', () => {
  describe.each([
    [4, 4],
    [8, 8],
    [32, 32],
    [128, 128],
    [32, 4],
    [64, 8],
  ])('of %i, of which at least %i are promised', (size, least) => {
    beforeEach(async () => {
      vi.spyOn(library, 'definitions').mockImplementation(() => played(size, least));
      await restart({ features: [] });
    });
    afterEach(async () => {
      vi.restoreAllMocks();
      await restart({});
    });

    test('join what trees join', async () => {
      for (const [shape, dim] of LINES) {
        const x = torch.randn(shape);
        const exact = { exact: true, gradients: false };
        await agree([x.mul(4).round()], (t) => [t.amax(dim), t.argmax(dim), t.argmin(dim)], exact);
        await agree([torch.randint(-9, 9, shape).int()], (t) => t.sum(dim), exact);
        await agree([x.add(3)], (t) => [t.sum(dim), torch.varMean(t, dim)[0] as Tensor], {
          gradients: false,
        });
        await agree([x], (t) => F.softmax(t, dim));
      }
      await agree([torch.randn([6, 70])], (t) => F.layerNorm(t, [70]));
      await agree([torch.randn([4, 6, 5, 5])], (t) => F.groupNorm(t, 2));
    });
  });
});
