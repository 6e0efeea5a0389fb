/** The libraries on one GPU: each asks the same Dawn for a device of its own. */

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as torch from '../../ts/index.js';
import { requestGpu } from '../../ts/platform/node.js';
import type { Jax } from './jax_types.js';
import { installed, localPeer, type Open } from './local.js';
import type { Tf } from './tfjs_types.js';

const openIsotorch: Open = async (_, conditions) => {
  await torch.webgpu.init();
  const finish = () => torch.webgpu.synchronize();
  return localPeer(
    'isotorch',
    'isotorch',
    conditions,
    ({ isotorch }, given) => isotorch(torch, given),
    finish,
  );
};

/** What the peers expect of a browser. */
async function likeABrowser(): Promise<void> {
  const { globals } = await import('webgpu' as string);
  Object.assign(globalThis, globals);
  const gpu = await requestGpu();
  const navigator = globalThis.navigator ?? { userAgent: `Node.js/${process.version}` };
  if (navigator.gpu !== undefined) return;
  Object.defineProperty(navigator, 'gpu', { value: gpu });
  Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
}

const openTfjs: Open = async (folder, conditions) => {
  await likeABrowser();
  const { version, load } = installed(folder, '@tensorflow/tfjs');
  const tf = load() as Tf & {
    setBackend(name: string): Promise<boolean>;
    backend(): {
      commandEncoder: unknown;
      endComputePassEncoder(): void;
      submitQueue(): void;
      queue: GPUQueue;
    };
  };
  installed(folder, '@tensorflow/tfjs-backend-webgpu').load();
  if (!(await tf.setBackend('webgpu'))) throw new Error('TensorFlow.js refuses this adapter');
  const finish = () => {
    const backend = tf.backend();
    backend.endComputePassEncoder();
    if (backend.commandEncoder !== null) backend.submitQueue();
    return backend.queue.onSubmittedWorkDone();
  };
  const about = `TensorFlow.js ${version} (webgpu)`;
  return localPeer('tfjs', about, conditions, ({ tfjs }, given) => tfjs?.(tf, given), finish);
};

const openJax: Open = async (folder, conditions) => {
  await likeABrowser();
  const { version, home } = installed(folder, '@jax-js/jax');
  const jax = (await import(pathToFileURL(join(home, 'dist/index.js')).href)) as Jax & {
    init(...devices: string[]): Promise<string[]>;
    defaultDevice(name: string): string;
  };
  const devices = await jax.init('webgpu');
  if (!devices.includes('webgpu')) throw new Error('jax-js refuses this adapter');
  jax.defaultDevice('webgpu');
  const about = `jax-js ${version} (webgpu)`;
  return localPeer('jax', about, conditions, (benchmark, given) => benchmark.jax?.(jax, given));
};

export const webgpuPeers: Readonly<Record<string, Open>> = {
  isotorch: openIsotorch,
  tfjs: openTfjs,
  jax: openJax,
};

/** What the figures of a GPU hold for. */
export function gpuInUse() {
  const { vendor, architecture, device, description, software, features, limits } =
    torch.webgpu.info();
  const require = createRequire(import.meta.url);
  return {
    adapter: { vendor, architecture, device, description, software },
    features,
    limits: {
      workgroupStorage: limits.maxComputeWorkgroupStorageSize,
      invocations: limits.maxComputeInvocationsPerWorkgroup,
      buffer: limits.maxBufferSize,
    },
    dawn: require('webgpu/package.json').version as string,
    driver: process.env.VK_ICD_FILENAMES?.split('/').pop() ?? 'of the system',
  };
}
