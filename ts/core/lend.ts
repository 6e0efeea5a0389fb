/**
 * Lists that a call needs while it runs and nobody keeps: operands, what they become, results.
 * They are lent and given back, so that a call leaves nothing to the collector. What is given
 * back is empty, and calls within a call have lists of their own.
 */

/** The longest lists that are kept, and how many of a length. */
const LONGEST = 9;
const MOST = 16;
const spare = Array.from({ length: LONGEST + 1 }, () => new Array<unknown[]>(MOST));
const count = new Array<number>(LONGEST + 1).fill(0);

/** A list of so many places; what is in them does not count. */
export function lend<T>(length: number): T[] {
  if (length <= LONGEST && count[length] > 0) return spare[length][--count[length]] as T[];
  return new Array<T>(length);
}

export function lend1<T>(x: T): T[] {
  const list = lend<T>(1);
  list[0] = x;
  return list;
}

export function lend2<T>(x: T, y: T): T[] {
  const list = lend<T>(2);
  list[0] = x;
  list[1] = y;
  return list;
}

export function lend3<T>(x: T, y: T, z: T): T[] {
  const list = lend<T>(3);
  list[0] = x;
  list[1] = y;
  list[2] = z;
  return list;
}

/** A list of four to eight. */
export function lendAll<T>(a: T, b: T, c: T, d: T, e?: T, f?: T, g?: T, h?: T): T[] {
  // biome-ignore lint/complexity/noArguments: a rest parameter would be a list
  const list = lend<T | undefined>(arguments.length);
  const { length } = list;
  list[0] = a;
  list[1] = b;
  list[2] = c;
  list[3] = d;
  if (length > 4) list[4] = e;
  if (length > 5) list[5] = f;
  if (length > 6) list[6] = g;
  if (length > 7) list[7] = h;
  return list as T[];
}

/** Takes a list, lent or not, of which the caller has the only use. */
export function giveBack(list: readonly unknown[]): void {
  const { length } = list;
  const emptied = list as unknown[];
  for (let i = 0; i < length; i++) emptied[i] = undefined;
  if (length <= LONGEST && count[length] < MOST) spare[length][count[length]++] = emptied;
}

/** The only element of a list, which is given back. */
export function only<T>(list: readonly T[]): T {
  const [first] = list;
  giveBack(list);
  return first;
}
