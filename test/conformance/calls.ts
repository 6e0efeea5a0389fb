/** How an operator of PyTorch's tables is called here: as function, as method, in place. */

import {
  type Callable,
  dtypeName,
  findFunction,
  findMethod,
  isTensorValue,
  type LooseTensor,
  Missing,
  requireFunction,
} from './adapter.js';
import type { OpFile } from './format.js';
import { METHOD_ONLY, REFLECTED } from './names.js';

/** A way of calling an operator with decoded arguments. */
export type Form = (args: readonly unknown[], kwargs: Record<string, unknown>) => unknown;

/** Keyword arguments become one trailing object. */
function withOptions(args: readonly unknown[], kwargs: Record<string, unknown>): unknown[] {
  return Object.keys(kwargs).length === 0 ? [...args] : [...args, kwargs];
}

const isFloating = (value: unknown): boolean =>
  isTensorValue(value) && dtypeName(value.dtype).includes('float');

/**
 * PyTorch's tables put the differentiable input first, also for functions that take it second.
 * Each rule tells from the arguments whether the first two have to change places.
 */
const SECOND_FIRST: Readonly<Record<string, (args: readonly unknown[]) => boolean>> = {
  where: ([, second]) => isMask(second),
  einsum: ([first]) => typeof first !== 'string',
  polygamma: ([first]) => isTensorValue(first),
  'special.polygamma': ([first]) => isTensorValue(first),
  'nn.functional.embedding': ([first]) => isFloating(first),
  'nn.functional.embedding_bag': ([first]) => isFloating(first),
};

function isMask(value: unknown): boolean {
  return isTensorValue(value) && /^(bool|uint8)$/.test(dtypeName(value.dtype));
}

function ordered(op: string, args: readonly unknown[]): readonly unknown[] {
  if (!SECOND_FIRST[op]?.(args)) return args;
  const [first, second, ...rest] = args;
  return [second, first, ...rest];
}

/** The last part of an operator's name is a method name only outside of namespaces. */
function functionForm(op: string): Form {
  return (args, kwargs) => {
    const callee = requireFunction(op);
    const actual = op.endsWith('_') ? cloneFirst(args) : args;
    return callee(...withOptions(ordered(op, actual), kwargs));
  };
}

function cloneFirst(args: readonly unknown[]): unknown[] {
  const [first, ...rest] = args;
  return [isTensorValue(first) ? first.clone() : first, ...rest];
}

function requireMethod(receiver: unknown, name: string): Callable {
  const found = findMethod(receiver, name);
  if (found === undefined) throw new Missing(`Tensor.${name}`);
  return found;
}

function methodForm(op: string): Form {
  const name = op.split('.').pop()!;
  return (args, kwargs) => {
    const [receiver, ...rest] = op.endsWith('_') ? cloneFirst(args) : args;
    return requireMethod(receiver, name)(...withOptions(rest, kwargs));
  };
}

/** `__radd__(x, s)`: the plain operation on `s` and `x`. */
function reflectedForm(name: string): Form {
  const { op, swap } = REFLECTED[name]!;
  return ([x, given]) => {
    // PyTorch 1.13 writes it as `torch.tensor(other) ** self`: that copy has no history.
    const copied = name === '__rpow__' && isTensorValue(given);
    const other = copied ? given.detach() : given;
    if (!swap) return requireFunction(op)(x, other);
    if (isTensorValue(other)) return requireFunction(op)(other, x);
    // As in PyTorch, division has no form with a scalar in front.
    if (op !== 'div') return requireFunction(op)(other, x);
    return (requireFunction('reciprocal')(x) as LooseTensor).mul(other);
  };
}

/** Python's index: a tuple has an item per dimension; a list of numbers is one index tensor. */
function indexForm(): Form {
  return ([x, index]) => {
    const items = Array.isArray(index) ? (isIndexList(index) ? [index] : index) : [index];
    return requireMethod(x, 'at')(...items.map(indexItem));
  };
}

function isIndexList(index: readonly unknown[]): boolean {
  return index.length > 0 && index.every((item) => typeof item === 'number');
}

function indexItem(item: unknown): unknown {
  if (!Array.isArray(item)) return item;
  return requireFunction('tensor')(item);
}

/** `slice(x, dim, start, end, step)`, which PyTorch has no name for outside of its core. */
function sliceForm(): Form {
  const names = ['dim', 'start', 'end', 'step'];
  return ([x, ...rest], kwargs) => {
    const named = { ...kwargs };
    for (const [index, value] of rest.entries()) named[names[index]!] = value;
    const callee = findFunction('slice');
    if (callee) return callee(...withOptions([x], named));
    const rank = (x as LooseTensor).shape.length;
    const dim = Number(named.dim ?? 0);
    const before = new Array<unknown>(dim < 0 ? dim + rank : dim).fill(':');
    const part = `${named.start ?? ''}:${named.end ?? ''}:${named.step ?? 1}`;
    return (x as LooseTensor).at(...before, part);
  };
}

/** Entries of PyTorch's tables that wrap an operator, and what they compute with it. */
const WRAPPED: Readonly<Record<string, Form>> = {
  // The pseudo-inverse of a product, which is singular by construction.
  'linalg.pinv.singular': ([a, b]) => {
    const factor = (b as LooseTensor).transpose(-2, -1);
    return requireFunction('linalg.pinv')(requireFunction('matmul')(a, factor));
  },
  // The solution alone, which has a gradient.
  'linalg.lstsq.grad_oriented': ([a, b, driver], kwargs) => {
    const options = driver === undefined ? kwargs : { ...kwargs, driver };
    const result = requireFunction('linalg.lstsq')(...withOptions([a, b], options));
    return Object.values(result as object)[0];
  },
};

/** The forms an operator has outside of the in-place one. */
export function callForms(file: Pick<OpFile, 'op' | 'variant' | 'method'>): [string, Form][] {
  const { op } = file;
  const wrapped = WRAPPED[`${op}.${file.variant}`];
  if (wrapped) return [['function', wrapped]];
  if (op === '__getitem__') return [['method', indexForm()]];
  if (op === 'slice' && !file.method) return [['function', sliceForm()]];
  const reflected = REFLECTED[op];
  // Python's reflected operators are methods of tensors: a number cannot receive them.
  if (reflected) return [['method', reflectedForm(op)]];
  const forms: [string, Form][] = [];
  if (!METHOD_ONLY.has(op)) forms.push(['function', functionForm(op)]);
  if (file.method || METHOD_ONLY.has(op)) forms.push(['method', methodForm(op)]);
  return forms;
}

/** The in-place form: `x.f_(...)`, or `{ inplace: true }` for functions of `nn.functional`. */
export function inplaceForm(file: Pick<OpFile, 'op'>): Form {
  const { op } = file;
  if (op.startsWith('nn.functional.')) {
    return (args, kwargs) => functionForm(op)(args, { ...kwargs, inplace: true });
  }
  const name = op.endsWith('_') ? op : `${op}_`;
  return ([receiver, ...rest], kwargs) =>
    requireMethod(receiver, name)(...withOptions(rest, kwargs));
}
