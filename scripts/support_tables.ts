/** What is there, as Markdown: read from the operator table, the gradients and the public names. */

import { computeDtype, type Dtype, dtypes } from '../ts/core/dtype.js';
import type { DeviceType } from '../ts/device/device.js';
import { deviceOf } from '../ts/device/registry.js';
import * as torch from '../ts/index.js';
import { gradients } from '../ts/ops/gradients.js';
import type { PointwiseRow } from '../ts/ops/pointwise.js';
import type { Primitive } from '../ts/ops/row.js';
import { type OpName, table } from '../ts/ops/table.js';
import { library } from '../ts/ops/twins/index.js';
import * as functions from '../ts/torch.js';

const DEVICES: readonly DeviceType[] = ['cpu', 'webgpu'];
const DTYPES = Object.values(dtypes);

type Row = (typeof table)[OpName];

/** How an operator takes a dtype. */
type Way =
  /** Computed as it is. */
  | 'x'
  /** Cast to a wider dtype, computed, and cast back. */
  | 'c'
  /** Gives floats: PyTorch's result for an integer operand. */
  | 'f'
  /** A typed error. */
  | '-';

const LEGEND =
  '`x` computed in that dtype, `c` cast to a wider one and back, `f` gives float32 as in ' +
  'PyTorch, `-` a typed error. On webgpu: float32, int32 and bool are computed as they are; the ' +
  'smaller dtypes are stored as they are and cast; int64 becomes int32, with a check of its ' +
  'range; float64 is a typed error.';

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function pointwiseWay(row: PointwiseRow, dtype: Dtype): Way {
  const floating = dtype.isFloatingPoint;
  if (row.domain === 'int' && floating) return '-';
  if (dtype === torch.bool && row.noBool !== undefined) return '-';
  if (row.keepsIntegers && !floating) return 'x';
  if (row.domain === 'real' && !floating) return 'f';
  return computeDtype(dtype) === dtype ? 'x' : 'c';
}

function primitiveWay(row: Primitive<never>, dtype: Dtype): Way {
  if (row.dtypes === 'any') return 'x';
  if (row.dtypes === 'real' && !dtype.isFloatingPoint) return 'f';
  return computeDtype(dtype) === dtype ? 'x' : 'c';
}

function wayOf(row: Row, dtype: Dtype): Way {
  if (row.kind === 'view') return 'x';
  if (row.kind === 'pointwise') return pointwiseWay(row, dtype);
  return primitiveWay(row as unknown as Primitive<never>, dtype);
}

/** The kernels a row launches, under their full names. */
function kernelsOf(name: string, row: Row): string[] {
  if (row.kind === 'view') return [];
  if (row.kind === 'pointwise') {
    const stem = (row as PointwiseRow).kernel ?? name;
    return DTYPES.filter((dtype) => wayOf(row, dtype) === 'x' && dtype.suffix !== 'u8')
      .filter((dtype) => dtype.isFloatingPoint || !(row as PointwiseRow).keepsIntegers)
      .map((dtype) => `${stem}_${dtype.suffix}`);
  }
  const { kernels } = row as unknown as Primitive<never>;
  return Object.entries(kernels).flatMap(([stem, { dtypes: suffixes }]) =>
    suffixes.map((suffix) => (suffix === 'any' ? stem : `${stem}_${suffix}`)),
  );
}

/** Whether the GPU has the row: what it runs is known without one. */
function hasTwin(name: string, row: Row): boolean {
  if (row.kind === 'view') return true;
  if (row.kind !== 'pointwise') return name in library.programs;
  return kernelsOf(name, row)
    .filter((kernel) => /_[fi]32$/.test(kernel))
    .every((kernel) => library.kernel(kernel) !== undefined);
}

/** Whether a device has every kernel of the row. */
function runsOn(type: DeviceType, name: string, row: Row): boolean {
  if (type === 'webgpu') return hasTwin(name, row);
  const device = deviceOf(type);
  return kernelsOf(name, row).every((kernel) => device.has(kernel));
}

function gradientOf(name: OpName): string {
  const rule = gradients[name];
  return rule.kind === 'none' ? `no: ${rule.reason}` : 'yes';
}

/** By name, since the order of a module's exports is the bundler's. */
const rows = (Object.entries(table) as [OpName, Row][]).sort(([a], [b]) => (a < b ? -1 : 1));

function operatorTable(kind: Row['kind']): string {
  const head = ['operator', ...DEVICES, ...DTYPES.map(({ name }) => name), 'gradient'];
  const lines = rows
    .filter(([, row]) => row.kind === kind)
    .map(([name, row]) => [
      `\`${name}\``,
      ...DEVICES.map((device) => (runsOn(device, name, row) ? 'x' : '-')),
      ...DTYPES.map((dtype) => wayOf(row, dtype)),
      gradientOf(name),
    ]);
  return tableOf(head, lines);
}

/** Public functions: the in-place form belongs to the line of its function. */
function functionTable(): string {
  const all: Readonly<Record<string, unknown>> = { __proto__: null, ...torch };
  const isMethod = (name: string) => name in torch.Tensor.prototype;
  const names = new Set([...Object.keys(functions), ...methodNames()]);
  const bases = [...names].filter((name) => !(name.endsWith('_') && names.has(name.slice(0, -1))));
  const mark = (there: boolean) => (there ? 'x' : '-');
  const lines = bases
    .filter((name) => typeof all[name] === 'function' || isMethod(name))
    .sort()
    .map((name) => [
      `\`${name}\``,
      mark(typeof all[name] === 'function'),
      mark(isMethod(name)),
      mark(!name.endsWith('_') && isMethod(`${name}_`)),
    ]);
  return tableOf(['name', '`torch.name(x)`', '`x.name()`', '`x.name_()`'], lines);
}

/** Members of the class that serve the engine. */
const INTERNAL = new Set(
  (
    'assertLive assertScalar autograd autogradOfBase bare describe elementAt pick recycle setLayout toArray ' +
    'toJSON'
  ).split(' '),
);

function methodNames(): string[] {
  return Object.entries(Object.getOwnPropertyDescriptors(torch.Tensor.prototype))
    .filter(
      ([name, { value }]) =>
        typeof value === 'function' && name !== 'constructor' && !INTERNAL.has(name),
    )
    .map(([name]) => name);
}

/** Exported names of a namespace that pass a test, in code font. */
function namesOf(space: object, passes: (value: unknown, name: string) => boolean): string[] {
  return Object.entries(space)
    .filter(([name, value]) => passes(value, name))
    .map(([name]) => name)
    .sort();
}

const isClass = (value: unknown, name: string) =>
  typeof value === 'function' && /^[A-Z]/.test(name);
const isFunction = (value: unknown, name: string) =>
  typeof value === 'function' && /^[a-z]/.test(name);

const SPACES: readonly (readonly [string, () => string[]])[] = [
  ['torch.linalg', () => namesOf(torch.linalg, isFunction)],
  ['torch.nn', () => namesOf(torch.nn, isClass)],
  ['torch.nn.functional', () => namesOf(torch.nn.functional, isFunction)],
  ['torch.nn.init', () => namesOf(torch.nn.init, isFunction)],
  ['torch.optim', () => namesOf(torch.optim, isClass)],
  ['torch.optim.lrScheduler', () => namesOf(torch.optim.lrScheduler, isClass)],
  ['torch.amp', () => namesOf(torch.amp, isClass)],
  ['torch.data', () => namesOf(torch.data, () => true)],
  ['torch.vision.datasets', () => namesOf(torch.vision.datasets, isClass)],
  ['torch.vision.transforms', () => namesOf(torch.vision.transforms, () => true)],
  ['torch.vision.utils', () => namesOf(torch.vision.utils, () => true)],
  ['torch.autograd', () => namesOf(torch.autograd, () => true)],
];

/** The few lines of README.md. */
export function summary(): string {
  const kinds = [
    ['pointwise', 'elementwise operators'],
    ['view', 'views'],
    ['primitive', 'operators with kernels of their own'],
  ] as const;
  const lines = kinds.map(([kind, title]) => {
    const own = rows.filter(([, row]) => row.kind === kind);
    const count = (test: (entry: [OpName, Row]) => boolean) => String(own.filter(test).length);
    return [
      title,
      String(own.length),
      ...DEVICES.map((device) => count(([name, row]) => runsOn(device, name, row))),
      count(([name]) => gradients[name].kind !== 'none'),
    ];
  });
  const counts = SPACES.map(([name, names]) => `\`${name}\` ${names().length}`).join(', ');
  const all = Object.values(functions).filter((value) => typeof value === 'function');
  return [
    tableOf(['in the operator table', 'rows', ...DEVICES, 'with a gradient'], lines),
    `Names: \`torch\` ${all.length} functions, \`Tensor\` ${methodNames().length} methods, ` +
      `${counts}.`,
  ].join('\n\n');
}

/** The whole of docs/support.md. */
export function support(): string {
  const spaces = SPACES.map(
    ([name, names]) =>
      `### ${name}\n\n${names()
        .map((each) => `\`${each}\``)
        .join(' ')}`,
  );
  return `${[
    '# What is supported',
    'Generated by `make support` from the operator table, the gradients and the public names.',
    '## Operators of the table',
    'Everything else is written with these, and inherits devices, dtypes and gradients from ' +
      'them. ' +
      LEGEND,
    '### Elementwise',
    operatorTable('pointwise'),
    '### Views',
    operatorTable('view'),
    '### With kernels of their own',
    operatorTable('primitive'),
    '## Functions and methods',
    functionTable(),
    '## Linear algebra, modules, optimisers, data',
    ...spaces,
  ].join('\n\n')}\n`;
}

/** `text` with what lies between the support markers replaced. Throws if there are none. */
export function withSummary(text: string): string {
  const marked = /(<!-- support -->\n)[\s\S]*?(\n<!-- \/support -->)/;
  if (!marked.test(text)) throw new Error('README.md has no <!-- support --> markers');
  return text.replace(marked, (_, open, close) => `${open}${summary()}${close}`);
}
