/**
 * The forms of an elementwise kernel. Where operands lie in rows of whole vectors, an invocation
 * does one vec4 of results (sixteen bools); else one element after another. A form is made for how
 * the operands come, never for a shape.
 */

import type { LaunchBlock } from '../../device/device.js';
import { type Element, type GpuKernel, gpuKernel } from '../../device/webgpu/kernel.js';
import type { KernelDtype, ParamType } from '../kernel.js';

export interface Operand {
  readonly name: string;
  readonly element: Element;
  /** Its type in the expression: masks are read as bytes and compared with zero. */
  readonly type: 'S' | 'u32' | 'bool';
}

export interface Elementwise {
  readonly name: string;
  readonly inputs: readonly Operand[];
  readonly out: Operand;
  readonly scalars: readonly string[];
  readonly expression: string;
  readonly dtypes: readonly KernelDtype[];
  /** Bytes of an element of `S`: halves are computed with as f32. */
  readonly bytes: number;
}

/**
 * How an input comes: neighbours along the last dimension, one element for all of that, or a number
 * in the parameters.
 */
type Kind = 'neighbours' | 'single' | 'number';
const KINDS: readonly Kind[] = ['neighbours', 'single', 'number'];

interface Form {
  readonly kinds: readonly Kind[];
  /** Dimensions of the layouts that are walked; 0 if elements lie one after another. */
  readonly ndim: number;
  /** Elements that an invocation does at a time. */
  readonly unit: number;
}

const WORKGROUP = 256;
/** Elements a workgroup does one by one. */
const SINGLES = 1024;
const COMPONENTS = ['x', 'y', 'z', 'w'];

function bytesOf({ element }: Operand, { bytes }: Elementwise): number {
  return element === 'u8' ? 1 : element === 'u16' ? 2 : bytes;
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

/** The most dimensions that are walked one by one; more are in a loop. */
const MOST_UNROLLED = 4;

/** Where the operands have element `i * unit` of the output: `x_i` and so on, in elements. */
function places(names: readonly string[], { ndim, unit }: Form): string {
  const declare = (value: string) => names.map((name) => `var ${name}_i = ${value};`).join(' ');
  if (ndim === 0) return declare(`i * ${unit}u`);
  const add = (count: string, stride: (k: number) => string) =>
    names.map((name, k) => `${name}_i += ${count} * p.dims[${stride(k + 1)}];`).join(' ');
  const step = (size: string, factor: string) =>
    `let size = p.dims[${size}]${factor && ` / ${factor}`};
    let above = rest / size;
    let count = ${factor ? '(rest - above * size) * ' : 'rest - above * size'}${factor};
    rest = above;`;
  const lines = [declare('0u'), 'var rest = i;'];
  const row = unit === 1 ? '' : `${unit}u`;
  if (ndim <= MOST_UNROLLED) {
    for (let d = ndim - 1; d > 0; d--) {
      const factor = d === ndim - 1 ? row : '';
      lines.push(`{ ${step(`${d}u`, factor)} ${add('count', (k) => `${k * ndim + d}u`)} }`);
    }
    lines.push(add('rest', (k) => `${k * ndim}u`));
    return lines.join('\n  ');
  }
  lines.push(`let n = p.dims_count;
  { ${step('n - 1u', row)} ${add('count', (k) => `${k}u * n + n - 1u`)} }
  for (var d = n - 2u; d > 0u; d--) {
    ${step('d', '')}
    ${add('count', (k) => `${k}u * n + d`)}
  }
  ${add('rest', (k) => `${k}u * n`)}`);
  return lines.join('\n  ');
}

/** A number of the parameters. */
function number({ name, element, type }: Operand): string {
  const read = element === 'S' ? 'S' : 'u32';
  const test = type === 'bool' ? ' != 0u' : '';
  return `bitcast<${read}>(p.dims[p.${name}_at & 0x7fffffffu])${test}`;
}

/** One element of an input, at its place. */
function single(operand: Operand, kind: Kind, { ndim }: Form): string {
  if (kind === 'number') return number(operand);
  const at = ndim > 0 || kind !== 'single' ? `${operand.name}_i` : '0u';
  return `get_${operand.name}(${at})${operand.type === 'bool' ? ' != 0u' : ''}`;
}

/** Statements that load four neighbours of each input, and the arguments of each of the four. */
function four({ inputs, bytes }: Elementwise, form: Form, part: string) {
  const { kinds } = form;
  const lines: string[] = [];
  const columns = inputs.map((operand, k) => {
    const { name, type } = operand;
    const mine = name + part;
    if (kinds[k] !== 'neighbours') {
      if (part === '' || part === '0') {
        lines.push(`let ${name}_one = ${single(operand, kinds[k], form)};`);
      }
      return COMPONENTS.map(() => `${name}_one`);
    }
    const behind = part === '' ? '' : ` + ${part}u`;
    if (type === 'S' && bytes === 2) {
      const [vector, pair] = [Number(part) >> 1, Number(part) % 2 === 0 ? 'xy' : 'zw'];
      lines.push(
        `let ${mine} = unpack_halves(get4_${name}((${name}_i >> 3u) + ${vector}u).${pair});`,
      );
      return COMPONENTS.map((c) => `${mine}.${c}`);
    }
    if (type === 'bool') {
      lines.push(
        `let ${mine} = word_${name}(p.${name}_at + ${name}_i${part && ` + 4u * ${part}u`});`,
      );
      return COMPONENTS.map((_, j) => `(${mine} & ${0xff * 2 ** (8 * j)}u) != 0u`);
    }
    lines.push(`let ${mine} = get4_${name}((${name}_i >> 2u)${behind});`);
    return COMPONENTS.map((c) => `${mine}.${c}`);
  });
  const results = COMPONENTS.map((_, j) => `compute(${columns.map((c) => c[j]).join(', ')})`);
  return { lines, results };
}

/** The statements of a unit of several elements. */
function wideBody(shape: Elementwise, form: Form): string {
  const { inputs, out } = shape;
  const { unit, kinds } = form;
  const names = [...inputs.map(({ name }) => name), 'out'];
  const lines = [places(names, form)];
  if (out.type === 'u32') {
    // Copies move words, whatever is in them.
    const fill = { 4: '', 8: ' * 0x10001u', 16: ' * 0x1010101u' }[unit];
    const value =
      kinds[0] === 'neighbours'
        ? `get4_x(x_i / ${unit}u)`
        : `vec4<u32>(${single(inputs[0], kinds[0], form)}${fill})`;
    lines.push(`set4_out(out_i / ${unit}u, ${value});`);
  } else if (out.type === 'bool') {
    const words = COMPONENTS.map((_, part) => {
      const { lines: loads, results } = four(shape, form, `${part}`);
      lines.push(...loads);
      return results.map((v, j) => `(u32(${v}) << ${8 * j}u)`).join(' | ');
    });
    lines.push(`set4_out(out_i >> 4u, vec4<u32>(${words.join(',\n    ')}));`);
  } else if (shape.bytes === 2) {
    const words = ['0', '1'].map((part) => {
      const { lines: loads, results } = four(shape, form, part);
      lines.push(...loads);
      return `pack_halves(${results[0]}, ${results[1]}), pack_halves(${results[2]}, ${results[3]})`;
    });
    lines.push(`set4_out(out_i >> 3u, vec4<u32>(${words.join(',\n    ')}));`);
  } else {
    const { lines: loads, results } = four(shape, form, '');
    lines.push(...loads, `set4_out(out_i >> 2u, vec4<S>(${results.join(', ')}));`);
  }
  return lines.join('\n  ');
}

function wideKernel(shape: Elementwise, form: Form): string {
  return `${compute(shape)}
fn run_NAME(group: u32, lane: u32) {
  let i = group * ${WORKGROUP}u + lane;
  if (i * ${form.unit}u >= p.range) { return; }
  ${wideBody(shape, form)}
}`;
}

/** The value of element `i`, and where it goes. */
function element(shape: Elementwise, form: Form): string {
  const { inputs, out } = shape;
  const halves = out.type === 'S' && shape.bytes === 2;
  const type = out.type === 'bool' || halves ? 'u32' : out.type;
  const stored = halves ? 'f32_to_half' : type;
  const values = inputs.map((operand, k) => single(operand, form.kinds[k], form));
  return `${compute(shape)}
struct Result { value: ${type}, at: u32 }
fn element(i: u32) -> Result {
  ${places([...inputs.map(({ name }) => name), 'out'], form)}
  return Result(${stored}(compute(${values.join(', ')})), out_i);
}`;
}

/** One element after another, each by its own invocation. */
const SINGLY = `fn run_NAME(group: u32, lane: u32) {
  for (var k = 0u; k < 4u; k++) {
    let i = group * ${SINGLES}u + k * ${WORKGROUP}u + lane;
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
    let word = group * ${SINGLES / lanes}u + k * ${WORKGROUP}u + lane;
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

/** Reads the layouts of a launch: strides and places of its operands. */
export class Launch {
  private readonly words: Uint32Array;
  private readonly count: number;
  readonly ndim: number;

  constructor(
    readonly block: LaunchBlock,
    readonly operands: number,
    scalars: number,
  ) {
    this.words = block.words;
    this.count = operands + 2 * scalars;
    this.ndim = this.words[this.count];
  }

  size(d: number): number {
    return this.words[this.count + 1 + d];
  }

  stride(k: number, d: number): number {
    return this.words[this.count + 1 + this.ndim * (k + 1) + d];
  }

  /** The stride of the last dimension. */
  step(k: number): number {
    return this.ndim === 0 ? 1 : this.stride(k, this.ndim - 1);
  }

  /** Whether rows of operand k begin at multiples of so many elements and bytes. */
  aligned(k: number, elements: number, bytes: number): boolean {
    if (this.words[k] % bytes !== 0) return false;
    for (let d = this.ndim - 2; d >= 0; d--) if (this.stride(k, d) % elements !== 0) return false;
    return true;
  }

  /** Whether the words of the output hold elements of this launch only, in order. */
  ownsOutput(bytes: number, word: number): boolean {
    const { ndim, operands, block } = this;
    const start = this.words[operands - 1];
    if (start % word !== 0) return false;
    const end = start + block.range * bytes;
    if (end % word !== 0 && end !== block.storages[operands - 1]?.bytes) return false;
    for (let d = ndim - 1, step = 1; d >= 0; d--) {
      if (this.size(d) !== 1 && this.stride(operands - 1, d) !== step) return false;
      step *= this.size(d);
    }
    return true;
  }
}

/** What forms differ in beside their texts. */
type Traits = Partial<Pick<GpuKernel, 'wide' | 'atomic' | 'perGroup' | 'choose'>>;

/** The forms of one kernel. */
class Forms {
  private readonly made = new Map<number, GpuKernel>();

  constructor(private readonly shape: Elementwise) {}

  /** Kinds of inputs if rows can be done in vectors, as digits to the base of three; else -1. */
  private wideKinds(launch: Launch): number {
    const { shape } = this;
    const { inputs, out } = shape;
    const { block, ndim } = launch;
    const bytes = bytesOf(out, shape);
    const unit = 16 / bytes;
    if (ndim < 2) {
      if (!launch.ownsOutput(bytes, 16)) return -1;
    } else {
      if (launch.size(ndim - 1) % unit !== 0 || launch.step(inputs.length) !== 1) return -1;
      if (!launch.aligned(inputs.length, unit, 16)) return -1;
    }
    let kinds = 0;
    for (let k = inputs.length - 1; k >= 0; k--) {
      const step = launch.step(k);
      let kind = 2;
      if (block.storages[k] !== undefined) {
        if (step > 1) return -1;
        kind = 1 - step;
        // Bytes of masks are read four at a time, others as vectors of words.
        const mask = inputs[k].type === 'bool';
        const elements = mask ? 4 : 16 / bytesOf(inputs[k], shape);
        if (step === 1 && !launch.aligned(k, elements, mask ? 4 : 16)) return -1;
      }
      kinds = 3 * kinds + kind;
    }
    return kinds;
  }

  choose(block: LaunchBlock): GpuKernel {
    const { inputs, out, scalars } = this.shape;
    const launch = new Launch(block, inputs.length + 1, scalars.length);
    const dims = Math.min(launch.ndim, MOST_UNROLLED + 1);
    let kinds = this.wideKinds(launch);
    const wide = kinds >= 0;
    let words = false;
    if (!wide) {
      kinds = 0;
      for (let k = inputs.length - 1; k >= 0; k--) {
        kinds = 3 * kinds + (block.storages[k] === undefined ? 2 : 0);
      }
      const bytes = bytesOf(out, this.shape);
      words = bytes < 4 && launch.ownsOutput(bytes, 4);
    }
    const key = 4 * (8 * kinds + dims) + 2 * Number(wide) + Number(words);
    let kernel = this.made.get(key);
    if (kernel === undefined) {
      kernel = this.make(kinds, dims, wide, words);
      this.made.set(key, kernel);
    }
    return kernel;
  }

  private make(digits: number, dims: number, wide: boolean, words: boolean): GpuKernel {
    const { shape } = this;
    const kinds = shape.inputs.map((_, k) => KINDS[Math.floor(digits / 3 ** k) % 3]);
    const bytes = bytesOf(shape.out, shape);
    if (wide) {
      const unit = 16 / bytes;
      const form = { kinds, ndim: dims > 1 ? dims : 0, unit };
      return this.kernel(wideKernel(shape, form), { wide, perGroup: WORKGROUP * unit });
    }
    const text = `${element(shape, { kinds, ndim: dims, unit: 1 })}\n`;
    if (words) return this.kernel(text + byWords(bytes), { perGroup: SINGLES });
    return this.kernel(text + SINGLY, { perGroup: SINGLES, atomic: bytes < 4 });
  }

  kernel(text: string, traits: Traits): GpuKernel {
    const { name, inputs, out, scalars, dtypes } = this.shape;
    const params: Record<string, ParamType> = {};
    for (const scalar of scalars) {
      params[scalar] = 'S' as ParamType;
      params[`${scalar}_pad`] = 'u32';
    }
    params.dims = 'u32[]';
    const operands = [...inputs, out];
    const buffers: Record<string, Element> = {};
    for (const { name, element } of operands) buffers[name] = element;
    const entry = `run_${name}`;
    const source = text.replace('run_NAME', entry);
    return gpuKernel({ source, entry, dtypes, buffers, params, ...traits });
  }
}

/** The kernel of an expression: a declaration, and the form for each launch. */
export function elementwise(shape: Elementwise): GpuKernel {
  const forms = new Forms(shape);
  return forms.kernel('', { choose: (block) => forms.choose(block) });
}
