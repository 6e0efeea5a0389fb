/** Einstein's summation, and products of many matrices. */

import { ShapeError, showShape, ValueError } from '../core/errors.js';
import { numelOf } from '../core/layout.js';
import type { Tensor } from '../tensor.js';
import { elementwise } from './elementwise.js';

/** A tensor whose dimensions are named by labels, each once. */
interface Labelled {
  readonly x: Tensor;
  readonly labels: readonly string[];
}

const ELLIPSIS = '...';

function fail(equation: string, why: string): ValueError {
  return new ValueError(`einsum: '${equation}': ${why}`);
}

/** 'ij...k' as its labels, the ellipsis as one. */
function parseTerm(equation: string, term: string): string[] {
  const labels: string[] = [];
  for (let i = 0; i < term.length; i++) {
    if (term.startsWith(ELLIPSIS, i)) {
      if (labels.includes(ELLIPSIS)) throw fail(equation, 'a term has at most one ellipsis');
      labels.push(ELLIPSIS);
      i += 2;
    } else if (/[a-zA-Z]/.test(term[i])) labels.push(term[i]);
    else throw fail(equation, `'${term[i]}' is no label; labels are letters`);
  }
  return labels;
}

interface Equation {
  readonly text: string;
  readonly inputs: readonly string[][];
  readonly output: readonly string[] | undefined;
}

function parse(equation: string): Equation {
  const parts = equation.replaceAll(' ', '').split('->');
  if (parts.length > 2) throw fail(equation, "there is at most one '->'");
  const inputs = parts[0].split(',').map((term) => parseTerm(equation, term));
  return {
    text: equation,
    inputs,
    output: parts[1] === undefined ? undefined : parseTerm(equation, parts[1]),
  };
}

/** Names for the dimensions an ellipsis stands for, aligned at the right: '.1', '.0'. */
function dots(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `.${count - 1 - i}`);
}

/** An operand with labels; those it repeats become one (a diagonal). */
function label(equation: Equation, term: readonly string[], x: Tensor): Labelled {
  const named = term.filter((name) => name !== ELLIPSIS).length;
  const hasDots = term.includes(ELLIPSIS);
  if (hasDots ? named > x.ndim : named !== x.ndim) {
    throw new ShapeError(
      `einsum: '${equation.text}': term '${term.join('')}' names ${named} dimensions, the ` +
        `operand has shape ${showShape(x.shape)}`,
    );
  }
  let labels = term.flatMap((name) => (name === ELLIPSIS ? dots(x.ndim - named) : [name]));
  let result = x;
  for (let i = 0; i < labels.length; i++) {
    const again = labels.indexOf(labels[i], i + 1);
    if (again < 0) continue;
    if (result.shape[i] !== result.shape[again]) {
      throw new ShapeError(
        `einsum: '${equation.text}': label '${labels[i]}' names sizes ${result.shape[i]} and ` +
          `${result.shape[again]} of one operand`,
      );
    }
    result = result.diagonal(0, i, again).movedim(-1, i);
    labels = labels.toSpliced(again, 1);
    i--;
  }
  return { x: result, labels };
}

/** The size of every label; sizes 1 broadcast. */
function sizesOf(equation: Equation, operands: readonly Labelled[]): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { x, labels } of operands) {
    labels.forEach((name, i) => {
      const size = x.shape[i];
      const known = sizes.get(name) ?? 1;
      if (known !== 1 && size !== 1 && known !== size) {
        throw new ShapeError(
          `einsum: '${equation.text}': label '${name}' has sizes ${known} and ${size}; ` +
            'they must be equal or 1',
        );
      }
      sizes.set(name, known === 1 ? size : known);
    });
  }
  return sizes;
}

/** The labels of the result: as written, or the dots and what occurs once, in order. */
function outputLabels(equation: Equation, operands: readonly Labelled[]): string[] {
  const all = operands.flatMap(({ labels }) => labels);
  const dotted = dots(
    all
      .filter((name) => name.startsWith('.'))
      .reduce((most, name) => Math.max(most, Number(name.slice(1)) + 1), 0),
  );
  if (equation.output === undefined) {
    const given = equation.inputs.flat().filter((name) => name !== ELLIPSIS);
    const single = given.filter((name) => given.indexOf(name) === given.lastIndexOf(name));
    return [...dotted, ...single.sort()];
  }
  const result = equation.output.flatMap((name) => (name === ELLIPSIS ? dotted : [name]));
  for (const name of result) {
    if (!all.includes(name)) throw fail(equation.text, `output label '${name}' is in no operand`);
    if (result.indexOf(name) !== result.lastIndexOf(name)) {
      throw fail(equation.text, `output label '${name}' appears twice`);
    }
  }
  return result;
}

/** Sums over the labels that nobody asks for any more. */
function sumOut({ x, labels }: Labelled, keep: ReadonlySet<string>): Labelled {
  const gone = labels.map((name, i) => (keep.has(name) ? -1 : i)).filter((i) => i >= 0);
  if (gone.length === 0) return { x, labels };
  return { x: x.sum(gone), labels: labels.filter((name) => keep.has(name)) };
}

/** Without dimensions of size 1 that the other operand has in full. */
function dropBroadcast({ x, labels }: Labelled, sizes: ReadonlyMap<string, number>): Labelled {
  const full = labels.map((name, i) => x.shape[i] === sizes.get(name));
  if (full.every(Boolean)) return { x, labels };
  return {
    x: x.reshape(x.shape.filter((_, i) => full[i])),
    labels: labels.filter((_, i) => full[i]),
  };
}

function arrange({ x, labels }: Labelled, order: readonly string[]): Tensor {
  return x.permute(order.map((name) => labels.indexOf(name)));
}

/** The product of two operands, summed over what both have and nobody asks for any more. */
function contract(
  left: Labelled,
  right: Labelled,
  keep: ReadonlySet<string>,
  sizes: ReadonlyMap<string, number>,
): Labelled {
  const a = sumOut(left, new Set([...keep, ...right.labels]));
  const b = sumOut(right, new Set([...keep, ...a.labels]));
  const shared = a.labels.filter((name) => b.labels.includes(name));
  const batch = shared.filter((name) => keep.has(name));
  const summed = shared.filter((name) => !keep.has(name));
  const freeA = a.labels.filter((name) => !shared.includes(name));
  const freeB = b.labels.filter((name) => !shared.includes(name));
  const labels = [...batch, ...freeA, ...freeB];
  const of = (names: readonly string[]) => names.map((name) => sizes.get(name) as number);
  const [s, m, n, k] = [batch, freeA, freeB, summed].map((names) => numelOf(of(names)));
  const first = arrange(a, [...batch, ...freeA, ...summed]);
  if (summed.length === 0) {
    const rows = first.reshape([...of(batch), ...of(freeA), ...freeB.map(() => 1)]);
    const second = arrange(b, [...batch, ...freeB]);
    const columns = second.reshape([...of(batch), ...freeA.map(() => 1), ...of(freeB)]);
    return { x: elementwise.mul(rows, columns), labels };
  }
  const second = arrange(b, [...batch, ...summed, ...freeB]);
  const product = first.reshape(s, m, k).bmm(second.reshape(s, k, n));
  return { x: product.reshape(of(labels)), labels };
}

/**
 * Sums of products of operands whose dimensions are named by letters: 'ij,jk->ik' is the matrix
 * product. Letters the result does not name are summed over; a letter twice in a term takes the
 * diagonal; '...' stands for dimensions that broadcast. Without '->' the result has the letters
 * that occur once, in alphabetical order.
 */
export function einsum(equation: string, ...operands: (Tensor | readonly Tensor[])[]): Tensor {
  const list = operands.flat() as Tensor[];
  const parsed = parse(equation);
  if (list.length === 0 || list.length !== parsed.inputs.length) {
    throw fail(equation, `names ${parsed.inputs.length} operands, ${list.length} were given`);
  }
  const labelled = list.map((x, i) => label(parsed, parsed.inputs[i], x));
  const output = outputLabels(parsed, labelled);
  const sizes = sizesOf(parsed, labelled);
  const terms = labelled.map((term) => dropBroadcast(term, sizes));
  let result = terms[0];
  for (let i = 1; i < terms.length; i++) {
    const later = terms.slice(i + 1).flatMap(({ labels }) => labels);
    result = contract(result, terms[i], new Set([...output, ...later]), sizes);
  }
  return arrange(sumOut(result, new Set(output)), output);
}

function checkChain(name: string, matrices: readonly Tensor[]): void {
  if (matrices.length < 1) throw new ValueError(`${name}: give at least one matrix`);
  for (const [i, x] of matrices.entries()) {
    if (x.ndim === 2) continue;
    const shapes = matrices.map(({ shape }) => showShape(shape)).join(', ');
    throw new ShapeError(`${name}: operand ${i} is no matrix; the shapes are ${shapes}`);
  }
}

/** Where to split each part of a chain of matrices so that the fewest multiplications are done. */
function cheapestSplits(matrices: readonly Tensor[]): number[][] {
  const sizes = [matrices[0].shape[0], ...matrices.map(({ shape }) => shape[1])];
  const count = matrices.length;
  const cost = matrices.map(() => new Array<number>(count).fill(0));
  const splits = matrices.map(() => new Array<number>(count).fill(0));
  for (let length = 1; length < count; length++) {
    for (let from = 0; from + length < count; from++) {
      const to = from + length;
      cost[from][to] = Number.POSITIVE_INFINITY;
      for (let split = from; split < to; split++) {
        const here = sizes[from] * sizes[split + 1] * sizes[to + 1];
        const total = cost[from][split] + cost[split + 1][to] + here;
        if (total >= cost[from][to]) continue;
        cost[from][to] = total;
        splits[from][to] = split;
      }
    }
  }
  return splits;
}

function multiplyChain(matrices: readonly Tensor[]): Tensor {
  const splits = cheapestSplits(matrices);
  const part = (from: number, to: number): Tensor => {
    if (from === to) return matrices[from];
    const split = splits[from][to];
    return part(from, split).mm(part(split + 1, to));
  };
  return part(0, matrices.length - 1);
}

/** The product of matrices, multiplied in the cheapest order. */
export function chainMatmul(...matrices: (Tensor | readonly Tensor[])[]): Tensor {
  const list = matrices.flat() as Tensor[];
  checkChain('chainMatmul', list);
  return multiplyChain(list);
}

/** As chainMatmul(), of a list of at least two whose first and last may be vectors. */
export function multiDot(tensors: readonly Tensor[]): Tensor {
  if (tensors.length < 2) throw new ValueError('multiDot: give at least two tensors');
  const list = [...tensors];
  const last = list.length - 1;
  const [row, column] = [list[0].ndim === 1, list[last].ndim === 1];
  if (row) list[0] = list[0].unsqueeze(0);
  if (column) list[last] = list[last].unsqueeze(1);
  checkChain('multiDot', list);
  const result = multiplyChain(list);
  const shape = result.shape.filter((_, i) => !((i === 0 && row) || (i === 1 && column)));
  return row || column ? result.reshape(shape) : result;
}
