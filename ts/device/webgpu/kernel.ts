/** Kernels of the GPU: what one declares, and how the WGSL module around its text is written. */

import { TorchError } from '../../core/errors.js';
import type { KernelDeclaration, KernelDtype, ParamType } from '../../ops/kernel.js';
import type { LaunchBlock } from '../device.js';
import type { Uses } from './features.js';

/**
 * Type of the elements of a buffer. `S` is the dtype of the launch. Bytes and halves are read one
 * by one, and written a word at a time (or one by one in an `atomic` kernel).
 */
export type Element = 'S' | 'f32' | 'i32' | 'u32' | 'u16' | 'u8';

/** What a GPU kernel is; made by `gpuKernel`. */
export interface GpuKernel extends KernelDeclaration {
  /** WGSL with `fn <entry>(group: u32, lane: u32)`, called for each workgroup of the launch. */
  readonly source: string;
  readonly entry: string;
  readonly elements: readonly Element[];
  /** Invocations per workgroup. */
  readonly workgroup: number;
  /** Units of the launch's range that one workgroup does. */
  readonly perGroup: number;
  /** The heap is read as vec4 (`get4_x`): offsets and counts are multiples of four. */
  readonly wide: boolean;
  /** The heap is read atomically, so that bytes can be written one by one. */
  readonly atomic: boolean;
  /** Chooses another form of the kernel for a launch on a device. */
  readonly choose?: (block: LaunchBlock, uses: Uses) => GpuKernel;
}

interface GpuKernelOptions<P extends Readonly<Record<string, ParamType>>> {
  readonly source: string;
  readonly entry: string;
  readonly dtypes?: readonly KernelDtype[];
  /** Element types by buffer, inputs first, then outputs and scratch. */
  readonly buffers: Readonly<Record<string, Element>>;
  readonly params: P;
  readonly workgroup?: number;
  readonly perGroup?: number;
  readonly wide?: boolean;
  readonly atomic?: boolean;
  readonly choose?: GpuKernel['choose'];
}

/** Declares a GPU kernel. Defaults: dtypes f32, a workgroup of 256, one workgroup per unit. */
export function gpuKernel<const P extends Readonly<Record<string, ParamType>>>(
  options: GpuKernelOptions<P>,
): GpuKernel & { readonly params: P } {
  const { buffers, dtypes = ['f32'], workgroup = 256, perGroup = 1, ...rest } = options;
  return {
    wide: false,
    atomic: false,
    ...rest,
    dtypes,
    workgroup,
    perGroup,
    buffers: Object.keys(buffers),
    elements: Object.values(buffers),
  };
}

/** Bytes of an element under the dtype suffix of a launch. */
export function elementBytes(element: Element, suffix: string): number {
  if (element === 'u8') return 1;
  if (element === 'u16') return 2;
  if (element !== 'S') return 4;
  return suffix === 'u8' || suffix === 'b1' ? 1 : suffix === 'b2' || suffix === 'f16' ? 2 : 4;
}

/** The WGSL type that stands for `S`. */
function scalarType(suffix: string): string {
  if (suffix === 'f16') return 'f32';
  return suffix === 'f32' || suffix === 'i32' ? suffix : 'u32';
}

/** What the bits of an element narrower than a word are read as: their value if `halves`. */
function narrowGet(name: string, bits: string, halves: boolean): string {
  const [type, value] = halves ? ['f32', `half_to_f32(${bits})`] : ['u32', bits];
  return `fn get_${name}(i: u32) -> ${type} { let k = p.${name}_at + i; return ${value}; }`;
}

/** How launches come: through which binding each buffer is read, and where parameters are. */
export interface Pattern {
  readonly bindings: readonly number[];
  readonly heaps: number;
  /** Vectors of the tail in parameters that the launch carries; undefined if they lie in memory. */
  readonly vectors?: number;
}

/** The struct of parameters, and its variable. What a launch carries has no arrays. */
function parameters(kernel: GpuKernel, scalar: string, vectors?: number): string {
  const fields = ['range: u32', ...kernel.buffers.map((name) => `${name}_at: u32`)];
  for (const [name, type] of Object.entries(kernel.params)) {
    if (type === 'u32[]') {
      fields.push(`${name}_count: u32`);
      if (vectors === undefined) fields.push(`${name}: array<u32>`);
      else for (let k = 0; k < vectors; k++) fields.push(`${name}_${k}: vec4<u32>`);
    } else if (type === 'f64') fields.push(`${name}: f32`, `${name}_low: f32`);
    else fields.push(`${name}: ${(type as string) === 'S' ? scalar : type}`);
  }
  const where =
    vectors === undefined ? '@group(1) @binding(0) var<storage, read>' : 'var<immediate>';
  return `struct P { ${fields.join(', ')} }\n${where} p: P;`;
}

/** The text, with a tail that the launch carries read from its vectors. */
function vectorTail(body: string, kernel: GpuKernel, vectors: number): string {
  const name = Object.keys(kernel.params).find((key) => kernel.params[key] === 'u32[]');
  if (name === undefined) return body;
  let vector = `p.${name}_0`;
  for (let k = 1; k < vectors; k++) {
    vector = `select(${vector}, p.${name}_${k}, i >= ${4 * k}u)`;
  }
  const places = new RegExp(`\\bp\\.${name}\\[([^\\[\\]]*)\\]`, 'g');
  return [
    `fn tail_word(i: u32) -> u32 { return ${vector}[i & 3u]; }`,
    body.replace(places, 'tail_word($1)'),
  ].join('\n');
}

/** Reading and writing vectors of words; bytes and halves are in them as they lie in memory. */
function wideAccessors(
  name: string,
  type: string,
  bytes: number,
  heap: string,
  halves: boolean,
): string {
  const at = `p.${name}_at`;
  const place = `(${at} >> ${4 - Math.log2(bytes)}u) + i`;
  const vector = bytes === 4 ? `vec4<${type}>` : 'vec4<u32>';
  const word = `${heap}[k >> ${4 - Math.log2(bytes)}u][(k >> ${2 - Math.log2(bytes)}u) & 3u]`;
  const lines = [
    `fn get4_${name}(i: u32) -> ${vector} { return bitcast<${vector}>(${heap}[${place}]); }`,
    `fn set4_${name}(i: u32, v: ${vector}) { ${heap}[${place}] = bitcast<vec4<u32>>(v); }`,
    `fn word_${name}(byte: u32) -> u32 { return ${heap}[byte >> 4u][(byte >> 2u) & 3u]; }`,
  ];
  const bits = `extractBits(${word}, ${8 * bytes}u * (k & ${4 / bytes - 1}u), ${8 * bytes}u)`;
  lines.push(
    bytes === 4
      ? `fn get_${name}(i: u32) -> ${type} { let k = ${at} + i; return bitcast<${type}>(${word}); }`
      : narrowGet(name, bits, halves),
  );
  return lines.join('\n');
}

/** Reading and writing the elements of one buffer by index. */
function accessors(kernel: GpuKernel, i: number, suffix: string, heap: string): string {
  const name = kernel.buffers[i];
  const element = kernel.elements[i];
  const bytes = elementBytes(element, suffix);
  const type = element === 'S' ? scalarType(suffix) : element;
  const at = `p.${name}_at`;
  const halves = element === 'S' && suffix === 'f16';
  if (kernel.wide) return wideAccessors(name, type, bytes, heap, halves);
  const load = (index: string) =>
    kernel.atomic ? `atomicLoad(&${heap}[${index}])` : `${heap}[${index}]`;
  const store = (index: string, value: string) =>
    kernel.atomic ? `atomicStore(&${heap}[${index}], ${value});` : `${heap}[${index}] = ${value};`;
  if (bytes === 4) {
    const lines = [
      `fn get_${name}(i: u32) -> ${type} { return bitcast<${type}>(${load(`${at} + i`)}); }`,
      `fn set_${name}(i: u32, v: ${type}) { ${store(`${at} + i`, 'bitcast<u32>(v)')} }`,
    ];
    if (kernel.atomic) {
      lines.push(
        `fn add_${name}(i: u32, v: i32) { atomicAdd(&${heap}[${at} + i], bitcast<u32>(v)); }`,
      );
    }
    return lines.join('\n');
  }
  const [shift, lanes, mask] = bytes === 1 ? ['2u', '3u', '0xffu'] : ['1u', '1u', '0xffffu'];
  const bits = `${8 * bytes}u * (k & ${lanes})`;
  const lines = [
    narrowGet(name, `(${load(`k >> ${shift}`)} >> (${bits})) & ${mask}`, halves),
    `fn word_${name}(byte: u32) -> u32 { return ${load('byte >> 2u')}; }`,
    `fn set_word_${name}(i: u32, v: u32) { ${store(`(${at} >> ${shift}) + i`, 'v')} }`,
  ];
  if (kernel.atomic) {
    lines.push(
      `fn set_${name}(i: u32, v: u32) { let k = ${at} + i; let s = ${bits}; ` +
        `atomicAnd(&${heap}[k >> ${shift}], ~(${mask} << s)); atomicOr(&${heap}[k >> ${shift}], v << s); }`,
    );
  }
  return lines.join('\n');
}

/** Access to buffers named by words of the tail: three bits of heap, the rest an element. */
function tailAccess(heaps: number, wide: boolean): string {
  const cases = (body: (heap: string) => string) =>
    heaps === 1
      ? body('h0')
      : `switch (word >> 29u) { ${Array.from({ length: heaps }, (_, k) => `${k === heaps - 1 ? 'default' : `case ${k}u`}: { ${body(`h${k}`)} }`).join(' ')} }`;
  const place = 'word & 0x1fffffffu';
  const [four, type, bits, at] = wide
    ? ['4', 'vec4<f32>', 'vec4<u32>', `((${place}) >> 2u) + i`]
    : ['', 'f32', 'u32', `(${place}) + i`];
  return [
    `fn heap_get${four}(word: u32, i: u32) -> ${type} { ${cases((heap) => `return bitcast<${type}>(${heap}[${at}]);`)} }`,
    `fn heap_set${four}(word: u32, i: u32, v: ${type}) { ${cases((heap) => `${heap}[${at}] = bitcast<${bits}>(v);`)} }`,
  ].join('\n');
}

/** Definitions at the start of a line, in a library text, by name. */
export function definitions(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const part of text.split(/^(?=(?:fn|const|struct|var<workgroup>) )/m)) {
    const name = part.match(/^(?:fn|const|struct|var<workgroup>) (\w+)/)?.[1];
    if (name !== undefined) found.set(name, part.trimEnd());
  }
  return found;
}

/** The definitions `text` needs, each before its users. */
function needed(text: string, library: ReadonlyMap<string, string>): string {
  const chosen = new Map<string, string>();
  const own = new Set(definitions(text).keys());
  const visit = (source: string): void => {
    for (const [name] of source.matchAll(/\b[A-Za-z_]\w*\b/g)) {
      const definition = library.get(name);
      if (definition === undefined || chosen.has(name) || own.has(name)) continue;
      chosen.set(name, definition);
      visit(definition);
    }
  };
  visit(text);
  return [...chosen.values()].join('\n');
}

/** `max_(a, b)` is `max_f32` or `max_i32`, by the dtype of the launch. */
function specialise(source: string, suffix: string): string {
  return source.replace(/\b([a-z]\w*)_\(/g, `$1_${scalarType(suffix)}(`);
}

/** Of modules whose invocations exchange values: what is uniform follows from the parameters. */
const SUBGROUPS = ['enable subgroups;', 'diagnostic(off, subgroup_uniformity);'];
/** Place in the subgroup, and its size. */
const SUBGROUP_VARIABLES = 'var<private> subgroup_lane: u32;\nvar<private> subgroup_lanes: u32;';
const SUBGROUP_ARGUMENTS =
  ', @builtin(subgroup_invocation_id) id: u32, @builtin(subgroup_size) size: u32';

/** The whole WGSL module of a kernel for a dtype and a pattern of heaps. */
export function assemble(
  kernel: GpuKernel,
  suffix: string,
  pattern: Pattern,
  library: ReadonlyMap<string, string>,
): string {
  const scalar = scalarType(suffix);
  const word = kernel.wide ? 'vec4<u32>' : kernel.atomic ? 'atomic<u32>' : 'u32';
  const heaps = Array.from(
    { length: pattern.heaps },
    (_, k) => `@group(0) @binding(${k}) var<storage, read_write> h${k}: array<${word}>;`,
  );
  const { vectors } = pattern;
  let body = specialise(kernel.source, suffix);
  if (!body.includes(`fn ${kernel.entry}(`)) {
    throw new TorchError(`webgpu: the text of kernel '${kernel.entry}' does not define it`);
  }
  if (vectors !== undefined) body = vectorTail(body, kernel, vectors);
  const access = kernel.buffers.map((_, i) =>
    accessors(kernel, i, suffix, `h${pattern.bindings[i]}`),
  );
  const used = needed([...access, body].join('\n'), library);
  const subgroups = used.includes('subgroupShuffle');
  return [
    ...(/\bf16\b/.test(used) ? ['enable f16;'] : []),
    ...(subgroups ? SUBGROUPS : []),
    ...(vectors === undefined ? [] : ['requires immediate_address_space;']),
    `alias S = ${scalar};`,
    `const WORKGROUP = ${kernel.workgroup}u;`,
    parameters(kernel, scalar, vectors),
    ...heaps,
    ...access,
    ...(body.includes('heap_get') ? [tailAccess(pattern.heaps, kernel.wide)] : []),
    ...(subgroups ? [SUBGROUP_VARIABLES] : []),
    used,
    body,
    `@compute @workgroup_size(${kernel.workgroup})`,
    'fn main(@builtin(workgroup_id) w: vec3<u32>, @builtin(num_workgroups) c: vec3<u32>,',
    `        @builtin(local_invocation_index) lane: u32${subgroups ? SUBGROUP_ARGUMENTS : ''}) {`,
    ...(subgroups ? ['  subgroup_lane = id; subgroup_lanes = size;'] : []),
    '  let group = w.x + w.y * c.x;',
    `  if (group < ${kernel.perGroup === 1 ? 'p.range' : `(p.range + ${kernel.perGroup - 1}u) / ${kernel.perGroup}u`}) { ${kernel.entry}(group, lane); }`,
    '}',
  ].join('\n');
}
