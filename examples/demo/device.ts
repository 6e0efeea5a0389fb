/** Devices of the demo: the CPU is always there, a graphics card perhaps. */

import { webgpu } from '../../ts/index.js';
import type { Recipe } from './recipe.js';

/** Why a page has no WebGPU, in words for its users; undefined where it has. */
export async function missingWebGPU(): Promise<string | undefined> {
  if (await webgpu.isAvailable()) return undefined;
  if (!globalThis.isSecureContext) return 'pages get it only over https, or from localhost';
  return 'gpu' in navigator ? 'no graphics adapter was found' : 'this browser does not offer it';
}

/** Makes a device ready, and says what it is. Throws with the way out where it is not there. */
export async function prepareDevice(device: Recipe['device']): Promise<string> {
  if (device === 'cpu') return 'CPU';
  await webgpu.init();
  const kind = webgpu.info().software ? ', played by the processor' : '';
  return `${webgpu.deviceName()}${kind}`;
}
