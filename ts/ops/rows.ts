/** Taking the rows out of a family file, leaving its helpers. */

export type RowsOf<M> = {
  readonly [K in keyof M as M[K] extends { kind: 'primitive' } ? K : never]: M[K];
};

/** The exported primitives of a module. */
export function rows<M extends object>(module: M): RowsOf<M> {
  return Object.fromEntries(
    Object.entries(module).filter(([, value]) => value?.kind === 'primitive'),
  ) as RowsOf<M>;
}
