/** The devices there are, by the name users give them. */

import { DeviceError, suggestion } from '../core/errors.js';
import { cpu } from './cpu/cpu.js';
import type { Device, DeviceType } from './device.js';

const devices: ReadonlyMap<string, Device> = new Map([['cpu', cpu]]);

/** The device of a name such as 'cpu', or a typed error that says which there are. */
export function deviceOf(name: DeviceType | string): Device {
  const device = devices.get(name);
  if (device !== undefined) return device;
  const known = [...devices.keys()];
  throw new DeviceError(
    `there is no device '${name}'.${suggestion(name, known)} Available: ${known.join(', ')}`,
  );
}
