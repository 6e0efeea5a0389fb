import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { bytesOf, concat, cpuTime, latin1, refusal, tensorPickle, text, u32 } from './files.js';

/** A checkpoint of this pickle (protocol 2, without its first and last opcode). */
function withPickle(pickle: string, entries: Record<string, Uint8Array> = {}): Uint8Array {
  return zipSync({ 'a/data.pkl': latin1(`\x80\x02${pickle}.`), ...entries }, { level: 0 });
}

const K = (value: number) => `K${String.fromCharCode(value)}`;
const huge = `\x8a\x06${'\xff'.repeat(5)}\x0f`;

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

  it('holds what repeats itself to a multiple of its size', async () => {
    const pairs = `](${'(X\x01\0\0\0aNt'.repeat(20_000)}e`;
    const long = text('x'.repeat(200_000));
    const dict = 'ccollections\nOrderedDict\nq\x01';
    const set = 'c__builtin__\nset\nq\x01';
    const calls = 'h\x01h\x02\x85R'.repeat(20_000);
    const bombs = [
      `${dict}0${pairs}q\x020(${calls}t`,
      `${long}q\x020c_codecs\nencode\nq\x010(${calls}t`,
      `${set}0](${K(1).repeat(40_000)}eq\x020(${calls}t`,
    ];
    for (const bomb of bombs) {
      const began = cpuTime();
      const entries = { 'a/data/0': new Uint8Array(16) };
      expect(await refusal(withPickle(bomb, entries))).toContain('128 times its size');
      expect(cpuTime() - began).toBeLessThan(1000);
    }
    const names = Array.from({ length: 3000 }, (_, i) => `${text(`p${i}`)}N`);
    const shared = `}${text('_parameters')}}q\x01(${names.join('')}us`;
    const module = `ctorch.nn.modules.linear\nIdentity\nq\x02)\x81${shared}b`;
    const modules = `(${module}${`h\x02)\x81}${text('_parameters')}h\x01sb`.repeat(3000)}t`;
    expect(await refusal(withPickle(modules))).toContain('128 times its size');
  });

  it('reads large integers in linear time', async () => {
    const one = `\x8b${u32(1024)}${'\x7f'.repeat(1024)}`;
    const list = await torch.load<bigint[]>(withPickle(`](${one.repeat(1000)}e`));
    expect(list[999] >> 8176n).toBe(0x7f7fn);
    expect(await refusal(withPickle(`\x8b${u32(1025)}${'\x7f'.repeat(1025)}`))).toContain('1025');
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
    const local = view.getUint32(second + 42, true);
    expect([view.getUint32(second + 24, true), view.getUint32(local + 22, true)]).toEqual([64, 64]);
    view.setUint32(second + 24, 16, true);
    expect(await refusal(packed)).toContain('declares 64 bytes, the directory 16');
    view.setUint32(local + 22, 16, true);
    expect(await refusal(packed)).toContain('does not unpack to the 16 bytes declared');
    const pickle = view.getUint32(directory + 24, true) + 1;
    view.setUint32(directory + 24, pickle, true);
    view.setUint32(22, pickle, true);
    expect(await refusal(packed)).toContain(`does not unpack to the ${pickle} bytes declared`);
  });

  it('refuses archives whose parts contradict each other', async () => {
    const archive = () =>
      zipSync({ 'a/data.pkl': latin1(`\x80\x02${good}.`), ...storage }, { level: 0 });
    const broken = (change: (view: DataView, directory: number, second: number) => void) => {
      const bytes = archive();
      const view = new DataView(bytes.buffer);
      const directory = view.getUint32(bytes.length - 6, true);
      change(view, directory, directory + 46 + 'a/data.pkl'.length);
      return refusal(bytes);
    };
    const end = archive().length - 22;
    const changes: Parameters<typeof broken>[0][] = [
      (view, _, second) => view.setUint32(second + 42, 0, true),
      (view, _, second) => view.setUint8(second + 46, 98),
      (view, directory) => view.setUint8(directory + 46 + 9, 0),
      (view, _, second) => view.setUint16(second + 8, 1, true),
      (view, _, second) => view.setUint16(second + 10, 12, true),
      (view, _, second) => view.setUint32(second + 20, 17, true),
      (view) => view.setUint16(end + 10, 3, true),
      (view) => view.setUint32(end + 16, end, true),
      (view, _, second) => view.setUint32(view.getUint32(second + 42, true), 0, true),
      (view) => view.setUint16(26, 9, true),
      (view) => view.setUint16(8, 8, true),
      (view, directory) => view.setUint16(directory + 28, 60000, true),
    ];
    const expected = [
      'overlaps the entry before it',
      "entry 'a/data/0', byte 0: the entry is missing",
      'no entry data.pkl',
      'encrypted',
      'packed by method 12',
      'its two sizes differ',
      '2 entries, 3 are declared',
      'directory lies past the end',
      'no header where it should start',
      'another name in its header',
      'another packing',
      'directory is damaged',
    ];
    for (const [i, change] of changes.entries()) {
      expect(await broken(change)).toContain(expected[i]);
    }
  });

  it('refuses big-endian files of the older format', async () => {
    const bytes = bytesOf('state_dict_legacy.pth');
    const at = Buffer.from(bytes).indexOf('little_endian');
    const flag = bytes.indexOf(0x88, at);
    bytes[flag] = 0x89;
    expect(await refusal(bytes)).toContain("byte order is not 'little'");
  });

  it('refuses files of the older format whose parts contradict each other', async () => {
    const head = latin1('\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.');
    const machine = latin1(`\x80\x02}${text('little_endian')}\x88s.`);
    const tensor = tensorPickle(K(4), K(0), `${K(4)}\x85`, `${K(1)}\x85`, { tail: 'N' });
    const file = (keys: string, ...storages: Uint8Array[]) =>
      concat(head, machine, latin1(`\x80\x02${tensor}.\x80\x02${keys}.`), ...storages);
    const names = `](${text('0')}e`;
    const count = (numel: number) => latin1(`${u32(numel)}\0\0\0\0`);
    const data = new Uint8Array(16);
    expect((await torch.load<torch.Tensor>(file(names, count(4), data))).shape).toEqual([4]);
    const cases: [Uint8Array, string][] = [
      [file(names, count(4), data.subarray(1)), "entry '0', byte "],
      [file(names, count(5), data), 'another size than declared'],
      [file(names), 'cut off'],
      [file(']'), 'storages of some tensors are missing'],
      [file(`](${text('1')}e`), 'not those of the tensors'],
      [file(`](${text('0')}${text('0')}e`, count(4), data), 'not those of the tensors'],
      [file('}'), 'no list of the names'],
      [head.subarray(0, 14), 'cut off'],
      [concat(head, latin1('\x80\x02].')), "byte order is not 'little'"],
    ];
    for (const [bytes, message] of cases) expect(await refusal(bytes)).toContain(message);
  });
});
