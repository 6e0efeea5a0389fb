/** The GPU in tests: SwiftShader, which Chromium brings, unless the environment names a driver. */

import { existsSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as torch from '../../ts/index.js';

const SOFTWARE = [
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/opt/google/chrome/vk_swiftshader_icd.json',
];

/** Why there is no GPU, or undefined once torch.webgpu.init() has one. */
export async function startGpu(
  options: torch.webgpu.WebGpuOptions = {},
): Promise<string | undefined> {
  const icd = SOFTWARE.find((path) => existsSync(path));
  if (icd !== undefined && process.env.ISOTORCH_GPU !== 'hardware') {
    process.env.VK_ICD_FILENAMES ??= icd;
  }
  if (process.env.XDG_RUNTIME_DIR === undefined) {
    process.env.XDG_RUNTIME_DIR = join(tmpdir(), 'isotorch-xdg');
    mkdirSync(process.env.XDG_RUNTIME_DIR, { recursive: true });
  }
  return torch.webgpu.init(options).then(
    () => undefined,
    (error: Error) => error.message,
  );
}
