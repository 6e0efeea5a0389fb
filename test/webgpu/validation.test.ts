/**
 * The text of kernels with every optional feature, 'shader-f16' among them, which no software
 * adapter has: Dawn's null backend validates everything and runs nothing.
 */

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { deviceOf } from '../../ts/device/registry.js';
import type { WebGpuDevice } from '../../ts/device/webgpu/device.js';
import * as torch from '../../ts/index.js';
import { applyPointwise } from '../../ts/ops/apply.js';
import { table } from '../../ts/ops/table.js';
import { library } from '../../ts/ops/twins/index.js';
import type { PointwiseJudge } from '../judges/judge.js';
import { judges } from '../judges.js';
import { blocks, pointwiseNames, rowOf } from '../ops/matrix.js';
import { callsOf, maskedInputs, names, type Tensor } from '../ops/samples.js';
import { FEATURES } from './agree.js';

const { webgpu } = torch;
const device = () => deviceOf('webgpu') as unknown as WebGpuDevice;

/** Dawn without a GPU; undefined where the package is not installed. */
async function nullGpu(): Promise<GPU | undefined> {
  const name = 'webgpu';
  const dawn = await import(name).catch(() => undefined);
  return dawn?.create(['backend=null']) as GPU | undefined;
}

/** Throws what was refused of all that was asked of the device so far. */
async function accepted(): Promise<void> {
  device().submit();
  await device().gpu.queue.onSubmittedWorkDone();
  await device().pipelines.judged;
  const { failure } = device();
  if (failure !== undefined) throw failure;
}

const gpu = await nullGpu();
if (gpu === undefined && process.env.ISOTORCH_GPU === 'required') {
  throw new Error("the npm package 'webgpu' is not installed");
}
const meta = gpu === undefined ? { notRun: "the npm package 'webgpu' is not installed" } : {};

describe.runIf(gpu !== undefined)('texts with every optional feature', { meta }, () => {
  const texts: string[] = [];

  beforeAll(async () => {
    vi.stubGlobal('navigator', { gpu });
    await webgpu.init({ features: FEATURES });
    const { createShaderModule } = device().gpu;
    vi.spyOn(device().gpu, 'createShaderModule').mockImplementation((descriptor) => {
      texts.push(descriptor.code);
      return createShaderModule.call(device().gpu, descriptor);
    });
  });
  afterAll(() => {
    webgpu.destroy();
    vi.unstubAllGlobals();
  });

  test('all features are there', () => {
    expect(webgpu.info().features).toEqual(FEATURES);
  });

  test('every row compiles', async () => {
    for (const op of names) {
      const { domain } = table[op] as { domain?: string };
      const dtype = domain === 'int' ? torch.int32 : torch.float32;
      for (const { inputs, run } of callsOf(op, dtype)) {
        torch.scope(() => {
          run(inputs.map((x) => x.to('webgpu')));
        });
      }
    }
    await accepted();
    for (const mark of ['enable subgroups;', 'var<immediate>']) {
      expect(texts.some((text) => text.includes(mark))).toBe(true);
    }
  }, 120_000);

  test('every elementwise row compiles for halves, in every form', async () => {
    const before = texts.length;
    const rows = pointwiseNames.filter((op) => rowOf(op).domain !== 'int');
    for (const op of rows) {
      const masks = maskedInputs(op);
      const { scalars } = judges[op] as PointwiseJudge;
      const given = blocks(op).map((x, i) => (masks.includes(i) ? x : x.half()));
      torch.scope(() => {
        const list = given.map((x) => x.to('webgpu'));
        applyPointwise(op, list, scalars);
        const wide = list.map((x) => x.at(0).at(0).expand(4, 32).contiguous());
        applyPointwise(op, wide, scalars);
        applyPointwise(
          op,
          [...wide.slice(0, -1), (wide.at(-1) as Tensor).t().contiguous().t()],
          scalars,
        );
      });
    }
    await accepted();
    const made = texts.slice(before);
    expect(made.filter((text) => text.includes('enable f16;')).length).toBeGreaterThan(rows.length);
  }, 120_000);

  test('products and casts of halves compile', async () => {
    torch.scope(() => {
      const x = torch.ones([100, 300], { dtype: torch.float16, device: 'webgpu' });
      x.matmul(x.t());
      x.narrow(0, 0, 2).matmul(x.t());
      x.float();
    });
    await accepted();
    const withHalves = texts.filter((text) => text.includes('enable f16;'));
    for (const entry of ['matmul', 'matmul_thin', 'convert']) {
      expect(
        withHalves.some((text) => text.includes(`fn ${entry}(`)),
        entry,
      ).toBe(true);
    }
  });

  test('a text that is wrong is refused', async () => {
    const { definitions } = library;
    const wrong = vi.spyOn(library, 'definitions').mockImplementation((uses) => {
      const texts = new Map(definitions.call(library, uses));
      return texts.set('half_to_f32', 'fn half_to_f32(h: u32) -> f32 { return f16(1.0h); }');
    });
    webgpu.destroy();
    await webgpu.init({ features: FEATURES });
    torch.ones([4], { dtype: torch.float16, device: 'webgpu' }).add(1);
    await expect(accepted()).rejects.toThrow(/kernel 'addTensors_f16' does not compile/);
    wrong.mockRestore();
  });
});
