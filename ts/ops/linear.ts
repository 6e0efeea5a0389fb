/** Products of vectors, matrices and batches of them. All of them run the row `matmul`. */

import { ShapeError, showShape } from '../core/errors.js';
import { batchedForm, broadcastShapes, numelOf, type Shape, sized } from '../core/layout.js';
import { lend3 } from '../core/lend.js';
import type { Tensor } from '../tensor.js';
import { where } from './arithmetic.js';
import { type Form, isView } from './canonical.js';
import { tensor } from './creation.js';
import { elementwise } from './elementwise.js';
import { assignFrom } from './inplace.js';
import { checkDtypes, linear as linearOf, mismatch, product, productOf } from './products.js';
import { op } from './signature.js';

export * from './distances.js';
export { svd } from './factorisations.js';

function checkNdim(name: string, wanted: readonly number[], operands: readonly Tensor[]): void {
  if (operands.every((operand, i) => operand.ndim === wanted[i])) return;
  const kinds = ['', 'a vector', 'a matrix', 'a batch of matrices'];
  const shapes = operands.map(({ shape }) => showShape(shape)).join(' and ');
  throw new ShapeError(
    `${name}: expected ${wanted.map((ndim) => kinds[ndim]).join(' and ')}, got ${shapes}; ` +
      'matmul() takes any number of dimensions',
  );
}

function checkInner(name: string, a: Tensor, b: Tensor, inner: number, rows: number): void {
  if (inner === rows) return;
  throw mismatch(
    name,
    a,
    b,
    `the first ends with size ${inner}, the second has ${rows} rows. Transpose one of them?`,
  );
}

/** Product of two matrices: [M, K] and [K, N] give [M, N]. */
export const mm = op('mm', 'input, mat2', (input: Tensor, mat2: Tensor): Tensor => {
  checkNdim('mm', [2, 2], [input, mat2]);
  return matrices('mm', input, mat2, 'MmBackward0');
});

function matrices(name: string, a: Tensor, b: Tensor, shown: string, bias?: Tensor): Tensor {
  checkDtypes(name, a, b);
  checkInner(name, a, b, a.shape[1], b.shape[0]);
  const [left, right] = [batchedForm(a.geometry), batchedForm(b.geometry)];
  const forms = lend3<Form | undefined>(left, right, undefined);
  return productOf(a, b, bias, forms, sized(a.shape[0], b.shape[1]).shape, shown);
}

/** Product of each pair of matrices of two batches: [B, M, K] and [B, K, N] give [B, M, N]. */
export const bmm = op('bmm', 'input, mat2', (input: Tensor, mat2: Tensor): Tensor => {
  checkNdim('bmm', [3, 3], [input, mat2]);
  checkDtypes('bmm', input, mat2);
  const [batch, m, k] = input.shape;
  const [other, rows, n] = mat2.shape;
  if (batch !== other) throw mismatch('bmm', input, mat2, 'the batch sizes differ');
  checkInner('bmm', input, mat2, k, rows);
  const forms = [{ shape: input.shape }, { shape: mat2.shape }] as const;
  return product(input, mat2, forms, [batch, m, n], 'BmmBackward0');
});

/** Product of a matrix and a vector: [M, K] and [K] give [M]. */
export const mv = op('mv', 'input, vec', (input: Tensor, vec: Tensor): Tensor => {
  checkNdim('mv', [2, 1], [input, vec]);
  return vectorLast('mv', input, vec);
});

function vectorLast(name: string, a: Tensor, vec: Tensor): Tensor {
  checkDtypes(name, a, vec);
  const [m, k] = a.shape;
  checkInner(name, a, vec, k, vec.shape[0]);
  const forms = [{ shape: [1, m, k] }, { shape: [1, k, 1] }] as const;
  return product(a, vec, forms, [m], 'MvBackward0');
}

function inProduct(name: string, shown: string) {
  return (input: Tensor, other: Tensor): Tensor => {
    checkNdim(name, [1, 1], [input, other]);
    checkDtypes(name, input, other);
    const k = input.numel();
    checkInner(name, input, other, k, other.numel());
    const forms = [{ shape: [1, 1, k] }, { shape: [1, k, 1] }] as const;
    return product(input, other, forms, [], shown);
  };
}

/** Sum of the products of two vectors. */
export const dot = op('dot', 'input, tensor', inProduct('dot', 'DotBackward0'));
/** As dot(), for real numbers. */
export const vdot = op('vdot', 'input, other', inProduct('vdot', 'VdotBackward0'));

/**
 * The product PyTorch writes as @: of vectors, of matrices, and of batches of them, whose leading
 * dimensions broadcast. A vector stands for one row in front and for one column behind.
 */
export const matmul = op('matmul', 'input, other', (input: Tensor, other: Tensor): Tensor => {
  if (input.ndim === 0 || other.ndim === 0) {
    throw mismatch('matmul', input, other, 'both need at least 1 dimension; use mul()');
  }
  if (input.ndim === 1 && other.ndim === 1) return dot(input, other);
  if (input.ndim === 2 && other.ndim === 1) return vectorLast('matmul', input, other);
  if (input.ndim === 2 && other.ndim === 2) return matrices('matmul', input, other, 'MmBackward0');
  checkDtypes('matmul', input, other);
  return batched(input, other);
});

/** Batches of matrices, or of vectors on one side, with broadcasting. */
function batched(a: Tensor, b: Tensor): Tensor {
  const left = a.ndim === 1 ? [1, a.shape[0]] : a.shape;
  const right = b.ndim === 1 ? [b.shape[0], 1] : b.shape;
  const [m, k] = left.slice(-2);
  const [rows, n] = right.slice(-2);
  checkInner('matmul', a, b, k, rows);
  const batch = broadcastShapes(left.slice(0, -2), right.slice(0, -2), 'matmul');
  const shape = [...batch, ...(a.ndim === 1 ? [] : [m]), ...(b.ndim === 1 ? [] : [n])];
  const folded = { shape: [1, numelOf(batch) * m, k] };
  if (right.length === 2 && isView(a, folded)) {
    return product(a, b, [folded, { shape: [1, k, n] }], shape, 'UnsafeViewBackward0');
  }
  const forms = [batchForm(a, left, batch), batchForm(b, right, batch)] as const;
  return product(a, b, forms, shape, 'UnsafeViewBackward0');
}

/** One operand as [B, rows, columns]: broadcast only where its batch is not the result's. */
function batchForm(x: Tensor, matrix: Shape, batch: Shape): Form {
  const [rows, columns] = matrix.slice(-2);
  const shape = [numelOf(batch), rows, columns];
  if (numelOf(matrix.slice(0, -2)) === shape[0]) return { shape };
  // A vector in front is a row, which broadcasting adds; one behind would lose its column.
  if (x.ndim === 1 && rows !== 1) {
    return { expand: [...batch, rows], shape };
  }
  return { expand: [...batch, rows, columns], shape };
}

/** Matrix product of inputs of any leading dimensions with the transpose of a weight. */
export const linear = linearOf;

// --- Products added to something ---------------------------------------------------------------

/** beta * input + alpha * product; an input times 0 is left out, even where it is NaN. */
function combine(
  name: string,
  input: Tensor,
  made: Tensor,
  givenBeta: number,
  givenAlpha: number,
): Tensor {
  const shape = broadcastShapes(input.shape, made.shape, name);
  if (shape.length !== made.ndim || shape.some((size, i) => size !== made.shape[i])) {
    throw mismatch(name, input, made, 'the first must broadcast to the product');
  }
  // As in PyTorch, factors of integer tensors lose their fractions.
  const held = made.dtype.isFloatingPoint ? Number : Math.trunc;
  const [beta, alpha] = [held(givenBeta), held(givenAlpha)];
  if (beta === 0) {
    const scaled = alpha === 1 ? made : made.mul(alpha);
    if (!input.requiresGrad) return scaled;
    const never = tensor(false, { device: input.device });
    return scaled.add(where(never, input, 0));
  }
  const scaled = beta === 1 ? input : input.mul(beta);
  return scaled.add(made, alpha);
}

/** beta * input + alpha * (mat1 @ mat2). */
export const addmm = op(
  'addmm',
  'input, mat1, mat2, beta, alpha',
  (input: Tensor, mat1: Tensor, mat2: Tensor, beta = 1, alpha = 1): Tensor => {
    checkNdim('addmm', [2, 2], [mat1, mat2]);
    checkDtypes('addmm', input, mat1, mat2);
    const fits = input.ndim === 1 && input.shape[0] === mat2.shape[1];
    if (fits && beta === 1 && alpha === 1) {
      return matrices('addmm', mat1, mat2, 'AddmmBackward0', input);
    }
    return combine('addmm', input, matrices('addmm', mat1, mat2, 'MmBackward0'), beta, alpha);
  },
);

/** beta * input + alpha * (mat @ vec). */
export const addmv = op(
  'addmv',
  'input, mat, vec, beta, alpha',
  (input: Tensor, mat: Tensor, vec: Tensor, beta = 1, alpha = 1): Tensor => {
    checkNdim('addmv', [2, 1], [mat, vec]);
    checkDtypes('addmv', input, mat, vec);
    return combine('addmv', input, vectorLast('addmv', mat, vec), beta, alpha);
  },
);

/** beta * input + alpha * (batch1 @ batch2), matrix by matrix. */
export const baddbmm = op(
  'baddbmm',
  'input, batch1, batch2, beta, alpha',
  (input: Tensor, batch1: Tensor, batch2: Tensor, beta = 1, alpha = 1): Tensor => {
    checkDtypes('baddbmm', input, batch1, batch2);
    return combine('baddbmm', input, bmm(batch1, batch2), beta, alpha);
  },
);

/** beta * input + alpha * the sum of batch1 @ batch2 over the batch. */
export const addbmm = op(
  'addbmm',
  'input, batch1, batch2, beta, alpha',
  (input: Tensor, batch1: Tensor, batch2: Tensor, beta = 1, alpha = 1): Tensor => {
    checkDtypes('addbmm', input, batch1, batch2);
    return combine('addbmm', input, bmm(batch1, batch2).sum(0), beta, alpha);
  },
);

/** beta * input + alpha * the outer product of vec1 and vec2. */
export const addr = op(
  'addr',
  'input, vec1, vec2, beta, alpha',
  (input: Tensor, vec1: Tensor, vec2: Tensor, beta = 1, alpha = 1): Tensor =>
    combine('addr', input, outer(vec1, vec2), beta, alpha),
);

export const addmm_ = op(
  'addmm_',
  'input, mat1, mat2, beta, alpha',
  (input: Tensor, mat1: Tensor, mat2: Tensor, beta = 1, alpha = 1): Tensor =>
    assignFrom('addmm_', input, (before) => addmm(before, mat1, mat2, beta, alpha)),
);
export const addmv_ = op(
  'addmv_',
  'input, mat, vec, beta, alpha',
  (input: Tensor, mat: Tensor, vec: Tensor, beta = 1, alpha = 1): Tensor =>
    assignFrom('addmv_', input, (before) => addmv(before, mat, vec, beta, alpha)),
);
export const baddbmm_ = op(
  'baddbmm_',
  'input, batch1, batch2, beta, alpha',
  (input: Tensor, batch1: Tensor, batch2: Tensor, beta = 1, alpha = 1): Tensor =>
    assignFrom('baddbmm_', input, (before) => baddbmm(before, batch1, batch2, beta, alpha)),
);
export const addbmm_ = op(
  'addbmm_',
  'input, batch1, batch2, beta, alpha',
  (input: Tensor, batch1: Tensor, batch2: Tensor, beta = 1, alpha = 1): Tensor =>
    assignFrom('addbmm_', input, (before) => addbmm(before, batch1, batch2, beta, alpha)),
);
export const addr_ = op(
  'addr_',
  'input, vec1, vec2, beta, alpha',
  (input: Tensor, vec1: Tensor, vec2: Tensor, beta = 1, alpha = 1): Tensor =>
    assignFrom('addr_', input, (before) => addr(before, vec1, vec2, beta, alpha)),
);

// --- Products without a sum, and sums over several dimensions ----------------------------------

/** All products of an element of the first vector and one of the second: [M, N]. */
export const outer = op('outer', 'input, vec2', (input: Tensor, vec2: Tensor): Tensor => {
  checkNdim('outer', [1, 1], [input, vec2]);
  return elementwise.mul(input.unsqueeze(1), vec2);
});
export const ger = outer;

/** Sums of products over the last dimensions: [..., K] and [..., K] give [..., ...]. */
export const inner = op('inner', 'input, other', (input: Tensor, other: Tensor): Tensor => {
  if (input.ndim === 0 || other.ndim === 0) return elementwise.mul(input, other);
  const k = input.shape[input.ndim - 1];
  if (k !== other.shape[other.ndim - 1]) {
    throw mismatch('inner', input, other, 'the last dimensions differ');
  }
  return tensordot(input, other, [[-1], [-1]]);
});

/**
 * Sum of products over the dimensions named: `dims` lists those of `input` and those of `other`, or
 * counts how many last ones of `input` meet the first ones of `other`.
 */
export const tensordot = op(
  'tensordot',
  'input, other, dims',
  (
    input: Tensor,
    other: Tensor,
    dims: number | readonly [readonly number[], readonly number[]] = 2,
  ): Tensor => {
    checkDtypes('tensordot', input, other);
    const [mine, theirs] = contracted(input, other, dims);
    const freeA = input.shape.map((_, i) => i).filter((i) => !mine.includes(i));
    const freeB = other.shape.map((_, i) => i).filter((i) => !theirs.includes(i));
    const rows = freeA.map((i) => input.shape[i]);
    const columns = freeB.map((i) => other.shape[i]);
    const k = numelOf(mine.map((i) => input.shape[i]));
    const forms = [
      { order: [...freeA, ...mine], shape: [1, numelOf(rows), k] },
      { order: [...theirs, ...freeB], shape: [1, k, numelOf(columns)] },
    ] as const;
    return product(input, other, forms, [...rows, ...columns], 'ViewBackward0');
  },
);

function contracted(
  a: Tensor,
  b: Tensor,
  dims: number | readonly [readonly number[], readonly number[]],
): [number[], number[]] {
  const lists =
    typeof dims === 'number'
      ? [
          Array.from({ length: dims }, (_, i) => a.ndim - dims + i),
          Array.from({ length: dims }, (_, i) => i),
        ]
      : dims;
  const [mine, theirs] = [
    lists[0].map((dim) => (dim < 0 ? dim + a.ndim : dim)),
    lists[1].map((dim) => (dim < 0 ? dim + b.ndim : dim)),
  ];
  const fits =
    mine.length === theirs.length && mine.every((dim, i) => a.shape[dim] === b.shape[theirs[i]]);
  const once = new Set(mine).size === mine.length && new Set(theirs).size === theirs.length;
  if (!fits || !once || mine.some((dim) => !(dim >= 0 && dim < a.ndim))) {
    throw mismatch('tensordot', a, b, `dims ${JSON.stringify(dims)} must name pairs of one size`);
  }
  return [mine, theirs];
}

/** Kronecker product: each element of `input` times all of `other`, in blocks. */
export const kron = op('kron', 'input, other', (input: Tensor, other: Tensor): Tensor => {
  const ndim = Math.max(input.ndim, other.ndim);
  const pad = (shape: Shape) => [...new Array<number>(ndim - shape.length).fill(1), ...shape];
  const a = pad(input.shape);
  const b = pad(other.shape);
  const left = input.reshape(a.flatMap((size) => [size, 1]));
  const right = other.reshape(b.flatMap((size) => [1, size]));
  return elementwise.mul(left, right).reshape(a.map((size, i) => size * b[i]));
});

/** Sum of the elements on the diagonal of a matrix. */
export const trace = op('trace', 'input', (input: Tensor): Tensor => {
  if (input.ndim !== 2) {
    throw new ShapeError(
      `trace: expected a matrix, got shape ${showShape(input.shape)}; ` +
        'sum diagonal(0, -2, -1) for batches',
    );
  }
  return input.diagonal().sum();
});

/** Vector product along `dim` (default: the first one of size 3). */
export const cross = op(
  'cross',
  'input, other, dim',
  (input: Tensor, other: Tensor, dim: number | null = null): Tensor => {
    const shape = broadcastShapes(input.shape, other.shape, 'cross');
    const first = shape.indexOf(3);
    const d = dim === null ? first : dim < 0 ? dim + shape.length : dim;
    if (shape[d] !== 3) {
      throw mismatch('cross', input, other, 'they have 3 elements along the dimension of vectors');
    }
    const [a, b] = [input.expand(shape), other.expand(shape)];
    const turned = (x: Tensor, shift: number) => x.roll(shift, d);
    const forward = elementwise.mul(turned(a, -1), turned(b, 1));
    return forward.sub(elementwise.mul(turned(a, 1), turned(b, -1)));
  },
);
