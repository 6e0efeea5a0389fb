/** Options of the functions that load and save; their code comes when they are first called. */

import type { DeviceType } from '../device/device.js';
import type * as nn from '../nn/index.js';

/** A constructor of modules. */
export type ModuleClass = abstract new (...args: never[]) => nn.Module;

/**
 * Where tensors go: a device; devices by where the tensors were ('cuda:0'), which other places do
 * not change; or a function from the one to the other.
 */
export type MapLocation =
  | DeviceType
  | Readonly<Record<string, DeviceType>>
  | ReadonlyMap<string, DeviceType>
  | ((location: string) => DeviceType | null | undefined);

export interface LoadOptions {
  /** Where tensors go. Default: 'cpu', also for what a map or a function leaves out. */
  readonly mapLocation?: MapLocation | null;
  /** Own module classes of pickled models, by the names they have in Python. */
  readonly classes?: Readonly<Record<string, ModuleClass>>;
  /** Whether pickled models are refused. Default: false; nothing is executed in either case. */
  readonly weightsOnly?: boolean;
}

export interface SaveOptions {
  /** Whether to write the format from before PyTorch 1.6. Default: false, a zip. */
  readonly legacy?: boolean;
  /** PyTorch's name of `legacy`, the other way round. Default: true. */
  readonly _useNewZipfileSerialization?: boolean;
}
