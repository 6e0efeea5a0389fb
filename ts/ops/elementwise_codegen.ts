/** Writes the C of every elementwise kernel, and the names of the public ones, into build/. */

import { isPublic, type PointwiseRow, pointwise } from './pointwise.js';

interface CType {
  readonly suffix: string;
  readonly scalar: string;
  readonly vector: string;
  readonly mask: string;
  readonly lanes: number;
}

const F32 = { suffix: 'f32', scalar: 'float', vector: 'f32x4', mask: 'i32x4', lanes: 4 };
const F64 = { suffix: 'f64', scalar: 'double', vector: 'f64x2', mask: 'i64x2', lanes: 2 };
const I32 = { suffix: 'i32', scalar: 'int32_t', vector: 'i32x4', mask: 'i32x4', lanes: 4 };
const I64 = { suffix: 'i64', scalar: 'int64_t', vector: 'i64x2', mask: 'i64x2', lanes: 2 };

const TYPES: Record<PointwiseRow['domain'], readonly CType[]> = {
  real: [F32, F64],
  number: [F32, F64, I32, I64],
  int: [I32, I64],
};

const NAMES = ['x', 'y', 'z'];

function loads(row: PointwiseRow, type: CType, even = false): string {
  const bits = type.lanes === 4 ? 'i32' : 'i64';
  const value = (i: number) => (even ? `EVEN(in${i} + 2 * i)` : `load(in${i} + i)`);
  const lines = NAMES.slice(0, row.inputs).map((name, i) =>
    row.masks?.includes(i)
      ? `${type.mask} ${name} = load_mask_${bits}(in${i} + i);`
      : `${type.vector} ${name} = ${value(i)};`,
  );
  return lines.join(' ');
}

/** Float32 functions that are quicker in runs: how many elements are done so, and doing it. */
const RUNS: Readonly<Record<string, string>> = {
  exp: 'n & ~15u;\n  exp_all(in0, out, i)',
  expm1: 'n & ~15u;\n  expm1_run(in0, out, i)',
  log1p: 'n & ~15u;\n  log1p_run(in0, out, i)',
  sigmoid: 'n & ~15u;\n  sigmoid_run(in0, out, i)',
  silu: 'n & ~15u;\n  silu_run(in0, out, i)',
  siluBackward: 'n & ~15u;\n  silu_slope_run(in0, in1, out, i)',
  tanh: 'n & ~15u;\n  tanh_run(in0, out, i)',
  geluErf: 'n;\n  normal_cdf_run(in0, in0, out, i)',
  geluErfBackward: 'n;\n  gelu_slope_run(in1, in0, out, i)',
};

/** Float32 loops of an instruction or two are bound by their own counting. */
function isShort(expression: string, type: CType): boolean {
  return type === F32 && !/(?<!isnan|neg|abs)_\(|select.*select/.test(expression);
}

/** Likewise those in which a call for each short row, or copies of what is strided, would show. */
function isCheap(expression: string, type: CType): boolean {
  return isShort(expression.replace(/(max|min)_\(/g, '('), type);
}

/** Whether the body does the rows of a block itself: in a call of its own a short row is slow. */
function doesRows(row: PointwiseRow, type: CType): boolean {
  return row.inputs > 1 && isCheap(row.c, type);
}

/** Float32 functions that elementwise.c itself does beside a last input lying column by column. */
const TURNED: Readonly<Record<string, string>> = {
  addTensors: 'TURNED_ADD',
  subTensors: 'TURNED_SUB',
  mul: 'TURNED_MUL',
  divTrue: 'TURNED_DIV',
};

/** Whether the body reads every second element of float inputs itself, where `rows` says so. */
function takesSteps(name: string, row: PointwiseRow, type: CType): boolean {
  const isUsed = isPublic(row) || name in TURNED || row.masks !== undefined;
  return isUsed && isCheap(row.c, type);
}

function body(name: string, row: PointwiseRow, type: CType): string {
  const expression = row.c.replace(/\bK\(([^()]*)\)/g, `splat((${type.scalar})($1))`);
  const pointers = Array.from({ length: row.inputs }, (_, i) => {
    const element = row.masks?.includes(i) ? 'uint8_t' : type.scalar;
    return `  const ${element} *in${i} = in[${i}];`;
  });
  const scalars = (row.scalars ?? []).map(
    (scalar, i) =>
      `  const ${type.vector} ${scalar} = splat(scalar_${type.suffix}(scalars + ${2 * i}));`,
  );
  const operands = [...pointers.map((_, i) => `in${i}`), 'out'];
  const steps = operands.map((operand, i) => `  NEXT_ROW(${operand}, ${i});`);
  const isBool = row.result === 'bool';
  const store = isBool ? 'store_mask' : 'store';
  return [
    `static void ${name}_${type.suffix}_body(`,
    '    const void *const *in, void *out_, uint32_t n, const uint32_t *scalars, const Rows *rows) {',
    '  (void)scalars, (void)rows;',
    ...pointers,
    `  ${isBool ? 'uint8_t' : type.scalar} *out = out_;`,
    ...scalars,
    ...(takesSteps(name, row, type)
      ? [`  EVERY_SECOND(${loads(row, type, true)}, ${store}(out + i, ${expression}))`]
      : []),
    ...(doesRows(row, type) ? ['  for (uint32_t r = rows->count;; r--) {'] : []),
    `  uint32_t i = ${type === F32 ? (RUNS[name] ?? '0') : '0'};`,
    `#pragma clang loop ${isShort(expression, type) ? 'unroll_count(4)' : 'unroll(disable)'}`,
    `  for (; i < n; i += ${type.lanes}) {`,
    `    ${loads(row, type)}`,
    `    ${store}(out + i, ${expression});`,
    '  }',
    ...(doesRows(row, type) ? ['  if (r == 1) break;', ...steps, '  }'] : []),
    '}',
  ].join('\n');
}

function entry(name: string, row: PointwiseRow, type: CType): string {
  const bytes = type.scalar === 'double' || type.scalar === 'int64_t' ? 8 : 4;
  const sizes = Array.from({ length: row.inputs }, (_, i) => (row.masks?.includes(i) ? 1 : bytes));
  const operands = [...sizes, row.result === 'bool' ? 1 : bytes];
  const kernel = `${name}_${type.suffix}`;
  const does = (type === F32 && TURNED[name]) || Number(doesRows(row, type));
  const steps = Number(takesSteps(name, row, type));
  return [
    `static const Operands ${kernel}_operands = ` +
      `{${row.inputs}, ${row.scalars?.length ?? 0}, ${does}, ${steps}, {${operands.join(', ')}}};`,
    `EXPORTED void ${kernel}(const uint32_t *words, uint32_t begin, uint32_t end) {`,
    `  elementwise(words, begin, end, &${kernel}_operands, ${kernel}_body);`,
    '}',
  ].join('\n');
}

/** The whole of build/elementwise.c. */
export function elementwiseSource(): string {
  const parts = [
    '// Generated from ts/ops/pointwise.ts by ts/ops/elementwise_codegen.ts.',
    '#include "elementwise.h"',
  ];
  for (const [name, row] of Object.entries(pointwise) as [string, PointwiseRow][]) {
    for (const type of TYPES[row.domain]) {
      // float32 and the other dtypes are compiled apart: kernels/each_real.h.
      parts.push(type === F32 ? '#ifndef NO_F32' : '#ifndef ONLY_F32');
      parts.push(body(name, row, type), entry(name, row, type), '#endif');
    }
  }
  return `${parts.join('\n')}\n`;
}

/** The whole of build/functions.ts: every public row as a named export. */
export function functionsSource(): string {
  const names: string[] = [];
  for (const [name, row] of Object.entries(pointwise) as [string, PointwiseRow][]) {
    if (!isPublic(row)) continue;
    names.push(name);
    if (!row.noInPlace) names.push(`${name}_`);
  }
  return [
    '// Generated from ts/ops/pointwise.ts by ts/ops/elementwise_codegen.ts.',
    "import { elementwise } from '../ts/ops/elementwise.js';",
    `export const { ${names.join(', ')} } = elementwise;`,
    '',
  ].join('\n');
}
