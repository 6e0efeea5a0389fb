/**
 * A small evaluator for the Python expressions in recordings: names, attributes, calls with keyword
 * arguments, indexing, lists and tuples, arithmetic, comparisons, conditionals, lambdas, and
 * statements separated by `;`. Names map by the library's rule, not by a table of known expressions.
 */

import { construct, findMethod, isTensorValue, lookup, Missing } from './adapter.js';
import { camelCase } from './names.js';

export type Names = Readonly<Record<string, unknown>>;

/** A dotted name below `torch` that is not resolved yet: modules, functions and classes. */
class Dotted {
  constructor(readonly name: string) {}
}

interface Token {
  readonly kind: 'number' | 'string' | 'name' | 'operator' | 'end';
  readonly text: string;
}

const TOKEN =
  /\s*(?:(?<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?<string>'[^']*'|"[^"]*")|(?<name>[A-Za-z_]\w*)|(?<operator>\*\*|\/\/|[<>=!]=|[-+*/%@<>=()[\],.:;]))/y;

function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  const text = source.trim().replace(/\n+/g, ';');
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const groups = TOKEN.exec(text)?.groups;
    if (!groups) throw new SyntaxError(`cannot read ${JSON.stringify(text.slice(at, at + 20))}`);
    const kind = (['number', 'string', 'name', 'operator'] as const).find(
      (k) => groups[k] !== undefined,
    )!;
    tokens.push({ kind, text: groups[kind]! });
  }
  tokens.push({ kind: 'end', text: '' });
  return tokens;
}

/** Evaluates when called with the names that are known. */
type Thunk = (names: Names) => unknown;

interface Argument {
  readonly keyword?: string;
  readonly value: Thunk;
}

const CONSTANTS: Names = { True: true, False: false, None: null };

const BUILTINS: Names = {
  abs: Math.abs,
  max: Math.max,
  min: Math.min,
  float: Number,
  int: Math.trunc,
  list: (items: Iterable<unknown>) => [...items],
  tuple: (items: Iterable<unknown>) => [...items],
  math: Math,
};

const ROOTS: Readonly<Record<string, string>> = {
  torch: '',
  nn: 'nn',
  F: 'nn.functional',
  init: 'nn.init',
  optim: 'optim',
};

const MODULES = new Set(
  Object.values(ROOTS).concat(['linalg', 'special', 'autograd', 'nn.utils', 'optim.lr_scheduler']),
);

function dotted(name: string): unknown {
  if (MODULES.has(name)) return new Dotted(name);
  const value = lookup(name);
  if (value === undefined) throw new Missing(`torch.${name}`);
  return typeof value === 'function' ? new Dotted(name) : value;
}

function resolve(name: string, names: Names): unknown {
  if (name in names) return names[name];
  if (name in CONSTANTS) return CONSTANTS[name];
  if (name in ROOTS) return new Dotted(ROOTS[name]!);
  if (name in BUILTINS) return BUILTINS[name];
  if (lookup(name) !== undefined) return dotted(name);
  throw new Missing(`torch.${name}`);
}

function attribute(owner: unknown, name: string): unknown {
  if (owner instanceof Dotted) return dotted(owner.name === '' ? name : `${owner.name}.${name}`);
  const found = findMethod(owner, name);
  if (!found) throw new Missing(`${isTensorValue(owner) ? 'Tensor.' : ''}${name}`);
  const raw = (owner as Record<string, unknown>)[camelCase(name)];
  return typeof raw === 'function' || raw === undefined ? found : raw;
}

/** Functions and classes that make tensors from nothing. */
const MAKES_TENSORS = new RegExp(
  '^((rand|randn|randint|randperm|normal|empty|full|ones|zeros|eye|arange|linspace|tensor)$|' +
    'nn\\.\\w*(Linear|Bilinear|Conv|Embedding|RNN|LSTM|GRU|Norm|PReLU|Multihead|Transformer))',
);

/** The device that new tensors are to be on, among the names. */
export const DEVICE = '(device)';

/** The arguments of a call that makes tensors, with the device among its keywords. */
function onDevice(name: string, args: unknown[], names: Names): unknown[] {
  const device = names[DEVICE];
  if (device === undefined || !MAKES_TENSORS.test(name) || args.some(isTensorValue)) return args;
  const last = args.at(-1);
  const keywords = typeof last === 'object' && last?.constructor === Object;
  return keywords ? [...args.slice(0, -1), { device, ...last }] : [...args, { device }];
}

function call(callee: unknown, given: unknown[], names: Names = {}): unknown {
  const args = callee instanceof Dotted ? onDevice(callee.name, given, names) : given;
  if (callee instanceof Dotted) {
    const last = callee.name.split('.').pop()!;
    if (/^[A-Z]/.test(last)) return construct(callee.name, args);
    const owner = callee.name.includes('.')
      ? lookup(callee.name.slice(0, -last.length - 1))
      : undefined;
    return Reflect.apply(lookup(callee.name) as () => unknown, owner, args);
  }
  if (typeof callee !== 'function') throw new TypeError('only functions can be called');
  return Reflect.apply(callee, undefined, args);
}

const ARITHMETIC: Readonly<Record<string, [string, (a: number, b: number) => unknown]>> = {
  '+': ['add', (a, b) => a + b],
  '-': ['sub', (a, b) => a - b],
  '*': ['mul', (a, b) => a * b],
  '/': ['div', (a, b) => a / b],
  '//': ['floor_divide', (a, b) => Math.floor(a / b)],
  '%': ['remainder', (a, b) => a - b * Math.floor(a / b)],
  '**': ['pow', (a, b) => a ** b],
  '@': ['matmul', () => Number.NaN],
  '<': ['lt', (a, b) => a < b],
  '>': ['gt', (a, b) => a > b],
  '<=': ['le', (a, b) => a <= b],
  '>=': ['ge', (a, b) => a >= b],
  '==': ['eq', (a, b) => a === b],
  '!=': ['ne', (a, b) => a !== b],
};

const REVERSED: Readonly<Record<string, string>> = { '+': 'add', '*': 'mul', '-': 'rsub' };

function combine(operator: string, left: unknown, right: unknown): unknown {
  const [name, plain] = ARITHMETIC[operator]!;
  if (isTensorValue(left)) return findMethod(left, name)!(right);
  if (isTensorValue(right)) {
    const reversed = REVERSED[operator];
    if (reversed) return call(dotted(reversed), [right, left]);
    return call(dotted(name), [left, right]);
  }
  return plain(Number(left), Number(right));
}

/** Binary operators by binding strength, weakest first; `**` and the unary minus stand apart. */
const LEVELS = [
  ['<', '>', '<=', '>=', '==', '!='],
  ['+', '-'],
  ['*', '/', '//', '%', '@'],
];

class Parser {
  private position = 0;
  private readonly tokens: Token[];

  constructor(source: string) {
    this.tokens = tokenize(source);
  }

  /** Statements separated by `;`, each an assignment or an expression. */
  statements(): { target?: string; value: Thunk }[] {
    const result: { target?: string; value: Thunk }[] = [];
    while (this.peek().kind !== 'end') {
      const isAssignment =
        this.peek().kind === 'name' && this.tokens[this.position + 1]!.text === '=';
      if (isAssignment) {
        const target = this.next().text;
        this.expect('=');
        result.push({ target, value: this.tuple() });
      } else {
        result.push({ value: this.tuple() });
      }
      if (this.peek().kind !== 'end') this.expect(';');
    }
    return result;
  }

  private peek(): Token {
    return this.tokens[this.position]!;
  }

  private next(): Token {
    return this.tokens[this.position++]!;
  }

  private accept(text: string): boolean {
    const token = this.peek();
    if (token.kind === 'string' || token.text !== text) return false;
    this.position++;
    return token.kind !== 'end';
  }

  private expect(text: string): void {
    if (!this.accept(text)) {
      throw new SyntaxError(`expected ${text}, found ${this.peek().text || 'the end'}`);
    }
  }

  private tuple(): Thunk {
    const first = this.expression();
    if (this.peek().text !== ',') return first;
    const items = [first];
    while (this.accept(',')) {
      if (this.peek().kind === 'end' || this.peek().text === ')') break;
      items.push(this.expression());
    }
    return (names) => items.map((item) => item(names));
  }

  private expression(): Thunk {
    if (this.accept('lambda')) return this.lambda();
    const value = this.binary(0);
    if (!this.accept('if')) return value;
    const condition = this.binary(0);
    this.expect('else');
    const otherwise = this.expression();
    return (names) => (condition(names) ? value(names) : otherwise(names));
  }

  private lambda(): Thunk {
    const parameters: string[] = [];
    while (!this.accept(':')) {
      parameters.push(this.next().text);
      this.accept(',');
    }
    const body = this.expression();
    return (names) =>
      (...args: unknown[]) =>
        body({ ...names, ...Object.fromEntries(parameters.map((p, i) => [p, args[i]])) });
  }

  private binary(level: number): Thunk {
    const operators = LEVELS[level];
    if (!operators) return this.unary();
    let left = this.binary(level + 1);
    while (this.peek().kind === 'operator' && operators.includes(this.peek().text)) {
      const operator = this.next().text;
      const first = left;
      const second = this.binary(level + 1);
      left = (names) => combine(operator, first(names), second(names));
    }
    return left;
  }

  private unary(): Thunk {
    if (this.accept('-')) {
      const operand = this.unary();
      return (names) => {
        const value = operand(names);
        return isTensorValue(value) ? findMethod(value, 'neg')!() : -Number(value);
      };
    }
    if (this.accept('+')) return this.unary();
    const base = this.postfix();
    if (!this.accept('**')) return base;
    const exponent = this.unary();
    return (names) => combine('**', base(names), exponent(names));
  }

  private postfix(): Thunk {
    let value = this.atom();
    for (;;) {
      const owner = value;
      if (this.accept('.')) {
        const name = this.next().text;
        value = (names) => attribute(owner(names), name);
      } else if (this.accept('(')) {
        const args = this.callArguments();
        value = (names) => call(owner(names), evaluateArguments(args, names), names);
      } else if (this.accept('[')) {
        const index = this.sequence(']', () => this.indexItem());
        value = (names) =>
          subscript(
            owner(names),
            index.map((item) => item(names)),
          );
      } else {
        return value;
      }
    }
  }

  /** `1`, `a:b`, `a:b:c`: a slice becomes the library's text. */
  private indexItem(): Thunk {
    const parts: (Thunk | undefined)[] = [];
    while (this.peek().text !== ',' && this.peek().text !== ']') {
      if (this.accept(':')) parts.push(undefined);
      else parts.push(this.expression());
    }
    if (parts.length === 1 && parts[0]) return parts[0];
    return (names) => parts.map((part) => (part ? String(part(names)) : ':')).join('');
  }

  private sequence<T>(close: string, item: () => T): T[] {
    const items: T[] = [];
    while (!this.accept(close)) {
      items.push(item());
      if (this.peek().text !== close) this.expect(',');
      else continue;
    }
    return items;
  }

  private callArguments(): Argument[] {
    return this.sequence(')', () => {
      const named = this.peek().kind === 'name' && this.tokens[this.position + 1]!.text === '=';
      if (!named) return { value: this.expression() };
      const keyword = this.next().text;
      this.expect('=');
      return { keyword, value: this.expression() };
    });
  }

  private atom(): Thunk {
    const token = this.next();
    if (token.kind === 'number') return () => Number(token.text);
    if (token.kind === 'string') return () => token.text.slice(1, -1);
    if (token.kind === 'name') return (names) => resolve(token.text, names);
    if (token.text === '[') {
      const items = this.sequence(']', () => this.expression());
      return (names) => items.map((item) => item(names));
    }
    if (token.text !== '(') throw new SyntaxError(`unexpected ${token.text || 'end'}`);
    if (this.accept(')')) return () => [];
    const inner = this.tuple();
    this.expect(')');
    return inner;
  }
}

function evaluateArguments(args: readonly Argument[], names: Names): unknown[] {
  const positional: unknown[] = [];
  const keywords: Record<string, unknown> = {};
  for (const { keyword, value } of args) {
    if (keyword === undefined) positional.push(value(names));
    else keywords[camelCase(keyword)] = value(names);
  }
  return Object.keys(keywords).length === 0 ? positional : [...positional, keywords];
}

function subscript(owner: unknown, index: unknown[]): unknown {
  if (isTensorValue(owner)) return owner.at(...index);
  const [key] = index;
  if (Array.isArray(owner) && typeof key === 'number') return owner.at(key);
  return (owner as Record<string, unknown>)[String(key)];
}

/** Runs statements: their values, by the names that were assigned. */
function* runAll(source: string, names: Names): Generator<{ target?: string; value: unknown }> {
  const known: Record<string, unknown> = { ...names };
  for (const { target, value } of new Parser(source).statements()) {
    const result = value(known);
    const settled = result instanceof Dotted ? lookup(result.name) : result;
    if (target !== undefined) known[target] = settled;
    yield { target, value: settled };
  }
}

/** Runs statements and returns the value of each. Assigned names are known to the later ones. */
export function evaluateAll(source: string, names: Names = {}): unknown[] {
  return [...runAll(source, names)].map(({ value }) => value);
}

/** The values of the statements that assign nothing. */
export function evaluateResults(source: string, names: Names = {}): unknown[] {
  const results = [...runAll(source, names)].filter(({ target }) => target === undefined);
  return results.map(({ value }) => value);
}

/** Evaluates one expression. */
export function evaluate(source: string, names: Names = {}): unknown {
  return evaluateAll(source, names).at(-1);
}
