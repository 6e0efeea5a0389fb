/**
 * PyTorch's calling style: positional arguments in PyTorch's order, then optionally one object for
 * the keyword ones. A signature string names the parameters once, for the check and for the types.
 */

import { showValue, ValueError } from '../core/errors.js';
import { isOptions, unknownOption } from '../core/options.js';
import { isTensor } from './promote.js';

type Trim<S extends string> = S extends ` ${infer R}`
  ? Trim<R>
  : S extends `${infer R} `
    ? Trim<R>
    : S;

/** 'input, dim, keepdim' as ['input', 'dim', 'keepdim']. */
export type Names<S extends string> = S extends `${infer A},${infer R}`
  ? [Trim<A>, ...Names<R>]
  : [Trim<S>];

type Tail<T extends unknown[]> = T extends [_?: unknown, ...rest: infer R] ? R : [];

/** The keyword form of the parameters. */
type Keywords<N extends unknown[], P extends unknown[]> = P extends []
  ? unknown
  : P extends [_?: infer B, ...rest: infer R]
    ? N extends [infer A extends string, ...infer M]
      ? { [K in A]?: B } & Keywords<M, R>
      : unknown
    : unknown;

/** Any number of positional arguments, then an object with the rest. */
export type Mixed<
  N extends unknown[],
  P extends unknown[],
  Given extends unknown[] = [],
> = P extends []
  ? never
  :
      | [...Given, Keywords<N, P>]
      | (P extends [_?: infer B, ...rest: infer R] ? Mixed<Tail<N>, R, [...Given, B]> : never);

/** A function that takes its parameters by position, or from some position on by name. */
export interface Op<N extends unknown[], P extends unknown[], R> {
  (...args: P): R;
  (...args: Mixed<N, P> extends infer M extends unknown[] ? M : never): R;
  /** Only for types: what methods are made from. */
  readonly signature: [N, P, R];
}

type OpOf<S extends string, F> = F extends (...args: infer P) => infer R
  ? Op<Names<S>, P, R>
  : never;

/**
 * The method of a function whose first argument is the tensor. Overloaded functions name theirs
 * as `asMethod`, a member for types only.
 */
export type Method<F> = F extends { readonly asMethod: infer M }
  ? M
  : F extends { readonly signature: [infer N, infer P, infer R] }
    ? N extends unknown[]
      ? P extends unknown[]
        ? Op<Tail<N>, Tail<P>, R>
        : never
      : never
    : F extends (input: never, ...rest: infer A) => infer R
      ? (...rest: A) => R
      : never;

/**
 * The methods of all functions of a module. The keys are taken unfiltered, so that the members of
 * Tensor have names before their types are looked at.
 */
export type Methods<M> = { [K in keyof M]: Method<M[K]> };

/** Arguments in their positions. Names that are not parameters are an error naming the nearest. */
export function spread(op: string, names: readonly string[], args: readonly unknown[]): unknown[] {
  const options = args[args.length - 1] as Record<string, unknown>;
  const result = args.slice(0, -1);
  for (const key of Object.keys(options)) {
    const position = names.indexOf(key);
    if (position < 0) throw unknownOption(op, key, names);
    if (position < args.length - 1) {
      throw new ValueError(`${op}: '${key}' was given twice, by position and by name`);
    }
    result[position] = options[key];
  }
  return result;
}

/** What a constructor of the named parameters takes. */
export type Arguments<S extends string, P extends unknown[]> =
  | P
  | (Mixed<Names<S>, P> extends infer M extends unknown[] ? M : never);

/** The arguments in their positions. The first `required` ones must be given. */
export function bind<P extends unknown[]>(
  name: string,
  signature: string,
  args: readonly unknown[],
  required = 0,
): P {
  const names = signature.split(',').map((part) => part.trim());
  const named = isOptions(args[args.length - 1]);
  const count = named ? args.length - 1 : args.length;
  if (count > names.length) {
    throw new ValueError(
      `${name}: takes at most ${names.length} arguments (${signature}), got ${count}`,
    );
  }
  const values = named ? spread(name, names, args) : [...args];
  for (let i = 0; i < required; i++) {
    if (values[i] === undefined) {
      throw new ValueError(`${name}: '${names[i]}' must be given. It takes: ${names.join(', ')}`);
    }
  }
  return values as P;
}

/**
 * Makes a function of named parameters:
 * `op('sum', 'input, dim, keepdim', (input: Tensor, dim?: Dims, keepdim = false): Tensor => ...)`.
 */
export function op<const S extends string, F extends object>(
  name: string,
  signature: S,
  body: F,
): OpOf<S, F> {
  const names = signature.split(',').map((part) => part.trim());
  const run = body as unknown as (...args: unknown[]) => unknown;
  const refuse = (count: number): never => {
    throw new ValueError(
      `${name}: takes at most ${names.length} arguments (${signature}), got ${count}`,
    );
  };
  const fail = (error: unknown, args: unknown[]): never => {
    throw error instanceof TypeError ? explained(error, name, names, args) : error;
  };
  const listed = (args: unknown[]): unknown => {
    try {
      return isOptions(args[args.length - 1]) ? run(...spread(name, names, args)) : run(...args);
    } catch (error) {
      return fail(error, args);
    }
  };
  // Up to four arguments need no list, unless the last one names some.
  function call(a?: unknown, b?: unknown, c?: unknown, d?: unknown): unknown {
    // biome-ignore lint/complexity/noArguments: a rest parameter would be a list
    const count = arguments.length;
    if (count > names.length) return refuse(count);
    const last = count < 3 ? (count < 2 ? a : b) : count < 4 ? c : d;
    if (isOptions(last)) return listed([a, b, c, d].slice(0, count));
    try {
      return run(a, b, c, d);
    } catch (error) {
      return fail(error, [a, b, c, d].slice(0, count));
    }
  }
  // The same of five to eight, which would cost calls of fewer time.
  function long(
    a?: unknown,
    b?: unknown,
    c?: unknown,
    d?: unknown,
    e?: unknown,
    f?: unknown,
    g?: unknown,
    h?: unknown,
  ): unknown {
    // biome-ignore lint/complexity/noArguments: a rest parameter would be a list
    const count = arguments.length;
    if (count > names.length) return refuse(count);
    const early = count < 3 ? (count < 2 ? a : b) : count < 4 ? c : d;
    const late = count < 7 ? (count < 6 ? e : f) : count < 8 ? g : h;
    if (isOptions(count < 5 ? early : late)) {
      return listed([a, b, c, d, e, f, g, h].slice(0, count));
    }
    try {
      return run(a, b, c, d, e, f, g, h);
    } catch (error) {
      return fail(error, [a, b, c, d, e, f, g, h].slice(0, count));
    }
  }
  const many = (...args: unknown[]) =>
    args.length > names.length ? refuse(args.length) : listed(args);
  const chosen = names.length > 8 || run.length === 0 ? many : names.length > 4 ? long : call;
  return Object.defineProperty(chosen, 'name', { value: name }) as unknown as OpOf<S, F>;
}

/** A TypeError that comes of arguments of the wrong kind, as a typed one; its cause is kept. */
function explained(
  cause: TypeError,
  name: string,
  names: readonly string[],
  args: unknown[],
): Error {
  const [first] = args;
  const text =
    names[0] === 'input' && !isTensor(first)
      ? `expected a tensor as its first argument, got ${showValue(first)}`
      : `cannot be called with (${args.map(showValue).join(', ')}); it takes: ${names.join(', ')}`;
  const error = new ValueError(`${name}: ${text}`);
  error.cause = cause;
  return error;
}

/** Numbers given one by one or as one array: `view(2, 3)` and `view([2, 3])`. */
export function listOf(args: readonly (number | readonly number[])[]): readonly number[] {
  return args.length === 1 && Array.isArray(args[0]) ? args[0] : (args as readonly number[]);
}
