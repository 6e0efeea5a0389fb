/** What a page reports of its checks; the tests in Node read the same. */

/** One row, asked once: of a device, in a dtype, in a layout. */
export interface Check {
  readonly row: string;
  readonly device: string;
  readonly dtype: string;
  readonly layout: string;
  /** What is wrong; empty where it passed. */
  readonly failures: readonly string[];
}

export interface MatrixReport {
  readonly isolated: boolean;
  readonly threads: number;
  readonly checks: readonly Check[];
}

/** A failed check in one line: row, device, dtype, layout and the first of what is wrong. */
export function describeFailure({ row, device, dtype, layout, failures }: Check): string {
  const more = failures.length > 1 ? ` (and ${failures.length - 1} more)` : '';
  return `${row} on ${device}, ${dtype}, ${layout}: ${failures[0]}${more}`;
}

export interface Training {
  readonly losses: readonly number[];
  /** Of every parameter at the end. */
  readonly norms: readonly number[];
}

export interface GpuReport {
  readonly available: boolean;
  /** What making a tensor, deviceName and info say before the device is started. */
  readonly early: readonly string[];
  /** deviceCount() before, started, lost, and started again. */
  readonly counts: readonly number[];
  readonly name: string;
  readonly info: Readonly<Record<string, unknown>>;
  readonly values: readonly number[];
  /** What a pending read, an operation and making a tensor say once the device is gone. */
  readonly lost: readonly string[];
  readonly again: readonly number[];
}
