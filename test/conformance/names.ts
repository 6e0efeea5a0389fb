/** Python names to the library's names, by rule. Lists here state facts of Python and of PyTorch. */

/** `zero_grad` -> `zeroGrad`, `atleast_1d` -> `atleast1d`; a trailing underscore stays. */
export function camelCase(name: string): string {
  return name.replace(/(?<=.)_([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

const RESERVED = new Set(
  (
    'await break case catch class const continue debugger default delete do else enum export ' +
    'extends false finally for function if implements import in instanceof interface let new ' +
    'null package private protected public return static super switch this throw true try ' +
    'typeof var void while with yield'
  ).split(' '),
);

/** The names to try for a Python name, best first. */
export function candidates(name: string): string[] {
  const camel = camelCase(name);
  const names = RESERVED.has(camel) ? [`${camel}_`, camel] : [camel];
  const bare = camel.replace(/^_+/, '');
  if (bare !== camel) names.push(bare);
  return names;
}

/** Splits `nn.functional.conv2d` into its namespace path and its last name. */
export function splitName(name: string): { path: string[]; last: string } {
  const parts = name.split('.');
  return { path: parts.slice(0, -1), last: parts[parts.length - 1]! };
}

/** Methods and properties of `torch.Tensor` that PyTorch has no `torch.f` for. */
export const METHOD_ONLY = new Set(
  (
    'H T mH mT bfloat16 bool byte char contiguous double expand expand_as float half int long ' +
    'new_empty new_empty_strided new_full new_ones new_tensor new_zeros repeat reshape_as ' +
    'short sum_to_size to type_as unfold view view_as'
  ).split(' '),
);

/** `__radd__(x, s)` means `s + x`: the plain operation, and whether its operands are swapped. */
export const REFLECTED: Readonly<Record<string, { op: string; swap: boolean }>> = {
  __radd__: { op: 'add', swap: false },
  __rmul__: { op: 'mul', swap: false },
  __rand__: { op: 'bitwise_and', swap: false },
  __ror__: { op: 'bitwise_or', swap: false },
  __rxor__: { op: 'bitwise_xor', swap: false },
  __rsub__: { op: 'rsub', swap: false },
  __rdiv__: { op: 'div', swap: true },
  __rmod__: { op: 'remainder', swap: true },
  __rpow__: { op: 'pow', swap: true },
  __rmatmul__: { op: 'matmul', swap: true },
};
