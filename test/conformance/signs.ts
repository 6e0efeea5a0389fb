/**
 * Factorisations whose vectors have free signs: the recorded vectors and their cotangents are turned
 * to the signs that the library chose. Vectors that only complete a basis are free altogether.
 */

import { isTensorValue } from './adapter.js';
import { type EncodedTensor, isTensor, type OpCase, toNumber } from './format.js';
import { type Contents, flattenEncoded, flattenResult, read } from './values.js';

/** Which results hold the vectors, and whether as columns or as rows. */
type Vectors = Readonly<Record<number, 'columns' | 'rows'>>;

const FREE_SIGNS: Readonly<Record<string, Vectors>> = {
  qr: { 0: 'columns', 1: 'rows' },
  'linalg.qr': { 0: 'columns', 1: 'rows' },
  svd: { 0: 'columns', 2: 'columns' },
  'linalg.svd': { 0: 'columns', 2: 'rows' },
  symeig: { 1: 'columns' },
  'linalg.eigh': { 1: 'columns' },
};

interface Matrices {
  readonly batches: number;
  readonly count: number;
  readonly length: number;
  /** Position of element `i` of vector `j` in batch `b`. */
  index(b: number, j: number, i: number): number;
}

function matrices(shape: readonly number[], along: 'columns' | 'rows'): Matrices {
  const [rows, columns] = shape.slice(-2) as [number, number];
  const batches = shape.slice(0, -2).reduce((a, b) => a * b, 1);
  const size = rows * columns;
  return along === 'columns'
    ? { batches, count: columns, length: rows, index: (b, j, i) => b * size + i * columns + j }
    : { batches, count: rows, length: columns, index: (b, j, i) => b * size + j * columns + i };
}

/** The sign of each vector against the recorded one, by batch. */
function signsOf(actual: Contents, expected: EncodedTensor, along: 'columns' | 'rows'): number[][] {
  const { batches, count, length, index } = matrices(expected.shape, along);
  return Array.from({ length: batches }, (_, b) =>
    Array.from({ length: count }, (_, j) => {
      let dot = 0;
      for (let i = 0; i < length; i++) {
        dot += actual.data[index(b, j, i)]! * toNumber(expected.data[index(b, j, i)]!);
      }
      return dot < 0 ? -1 : 1;
    }),
  );
}

/** Applies signs to the first `known` vectors; the others become what `others` holds. */
function turn(
  tensor: EncodedTensor,
  along: 'columns' | 'rows',
  signs: number[][],
  known: number,
  others: ArrayLike<number>,
): EncodedTensor {
  const { batches, count, length, index } = matrices(tensor.shape, along);
  const data = [...tensor.data];
  for (let b = 0; b < batches; b++) {
    for (let j = 0; j < count; j++) {
      for (let i = 0; i < length; i++) {
        const at = index(b, j, i);
        data[at] = j < known ? toNumber(data[at]!) * signs[b]![j]! : others[at]!;
      }
    }
  }
  return { ...tensor, data };
}

/** The recording with the signs of the library's result; other operators' stay as they are. */
export async function withSigns(op: string, output: unknown, recorded: OpCase): Promise<OpCase> {
  const vectors = FREE_SIGNS[op];
  const expected = flattenEncoded(recorded.output);
  const results = flattenResult(output);
  if (!vectors || results.length !== expected.length) return recorded;
  const places = Object.entries(vectors).map(([place, along]) => ({ place: Number(place), along }));
  const actual = new Map<number, Contents>();
  for (const { place } of places) {
    const result = results[place];
    const wanted = expected[place];
    if (wanted === undefined || !isTensor(wanted) || !isTensorValue(result)) return recorded;
    if (result.shape.join() !== wanted.shape.join()) return recorded;
    actual.set(place, await read(result));
  }
  const shapes = places.map(({ place, along }) => {
    return matrices((expected[place] as EncodedTensor).shape, along).count;
  });
  const known = Math.min(...shapes);
  const { place: lead, along: direction } = places[0]!;
  const signs = signsOf(actual.get(lead)!, expected[lead] as EncodedTensor, direction);
  const cotangents = recorded.cotangents && [...recorded.cotangents];
  for (const { place, along } of places) {
    const wanted = expected[place] as EncodedTensor;
    const own = actual.get(place)!.data;
    expected[place] = turn(wanted, along, signs, known, own);
    const cotangent = cotangents?.[place];
    if (cotangents && cotangent) {
      const same = Float64Array.from(cotangent.data, toNumber);
      cotangents[place] = turn(cotangent, along, signs, known, same);
    }
  }
  return { ...recorded, output: expected, ...(cotangents && { cotangents }) };
}
