/** The first choice among builds, while the engine has optimised none of them. */

import { expect, it, vi } from 'vitest';
import { Selection } from '../../ts/device/cpu/tiles.js';
import type { KernelModule } from '../../wasm/loader.js';

/** A build whose probe is never faster than it was at first: the engine does not optimise it. */
function slowBuild() {
  let calls = 0;
  return {
    tileProbe_f32: () => {
      clock.now += calls++ < 2 ? 0.05 : 0.5;
    },
  };
}

const engine = { relaxed: true };
const clock = { now: 1 };

vi.mock('../../wasm/loader.js', () => ({
  tileBuilds: () => ['plain-4x16', 'relaxed-6x8', 'relaxed-6x16'],
  instantiateTiles: (name: string) =>
    engine.relaxed || name === 'plain-4x16' ? slowBuild() : undefined,
}));

it.each([
  [true, 'relaxed-6x8'],
  [false, 'plain-2x16'],
])('if relaxed builds run is %s, %s is taken meanwhile', (relaxed, name) => {
  engine.relaxed = relaxed;
  vi.spyOn(performance, 'now').mockImplementation(() => {
    clock.now += 0.001;
    return clock.now;
  });
  const selection = new Selection({ kernels: slowBuild() } as unknown as KernelModule, 0);
  const choice = selection.choose();
  expect(choice?.name).toBe(name);
  expect(choice?.reason).toContain('compiling');
  expect(selection.final).toBe(false);
  vi.restoreAllMocks();
});
