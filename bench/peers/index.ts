/** What is measured: this library, and those of bench/node_modules and Python. */

import { dirname } from 'node:path';
import type { DeviceName } from '../case.js';
import { openApart, openNewer, openPaired } from './apart.js';
import { libraries } from './libraries.js';
import type { Open } from './local.js';
import { openNaive } from './naive.js';
import type { Conditions, Peer } from './peer.js';
import { openPyTorch } from './pytorch.js';
import { webgpuPeers } from './webgpu.js';

const OPENERS: Readonly<Record<DeviceName, Readonly<Record<string, Open>>>> = {
  cpu: {
    isotorch: libraries.isotorch,
    newer: openNewer,
    paired: openPaired,
    pytorch: openPyTorch,
    tfjs: openApart('tfjs'),
    jax: openApart('jax'),
    onnx: openApart('onnx'),
    naive: openNaive,
  },
  webgpu: webgpuPeers,
};

export function peerNames(device: DeviceName): string[] {
  return Object.keys(OPENERS[device]);
}

/**
 * Opens the named libraries, this one first; says which others are not there, and goes on without
 * them.
 */
export async function openPeers(
  device: DeviceName,
  program: string,
  names: readonly string[],
  conditions: Conditions,
): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const name of names) {
    try {
      peers.push(await OPENERS[device][name](dirname(program), conditions));
    } catch (error) {
      if (peers.length === 0) throw error;
      console.log(`Without ${name}: ${(error as Error).message.split('\n')[0]}`);
    }
  }
  return peers;
}
