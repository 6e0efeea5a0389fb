/** What `console.log(tensor)` shows: PyTorch's text, to the character. */

import type { Dtype } from './dtype.js';
import { bool, getDefaultDtype, int64 } from './dtype.js';
import { ValueError } from './errors.js';
import { numelOf } from './layout.js';
import { checkOptions } from './options.js';

/** Options of {@link setPrintoptions}; what is left out keeps its value. */
export interface PrintOptions {
  /** Digits after the point of floats (default 4). */
  precision?: number;
  /** Number of elements above which the middle is left out (default 1000). */
  threshold?: number;
  /** Elements kept at each end of a shortened dimension (default 3). */
  edgeitems?: number;
  /** Characters per line (default 80). */
  linewidth?: number;
  /** A set of values to start from. */
  profile?: 'default' | 'short' | 'full';
  /** Scientific notation always or never; undefined lets the values decide. */
  sciMode?: boolean | undefined;
}

/** The facts about a tensor that its text is made of. */
export interface Printable {
  /** The element at a row-major position. Called only for elements that are shown. */
  element: (position: number) => number | bigint | boolean;
  shape: readonly number[];
  dtype: Dtype;
  requiresGrad?: boolean;
  /** Name of the node that made the tensor, such as `MulBackward0`. */
  gradFnName?: string | undefined;
  /** `cpu` is not shown. */
  device?: string;
  /** Shown in place of the elements where they cannot be read at once. */
  contents?: string;
  /** Class name in front of the bracket (default `tensor`). */
  prefix?: string;
}

const profiles = {
  default: { precision: 4, threshold: 1000, edgeitems: 3, linewidth: 80 },
  short: { precision: 2, threshold: 1000, edgeitems: 2, linewidth: 80 },
  full: { precision: 4, threshold: Number.POSITIVE_INFINITY, edgeitems: 3, linewidth: 80 },
};

const options: Required<Omit<PrintOptions, 'profile' | 'sciMode'>> & {
  sciMode: boolean | undefined;
} = { ...profiles.default, sciMode: undefined };

const optionNames = ['precision', 'threshold', 'edgeitems', 'linewidth', 'profile', 'sciMode'];

/**
 * Sets how tensors are printed, as `torch.set_printoptions`: `sciMode` falls back to automatic
 * unless it is given. Throws ValueError for an unknown option or profile.
 */
export function setPrintoptions(given: PrintOptions = {}): void {
  checkOptions('setPrintoptions', given, optionNames);
  const { profile, sciMode, ...values } = given;
  if (profile !== undefined) {
    if (!Object.hasOwn(profiles, profile)) {
      const known = Object.keys(profiles).join(', ');
      throw new ValueError(`setPrintoptions: profile is one of ${known}, got '${profile}'`);
    }
    Object.assign(options, profiles[profile]);
  }
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) Object.assign(options, { [name]: value });
  }
  options.sciMode = sciMode;
}

/** The text of a tensor: `tensor([[1., 2.],\n        [3., 4.]], requires_grad=True)`. */
export function formatTensor(tensor: Printable): string {
  const prefix = `${tensor.prefix ?? 'tensor'}(`;
  const numel = numelOf(tensor.shape);
  const suffixes: string[] = [];
  if (tensor.device !== undefined && tensor.device !== 'cpu') {
    suffixes.push(`device='${tensor.device}'`);
  }
  const { dtype } = tensor;
  let body = '[]';
  if (tensor.contents !== undefined) {
    body = tensor.contents;
    suffixes.push(`size=${showTuple(tensor.shape)}`);
    if (dtype !== getDefaultDtype()) suffixes.push(`dtype=${dtype}`);
  } else if (numel === 0) {
    if (tensor.shape.length !== 1) suffixes.push(`size=${showTuple(tensor.shape)}`);
    if (dtype !== getDefaultDtype()) suffixes.push(`dtype=${dtype}`);
  } else {
    // int64 and bool are recognised by their look; every other dtype is named.
    if (dtype !== getDefaultDtype() && dtype !== int64 && dtype !== bool) {
      suffixes.push(`dtype=${dtype}`);
    }
    body = elementsText(tensor, prefix.length, numel > options.threshold);
  }
  if (tensor.gradFnName !== undefined) suffixes.push(`grad_fn=<${tensor.gradFnName}>`);
  else if (tensor.requiresGrad) suffixes.push('requires_grad=True');
  return addSuffixes(prefix + body, suffixes, prefix.length);
}

/** A shape as Python's tuple: `(2, 3)`, `(2,)`, `()`. */
export function showTuple(shape: readonly number[]): string {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
}

function addSuffixes(text: string, suffixes: readonly string[], indent: number): string {
  let out = text;
  let lineLength = text.length - text.lastIndexOf('\n') + 1;
  for (const suffix of suffixes) {
    if (lineLength + suffix.length + 2 > options.linewidth) {
      out += `,\n${' '.repeat(indent)}${suffix}`;
      lineLength = indent + suffix.length;
    } else {
      out += `, ${suffix}`;
      lineLength += suffix.length + 2;
    }
  }
  return `${out})`;
}

type Element = number | bigint | boolean;

interface Style {
  width: number;
  show: (value: Element) => string;
}

function elementsText(tensor: Printable, indent: number, summarize: boolean): string {
  const shown: Element[] = shownPositions(tensor.shape, summarize).map(tensor.element);
  const style = tensor.dtype.isFloatingPoint ? floatStyle(shown) : plainStyle(shown);
  let next = 0;
  const values = () => shown[next++];
  return nestedText(tensor.shape, 0, indent, summarize, style, values);
}

/** The positions of the elements shown, in row-major order. */
function shownPositions(shape: readonly number[], summarize: boolean): number[] {
  let positions = [0];
  let inner = numelOf(shape);
  for (const size of shape) {
    inner /= size;
    const indices = kept(size, summarize);
    positions = positions.flatMap((base) => indices.map((i) => base + i * inner));
  }
  return positions;
}

/** The indices of a dimension that are shown. */
function kept(size: number, summarize: boolean): number[] {
  const { edgeitems } = options;
  if (!summarize || size <= 2 * edgeitems) return Array.from({ length: size }, (_, i) => i);
  return Array.from({ length: 2 * edgeitems }, (_, i) =>
    i < edgeitems ? i : size - 2 * edgeitems + i,
  );
}

function nestedText(
  shape: readonly number[],
  dim: number,
  indent: number,
  summarize: boolean,
  style: Style,
  values: () => Element,
): string {
  if (dim === shape.length) return style.show(values());
  const size = shape[dim];
  const shortened = summarize && size > 2 * options.edgeitems;
  const count = shortened ? 2 * options.edgeitems : size;
  const last = dim === shape.length - 1;
  const parts: string[] = [];
  for (let i = 0; i < count; i++) {
    if (shortened && i === options.edgeitems) parts.push(last ? ' ...' : '...');
    parts.push(nestedText(shape, dim + 1, indent + 1, summarize, style, values));
  }
  if (shortened && options.edgeitems === 0) parts.push(last ? ' ...' : '...');
  const margin = ' '.repeat(indent + 1);
  if (!last) return `[${parts.join(`,${'\n'.repeat(shape.length - 1 - dim)}${margin}`)}]`;
  const perLine = Math.max(1, Math.floor((options.linewidth - indent) / (style.width + 2)));
  const lines: string[] = [];
  for (let i = 0; i < parts.length; i += perLine) {
    lines.push(parts.slice(i, i + perLine).join(', '));
  }
  return `[${lines.join(`,\n${margin}`)}]`;
}

/** Integers and bools: right-aligned to the widest. */
function plainStyle(shown: readonly Element[]): Style {
  const text = (value: Element) =>
    typeof value === 'boolean' ? (value ? 'True' : 'False') : String(value);
  const width = shown.reduce((widest: number, v) => Math.max(widest, text(v).length), 1);
  return { width, show: (value) => text(value).padStart(width) };
}

/**
 * Floats: whole numbers as `1.`, others with `precision` digits, and scientific notation when
 * max/min > 1000, max > 1e8, or (not all whole) min < 1e-4, over the nonzero finite magnitudes.
 */
function floatStyle(shown: readonly Element[]): Style {
  const { precision } = options;
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  let whole = true;
  const counted: number[] = [];
  for (const value of shown as readonly number[]) {
    if (value === 0 || !Number.isFinite(value)) continue;
    counted.push(value);
    const magnitude = Math.abs(value);
    least = Math.min(least, magnitude);
    most = Math.max(most, magnitude);
    if (!Number.isInteger(value)) whole = false;
  }
  let scientific = most / least > 1000 || most > 1e8 || (!whole && least < 1e-4);
  if (counted.length === 0) scientific = false;
  const measure = (value: number) => {
    if (scientific) return exponential(value, precision).length;
    return whole ? fixed(value, 0).length + 1 : fixed(value, precision).length;
  };
  const width = counted.reduce((widest, value) => Math.max(widest, measure(value)), 1);
  // PyTorch returns before it looks at the option when no value is nonzero and finite.
  if (options.sciMode !== undefined && counted.length > 0) scientific = options.sciMode;
  const text = (value: number) => {
    if (scientific) return exponential(value, precision);
    if (!whole) return fixed(value, precision);
    return fixed(value, 0) + (Number.isFinite(value) ? '.' : '');
  };
  return { width, show: (value) => text(value as number).padStart(width) };
}

function special(value: number): string | undefined {
  if (Number.isNaN(value)) return 'nan';
  if (Number.isFinite(value)) return undefined;
  return value > 0 ? 'inf' : '-inf';
}

function sign(value: number): string {
  return value < 0 || Object.is(value, -0) ? '-' : '';
}

/** Python's `'{:.nf}'`: unlike `toFixed`, ties go to the even digit and -0 keeps its sign. */
export function fixed(value: number, digits: number): string {
  const name = special(value);
  if (name !== undefined) return name;
  const magnitude = Math.abs(value);
  if (magnitude >= 1e21) {
    return sign(value) + BigInt(magnitude) + (digits > 0 ? `.${'0'.repeat(digits)}` : '');
  }
  // n + 1/2 units of 10^-digits is a double only if it is an odd multiple of 2^-(digits + 1).
  const halves = magnitude * 2 ** (digits + 1);
  const tie = halves % 2 === 1 && (magnitude * 10 ** digits) % 1 === 0.5;
  let text = magnitude.toFixed(digits);
  // toFixed took the larger neighbour; a value just below the tie has the smaller one.
  if (tie && Number(text.at(-1)) % 2 === 1) text = (magnitude * (1 - 2 ** -52)).toFixed(digits);
  return sign(value) + text;
}

/** Python's `'{:.ne}'`: two exponent digits at least, ties to the even digit. */
export function exponential(value: number, digits: number): string {
  const name = special(value);
  if (name !== undefined) return name;
  const magnitude = Math.abs(value);
  let text = magnitude.toExponential(digits);
  const exact = magnitude.toExponential(Math.min(100, digits + 60));
  const point = digits === 0 ? 2 : digits + 2;
  const tie = /^50*e/.test(exact.slice(point));
  if (tie && Number(text[digits === 0 ? 0 : digits + 1]) % 2 === 1) {
    text = (magnitude * (1 - 2 ** -52)).toExponential(digits);
  }
  const [mantissa, exponent] = text.split('e');
  const power = Number(exponent);
  const two = String(Math.abs(power)).padStart(2, '0');
  return `${sign(value)}${mantissa}e${power < 0 ? '-' : '+'}${two}`;
}
