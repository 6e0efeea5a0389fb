/** What fuzzing damages files with, and pickles that are nearly those of checkpoints. */

import fc from 'fast-check';
import { concat, int, latin1, tensorPickle, text, u32 } from './files.js';

/** Ways to damage a file: where, as a share of the length, and with what. */
export const damage = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    kind: fc.constantFrom(
      ...([
        'byte',
        'byte',
        'byte',
        'bit',
        'bit',
        'bit',
        'opcode',
        'opcode',
        'size',
        'size',
      ] as const),
      ...(['wide', 'cut', 'copy', 'drop'] as const),
    ),
    value: fc.integer({ min: 0, max: 255 }),
    length: fc.integer({ min: 1, max: 40 }),
  }),
  { minLength: 1, maxLength: 3 },
);
export type Damage = typeof damage extends fc.Arbitrary<infer D> ? D : never;

const OPCODES = latin1('(.01NJKMG)]}aestubcRQhqjrX\x81\x85\x86\x87\x88\x89\x8a\x8b\x93\x94');
/** Sizes at the limits of their fields, little-endian. */
const SIZES = [0, 1, 0x7f, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

export function damaged(bytes: Uint8Array, how: Damage): Uint8Array {
  let result = bytes.slice();
  for (const { at, kind, value, length } of how) {
    const start = Math.floor(at * result.length);
    const before = result.subarray(0, start);
    const rest = result.subarray(start + length);
    if (kind === 'byte') result[start] = value;
    if (kind === 'bit') result[start] ^= 1 << (value & 7);
    if (kind === 'opcode') result[start] = OPCODES[value % OPCODES.length];
    if (kind === 'wide') result.fill(value % 2 === 0 ? 255 : 0x7f, start, start + (value % 9));
    if (kind === 'size' && start + 4 <= result.length) {
      result.set(latin1(u32(SIZES[value % SIZES.length])), start);
    }
    if (kind === 'cut') result = result.slice(0, value < 200 ? result.length - length : start);
    if (kind === 'drop') result = concat(before, rest);
    if (kind === 'copy') {
      result = concat(before, result.subarray(start, start + length), result.subarray(start));
    }
  }
  return result;
}

const count = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(0, 1, 2, 3, 4).map(int) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...[int(-1), int(2 ** 31 - 1), 'N', 'G?\xf0\0\0\0\0\0\0', text('2'), ')'],
      ...['\x8a\x08\0\0\0\0\0\0\0\x20', '\x8a\x09\0\0\0\0\0\0\0\0\x01', '\x8a\x01\xff'],
    ),
  },
);
const counts = fc.array(count, { maxLength: 3 }).map((items) => `(${items.join('')}t`);
const storage = fc.constantFrom(
  ...['FloatStorage', 'FloatStorage', 'LongStorage', 'BoolStorage', 'QInt8Storage'],
);

/** A tensor over storage '0' of 16 bytes or '1' of 8, most often one that fits. */
const tensor = (tail: string) =>
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.constant(
        tensorPickle(int(4), int(0), `${int(2)}${int(2)}\x86`, `${int(2)}${int(1)}\x86`, { tail }),
      ),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(count, count, counts, counts, storage, fc.constantFrom('0', '1', '2'))
        .map(([numel, offset, shape, strides, type, key]) =>
          tensorPickle(numel, offset, shape, strides, { storage: type, key, tail }),
        ),
    },
  );

const opcode = fc.constantFrom(...[...OPCODES].map((code) => String.fromCharCode(code)));
const key = fc.constantFrom('a', 'weight', '__proto__', 'constructor', '_parameters').map(text);
const global = fc.constantFrom(
  ...['ccollections\nOrderedDict\n', 'ctorch._utils\n_rebuild_parameter\n', 'ctorch\nSize\n'],
  ...['ctorch\nfloat32\n', 'c__builtin__\nset\n', 'c_codecs\nencode\n', 'cos\nsystem\n'],
  ...['ctorch.nn.modules.linear\nLinear\n', 'ctorch.nn.modules.container\nSequential\n'],
);
const number = fc.integer({ min: 0, max: 9 }).map((value) => String.fromCharCode(value));
const kept = fc.tuple(fc.constantFrom('q', 'h'), number).map(([kind, index]) => kind + index);

/** Whole values, which go together in any order. */
const value = (tail: string) =>
  fc.oneof(
    { weight: 4, arbitrary: tensor(tail) },
    count,
    key,
    fc.constantFrom('N', '\x88', '\x89', ']', '}', ')', 'ccollections\nOrderedDict\n)R'),
    fc.tuple(key, count).map(([name, item]) => `}${name}${item}s`),
    fc
      .tuple(fc.array(count, { maxLength: 3 }), fc.constantFrom('t', 'l', 'e'))
      .map(([items, end]) => (end === 't' ? `(${items.join('')}t` : `](${items.join('')}e`)),
  );

/** Steps of a pickle that builds a dict of values, with other steps between. */
export const pickles = (tail: string): fc.Arbitrary<string[]> => {
  const step = fc.oneof(
    { weight: 12, arbitrary: fc.tuple(key, value(tail)).map((parts) => `${parts.join('')}s`) },
    { weight: 1, arbitrary: value(tail) },
    { weight: 1, arbitrary: fc.oneof(opcode, global, kept) },
  );
  return fc.array(step, { minLength: 1, maxLength: 6 });
};

export const pickleOf = (steps: readonly string[]) => `\x80\x02}${steps.join('')}.`;
