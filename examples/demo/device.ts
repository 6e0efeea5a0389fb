/** Devices of the demo: the CPU is always there, a graphics card perhaps. */

import * as torch from '../../ts/index.js';
import type { Recipe } from './recipe.js';

interface WebGPU {
  isAvailable(): Promise<boolean>;
  init(): Promise<unknown>;
}

const { webgpu } = torch as { webgpu?: WebGPU };

/** Why there is no WebGPU here, in words for users; undefined where there is. */
export async function missingWebGPU(): Promise<string | undefined> {
  if (webgpu === undefined) return 'this build of isotorch computes on the CPU only';
  if (await webgpu.isAvailable()) return undefined;
  const page = 'window' in globalThis || 'WorkerGlobalScope' in globalThis;
  if (!page) return "no graphics adapter was found; is the npm package 'webgpu' installed?";
  if (!globalThis.isSecureContext) return 'pages get it only over https, or from localhost';
  return 'gpu' in navigator ? 'no graphics adapter was found' : 'this browser does not offer it';
}

/** Makes a device ready. Throws with the reason where it is not there. */
export async function prepareDevice(device: Recipe['device']): Promise<void> {
  if (device === 'cpu') return;
  const reason = await missingWebGPU();
  if (reason !== undefined) throw new Error(`WebGPU cannot be used: ${reason}.`);
  await webgpu?.init();
}
