/** Running totals of [outer, n, inner] along n on the GPU. */

import source from '../../../kernels/scan.wgsl';
import apart from '../../../kernels/scan_alone.wgsl';
import extremes from '../../../kernels/scan_extreme.wgsl';
import linear from '../../../kernels/scan_linear.wgsl';
import logarithms from '../../../kernels/scan_log.wgsl';
import numbers from '../../../kernels/scan_numbers.wgsl';
import together from '../../../kernels/scan_team.wgsl';
import { int32, suffix } from '../../core/dtype.js';
import type { Element } from '../../device/webgpu/kernel.js';
import type { Tensor } from '../../tensor.js';
import type { KernelDtype } from '../kernel.js';
import type { Launcher } from '../row.js';
import { groupsOf, split, splitParams, teamKernel, teamOf } from './team.js';
import type { Twin, Twins } from './twin.js';

type ScanKernel = ReturnType<typeof scanKernel>;

function scanKernel(
  totals: string,
  outputs: Readonly<Record<string, Element>>,
  dtypes: readonly KernelDtype[],
) {
  return teamKernel({
    source: `${totals}\n${source}`,
    together,
    apart,
    entry: 'scan',
    dtypes,
    buffers: { x: 'S', carry: 'u32', ...outputs },
    params: {
      ...splitParams,
      phase: 'u32',
      reverse: 'u32',
      exclusive: 'u32',
      least: 'u32',
      lag: 'u32',
    },
  });
}

function numberKernel(unit: string, join: string) {
  const own = `fn unit() -> E { return ${unit}; }\nfn join(a: E, b: E) -> E { return ${join}; }\n`;
  return scanKernel(numbers + own, { out: 'S' }, ['f32', 'i32']);
}

const kernels = {
  cumsum: numberKernel('S(0)', 'a + b'),
  cumprod: numberKernel('S(1)', 'a * b'),
  logcumsumexp: scanKernel(logarithms, { out: 'S' }, ['f32']),
};
const recurrenceKernel = scanKernel(linear, { factor: 'S', out: 'S' }, ['f32']);
const extremeKernel = scanKernel(extremes, { values: 'S', places: 'i32' }, ['f32', 'i32']);

/** Emits the launches of a scan; lines of several blocks take three. */
function emitScan(
  launcher: Launcher,
  name: string,
  kernel: ScanKernel,
  x: Tensor,
  outputs: readonly Tensor[],
  { reverse = false, exclusive = false, least = 0, lag = 0 } = {},
): void {
  const [outer, n, inner] = x.shape;
  const sizes = split(outer, n, inner);
  const { blocks, results } = sizes;
  const single = blocks === 1;
  const carry = single ? x : launcher.scratch(2 * results, int32);
  const launch = (level: typeof sizes, phase: number, backward: boolean) => {
    const flags = { reverse: Number(backward), exclusive: Number(exclusive), least, lag };
    const params = { ...level, phase, ...flags };
    const groups = groupsOf(level.results, level.team);
    const buffers = [x, carry, ...outputs];
    launcher.launch(name, kernel, suffix(x.dtype), buffers, params, groups);
  };
  if (single) {
    launch(sizes, 0, reverse);
    return;
  }
  launch(sizes, 1, reverse);
  const lines = outer * inner;
  const team = teamOf(lines, blocks, inner);
  launch({ team, n: blocks, inner, block: blocks, blocks: 1, results: lines }, 3, false);
  launch(sizes, 2, reverse);
}

function scan(name: 'cumsum' | 'cumprod' | 'logcumsumexp'): Twin<typeof name> {
  return {
    kernels: { [name]: kernels[name] },
    run(launcher, [x], outputs, attributes) {
      emitScan(launcher, name, kernels[name], x, outputs, attributes);
    },
  };
}

const recurrence: Twin<'recurrence'> = {
  kernels: { recurrence: recurrenceKernel },
  run(launcher, [x, factor], [out], attributes) {
    emitScan(launcher, 'recurrence', recurrenceKernel, x, [factor, out], attributes);
  },
};

function cumExtreme(least: number): Twin<'cummax' | 'cummin'> {
  return {
    kernels: { cumExtreme: extremeKernel },
    run(launcher, [x], outputs) {
      emitScan(launcher, 'cumExtreme', extremeKernel, x, outputs, { least });
    },
  };
}

export const scanTwins: Twins<
  'cumsum' | 'cumprod' | 'logcumsumexp' | 'recurrence' | 'cummax' | 'cummin'
> = {
  recurrence,
  cumsum: scan('cumsum'),
  cumprod: scan('cumprod'),
  logcumsumexp: scan('logcumsumexp'),
  cummax: cumExtreme(0),
  cummin: cumExtreme(1),
};
