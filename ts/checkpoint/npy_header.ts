/** The header of `.npy` files: a Python dict as text, read by a small parser of just that. */

import { type Dtype, dtypes } from '../core/dtype.js';
import { shorten } from './file.js';

/** How elements lie in the file. */
export interface NpyHeader {
  readonly dtype: Dtype;
  /** Whether elements have their highest byte first. */
  readonly swapped: boolean;
  readonly fortran: boolean;
  readonly shape: readonly number[];
}

/** What describes our dtypes in a header; bfloat16, unknown to NumPy, is two bytes of no type. */
const KINDS: ReadonlyMap<string, Dtype> = new Map(
  Object.entries({
    f8: dtypes.float64,
    f4: dtypes.float32,
    f2: dtypes.float16,
    V2: dtypes.bfloat16,
    i8: dtypes.int64,
    i4: dtypes.int32,
    i2: dtypes.int16,
    i1: dtypes.int8,
    u1: dtypes.uint8,
    b1: dtypes.bool,
  }),
);

const MOST_DIMENSIONS = 64;

type FailHere = (message: string, at: number) => never;

/** Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`. */
export function parseHeader(text: string, fail: FailHere): NpyHeader {
  return new Parser(text, fail).header();
}

class Parser {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly failAt: FailHere,
  ) {}

  header(): NpyHeader {
    let kind: Pick<NpyHeader, 'dtype' | 'swapped'> | undefined;
    let fortran: boolean | undefined;
    let shape: number[] | undefined;
    this.expect('{');
    while (!this.take('}')) {
      const start = this.at;
      const key = this.string();
      this.expect(':');
      if (key === 'descr' && kind === undefined) kind = this.kind();
      else if (key === 'fortran_order' && fortran === undefined) fortran = this.flag();
      else if (key === 'shape' && shape === undefined) shape = this.shape();
      else {
        this.at = start;
        this.fail(`the key '${shorten(key)}' is unknown or there twice`);
      }
      if (!this.take(',')) {
        this.expect('}');
        break;
      }
    }
    if (this.skip() !== undefined) this.fail('the header goes on after its end');
    if (kind === undefined || fortran === undefined || shape === undefined) {
      return this.fail('descr, fortran_order or shape is missing');
    }
    return { ...kind, fortran, shape };
  }

  private fail(message: string): never {
    return this.failAt(message, this.at);
  }

  /** The next character that is no space; undefined at the end. */
  private skip(): string | undefined {
    while (this.at < this.text.length && ' \n\t\r'.includes(this.text[this.at])) this.at++;
    return this.text[this.at];
  }

  private take(character: string): boolean {
    const found = this.skip() === character;
    if (found) this.at++;
    return found;
  }

  private expect(character: string): void {
    if (!this.take(character)) this.fail(`expected '${character}'`);
  }

  private string(): string {
    const quote = this.skip();
    if (quote !== "'" && quote !== '"') return this.fail('expected a text');
    const end = this.text.indexOf(quote, this.at + 1);
    if (end < 0) return this.fail('a text does not end');
    const value = this.text.slice(this.at + 1, end);
    if (value.includes('\\')) return this.fail('a text has escapes');
    this.at = end + 1;
    return value;
  }

  private word(pattern: RegExp): string | undefined {
    this.skip();
    pattern.lastIndex = this.at;
    const word = pattern.exec(this.text)?.[0];
    this.at += word?.length ?? 0;
    return word;
  }

  private flag(): boolean {
    const word = this.word(/(True|False)\b/y);
    return word === undefined
      ? this.fail('fortran_order is neither True nor False')
      : word === 'True';
  }

  private kind(): Pick<NpyHeader, 'dtype' | 'swapped'> {
    if (this.skip() === '[') this.fail('records have no dtype here; save their fields one by one');
    const start = this.at;
    const descr = this.string();
    const dtype = KINDS.get(descr.slice(1));
    const order = descr[0];
    const known =
      dtype !== undefined && ('<>='.includes(order) || (order === '|' && isPlain(dtype)));
    if (!known) {
      this.at = start;
      const object = descr.endsWith('O') ? ' (objects are pickles, which are never executed)' : '';
      return this.fail(
        `there is no dtype '${shorten(descr)}' here${object}; convert it with astype()`,
      );
    }
    return { dtype, swapped: order === '>' && dtype.size > 1 };
  }

  private shape(): number[] {
    this.expect('(');
    const sizes: number[] = [];
    while (!this.take(')')) {
      // Python 2 marked long integers.
      const size = Number(this.word(/\d+L?/y)?.replace('L', '') ?? Number.NaN);
      if (!Number.isSafeInteger(size)) this.fail('the shape is no tuple of sizes');
      sizes.push(size);
      if (sizes.length > MOST_DIMENSIONS) this.fail(`more than ${MOST_DIMENSIONS} dimensions`);
      if (this.take(',')) continue;
      this.expect(')');
      if (sizes.length === 1) this.fail('a number in parentheses is no shape');
      break;
    }
    return sizes;
  }
}

/** Whether elements have no byte order. */
function isPlain(dtype: Dtype): boolean {
  return dtype.size === 1 || dtype === dtypes.bfloat16;
}

/** The head of a file: magic, version, and a header that ends at a multiple of 64 bytes. */
export function writeHeader({ dtype, fortran, shape }: Omit<NpyHeader, 'swapped'>): Uint8Array {
  const kind = [...KINDS].find(([, known]) => known === dtype)?.[0];
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text =
    `{'descr': '${dtype.size === 1 ? '|' : '<'}${kind}', ` +
    `'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': (${sizes}), }`;
  const size = Math.ceil((10 + text.length + 1) / 64) * 64;
  const bytes = new Uint8Array(size).fill(0x20);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  new DataView(bytes.buffer).setUint16(8, size - 10, true);
  bytes.set(new TextEncoder().encode(text), 10);
  bytes[size - 1] = 0x0a;
  return bytes;
}
