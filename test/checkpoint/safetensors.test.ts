import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { listed, refusal, safetensorsOf } from './files.js';

const { safetensors } = torch;
const folder = mkdtempSync(join(tmpdir(), 'isotorch-safetensors-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The example of the format's description: two float32 tensors and a text. */
const header =
  '{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},' +
  '"a":{"dtype":"I64","shape":[1,1],"data_offsets":[8,16]}}  ';
const data = new Uint8Array(16);
data.set(new Uint8Array(Float32Array.of(1.5, -2).buffer));
data.set(new Uint8Array(BigInt64Array.of(-7n).buffer), 8);
const bytes = safetensorsOf(header, data);

describe('safetensors.loadFile', () => {
  it('reads tensors from every kind of source', async () => {
    const path = join(folder, 'two.safetensors');
    writeFileSync(path, bytes);
    const sources = [path, bytes, bytes.buffer, new Blob([bytes]), new Response(bytes)];
    for (const source of sources) {
      const { a, b, ...rest } = await safetensors.loadFile(source);
      expect([a.dtype, a.shape, listed(a)]).toEqual([torch.int64, [1, 1], [-7]]);
      expect([b.dtype, b.shape, listed(b)]).toEqual([torch.float32, [2], [1.5, -2]]);
      expect(rest).toEqual({});
    }
  });

  it('takes a device that is there', async () => {
    expect((await safetensors.loadFile(bytes, { device: 'cpu' })).a.device).toBe('cpu');
    const nowhere = safetensors.loadFile(bytes, { device: 'cuda' as 'cpu' });
    await expect(nowhere).rejects.toThrow(torch.DeviceError);
    const unknown = safetensors.loadFile(bytes, { devise: 'cpu' } as object);
    await expect(unknown).rejects.toThrow("Did you mean 'device'?");
  });

  it('reads a file without tensors', async () => {
    expect(await safetensors.loadFile(safetensorsOf('{}', new Uint8Array(0)))).toEqual({});
  });
});

describe('safetensors.safeOpen', () => {
  it('reads single tensors, some of their rows, and texts', async () => {
    const path = join(folder, 'rows.safetensors');
    const x = torch.arange(12).float().reshape([4, 3]);
    await safetensors.saveFile({ x, y: torch.tensor(2.5) }, path, { step: '7' });
    const file = await safetensors.safeOpen(path);
    try {
      expect(file.keys()).toEqual(['x', 'y']);
      expect(file.metadata()).toEqual({ step: '7' });
      const slice = file.getSlice('x');
      expect([slice.shape, slice.dtype]).toEqual([[4, 3], 'F32']);
      expect(listed(await slice.read(1, 3))).toEqual([3, 4, 5, 6, 7, 8]);
      expect((await slice.read(2, 2)).shape).toEqual([0, 3]);
      await expect(slice.read(3, 5)).rejects.toThrow(torch.IndexError);
      await expect(slice.read(-1)).rejects.toThrow(torch.IndexError);
      const [whole, scalar] = await Promise.all([file.getTensor('x'), file.getTensor('y')]);
      expect(listed(whole)).toEqual(listed(x));
      expect([scalar.shape, listed(scalar)]).toEqual([[], [2.5]]);
      await expect(file.getTensor('z')).rejects.toThrow(torch.IndexError);
    } finally {
      await file.close();
    }
  });

  it('reads what it can of a file with foreign dtypes', async () => {
    const foreign = safetensorsOf(
      '{"u":{"dtype":"U32","shape":[1],"data_offsets":[0,4]},' +
        '"f":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[4,6]},' +
        '"b":{"dtype":"BOOL","shape":[2],"data_offsets":[6,8]}}',
      Uint8Array.of(1, 0, 0, 0, 5, 6, 1, 0),
    );
    const file = await safetensors.safeOpen(foreign);
    expect(listed(await file.getTensor('b'))).toEqual([1, 0]);
    await expect(file.getTensor('u')).rejects.toThrow('no dtype U32');
    expect(file.metadata()).toBe(null);
    expect(await refusal(foreign, safetensors.loadFile)).toContain("entry 'u', byte ");
  });
});

describe('safetensors.saveFile', () => {
  it('writes the bytes that the reference writes', async () => {
    const tensors = {
      z: torch.tensor([1, 2]).float(),
      a: torch.tensor([true, false, true]),
      '1': torch.tensor([-7n]),
    };
    const json =
      '{"__metadata__":{"format":"pt"},"1":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},' +
      '"z":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},' +
      '"a":{"dtype":"BOOL","shape":[3],"data_offsets":[16,19]}}';
    const padded = json.padEnd(Math.ceil(json.length / 8) * 8);
    const values = new Uint8Array(19);
    values.set(new Uint8Array(BigInt64Array.of(-7n).buffer));
    values.set(new Uint8Array(Float32Array.of(1, 2).buffer), 8);
    values.set([1, 0, 1], 16);
    const expected = safetensorsOf(padded, values);
    expect(await safetensors.save(tensors, { format: 'pt' })).toEqual(expected);
    const path = join(folder, 'deep/new.safetensors');
    await safetensors.saveFile(tensors, path, { format: 'pt' });
    expect(new Uint8Array(readFileSync(path))).toEqual(expected);
    expect(readdirSync(join(folder, 'deep'))).toEqual(['new.safetensors']);
  });

  it('gives every dtype and layout back', async () => {
    const x = torch.arange(6).float().reshape([2, 3]);
    const all = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64];
    const more = [torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool];
    const tensors = Object.fromEntries([
      ...[...all, ...more].map((dtype) => [String(dtype), torch.tensor([[0, 1, 3]]).to(dtype)]),
      ['t', x.t()],
      ['expanded', torch.ones(1).expand(2, 2)],
      ['empty', torch.zeros(0, 3)],
      ['scalar', torch.tensor(2.5)],
      ['grüße "🎲"', torch.ones(1)],
    ]) as Record<string, torch.Tensor>;
    const loaded = await safetensors.load(await safetensors.save(tensors));
    expect(Object.keys(loaded).sort()).toEqual(Object.keys(tensors).sort());
    for (const [name, tensor] of Object.entries(tensors)) {
      const { dtype, shape } = loaded[name];
      expect([dtype, shape]).toEqual([tensor.dtype, tensor.shape]);
      expect(listed(loaded[name])).toEqual(listed(tensor));
    }
  });

  it('refuses what the format cannot hold, before it writes', async () => {
    const x = torch.arange(6).float();
    const path = join(folder, 'refused.safetensors');
    const refused = [
      [{ x, part: x.at('2:') }, "'x' and 'part' share memory"],
      [{ x, again: x }, 'share memory'],
      [{ x: [1, 2] }, "'x' is no tensor"],
      [{ __metadata__: x }, '__metadata__'],
      [[x], 'tensors by name'],
    ] as const;
    for (const [tensors, message] of refused) {
      const saving = safetensors.saveFile(tensors as never, path);
      await expect(saving).rejects.toThrow(message);
      await expect(safetensors.save(tensors as never)).rejects.toThrow(torch.ValueError);
    }
    const text = safetensors.saveFile({ x }, path, { step: 7 } as never);
    await expect(text).rejects.toThrow("'step' is a number");
    expect(readdirSync(folder)).not.toContain('refused.safetensors');
    const apart = await safetensors.save({ low: x.at(':3'), high: x.at('3:') });
    expect(listed((await safetensors.load(apart)).high)).toEqual([3, 4, 5]);
  });
});

describe('safetensors.loadFile refuses', () => {
  const entry = (fields: string) => `{"x":{${fields}}}`;
  const one = (shape: string, offsets: string, dtype = 'F32') =>
    entry(`"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${offsets}]`);
  const two = (first: string, second: string) =>
    `{"x":{"dtype":"U8","shape":[4],"data_offsets":[${first}]},` +
    `"y":{"dtype":"U8","shape":[4],"data_offsets":[${second}]}}`;
  const four = new Uint8Array(4);
  const eight = new Uint8Array(8);
  const text = (value: string) => new TextEncoder().encode(value);
  const cases: [what: string, file: Uint8Array, message: string][] = [
    ['an empty file', new Uint8Array(0), 'shorter than the size'],
    ['a file of seven bytes', new Uint8Array(7), 'shorter than the size'],
    ['a header above the cap', safetensorsOf('{}', four, 100_000_001n), 'above 100000000'],
    ['a header of 2^63 bytes', safetensorsOf('{}', four, 2n ** 63n), 'above 100000000'],
    ['a header past the end', safetensorsOf('{}', new Uint8Array(0), 3n), 'past the end'],
    ['an empty header', safetensorsOf('', new Uint8Array(0)), "does not start with '{'"],
    ['a header that is a list', safetensorsOf('[]', new Uint8Array(0)), "start with '{'"],
    ['a header after a space', safetensorsOf(' {}', new Uint8Array(0)), "start with '{'"],
    ['a header with a tail', safetensorsOf('{}{', new Uint8Array(0)), 'goes on after its end'],
    ['a header cut off', safetensorsOf('{"x":', new Uint8Array(0)), 'expected a JSON value'],
    ['text that is no UTF-8', safetensorsOf(Uint8Array.of(0x7b, 0xff, 0x7d), four), 'UTF-8'],
    ['a key twice', safetensorsOf('{"a":1,"a":1}', four), 'there twice'],
    ['a key twice by escapes', safetensorsOf('{"a":1,"\\u0061":1}', four), 'there twice'],
    ['a field twice', safetensorsOf(entry('"dtype":"F32","dtype":"F32"'), four), 'there twice'],
    ['a trailing comma', safetensorsOf('{"a":1,}', four), 'expected a key'],
    ['single quotes', safetensorsOf("{'a':1}", four), 'expected a key'],
    ['deep values', safetensorsOf(`{"a":${'['.repeat(99)}`, four), 'more than 32 deep'],
    ['many values', safetensorsOf(`{"a":[${'{},'.repeat(5000)}1]}`, four), 'too many values'],
    ['a number for a tensor', safetensorsOf('{"x":7}', four), 'described by no object'],
    ['an unknown dtype', safetensorsOf(one('1', '0,4', 'F33'), four), 'dtype is none'],
    ['a dtype of the prototype', safetensorsOf(one('1', '0,4', 'constructor'), four), 'is none'],
    ['no dtype', safetensorsOf(entry('"shape":[1],"data_offsets":[0,4]'), four), 'dtype is none'],
    ['no shape', safetensorsOf(entry('"dtype":"F32","data_offsets":[0,4]'), four), 'its shape'],
    ['no offsets', safetensorsOf(entry('"dtype":"F32","shape":[1]'), four), 'data_offsets'],
    ['three offsets', safetensorsOf(one('1', '0,4,4'), four), 'data_offsets'],
    ['a negative size', safetensorsOf(one('-1', '0,4'), four), 'its shape'],
    ['a fraction as size', safetensorsOf(one('1.0', '0,4'), four), 'its shape'],
    ['an exponent as size', safetensorsOf(one('1e0', '0,4'), four), 'its shape'],
    ['a text as size', safetensorsOf(one('"1"', '0,4'), four), 'its shape'],
    ['65 dimensions', safetensorsOf(one(Array(65).fill(1).join(), '0,4'), four), 'its shape'],
    ['a product of 2^64', safetensorsOf(one('4294967296,4294967296', '0,0'), four), 'too many'],
    [
      'an overflow hidden by 0',
      safetensorsOf(one('9007199254740991,2,0', '0,0'), four),
      'too many',
    ],
    ['a size above 2^64', safetensorsOf(one('18446744073709551617', '0,4'), four), 'its shape'],
    ['too few bytes for the shape', safetensorsOf(one('2', '0,4'), four), '8 bytes are needed'],
    ['too many bytes for the shape', safetensorsOf(one('1', '0,8'), eight), '4 bytes are needed'],
    [
      'a part of a byte',
      safetensorsOf(one('1', '0,1', 'F4'), four.subarray(3)),
      'bytes are needed',
    ],
    ['offsets in reverse', safetensorsOf(one('1', '4,0'), four), '4 bytes are needed'],
    ['offsets past the end', safetensorsOf(one('2', '0,8'), four), 'past the end'],
    [
      'an offset above 2^53',
      safetensorsOf(one('1', '9007199254740992,9007199254740996'), four),
      '',
    ],
    ['a hole at the start', safetensorsOf(one('1', '4,8'), eight), 'leaves a hole'],
    ['a hole', safetensorsOf(two('0,4', '5,9'), new Uint8Array(9)), "entry 'y', byte 8: it leaves"],
    ['an overlap', safetensorsOf(two('0,4', '3,7'), eight), 'overlaps'],
    ['two in one place', safetensorsOf(two('0,4', '0,4'), four), 'overlaps'],
    ['a byte behind the last', safetensorsOf(one('1', '0,4'), new Uint8Array(5)), '1 bytes follow'],
    ['bytes without a tensor', safetensorsOf('{}', four), '4 bytes follow'],
    ['metadata that is a text', safetensorsOf('{"__metadata__":"x"}', four), 'object of texts'],
    ['metadata of numbers', safetensorsOf('{"__metadata__":{"a":1}}', four), 'object of texts'],
    [
      'a prototype in metadata',
      safetensorsOf('{"__metadata__":{"__proto__":""}}', four),
      '__proto__',
    ],
    [
      'a prototype',
      safetensorsOf(one('1', '0,4').replace('"x"', '"__proto__"'), four),
      '__proto__',
    ],
    ['a file cut off', bytes.subarray(0, -1), 'past the end'],
    ['a control character', safetensorsOf(text('{"\n":1}'), four), 'a text is no JSON'],
  ];
  it.each(cases)('%s', async (_, file, message) => {
    for (const load of [safetensors.loadFile, safetensors.safeOpen]) {
      const told = await refusal(file, load);
      expect(told).toContain(message);
      expect(told).toMatch(/: the bytes, (entry '.*', )?byte \d+: /s);
    }
  });

  it('unsorted headers are read: only the bytes are in order', async () => {
    const values = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    const { x, y } = await safetensors.load(safetensorsOf(two('4,8', '0,4'), values));
    expect([listed(x), listed(y)]).toEqual([
      [5, 6, 7, 8],
      [1, 2, 3, 4],
    ]);
  });
});
