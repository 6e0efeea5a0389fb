/** Reads and writes `.npy` and `.npz`. */

import { ValueError } from '../core/errors.js';
import { contiguousStrides, Geometry, isContiguousLayout } from '../core/layout.js';
import { checkOptions, isOptions } from '../core/options.js';
import type { Device } from '../device/device.js';
import { deviceOf } from '../device/registry.js';
import type { StateDict } from '../nn/module.js';
import { Tensor } from '../tensor.js';
import { type Fail, type Input, type LoadSource, withInput } from './file.js';
import { parseHeader, writeHeader } from './npy_header.js';
import type { Arrays, NumpyOptions } from './numpy.js';
import { elementsOf, fill, type Pieces, piecesOf, Stream } from './pieces.js';
import { writeTo } from './save.js';
import { Archive } from './unzip.js';
import { writeZip, type ZipEntry, zipSize } from './zip.js';

const MAGIC = '\x93NUMPY';
/** Bytes a header may have: what the first version can say. */
const LONGEST_HEADER = 65535;
/** Deflate packs at most this well. */
const ARCHIVE = { ratio: 1032, checksums: true };

/** See numpy.ts. */
export async function load(source: LoadSource, options: NumpyOptions): Promise<Tensor | StateDict> {
  checkOptions('load', options, ['device']);
  const device = deviceOf(options.device ?? 'cpu');
  return withInput(source, 'numpy.load', async (input) => {
    const { file, fail } = input;
    const start = await file.read(0, Math.min(file.size, 4));
    if (start[0] === 0x50 && start[1] === 0x4b) return loadArchive(input, device);
    return readArray(piecesOf(file, 0, file.size), file.size, device, fail);
  });
}

async function loadArchive(input: Input, device: Device): Promise<StateDict> {
  const archive = await Archive.open(input, ARCHIVE);
  const result: StateDict = {};
  for (const entry of archive.names) {
    const name = entry.replace(/\.npy$/, '');
    const refuse = (what: string) => input.fail(what, archive.offset(entry), entry);
    if (name === entry) refuse('it is no .npy file');
    if (name === '__proto__') refuse('this name is refused');
  }
  try {
    for (const entry of archive.names) {
      const fail: Fail = (message, at) => input.fail(message, at, entry);
      const size = archive.size(entry) as number;
      const tensor = await readArray(archive.pieces(entry), size, device, fail);
      result[entry.slice(0, -4)] = tensor;
    }
    return result;
  } catch (error) {
    for (const tensor of Object.values(result)) tensor.dispose();
    throw error;
  }
}

/** One array of `size` bytes, header included. */
async function readArray(
  pieces: Pieces,
  size: number,
  device: Device,
  fail: Fail,
): Promise<Tensor> {
  const stream = new Stream(pieces);
  try {
    const { dtype, swapped, fortran, shape } = await readHeader(stream, fail);
    const bytes = shape.reduce((product, n) => product * n, dtype.size);
    const there = size - stream.position;
    if (bytes !== there) {
      fail(`an array of ${bytes} bytes is declared, ${there} bytes follow`, stream.position);
    }
    const content = { bytes, dtype, swapped, pieces: stream.rest() };
    const elements = await fill(device, content);
    const strides = contiguousStrides(fortran ? [...shape].reverse() : shape);
    if (fortran) strides.reverse();
    return new Tensor(elements.storage, new Geometry(shape, strides), 0, elements.dtype);
  } finally {
    await stream.close();
  }
}

async function readHeader(stream: Stream, fail: Fail) {
  const next = async (count: number) => {
    const bytes = await stream.take(new Uint8Array(count));
    if (bytes.length < count) fail('it is cut off in its header', stream.position);
    return new DataView(bytes.buffer, bytes.byteOffset, count);
  };
  const lead = new Uint8Array((await next(8)).buffer);
  if (String.fromCharCode(...lead.subarray(0, 6)) !== MAGIC) fail('it is no .npy file', 0);
  const [version, minor] = lead.subarray(6);
  if (version < 1 || version > 3 || minor !== 0) {
    fail(`version ${version}.${minor} is none of 1.0, 2.0 and 3.0`, 6);
  }
  const size =
    version === 1 ? (await next(2)).getUint16(0, true) : (await next(4)).getUint32(0, true);
  if (size > LONGEST_HEADER) fail(`a header of ${size} bytes is above ${LONGEST_HEADER}`, 8);
  const start = stream.position;
  const encoding = version === 3 ? 'utf-8' : 'latin1';
  const text = new TextDecoder(encoding).decode(await next(size));
  return parseHeader(text, (message, at) => fail(`header: ${message}`, start + at));
}

/** An array, as it is written. */
function arrayEntry(name: string, tensor: Tensor): ZipEntry {
  const { shape, strides, dtype } = tensor;
  // Both orders in one, a vector, counts as C.
  const fortran =
    !tensor.isContiguous() && isContiguousLayout([...shape].reverse(), [...strides].reverse());
  const header = writeHeader({ dtype, fortran, shape });
  async function* pieces() {
    yield header;
    const dims = [...shape.keys()].reverse();
    yield* elementsOf(fortran ? tensor.detach().permute(dims) : tensor);
  }
  return { name, size: header.length + tensor.numel() * dtype.size, pieces };
}

function checkTensor(op: string, tensor: unknown): void {
  if (!(tensor instanceof Tensor)) throw new ValueError(`${op}: expected a path and a tensor`);
  tensor.assertLive(op);
}

/** See numpy.ts. */
export async function save(
  path: string | Tensor,
  tensor?: Tensor,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const [to, what] = typeof path === 'string' ? [path, tensor] : [tensor, path];
  checkTensor('numpy.save', what);
  if (to !== undefined && typeof to !== 'string') {
    throw new ValueError('numpy.save: expected a path and a tensor');
  }
  const { size, pieces } = arrayEntry('', what as Tensor);
  return writeTo(to, size, async (sink) => {
    for await (const piece of pieces()) await sink.write(piece);
  });
}

/** See numpy.ts. */
export async function savez(
  op: string,
  path: string | Arrays,
  arrays: Arrays | undefined,
  deflated: boolean,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const [to, what] = typeof path === 'string' ? [path, arrays] : [arrays, path];
  if (to !== undefined && typeof to !== 'string') {
    throw new ValueError(`numpy.${op}: expected a path and tensors, a list or by name`);
  }
  if (!Array.isArray(what) && !isOptions(what)) {
    throw new ValueError(`numpy.${op}: expected a path and tensors by name, { name: tensor }`);
  }
  const named = Array.isArray(what)
    ? what.map((tensor, i) => [`arr_${i}`, tensor] as const)
    : Object.entries(what as StateDict);
  const entries = named.map(([name, tensor]) => {
    checkTensor(`numpy.${op}`, tensor);
    return arrayEntry(`${name}.npy`, tensor);
  });
  return writeTo(to, deflated ? 0 : zipSize(entries), (sink) => writeZip(sink, entries, deflated));
}
