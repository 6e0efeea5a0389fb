/** The device under test: starting it, and which dtypes it has. */

import { dtypeName, dtypeOf, lookup, requireFunction } from './adapter.js';

/** A check that makes no sense on the device, and why. */
export class NotApplicable extends Error {
  override readonly name = 'NotApplicable';
}

const DTYPES = [
  'float16',
  'float32',
  'float64',
  'bfloat16',
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'bool',
] as const;

/**
 * Starts a device by the function its namespace has for that (`await torch.webgpu.init()`), and
 * makes a tensor on it. Throws the library's error where there is no such device.
 */
export async function startDevice(device: string): Promise<void> {
  const init = lookup(`${device}.init`);
  if (typeof init === 'function') await init();
  requireFunction('zeros')(1, { device });
}

const found = new Map<string, Map<string, string | undefined>>();

/** The dtype that a tensor of each dtype has on a device; undefined where it has none. */
function storedDtypes(device: string): Map<string, string | undefined> {
  let stored = found.get(device);
  if (stored === undefined) {
    stored = new Map(DTYPES.map((dtype) => [dtype, probe(dtype, device)]));
    found.set(device, stored);
  }
  return stored;
}

function probe(dtype: string, device: string): string | undefined {
  try {
    const made = requireFunction('zeros')(1, { dtype: dtypeOf(dtype), device });
    return dtypeName((made as { dtype: unknown }).dtype);
  } catch (error) {
    if (error instanceof Error && error.name === 'DtypeError') return undefined;
    throw error;
  }
}

/** The name of the dtype a tensor of `dtype` has on the device. Throws NotApplicable if none. */
export function storedDtype(dtype: string, device: string): string {
  if (device === 'cpu' || !(DTYPES as readonly string[]).includes(dtype)) return dtype;
  const stored = storedDtypes(device).get(dtype);
  if (stored === undefined) throw new NotApplicable(`${device} has no ${dtype}`);
  return stored;
}

/** Throws NotApplicable unless the device holds a dtype as it is. */
export function requireDtype(dtype: string, device: string): void {
  if (storedDtype(dtype, device) === dtype) return;
  throw new NotApplicable(`${device} has no ${dtype}`);
}

/** Throws NotApplicable if a Python text names a dtype that the device has not. */
export function requireNamedDtypes(source: string, device: string): void {
  for (const dtype of DTYPES) {
    if (new RegExp(`\\b${dtype}\\b`).test(source)) requireDtype(dtype, device);
  }
}

/** How much wider than on the CPU tolerances are: other devices compute in their own ways. */
export function widening(device: string): number {
  return device === 'cpu' ? 1 : 4;
}
