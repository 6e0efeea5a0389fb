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

/** Float32 functions of one tensor that are runs, of a multiple of 16 elements. */
const RUNS: Readonly<Record<string, string>> = {
  exp: 'exp_all',
  expm1: 'expm1_run',
  log1p: 'log1p_run',
  sigmoid: 'sigmoid_run',
  silu: 'silu_run',
  tanh: 'tanh_run',
};

/** Others that are quicker so: how many elements are done, and doing it. */
const LEADING_RUNS: Readonly<Record<string, string>> = {
  siluBackward: 'n & ~15u;\n  silu_slope_run(in0, in1, out, i)',
  geluErf: 'n;\n  normal_cdf_run(in0, in0, out, i)',
  geluErfBackward: 'n;\n  gelu_slope_run(in1, in0, out, i)',
};

const DOUBLES =
  /^(exp|exp2|expm1|a?(?:cosh|sinh|tanh)|cos|sin|erfc?|log|log2|log10|log1p|pow)_\(\w(, \w)?\)$/;

/** The loop of a float64 row that is one function of simd_double.h. Null for other rows. */
function inDoubles(row: PointwiseRow): readonly string[] | null {
  const name = DOUBLES.exec(row.c)?.[1];
  return name ? [`  ${name}_doubles(${row.inputs === 2 ? 'in0, in1' : 'in0'}, out, n);`] : null;
}

/** Float32 loops of an instruction or two are bound by their own counting. */
function isShort(expression: string, type: CType): boolean {
  return type === F32 && !/(?<!isnan|neg|abs)_\(|select.*select/.test(expression);
}

/**
 * Likewise those in which a call for each short row, or copies of what is strided, would show: their
 * bodies do the rows of a block.
 */
function isCheap(expression: string, type: CType): boolean {
  return isShort(expression.replace(/(max|min)_\(/g, '('), type);
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

/** logaddexp_ of simd_math.h, made of runs. */
const LOGADDEXP = 'select(isinf_(x) & (x == y), x, max_(x, y) + log1p_(exp_(-abs_(x - y))))';

/** The first call of a function that is a run and holds no other: the function and its argument. */
function innermostStep(expression: string): readonly [string, string] | null {
  for (const call of expression.matchAll(/\b(exp|expm1|log1p|sigmoid|tanh)_\(/g)) {
    const from = call.index + call[0].length;
    let end = from;
    for (let open = 1; open > 0; end++) {
      if (expression[end] === '(') open++;
      if (expression[end] === ')') open--;
    }
    const argument = expression.slice(from, end - 1);
    if (innermostStep(argument) === null) return [call[1] as string, argument];
  }
  return null;
}

/**
 * The loop of a float32 row that is made of runs: step by step, a part of the elements at a time.
 * Null for other rows.
 */
function stepwise(row: PointwiseRow): readonly string[] | null {
  const unused = NAMES.slice(0, row.inputs)
    .map((name) => `(void)${name};`)
    .join(' ');
  const each = (result: string) => [
    '#pragma clang loop unroll(disable)',
    `    for (uint32_t i = at; i < end; i += 4) { ${loads(row, F32)} ${unused} ${result}; }`,
  ];
  let rest = row.c
    .replace(/\blog1pexp_\(([^()]*)\)/g, '(max_($1, K(0)) + log1p_(exp_(-abs_($1))))')
    .replace('logaddexp_(x, y)', LOGADDEXP);
  const lines: string[] = [];
  let parts = 0;
  for (let step = innermostStep(rest); step !== null; step = innermostStep(rest)) {
    const [name, argument] = step;
    const call = `${name}_(${argument})`;
    // A part nothing else reads is done in place.
    const others = rest.replaceAll(call, '');
    let part = /^load\((part\d) \+ \(i - at\)\)$/.exec(argument)?.[1];
    if (part === undefined || others.includes(part)) {
      part = `part${parts++}`;
      lines.push(...each(`store(${part} + (i - at), ${argument})`));
    }
    lines.push(`    ${RUNS[name]}(${part}, ${part}, (end - at + 15) & ~15u);`);
    rest = rest.replaceAll(call, `load(${part} + (i - at))`);
  }
  if (parts === 0) return null;
  return [
    ...Array.from({ length: parts }, (_, k) => `  float part${k}[PART];`),
    '  for (uint32_t at = 0, end; at < n; at = end) {',
    '    end = MIN(at + PART, n);',
    ...lines,
    ...each(`store(out + i, ${rest})`),
    '  }',
  ];
}

function inRuns(name: string, row: PointwiseRow): readonly string[] | null {
  if (name in RUNS) return [`  whole_run(${RUNS[name]}, in0, out, n);`];
  return name in LEADING_RUNS ? null : stepwise(row);
}

function body(name: string, row: PointwiseRow, type: CType): string {
  const expression = row.c;
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
  const loop = [
    `  uint32_t i = ${type === F32 ? (LEADING_RUNS[name] ?? '0') : '0'};`,
    `#pragma clang loop ${isShort(expression, type) ? 'unroll_count(4)' : 'unroll(disable)'}`,
    `  for (; i < n; i += ${type.lanes}) {`,
    `    ${loads(row, type)}`,
    `    ${store}(out + i, ${expression});`,
    '  }',
  ];
  const text = [
    `static void ${name}_${type.suffix}_body(`,
    '    const void *const *in, void *out_, uint32_t n, const uint32_t *scalars, const Rows *rows) {',
    '  (void)scalars, (void)rows;',
    ...pointers,
    `  ${isBool ? 'uint8_t' : type.scalar} *out = out_;`,
    ...scalars,
    ...(takesSteps(name, row, type)
      ? [`  EVERY_SECOND(${loads(row, type, true)}, ${store}(out + i, ${expression}))`]
      : []),
    ...(isCheap(row.c, type) ? ['  for (uint32_t r = rows->count;; r--) {'] : []),
    ...((type === F32 && inRuns(name, row)) || (type === F64 && inDoubles(row)) || loop),
    ...(isCheap(row.c, type) ? ['  if (r == 1) break;', ...steps, '  }'] : []),
    '}',
  ].join('\n');
  return text.replace(/\bK\(([^()]*)\)/g, `splat((${type.scalar})($1))`);
}

function entry(name: string, row: PointwiseRow, type: CType): string {
  const bytes = type.scalar === 'double' || type.scalar === 'int64_t' ? 8 : 4;
  const sizes = Array.from({ length: row.inputs }, (_, i) => (row.masks?.includes(i) ? 1 : bytes));
  const operands = [...sizes, row.result === 'bool' ? 1 : bytes];
  const kernel = `${name}_${type.suffix}`;
  const does = (type === F32 && TURNED[name]) || Number(isCheap(row.c, type));
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
    if (row.kernel !== undefined) continue;
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
