import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { unzipSync, zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';

const cases = new URL('../conformance/cases/checkpoints/', import.meta.url).pathname;
const bytesOf = (name: string) => new Uint8Array(readFileSync(join(cases, name)));
const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** A checkpoint of this pickle (protocol 2, without its first and last opcode). */
function withPickle(pickle: string, entries: Record<string, Uint8Array> = {}): Uint8Array {
  return zipSync({ 'a/data.pkl': latin1(`\x80\x02${pickle}.`), ...entries }, { level: 0 });
}

function u32(value: number): string {
  return String.fromCharCode(...[0, 8, 16, 24].map((shift) => (value >>> shift) & 255));
}
const text = (value: string) => `X${u32(value.length)}${value}`;

/** A float32 tensor with these pickled sizes, in a storage '0' of `numel` elements. */
function tensorPickle(numel: string, offset: string, shape: string, strides: string): string {
  const storage = `(${text('storage')}ctorch\nFloatStorage\n${text('0')}${text('cpu')}${numel}tQ`;
  const dict = 'ccollections\nOrderedDict\n)R';
  return `ctorch._utils\n_rebuild_tensor_v2\n(${storage}${offset}${shape}${strides}\x89${dict}tR`;
}
const K = (value: number) => `K${String.fromCharCode(value)}`;
const huge = `\x8a\x06${'\xff'.repeat(5)}\x0f`;

async function refusal(bytes: Uint8Array): Promise<string> {
  const live = torch.memory().bytes;
  const error = await torch.load(bytes).then(
    () => new Error('it was loaded'),
    (reason: unknown) => reason as Error,
  );
  expect(error).toBeInstanceOf(torch.FileFormatError);
  expect(torch.memory().bytes).toBeLessThanOrEqual(live);
  return error.message;
}

describe('torch.load of hostile pickles', () => {
  const pickles: [what: string, pickle: string, message: string][] = [
    ['a function', 'cos\nsystem\n(X\x01\0\0\0xtR', 'asks for os.system'],
    ['a builtin', 'c__builtin__\neval\n', 'asks for __builtin__.eval'],
    ['a class of the prototype chain', 'c__main__\nconstructor\n', '__main__.constructor'],
    ['an unknown module', 'ctorch.nn.modules.linear\nModule2\n', 'linear.Module2'],
    ['an unknown opcode', 'i', 'opcode 0x69'],
    ['a call of data', 'K\x01)R', 'may not be called'],
    ['a prototype key', `}${text('__proto__')}}s`, '__proto__'],
    [
      'a prototype key of an OrderedDict',
      `ccollections\nOrderedDict\n(](${text('__proto__')}Kaee`,
      '',
    ],
    ['a huge string', `X${u32(0xffffffff)}`, 'cut off'],
    ['a huge integer', `\x8b${u32(0x7fffffff)}`, 'integer of 2147483647 bytes'],
    ['a list in itself', ']q\0h\0a', 'contains itself'],
    ['a dict in itself', `}q\0${text('a')}h\0s`, 'contains itself'],
    ['deep nesting', `${']'.repeat(5000)}${'a'.repeat(4999)}`, 'more than 500 deep'],
    ['deep tuples', `)${'\x85'.repeat(5000)}`, 'more than 500 deep'],
    ['an empty stack', '0', 'takes what is not there'],
    ['a missing mark', 't', 'mark that is not there'],
    ['an unknown memo', 'h\x05', 'item 5'],
    ['a type', 'ctorch\nFloatStorage\n', 'by itself'],
    ['a function by itself', 'ctorch._utils\n_rebuild_tensor_v2\n', 'by itself'],
    ['a module without fields', 'ctorch.nn.modules.linear\nLinear\n)\x81', 'has no fields'],
    [
      'a module with a method as field',
      `ctorch.nn.modules.linear\nLinear\n)\x81}${text('forward')}K\x01sb`,
      "field 'forward'",
    ],
    [
      'a module whose child is none',
      `ctorch.nn.modules.linear\nLinear\n)\x81}${text('_modules')}}${text('a')}K\x01ssb`,
      "'a' of a Linear",
    ],
    ['another reference', `(${text('file')}tQ`, 'no storage'],
  ];
  it.each(pickles)('refuses %s', async (_, pickle, message) => {
    const told = await refusal(withPickle(pickle));
    expect(told).toContain(message);
    expect(told).toMatch(/^load: the bytes, entry 'a\/data.pkl', byte \d+: /);
  });

  it('keeps what is shared: a bomb of references stays small', async () => {
    const bomb = `]q\0${Array.from({ length: 100 }, (_, i) => {
      return `](${`h${String.fromCharCode(i)}`.repeat(9)}eq${String.fromCharCode(i + 1)}`;
    }).join('')}`;
    const value = await torch.load<unknown[][]>(withPickle(bomb));
    expect(value[0]).toBe(value[8]);
  });

  it('pops marks in linear time', async () => {
    await refusal(withPickle('('.repeat(300_000)));
    await refusal(withPickle(`${'('.repeat(300_000)}${'1'.repeat(300_001)}`));
  });

  const sizes: [what: string, pickle: string, message: string][] = [
    ['past its storage', tensorPickle(K(4), K(0), `${K(5)}\x85`, `${K(1)}\x85`), 'reaches past'],
    ['past it by strides', tensorPickle(K(4), K(0), `${K(2)}\x85`, `${K(9)}\x85`), 'reaches past'],
    ['past it by offset', tensorPickle(K(4), K(9), `${K(0)}\x85`, `${K(1)}\x85`), 'reaches past'],
    ['of two ranks', tensorPickle(K(4), K(0), `${K(2)}\x85`, ')'), 'do not fit'],
    [
      'of too many elements',
      tensorPickle(K(4), K(0), `${huge}${huge}\x86`, `${K(0)}${K(0)}\x86`),
      'too many',
    ],
    ['of negative size', tensorPickle(K(4), K(0), 'J\xff\xff\xff\xff\x85', `${K(1)}\x85`), 'sizes'],
    ['in a huge storage', tensorPickle(huge, K(0), `${K(2)}\x85`, `${K(1)}\x85`), 'declared'],
  ];
  it.each(sizes)('refuses a tensor %s', async (_, pickle, message) => {
    expect(await refusal(withPickle(pickle, { 'a/data/0': new Uint8Array(16) }))).toContain(
      message,
    );
  });
});

describe('torch.load of hostile archives', () => {
  const good = tensorPickle(K(4), K(0), `${K(4)}\x85`, `${K(1)}\x85`);
  const storage = { 'a/data/0': new Uint8Array(16) };

  it('reads the good one', async () => {
    expect((await torch.load<torch.Tensor>(withPickle(good, storage))).shape).toEqual([4]);
  });

  it('refuses missing, wrong and foreign entries', async () => {
    expect(await refusal(withPickle(good))).toContain(
      "entry 'a/data/0', byte 0: the entry is missing",
    );
    expect(await refusal(zipSync({ 'x.txt': latin1('x') }))).toContain('no entry data.pkl');
    const big = { ...storage, 'a/byteorder': latin1('big') };
    expect(await refusal(withPickle(good, big))).toContain("'big'");
    const script = { ...storage, 'a/constants.pkl': latin1('') };
    expect(await refusal(withPickle(good, script))).toContain('TorchScript');
    expect(await refusal(new Uint8Array(0))).toContain('empty');
    expect(await refusal(latin1('{"a": 1}'))).toContain('no checkpoint');
    const tar = new Uint8Array(512);
    tar.set(latin1('ustar'), 257);
    expect(await refusal(tar)).toContain('tar archive');
    expect(await refusal(latin1('\x80\x02K\x01.'))).toContain('not one that torch.save wrote');
  });

  it('refuses entries that unpack to more than they may', async () => {
    const pickled = { 'a/data.pkl': latin1(`\x80\x02${good}.`) };
    const bomb = zipSync({ ...pickled, 'a/data/0': new Uint8Array(2 ** 23) }, { level: 9 });
    expect(await refusal(bomb)).toMatch(/unpacks to 8388\d+ bytes/);
    const packed = zipSync({ ...pickled, 'a/data/0': new Uint8Array(64) }, { level: 9 });
    const view = new DataView(packed.buffer);
    const end = packed.length - 22;
    const directory = view.getUint32(end + 16, true);
    const second = directory + 46 + 'a/data.pkl'.length;
    expect(view.getUint32(second + 24, true)).toBe(64);
    view.setUint32(second + 24, 16, true);
    expect(await refusal(packed)).toContain('does not unpack to the 16 bytes declared');
    view.setUint32(second + 42, 0, true);
    expect(await refusal(packed)).toContain('another name in its header');
    packed.set(latin1('a/data.pk\0'), directory + 46);
    expect(await refusal(packed)).toContain('no entry data.pkl');
  });

  it('refuses big-endian files of the older format', async () => {
    const bytes = bytesOf('state_dict_legacy.pth');
    const at = Buffer.from(bytes).indexOf('little_endian');
    const flag = bytes.indexOf(0x88, at);
    bytes[flag] = 0x89;
    expect(await refusal(bytes)).toContain("byte order is not 'little'");
  });
});

/** Ways to damage a file: where, as a share of the length, and with what. */
const damage = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    kind: fc.constantFrom('byte', 'opcode', 'wide', 'cut', 'copy', 'drop'),
    value: fc.integer({ min: 0, max: 255 }),
    length: fc.integer({ min: 1, max: 40 }),
  }),
  { minLength: 1, maxLength: 4 },
);
type Damage = typeof damage extends fc.Arbitrary<infer D> ? D : never;

const OPCODES = latin1('(.01NJKMG)]}aestubcRQhqjrX\x81\x85\x86\x87\x88\x89\x8a\x8b\x93\x94');

function damaged(bytes: Uint8Array, how: Damage): Uint8Array {
  let result = bytes.slice();
  for (const { at, kind, value, length } of how) {
    const start = Math.floor(at * result.length);
    const rest = result.subarray(start + length);
    if (kind === 'byte') result[start] = value;
    if (kind === 'opcode') result[start] = OPCODES[value % OPCODES.length];
    if (kind === 'wide') result.fill(value % 2 === 0 ? 255 : 0x7f, start, start + (value % 9));
    if (kind === 'cut') result = result.slice(0, value < 200 ? result.length - length : start);
    if (kind === 'drop') result = Uint8Array.from([...result.subarray(0, start), ...rest]);
    if (kind === 'copy') {
      const part = result.subarray(start, start + length);
      result = Uint8Array.from([...result.subarray(0, start), ...part, ...result.subarray(start)]);
    }
  }
  return result;
}

/** Loads, and holds that it succeeds or fails as it may. */
async function attempt(bytes: Uint8Array): Promise<void> {
  const began = performance.now();
  const live = torch.memory().bytes;
  try {
    await torch.load(bytes);
  } catch (error) {
    if (!(error instanceof torch.FileFormatError)) throw error;
    // The collector may free others' meanwhile.
    if (torch.memory().bytes > live) throw new Error('a part stays loaded');
    if (!error.message.startsWith('load: the bytes, ')) throw error;
  }
  if (performance.now() - began > 1000) throw new Error('loading took more than a second');
}

describe('torch.load of damaged files', () => {
  const files = ['state_dict.pt', 'training.pt', 'dtypes_and_views.pt', 'whole_model.pt'];
  const runs = Number(process.env.FUZZ_RUNS ?? 700);
  const prototype = Object.getOwnPropertyNames(Object.prototype);

  it('throws typed errors for damage anywhere', async () => {
    const all = [...files, 'state_dict_legacy.pth'].map(bytesOf);
    const which = fc.constantFrom(...all);
    const property = fc.asyncProperty(which, damage, (bytes, how) => attempt(damaged(bytes, how)));
    await fc.assert(property, { numRuns: runs });
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(prototype);
  });

  it('throws typed errors for damage of the pickle in a sound archive', async () => {
    const all = files.map((name) => unzipSync(bytesOf(name)));
    const property = fc.asyncProperty(fc.constantFrom(...all), damage, (entries, how) => {
      const name = Object.keys(entries).find((key) => key.endsWith('data.pkl')) as string;
      return attempt(zipSync({ ...entries, [name]: damaged(entries[name], how) }, { level: 0 }));
    });
    await fc.assert(property, { numRuns: runs });
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(prototype);
  });

  it('throws typed errors for damage of the pickles of the older format', async () => {
    const bytes = bytesOf('state_dict_legacy.pth');
    const pickles = 1240;
    const property = fc.asyncProperty(damage, (how) => {
      const head = damaged(bytes.subarray(0, pickles), how);
      return attempt(Uint8Array.from([...head, ...bytes.subarray(pickles)]));
    });
    await fc.assert(property, { numRuns: runs });
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(prototype);
  });
});
