/** The devices there are, by the name users give them. */

import { DeviceError, suggestion } from '../core/errors.js';
import { cpu } from './cpu/cpu.js';
import type { Device, DeviceType } from './device.js';

const devices = new Map<string, Device>([['cpu', cpu]]);

/** Makes a device known under its type; called when one is initialised. */
export function registerDevice(device: Device): void {
  devices.set(device.type, device);
}

/** The device of a name such as 'cpu', or a typed error that says which there are. */
export function deviceOf(name: DeviceType | string): Device {
  const device = devices.get(name);
  if (device !== undefined) return device;
  const known = [...devices.keys()];
  throw new DeviceError(
    `there is no device '${name}'.${suggestion(name, known)} Available: ${known.join(', ')}`,
  );
}
