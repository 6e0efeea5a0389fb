/**
 * The elementwise kernels of the GPU. Their bodies are the expressions of the rows, which C and
 * WGSL both understand: functions come from kernels/math.wgsl, under the names of simd_math.h.
 */

import type { LaunchBlock } from '../../device/device.js';
import { type Element, type GpuKernel, gpuKernel } from '../../device/webgpu/kernel.js';
import type { KernelDtype, ParamType } from '../kernel.js';
import { type PointwiseRow, pointwise } from '../pointwise.js';

/** Elements a workgroup of 256 does. */
const PER_GROUP = 1024;
const NAMES = ['x', 'y', 'z'];

interface Operand {
  readonly name: string;
  readonly element: Element;
  /** Its type in the expression: masks are read as bytes and compared with zero. */
  readonly type: 'S' | 'u32' | 'bool';
}

interface Elementwise {
  readonly name: string;
  readonly inputs: readonly Operand[];
  readonly out: Operand;
  readonly scalars: readonly string[];
  readonly expression: string;
  readonly dtypes: readonly KernelDtype[];
}

/** Bytes of an element that does not fill a word; words are written whole. */
const PARTS: Readonly<Record<string, number>> = { u8: 1, u16: 2 };

/** Where each operand has element `i` of the output. */
function offsets(operands: readonly Operand[]): string {
  const walk = operands.map(({ name }, k) => `${name}_i += c * p.dims[${k + 1}u * n + d];`);
  return `${operands.map(({ name }) => `var ${name}_i = 0u;`).join(' ')}
    let n = p.dims_count;
    var rest = i;
    for (var k = n; k > 0u; k--) {
      let d = k - 1u;
      let c = rest % p.dims[d];
      rest /= p.dims[d];
      ${walk.join(' ')}
    }`;
}

/** Reading an operand from its heap, or from the parameters if it is a number. */
function reader({ name, element, type }: Operand): string {
  const read = element === 'S' ? 'S' : 'u32';
  const test = type === 'bool' ? ' != 0u' : '';
  return `fn read_${name}(i: u32) -> ${type} {
  if (p.${name}_at >= 0x80000000u) {
    return bitcast<${read}>(p.dims[p.${name}_at & 0x7fffffffu])${test};
  }
  return get_${name}(i)${test};
}`;
}

function compute({ inputs, out, scalars, expression }: Elementwise): string {
  const args = inputs.map(({ name, type }) => `${name}: ${type}`).join(', ');
  // WGSL's != is false for NaN.
  const body = expression
    .replace(/(K\(\d\)|\w+) != (K\(\d\)|\w+)/g, '!($1 == $2)')
    .replace(/\bK\(/g, 'S(')
    .replace(/\bselect\(/g, 'pick_(');
  return [
    `fn compute(${args}) -> ${out.type} {`,
    ...scalars.map((name) => `  let ${name} = p.${name};`),
    `  return ${body};`,
    '}',
  ].join('\n');
}

/** The value of element `i`, and where it goes. */
function element({ inputs, out }: Elementwise): string {
  const at = (suffix: string) =>
    inputs.map(({ name }) => `read_${name}(${suffix || `${name}_i`})`).join(', ');
  const result = out.type === 'bool' ? ['u32(', ')'] : ['', ''];
  const type = out.type === 'bool' ? 'u32' : out.type;
  return `struct Result { value: ${type}, at: u32 }
fn element(i: u32) -> Result {
  if (p.dims_count == 0u) {
    return Result(${result[0]}compute(${at('i')})${result[1]}, i);
  }
  ${offsets([...inputs, out])}
  return Result(${result[0]}compute(${at('')})${result[1]}, out_i);
}`;
}

/** One element after another, each by its own invocation. */
const SINGLY = `fn run_NAME(group: u32, lane: u32) {
  for (var k = 0u; k < 4u; k++) {
    let i = group * ${PER_GROUP}u + k * 256u + lane;
    if (i >= p.range) { return; }
    let result = element(i);
    set_out(result.at, result.value);
  }
}`;

/** All elements of a word by one invocation. */
function byWords(bytes: number): string {
  const lanes = 4 / bytes;
  return `fn run_NAME(group: u32, lane: u32) {
  for (var k = 0u; k < ${4 / lanes}u; k++) {
    let word = group * ${PER_GROUP / lanes}u + k * 256u + lane;
    if (word * ${lanes}u >= p.range) { return; }
    var value = 0u;
    for (var j = 0u; j < ${lanes}u; j++) {
      let i = word * ${lanes}u + j;
      if (i < p.range) { value |= element(i).value << (${8 * bytes}u * j); }
    }
    set_word_out(word, value);
  }
}`;
}

/** Whether the words of the output hold elements of this launch only, in order. */
function ownsWords(block: LaunchBlock, inputs: number, scalars: number, bytes: number): boolean {
  const { words, range } = block;
  const start = words[inputs];
  if (start % 4 !== 0) return false;
  const end = start + range * bytes;
  if (end % 4 !== 0 && end !== block.storages[inputs]?.bytes) return false;
  const count = inputs + 1 + 2 * scalars;
  const ndim = words[count];
  for (let d = ndim - 1, step = 1; d >= 0; d--) {
    const size = words[count + 1 + d];
    if (size !== 1 && words[count + 1 + ndim * (inputs + 1) + d] !== step) return false;
    step *= size;
  }
  return true;
}

function elementwise(shape: Elementwise): GpuKernel {
  const { name, inputs, out, scalars, dtypes } = shape;
  const params: Record<string, ParamType> = {};
  for (const name of scalars) {
    params[name] = 'S' as ParamType;
    params[`${name}_pad`] = 'u32';
  }
  params.dims = 'u32[]';
  const buffers = Object.fromEntries([...inputs, out].map(({ name, element }) => [name, element]));
  const entry = `run_${name}`;
  const named = (source: string) => source.replace('run_NAME', entry);
  const common = { entry, dtypes, buffers, params, perGroup: PER_GROUP };
  const text = [...inputs.map(reader), compute(shape), element(shape)].join('\n');
  const bytes = PARTS[out.element];
  if (bytes === undefined) return gpuKernel({ ...common, source: named(`${text}\n${SINGLY}`) });
  const single = gpuKernel({ ...common, source: named(`${text}\n${SINGLY}`), atomic: true });
  const choose = (block: LaunchBlock) =>
    ownsWords(block, inputs.length, scalars.length, bytes) ? words : single;
  const source = named(`${text}\n${byWords(bytes)}`);
  const words: GpuKernel = gpuKernel({ ...common, source });
  return gpuKernel({ ...common, source, choose });
}

function rowKernel(name: string, row: PointwiseRow): GpuKernel {
  const inputs = NAMES.slice(0, row.inputs).map((operand, i): Operand => {
    const mask = row.masks?.includes(i);
    return { name: operand, element: mask ? 'u8' : 'S', type: mask ? 'bool' : 'S' };
  });
  const out: Operand =
    row.result === 'bool'
      ? { name: 'out', element: 'u8', type: 'bool' }
      : { name: 'out', element: 'S', type: 'S' };
  const dtypes = ({ real: ['f32'], number: ['f32', 'i32'], int: ['i32'] } as const)[row.domain];
  const scalars = row.scalars ?? [];
  return elementwise({ name, inputs, out, scalars, expression: row.c, dtypes });
}

function copyKernel(width: 'b1' | 'b2' | 'b4'): GpuKernel {
  const element: Element = width === 'b1' ? 'u8' : width === 'b2' ? 'u16' : 'S';
  return elementwise({
    name: 'copy',
    inputs: [{ name: 'x', element, type: 'u32' }],
    out: { name: 'out', element, type: 'u32' },
    scalars: [],
    expression: 'x',
    dtypes: [width],
  });
}

const made = new Map<string, GpuKernel>();

/** The elementwise kernel of a launch name such as 'exp_f32' or 'copy_b1', or undefined. */
export function pointwiseKernel(name: string): GpuKernel | undefined {
  const cut = name.lastIndexOf('_');
  const [op, suffix] = [name.slice(0, cut), name.slice(cut + 1) as KernelDtype];
  const key = op === 'copy' ? name : op;
  let kernel = made.get(key);
  if (kernel === undefined) {
    if (op === 'copy' && /^b[124]$/.test(suffix)) kernel = copyKernel(suffix as 'b1');
    else if (op in pointwise) kernel = rowKernel(op, pointwise[op as keyof typeof pointwise]);
    if (kernel === undefined) return undefined;
    made.set(key, kernel);
  }
  return kernel.dtypes.includes(suffix) ? kernel : undefined;
}
