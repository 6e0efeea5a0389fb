/** The GPU in tests: SwiftShader, which Chromium brings, unless the environment names a driver. */

import * as torch from '../../ts/index.js';
import { gpuEnvironment } from './environment.js';

/** Why there is no GPU, or undefined once torch.webgpu.init() has one. */
export async function startGpu(
  options: torch.webgpu.WebGpuOptions = {},
): Promise<string | undefined> {
  Object.assign(process.env, gpuEnvironment());
  return torch.webgpu.init(options).then(
    () => undefined,
    (error: Error) => error.message,
  );
}
