import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync, zipSync } from 'fflate';
import { afterAll, describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { latin1, listed, npyOf, refusal } from './files.js';
import { havePython, run, works } from './python.js';

const { numpy } = torch;
const folder = mkdtempSync(join(tmpdir(), 'isotorch-numpy-'));
afterAll(() => rmSync(folder, { recursive: true }));
const haveNumPy = havePython && works('import numpy');

const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer);
const six = bytesOf(Float32Array.of(0, 1, 2, 3, 4, 5));
const dict = (descr: string, shape: string, fortran = 'False') =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`;
type Arrays = Record<string, torch.Tensor>;

const all = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64];
const more = [torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool];
const dtypes = [...all, ...more];

describe('numpy.load of .npy', () => {
  it('reads every version of the header', async () => {
    for (const version of [
      [1, 0],
      [2, 0],
      [3, 0],
    ]) {
      const x = await numpy.load(npyOf(dict('<f4', '(2, 3)'), six, version));
      expect([x.shape, x.strides, x.dtype]).toEqual([[2, 3], [3, 1], torch.float32]);
      expect(listed(x)).toEqual([0, 1, 2, 3, 4, 5]);
    }
  });

  it('keeps Fortran order as strides', async () => {
    const x = await numpy.load(npyOf(dict('<f4', '(2, 3)', 'True'), six));
    expect([x.shape, x.strides]).toEqual([
      [2, 3],
      [1, 2],
    ]);
    expect(listed(x)).toEqual([0, 2, 4, 1, 3, 5]);
  });

  it('turns big-endian numbers', async () => {
    const shorts = await numpy.load(
      npyOf(dict('>i2', '(3,)'), Uint8Array.of(1, 0, 0, 2, 255, 254)),
    );
    expect([shorts.dtype, listed(shorts)]).toEqual([torch.int16, [256, 2, -2]]);
    const double = new DataView(new ArrayBuffer(16));
    double.setFloat64(0, -2.5);
    double.setFloat64(8, 1 / 3);
    const doubles = await numpy.load(npyOf(dict('>f8', '(2,)'), bytesOf(double)));
    expect(listed(doubles)).toEqual([-2.5, 1 / 3]);
    const long = await numpy.load(
      npyOf(dict('>i8', '()'), Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0)),
    );
    expect([long.shape, listed(long)]).toEqual([[], [-(2 ** 32)]]);
  });

  it('reads other spellings that Python takes', async () => {
    const headers = [
      `{"shape":(6,),"fortran_order":False,"descr":"=f4"}`,
      `{ 'descr' : '<f4' , 'shape' : ( 6L , ) , 'fortran_order' : False }   \n`,
    ];
    for (const header of headers) expect((await numpy.load(npyOf(header, six))).shape).toEqual([6]);
    expect((await numpy.load(npyOf(dict('|u1', '(0, 3)'), new Uint8Array(0)))).shape).toEqual([
      0, 3,
    ]);
    const flags = await numpy.load(npyOf(dict('|b1', '(3,)'), Uint8Array.of(0, 1, 7)));
    expect([flags.dtype, [...flags.dataSync()]]).toEqual([torch.bool, [0, 1, 1]]);
  });

  const cases: [what: string, file: Uint8Array, message: string][] = [
    ['an empty file', new Uint8Array(0), 'cut off in its header'],
    ['another file', latin1('PICKLE-and-so-on'), 'no .npy file'],
    ['version 4', npyOf(dict('<f4', '(6,)'), six, [4, 0]), 'version 4.0'],
    ['version 1.1', npyOf(dict('<f4', '(6,)'), six, [1, 1]), 'version 1.1'],
    ['a header past the end', npyOf('x', six).subarray(0, 10), 'cut off'],
    ['a huge header', latin1('\x93NUMPY\x02\0\xff\xff\xff\xff'), 'above 65535'],
    ['a list', npyOf('[]', six), "expected '{'"],
    [
      'an expression',
      npyOf("{'descr': '<f4', 'fortran_order': False, 'shape': (3+3,)}", six),
      "')'",
    ],
    ['a call', npyOf("{'descr': __import__('os').system('x')}", six), 'expected a text'],
    ['an unknown key', npyOf("{'desc': '<f4'}", six), "'desc' is unknown"],
    ['a key twice', npyOf("{'descr': '<f4', 'descr': '<f4'}", six), 'there twice'],
    ['a key missing', npyOf("{'descr': '<f4', 'shape': (6,)}", six), 'is missing'],
    ['a tail', npyOf(`${dict('<f4', '(6,)').trim()}1`, six), 'goes on'],
    ['a text without end', npyOf("{'descr", six), 'does not end'],
    ['escapes', npyOf("{'d\\x65scr': '<f4'}", six), 'escapes'],
    ['objects', npyOf(dict('|O', '(6,)'), six), 'never executed'],
    ['texts', npyOf(dict('<U3', '(2,)'), six), "no dtype '<U3'"],
    ['unsigned numbers', npyOf(dict('<u4', '(6,)'), six), "no dtype '<u4'"],
    ['complex numbers', npyOf(dict('<c8', '(3,)'), six), "no dtype '<c8'"],
    ['no byte order', npyOf(dict('|f4', '(6,)'), six), "no dtype '|f4'"],
    ['records', npyOf("{'descr': [('a', '<f4')], }", six), 'records'],
    ['a number as flag', npyOf(dict('<f4', '(6,)', '0'), six), 'neither True nor False'],
    ['a list as shape', npyOf(dict('<f4', '[6]'), six), "expected '('"],
    ['a number as shape', npyOf(dict('<f4', '(6)'), six), 'no shape'],
    ['a negative size', npyOf(dict('<f4', '(-6,)'), six), 'no tuple of sizes'],
    ['a fraction', npyOf(dict('<f4', '(6.,)'), six), "expected ')'"],
    ['a size above 2^53', npyOf(dict('<f4', '(9007199254740993,)'), six), 'no tuple'],
    ['a product of 2^66', npyOf(dict('<f4', '(4294967296, 4294967296)'), six), 'is declared'],
    ['65 dimensions', npyOf(dict('<f4', `(${'1, '.repeat(65)})`), six), 'more than 64'],
    ['too little data', npyOf(dict('<f4', '(7,)'), six), '28 bytes is declared, 24'],
    ['too much data', npyOf(dict('<f4', '(5,)'), six), '20 bytes is declared, 24'],
  ];
  it.each(cases)('refuses %s', async (_, file, message) => {
    const told = await refusal(file, numpy.load);
    expect(told).toContain(message);
    expect(told).toMatch(/^numpy.load: the bytes, byte \d+: /);
    const inside = await refusal(zipSync({ 'x.npy': file }, { level: 0 }), numpy.load);
    expect(inside).toMatch(/^numpy.load: the bytes, entry 'x.npy', byte \d+: /);
  });
});

describe('numpy.save', () => {
  it('writes the bytes that NumPy writes', async () => {
    const x = torch.arange(6).float().reshape([2, 3]);
    const lead = latin1('\x93NUMPY\x01\0\x76\0');
    const file = (header: string, data: Uint8Array) =>
      Uint8Array.from([...lead, ...latin1(`${header.padEnd(117)}\n`), ...data]);
    const c = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    expect(await numpy.save(x)).toEqual(file(c, six));
    const f = "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 2), }";
    expect(await numpy.save(x.t())).toEqual(file(f, six));
    const s = "{'descr': '|b1', 'fortran_order': False, 'shape': (), }";
    expect(await numpy.save(torch.tensor(true))).toEqual(file(s, Uint8Array.of(1)));
    const v = "{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }";
    const one = Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0);
    expect(await numpy.save(torch.tensor([9n]))).toEqual(file(v, one));
  });

  it('gives every dtype and layout back', async () => {
    const x = torch.arange(24).reshape([2, 3, 4]);
    const layouts = [
      x,
      x.permute(2, 1, 0),
      x.transpose(0, 1),
      x.at(':', '1:'),
      x.at(1),
      x.at(0, 0),
    ];
    for (const dtype of dtypes) {
      for (const layout of [...layouts, torch.zeros(0, 3), torch.tensor(1)]) {
        const tensor = layout.to(dtype);
        const loaded = await numpy.load(await numpy.save(tensor));
        expect([loaded.dtype, loaded.shape]).toEqual([dtype, tensor.shape]);
        expect(listed(loaded)).toEqual(listed(tensor));
      }
    }
  });

  it('refuses what is no tensor, and leaves nothing behind', async () => {
    const path = join(folder, 'none.npy');
    await expect(numpy.save(path, [1] as never)).rejects.toThrow(torch.ValueError);
    await expect(numpy.savez(path, { a: 1 } as never)).rejects.toThrow(torch.ValueError);
    await expect(numpy.savez(path, 7 as never)).rejects.toThrow('tensors by name');
    await expect(numpy.load(path)).rejects.toThrow(torch.TorchError);
  });
});

describe('.npz', () => {
  const tensors = { x: torch.arange(6).float().reshape([2, 3]).t(), y: torch.tensor([1n]) };

  it('is written stored and packed, and read', async () => {
    for (const save of [numpy.savez, numpy.savezCompressed]) {
      const path = join(folder, `${save.name}.npz`);
      await save(path, tensors);
      const bytes = await save(tensors);
      expect(new Uint8Array(readFileSync(path))).toEqual(bytes);
      expect(Object.keys(unzipSync(bytes))).toEqual(['x.npy', 'y.npy']);
      const { x, y } = await numpy.load<Arrays>(path);
      expect([x.strides, listed(x), listed(y)]).toEqual([[1, 3], [0, 3, 1, 4, 2, 5], [1]]);
    }
    const list = await numpy.load<Arrays>(await numpy.savez([tensors.x, tensors.y]));
    expect(Object.keys(list)).toEqual(['arr_0', 'arr_1']);
  });

  it('packs and unpacks more than one piece', async () => {
    const x = torch.arange(700_000).to(torch.int64).remainder(1000);
    const bytes = await numpy.savezCompressed({ x });
    expect(bytes.length).toBeLessThan(x.numel());
    expect(torch.equal((await numpy.load<Arrays>(bytes)).x, x)).toBe(true);
    const zeros = await numpy.savezCompressed({ zeros: torch.zeros(3_000_000) });
    expect((await numpy.load<Arrays>(zeros)).zeros.numel()).toBe(3_000_000);
  });

  it('refuses damage and foreign entries', async () => {
    const bytes = await numpy.savez(tensors);
    const damaged = bytes.slice();
    const at = Buffer.from(bytes).indexOf(Buffer.from(Float32Array.of(5).buffer));
    damaged[at + 3] ^= 1;
    expect(await refusal(damaged, numpy.load)).toContain("entry 'x.npy', byte 0: its checksum");
    const npy = await numpy.save(tensors.y);
    const load = (name: string) => refusal(zipSync({ [name]: npy }), numpy.load);
    expect(await load('readme.txt')).toContain('no .npy file');
    expect(await load('__proto__.npy')).toContain('this name is refused');
    const bomb = zipSync({ 'x.npy': new Uint8Array(2 ** 24) }, { level: 9 });
    const view = new DataView(bomb.buffer);
    const directory = view.getUint32(bomb.length - 6, true);
    view.setUint32(directory + 24, 2 ** 30, true);
    view.setUint32(22, 2 ** 30, true);
    expect(await refusal(bomb, numpy.load)).toMatch(/unpacks to 1073741824 bytes/);
  });
});

describe(`NumPy, which is ${haveNumPy ? '' : 'not '}here`, () => {
  it.runIf(haveNumPy)('reads what is written', async () => {
    const path = join(folder, 'all.npz');
    const tensors = Object.fromEntries(
      dtypes.map((dtype) => [dtype.name, torch.tensor([[0, 1, 2]]).to(dtype)]),
    );
    const x = torch.arange(6).float().reshape([2, 3]);
    const code = [
      'import numpy as np, sys, json, zipfile',
      'z = np.load(sys.argv[1])',
      "print(json.dumps([[k, str(z[k].dtype), z[k].view('i2' if k == 'bfloat16' else z[k].dtype)",
      '  .tolist(), bool(z[k].flags.f_contiguous)] for k in z]))',
      'print(zipfile.ZipFile(sys.argv[1]).testzip())',
    ].join('\n');
    for (const save of [numpy.savez, numpy.savezCompressed]) {
      await save(path, { ...tensors, t: x.t() });
      const [arrays, broken] = run(code, path).split('\n');
      const names = { bfloat16: '|V2' } as Record<string, string>;
      const values = { bfloat16: [0, 0x3f80, 0x4000], bool: [false, true, true] } as Record<
        string,
        unknown
      >;
      expect(JSON.parse(arrays)).toEqual([
        ...dtypes.map(({ name }) => [name, names[name] ?? name, [values[name] ?? [0, 1, 2]], true]),
        [
          't',
          'float32',
          [
            [0, 3],
            [1, 4],
            [2, 5],
          ],
          true,
        ],
      ]);
      expect(broken).toBe('None');
    }
  });

  it.runIf(haveNumPy)('writes what is read', async () => {
    const path = join(folder, 'theirs');
    const code = [
      'import numpy as np, sys',
      "x = np.arange(24).reshape(2, 3, 4); kinds = ['f8','f4','f2','i8','i4','i2','i1','u1','b1']",
      "a = {o + k: x.astype(o + k) for k in kinds for o in '<>'}",
      "a['fortran'] = np.asfortranarray(x.astype('f4')); a['scalar'] = np.float32(2.5)",
      "a['empty'] = np.zeros((0, 3)); np.savez(sys.argv[1] + '.npz', **a)",
      "np.savez_compressed(sys.argv[1] + 'c.npz', **a)",
      "np.lib.format.write_array(open(sys.argv[1] + '.npy', 'wb'), a['fortran'], version=(3, 0))",
    ].join('\n');
    run(code, path);
    const values = [...Array(24).keys()];
    for (const name of ['.npz', 'c.npz']) {
      const { scalar, empty, fortran, ...rest } = await numpy.load<Arrays>(path + name);
      expect([scalar.shape, listed(scalar), empty.shape]).toEqual([[], [2.5], [0, 3]]);
      expect([fortran.strides, listed(fortran)]).toEqual([[1, 2, 6], values]);
      expect(Object.keys(rest)).toHaveLength(18);
      for (const [kind, tensor] of Object.entries(rest)) {
        const expected = kind.endsWith('b1') ? values.map((value) => Math.min(value, 1)) : values;
        expect(listed(tensor), kind).toEqual(expected);
      }
    }
    expect(listed(await numpy.load(`${path}.npy`))).toEqual(values);
    writeFileSync(`${path}.npy`, readFileSync(`${path}.npy`).subarray(0, -1));
    await expect(numpy.load(`${path}.npy`)).rejects.toThrow(torch.FileFormatError);
  });
});
