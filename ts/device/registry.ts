/** The devices there are, by the name users give them. */

import { DeviceError, suggestion } from '../core/errors.js';
import { cpu } from './cpu/cpu.js';
import type { Device, DeviceType } from './device.js';

const devices = new Map<string, Device>([['cpu', cpu]]);

/** Devices that must be started, and how. */
const dormant = new Map([['webgpu', 'await torch.webgpu.init()']]);

/** Adds a device, or puts a new one in the place of one that is gone. */
export function registerDevice(name: DeviceType, device: Device): void {
  devices.set(name, device);
}

/** The device of a name such as 'cpu', or a typed error that says which there are. */
export function deviceOf(name: DeviceType | string): Device {
  const device = devices.get(name);
  if (device !== undefined) return device;
  const start = dormant.get(name);
  if (start !== undefined) {
    throw new DeviceError(`the device '${name}' is not started: call ${start} first`);
  }
  if (/^(b?float|u?int|bool)/.test(name)) {
    throw new DeviceError(`there is no device '${name}'; dtypes are no strings: torch.${name}`);
  }
  const meant = /^(gpu|cuda|mps)/.test(name) ? 'webgpu' : name;
  const known = new Set([...devices.keys(), ...dormant.keys()]);
  throw new DeviceError(
    `there is no device '${name}'.${suggestion(meant, known)} Available: ${[...known].join(', ')}`,
  );
}
