/**
 * Files of every format, damaged where it hurts: 20 000 inputs per format, more with
 * FUZZ_RUNS=1000000 npx vitest run test/checkpoint/fuzz.test.ts
 */

import fc from 'fast-check';
import { unzipSync, zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import {
  attempt,
  bytesOf,
  concat,
  type Limits,
  latin1,
  npyOf,
  safetensorsOf,
  u32,
} from './files.js';
import { damage, damaged, pickleOf, pickles } from './fuzz.js';

const runs = Number(process.env.FUZZ_RUNS ?? 20_000);
const timeout = Math.max(60_000, 20 * runs);

/** Runs a share of the inputs of a format. At least some of them must load, and some not. */
async function fuzz<T>(
  share: number,
  inputs: fc.Arbitrary<T>,
  bytesFor: (input: T) => Uint8Array,
  load: (bytes: Uint8Array) => Promise<unknown>,
  limits: Limits,
): Promise<void> {
  const numRuns = Math.ceil(runs * share);
  let loaded = 0;
  const property = fc.asyncProperty(inputs, async (input) => {
    if (await attempt(bytesFor(input), load, limits)) loaded++;
  });
  await fc.assert(property, { numRuns });
  expect(loaded).toBeGreaterThan(numRuns / 1000);
  expect(loaded).toBeLessThan(numRuns);
}

const size = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 4, 6, 8, 24),
  fc.constantFrom(-1, 1.5, 255, 65536, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 64, 1e300),
);
const few = fc.array(fc.constantFrom(0, 1, 2, 3, 4), { maxLength: 4 });
const shape = fc.oneof({ weight: 4, arbitrary: few }, { weight: 1, arbitrary: fc.array(size) });
const numel = (sizes: readonly number[]) => sizes.reduce((product, n) => product * n, 1);
/** Bytes for something of this size, unless that is absurd. */
const room = (bytes: number) => new Uint8Array(bytes >= 0 && bytes <= 4096 ? Math.floor(bytes) : 8);

describe('torch.load of damaged zips', () => {
  const limits = { op: 'load', ratio: 129, slack: 2 ** 21 };
  const names = ['state_dict.pt', 'training.pt', 'dtypes_and_views.pt', 'whole_model.pt'];
  const files = names.map(bytesOf);
  const small = bytesOf('dtypes_and_views.pt');

  it('at any byte', { timeout }, async () => {
    const input = fc.tuple(fc.constantFrom(small, small, ...files), damage);
    await fuzz(0.3, input, ([file, how]) => damaged(file, how), torch.load, limits);
  });

  it('in the directory', { timeout }, async () => {
    const at = new DataView(small.buffer).getUint32(small.length - 6, true);
    const input = damage;
    const bytes = (how: typeof input extends fc.Arbitrary<infer D> ? D : never) =>
      concat(small.subarray(0, at), damaged(small.subarray(at), how));
    await fuzz(0.2, input, bytes, torch.load, limits);
  });

  it('in the pickle of a sound archive', { timeout }, async () => {
    const archives = files.map((file) => unzipSync(file));
    const input = fc.tuple(fc.constantFrom(archives[2], archives[3]), damage);
    const bytes = ([entries, how]: [(typeof archives)[0], Parameters<typeof damaged>[1]]) => {
      const name = Object.keys(entries).find((key) => key.endsWith('data.pkl')) as string;
      return zipSync({ ...entries, [name]: damaged(entries[name], how) }, { level: 0 });
    };
    await fuzz(0.2, input, bytes, torch.load, limits);
  });

  it('with pickles made of the opcodes of checkpoints', { timeout }, async () => {
    const storages = { 'a/data/0': new Uint8Array(16), 'a/data/1': new Uint8Array(8) };
    const input = fc.tuple(pickles(''), fc.boolean());
    const bytes = ([steps, packed]: [string[], boolean]) =>
      zipSync({ 'a/data.pkl': latin1(pickleOf(steps)), ...storages }, { level: packed ? 1 : 0 });
    await fuzz(0.3, input, bytes, torch.load, limits);
  });
});

describe('torch.load of damaged files of the older format', () => {
  const limits = { op: 'load', ratio: 129, slack: 2 ** 21 };
  const bytes = bytesOf('state_dict_legacy.pth');

  it('at any byte', { timeout }, async () => {
    await fuzz(0.3, damage, (how) => damaged(bytes, how), torch.load, limits);
  });

  it('in the pickles', { timeout }, async () => {
    const end = 1240;
    const head = (how: Parameters<typeof damaged>[1]) =>
      concat(damaged(bytes.subarray(0, end), how), bytes.subarray(end));
    await fuzz(0.3, damage, head, torch.load, limits);
  });

  it('with pickles made of the opcodes of checkpoints', { timeout }, async () => {
    const start = bytes.subarray(0, Buffer.from(bytes).indexOf('ccollections') - 2);
    const storage = (count: number) => concat(latin1(`${u32(count)}\0\0\0\0`), new Uint8Array(16));
    const all = fc.constantFrom('', 'X\x01\0\0\x000', 'X\x01\0\0\x000X\x01\0\0\x001', 'K\x01');
    const input = fc.tuple(pickles('N'), all, fc.constantFrom(0, 2, 4, 2 ** 31));
    const file = ([steps, keys, count]: [string[], string, number]) =>
      concat(start, latin1(`${pickleOf(steps)}\x80\x02](${keys}e.`), storage(4), storage(count));
    await fuzz(0.4, input, file, torch.load, limits);
  });
});

describe('safetensors.loadFile of damaged files', () => {
  const { loadFile } = torch.safetensors;
  const limits = { op: 'loadFile', ratio: 1, slack: 2 ** 21 };
  const kinds = { U8: 1, I8: 1, BOOL: 1, F16: 2, BF16: 2, I32: 4, F32: 4, F64: 8, I64: 8, F4: 0.5 };

  it('with headers of tensors that nearly fit', { timeout }, async () => {
    const tensor = fc.record({
      kind: fc.constantFrom(...Object.keys(kinds), 'X7', 'toString'),
      name: fc.constantFrom(
        'a',
        'b',
        'c',
        'd',
        'a\\u0062',
        '__proto__',
        'constructor',
        '__metadata__',
      ),
      shape,
      shift: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 1, -1, 4, 2 ** 53),
      swap: fc.constantFrom(false, false, false, false, false, true),
    });
    const input = fc.tuple(
      fc.array(tensor, { maxLength: 4 }),
      fc.constantFrom(
        '',
        '',
        '"__metadata__":{"a":"b"},',
        '"__metadata__":{"__proto__":"b"},',
        '{',
      ),
      fc.constantFrom(0, 0, 0, 0, 0, 1, -1),
      fc.constantFrom(undefined, undefined, undefined, undefined, 0n, 99n, 2n ** 63n, 10n ** 8n),
    );
    const file = ([tensors, metadata, extra, length]: typeof input extends fc.Arbitrary<infer V>
      ? V
      : never) => {
      let end = 0;
      const parts = tensors.map(({ kind, name, shape, shift, swap }) => {
        const start = end + shift;
        end = start + numel(shape) * (kinds[kind as keyof typeof kinds] ?? 4);
        const offsets = swap ? [end, start] : [start, end];
        return `"${name}":{"dtype":"${kind}","shape":[${shape}],"data_offsets":[${offsets}]}`;
      });
      return safetensorsOf(`{${metadata}${parts.join()}}`, room(end + extra), length);
    };
    await fuzz(0.6, input, file, loadFile, limits);
  });

  it('at any byte', { timeout }, async () => {
    const bytes = await torch.safetensors.save({
      x: torch.arange(6).float().reshape([2, 3]),
      flags: torch.tensor([true, false]),
      scalar: torch.tensor(1n),
    });
    await fuzz(0.4, damage, (how) => damaged(bytes, how), loadFile, limits);
  });
});

describe('numpy.load of damaged files', () => {
  const { load } = torch.numpy;
  const limits = { op: 'numpy.load', ratio: 1, slack: 2 ** 21 };
  const descr = fc.constantFrom(
    '<f4',
    '<f4',
    '<f8',
    '>i8',
    '|b1',
    '|u1',
    '<V2',
    '>f2',
    '<i2',
    '|O',
    '<U2',
    '',
    '\\',
  );
  const header = fc.record({
    descr,
    order: fc.constantFrom('False', 'False', 'False', 'True', 'True', '1'),
    shape,
    tail: fc.constantFrom('', ', ', ', ', ', ', ' ,,', "'x': 1"),
    end: fc.constantFrom('\n', '\n', '\n', '     \n', '\0', '}'),
    version: fc.constantFrom([1, 0], [1, 0], [1, 0], [2, 0], [3, 0], [1, 7]),
    extra: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 1),
    how: fc.option(damage, { freq: 3 }),
  });
  type Header = typeof header extends fc.Arbitrary<infer V> ? V : never;
  const npy = ({ descr, order, shape, tail, end, version, extra, how }: Header) => {
    const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
    const fields = `'descr': '${descr}', 'fortran_order': ${order}, 'shape': (${sizes})`;
    const text = `{${fields}${tail}}${end}`;
    const bytes = npyOf(text, room(numel(shape) * Number(descr.slice(2) || 1) + extra), version);
    return how === null ? bytes : damaged(bytes, how);
  };

  it('.npy', { timeout }, async () => {
    await fuzz(1, header, npy, load, limits);
  });

  it('.npz with such arrays', { timeout }, async () => {
    const name = fc.constantFrom('a.npy', 'b.npy', '__proto__.npy', 'c', '../d.npy', '.npy');
    const input = fc.tuple(
      fc.array(fc.tuple(name, header), { maxLength: 3 }),
      fc.constantFrom<0 | 6>(0, 6),
      fc.option(damage, { freq: 3 }),
    );
    const file = ([entries, level, how]: typeof input extends fc.Arbitrary<infer V>
      ? V
      : never) => {
      const files = Object.fromEntries(entries.map(([key, value]) => [key, npy(value)]));
      const bytes = zipSync(files, { level });
      return how === null ? bytes : damaged(bytes, how);
    };
    await fuzz(0.6, input, file, load, { ...limits, ratio: 1033 });
  });

  it('.npz at any byte', { timeout }, async () => {
    const tensors = { x: torch.arange(40).float(), y: torch.ones(2, 3).to(torch.bool) };
    const stored = await torch.numpy.savez(tensors);
    const packed = await torch.numpy.savezCompressed(tensors);
    const input = fc.tuple(fc.constantFrom(stored, packed), damage);
    const file = ([bytes, how]: typeof input extends fc.Arbitrary<infer V> ? V : never) =>
      damaged(bytes, how);
    await fuzz(0.4, input, file, load, { ...limits, ratio: 1033 });
  });
});
