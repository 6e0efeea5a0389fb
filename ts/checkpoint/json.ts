/** A strict JSON reader that says where it fails, and sees what JSON.parse hides: repeated keys. */

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const NUMBER = /-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
/** How deep values may lie in one another. */
const DEEPEST = 32;
/** So many lists and objects are always read, and more in proportion to the text. */
const FEW = 1024;

/** A number as it is written. */
export class JsonNumber {
  constructor(readonly text: string) {}
}

/** Objects are Maps, so that no key is special. */
export type Json =
  | null
  | boolean
  | string
  | JsonNumber
  | readonly Json[]
  | ReadonlyMap<string, Json>;

/** Throws through `fail`, with the byte. */
export function parseJson(bytes: Uint8Array, fail: (message: string, at: number) => never): Json {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return fail('it is no UTF-8 text', 0);
  }
  return new Parser(text, (message, at) => {
    return fail(message, new TextEncoder().encode(text.slice(0, at)).length);
  }).document();
}

class Parser {
  private at = 0;
  private depth = 0;
  private containers = 0;

  constructor(
    private readonly text: string,
    private readonly failAt: (message: string, at: number) => never,
  ) {}

  document(): Json {
    const value = this.value();
    if (this.peek() !== '') this.fail('the JSON text goes on after its end');
    return value;
  }

  private fail(message: string): never {
    return this.failAt(message, this.at);
  }

  /** The next character that is no space, or '' at the end. */
  private peek(): string {
    while (/[ \t\n\r]/.test(this.text[this.at] ?? '')) this.at++;
    return this.text[this.at] ?? '';
  }

  private expect(character: string): void {
    const found = this.peek();
    if (found !== character) {
      this.fail(`expected '${character}', found ${found === '' ? 'the end' : `'${found}'`}`);
    }
    this.at++;
  }

  private value(): Json {
    const first = this.peek();
    if (first === '{') return this.nested(() => this.object());
    if (first === '[') return this.nested(() => this.array());
    if (first === '"') return this.string();
    for (const [word, value] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    NUMBER.lastIndex = this.at;
    const number = NUMBER.exec(this.text)?.[0];
    if (number === undefined) return this.fail('expected a JSON value');
    this.at += number.length;
    return new JsonNumber(number);
  }

  private nested<T>(read: () => T): T {
    if (++this.depth > DEEPEST) this.fail(`values lie in one another more than ${DEEPEST} deep`);
    if (++this.containers > FEW + this.text.length / 8) this.fail('there are too many values');
    this.at++;
    const value = read();
    this.depth--;
    return value;
  }

  private object(): ReadonlyMap<string, Json> {
    const result = new Map<string, Json>();
    if (this.peek() !== '}') {
      for (;;) {
        if (this.peek() !== '"') this.fail('expected a key');
        const start = this.at;
        const key = this.string();
        if (result.has(key)) {
          this.at = start;
          this.fail('the key is there twice');
        }
        this.expect(':');
        result.set(key, this.value());
        if (this.peek() === '}') break;
        this.expect(',');
      }
    }
    this.at++;
    return result;
  }

  private array(): readonly Json[] {
    const result: Json[] = [];
    if (this.peek() !== ']') {
      for (;;) {
        result.push(this.value());
        if (this.peek() === ']') break;
        this.expect(',');
      }
    }
    this.at++;
    return result;
  }

  private string(): string {
    let end = this.at + 1;
    while (this.text[end] !== '"') {
      if (end >= this.text.length) this.fail('a text does not end');
      end += this.text[end] === '\\' ? 2 : 1;
    }
    const literal = this.text.slice(this.at, end + 1);
    try {
      const value = JSON.parse(literal) as string;
      this.at = end + 1;
      return value;
    } catch {
      return this.fail('a text is no JSON');
    }
  }
}
