/** Where Dawn finds a GPU in tests: SwiftShader, which Chromium brings, unless a driver is named. */

import { existsSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SOFTWARE = [
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/opt/google/chrome/vk_swiftshader_icd.json',
];

/** Variables of the environment; `ISOTORCH_GPU=hardware` leaves the choice to the system. */
export function gpuEnvironment(): NodeJS.ProcessEnv {
  const { env } = process;
  const found: NodeJS.ProcessEnv = {};
  const icd = SOFTWARE.find((path) => existsSync(path));
  if (icd !== undefined && env.VK_ICD_FILENAMES === undefined && env.ISOTORCH_GPU !== 'hardware') {
    found.VK_ICD_FILENAMES = icd;
  }
  if (env.XDG_RUNTIME_DIR === undefined) {
    found.XDG_RUNTIME_DIR = join(tmpdir(), 'isotorch-xdg');
    mkdirSync(found.XDG_RUNTIME_DIR, { recursive: true });
  }
  return found;
}
