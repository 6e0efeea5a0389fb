/** Reads Python's pickles as data: what the opcodes build is described, and nothing is called. */

import { type Fail, shorten } from './file.js';
import { Tuple } from './pickle.js';

/** What a pickle describes may take this many times its bytes in memory, and `SLACK` more. */
const RATIO = 128;
const SLACK = 2 ** 22;
/** Roughly what a list, a dict or a tuple takes. */
const CONTAINER_BYTES = 100;
export const ITEM_BYTES = 32;

/** Holds what a pickle describes to what its size allows, also where it repeats itself. */
export class Budget {
  /** Bytes of the pickle that were read. */
  consumed = 0;
  private spent = 0;

  /** Throws Refusal once the bytes are too many. */
  spend(bytes: number): void {
    this.spent += bytes;
    if (this.spent > RATIO * this.consumed + SLACK) {
      throw new Refusal(`what it describes takes more than ${RATIO} times its size in memory`);
    }
  }
}

/** A global the reader knows, and what calling it describes. */
export class Callable {
  constructor(readonly call: (args: readonly unknown[], budget: Budget) => unknown) {}
}

/** Thrown where a pickle goes on behind the bytes at hand: up to `end` at least. */
export class Short extends Error {
  constructor(readonly end: number) {
    super();
  }
}

/** A class whose instances are described by their fields. */
export class ClassName {
  constructor(
    readonly name: string,
    readonly type: unknown,
    /** Whether the caller gave the class. */
    readonly own: boolean,
  ) {}
}

/** An object of a class: its fields, as far as the pickle gave them. */
export class Instance {
  fields: ReadonlyMap<unknown, unknown> | undefined = undefined;

  constructor(readonly className: ClassName) {}
}

/** What the file format says beside the opcodes. */
export interface Meaning {
  /** What a global stands for; undefined if it is refused. */
  global(module: string, name: string): unknown;
  /** What a reference to something stored beside the pickle stands for. */
  persistent(id: readonly unknown[]): unknown;
}

/** The largest Python integer that is read, in bytes. */
const LONGEST_INTEGER = 1024;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

const MARK = Symbol('mark');

/** One pickle. Lists are arrays, dicts Maps, tuples Tuples; `position` ends behind it. */
export class Unpickler {
  private readonly view: DataView;
  private readonly memo = new Map<number, unknown>();
  private stack: unknown[] = [];
  /** Where the pickle, and where the opcode now read starts. */
  private readonly start: number;
  private opcodeAt = 0;

  /** `bytes` may be only the first of `total` bytes: what is missing throws Short. */
  constructor(
    private readonly bytes: Uint8Array,
    public position: number,
    private readonly meaning: Meaning,
    private readonly failAt: Fail,
    private readonly budget = new Budget(),
    private readonly total = bytes.length,
  ) {
    this.start = position;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Throws for the opcode now read. */
  fail(message: string): never {
    return this.failAt(message, this.opcodeAt);
  }

  read(): unknown {
    for (;;) {
      this.opcodeAt = this.position;
      const opcode = this.view.getUint8(this.take(1));
      if (opcode === 0x2e) {
        this.budget.consumed = this.position - this.start;
        return this.pop();
      }
      const step = steps.get(opcode);
      if (step === undefined) {
        const shown = opcode.toString(16).padStart(2, '0');
        this.fail(`the pickle opcode 0x${shown} is not one that checkpoints use`);
      }
      step(this);
    }
  }

  /** Where the next `count` bytes start, which are there. */
  private take(count: number): number {
    const start = this.position;
    if (start + count > this.bytes.length) {
      if (start + count <= this.total) throw new Short(start + count);
      this.fail(`the pickle is cut off: ${count} bytes are to follow, there are ${this.left}`);
    }
    this.position += count;
    return start;
  }

  private get left(): number {
    return this.total - this.position;
  }

  u8 = () => this.view.getUint8(this.take(1));
  u16 = () => this.view.getUint16(this.take(2), true);
  u32 = () => this.view.getUint32(this.take(4), true);
  i32 = () => this.view.getInt32(this.take(4), true);
  f64 = () => this.view.getFloat64(this.take(8));

  /** A count of eight bytes. */
  u64 = () => Number(this.view.getBigUint64(this.take(8), true));

  raw(count: number): Uint8Array {
    const start = this.take(count);
    return this.bytes.slice(start, start + count);
  }

  text(count: number): string {
    const start = this.take(count);
    return decoder.decode(this.bytes.subarray(start, start + count));
  }

  line(): string {
    const end = this.bytes.indexOf(10, this.position);
    if (end < 0 && this.bytes.length < this.total) throw new Short(this.bytes.length + 1);
    if (end < 0) this.fail('the pickle is cut off: a line does not end');
    const line = this.text(end - this.position);
    this.position++;
    return line;
  }

  /** A number in two's complement, as number if it fits. */
  integer(count: number): number | bigint {
    if (count > LONGEST_INTEGER) this.fail(`an integer of ${count} bytes is refused`);
    const start = this.take(count);
    let digits = '';
    for (let i = count - 1; i >= 0; i--) {
      digits += this.bytes[start + i].toString(16).padStart(2, '0');
    }
    const value = BigInt.asIntN(8 * count, BigInt(`0x${digits || 0}`));
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  push(value: unknown): void {
    this.stack.push(value);
  }

  /** Pushes a new list, dict, set, tuple or object. */
  pushNew(value: object): void {
    this.spend(CONTAINER_BYTES);
    this.stack.push(value);
  }

  private spend(bytes: number): void {
    this.budget.consumed = this.position - this.start;
    this.located(() => this.budget.spend(bytes));
  }

  /** Whether there is no value since the last mark. */
  private get isBare(): boolean {
    return this.stack.length === 0 || this.top() === MARK;
  }

  pop(): unknown {
    if (this.isBare) this.fail('the pickle takes what is not there');
    return this.stack.pop();
  }

  top(): unknown {
    return this.stack[this.stack.length - 1];
  }

  mark(): void {
    this.stack.push(MARK);
  }

  /** Everything above the last mark, which goes too. */
  popMark(): unknown[] {
    const at = this.stack.lastIndexOf(MARK);
    if (at < 0) this.fail('the pickle takes items from a mark that is not there');
    const items = this.stack.splice(at);
    items.shift();
    return items;
  }

  /** The last `count` values. */
  popTuple(count: number): Tuple {
    const items: unknown[] = [];
    while (items.length < count) items.push(this.pop());
    return new Tuple(items.reverse());
  }

  remember(index: number): void {
    if (this.isBare) this.fail('the pickle keeps what is not there');
    this.memo.set(index, this.top());
  }

  memoize(): void {
    this.remember(this.memo.size);
  }

  recall(index: number): void {
    if (!this.memo.has(index)) this.fail(`the pickle uses item ${index}, which it has not kept`);
    this.push(this.memo.get(index));
  }

  append(items: readonly unknown[]): void {
    const list = this.top();
    if (!Array.isArray(list)) this.fail('the pickle adds items to what is no list');
    for (const item of items) list.push(item);
  }

  addItems(items: readonly unknown[]): void {
    const set = this.top();
    if (!(set instanceof Set)) this.fail('the pickle adds items to what is no set');
    for (const item of items) set.add(this.key(item));
  }

  setItems(items: readonly unknown[]): void {
    const dict = this.top();
    if (!(dict instanceof Map)) this.fail('the pickle sets items of what is no dict');
    if (items.length % 2 !== 0) this.fail('a dict has a key without a value');
    for (let i = 0; i < items.length; i += 2) dict.set(this.key(items[i]), items[i + 1]);
  }

  /** A key of a dict or a set. */
  private key(value: unknown): unknown {
    if (value === '__proto__') this.fail("the key '__proto__' is refused");
    if (typeof value === 'object' && value !== null && !(value instanceof Tuple)) {
      this.fail('a key is neither text nor a number, a flag, None or a tuple');
    }
    return value;
  }

  global(module: unknown, name: unknown): void {
    if (typeof module !== 'string' || typeof name !== 'string') this.fail('a global has no name');
    const value = this.meaning.global(module, name);
    if (value === undefined) {
      const hint = module.startsWith('numpy')
        ? 'Save numbers of NumPy as float(x), arrays as torch.from_numpy(x)'
        : 'Save a state dict instead: torch.save(model.state_dict(), path)';
      this.fail(
        `it asks for ${shorten(`${module}.${name}`)}, ` +
          'which is not among the types a checkpoint may hold, so it ' +
          `is refused; nothing in a file is ever executed. ${hint}`,
      );
    }
    this.push(value);
  }

  reduce(): void {
    const args = this.pop();
    const callable = this.pop();
    if (!(callable instanceof Callable) || !(args instanceof Tuple)) {
      this.fail('it calls what may not be called');
    }
    this.spend(CONTAINER_BYTES);
    this.push(this.located(() => callable.call(args.items, this.budget)));
  }

  persistent(): void {
    const id = this.pop();
    if (!(id instanceof Tuple)) this.fail('a stored item has no tuple that describes it');
    this.spend(CONTAINER_BYTES);
    this.push(this.located(() => this.meaning.persistent(id.items)));
  }

  /** Runs what knows no position: a text it throws is reported here. */
  private located<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (error instanceof Refusal) this.fail(error.message);
      throw error;
    }
  }

  create(): void {
    const args = this.pop();
    const className = this.pop();
    if (!(className instanceof ClassName) || !(args instanceof Tuple) || args.items.length > 0) {
      this.fail('it creates an object of what is no class, or with arguments');
    }
    this.pushNew(new Instance(className));
  }

  build(): void {
    const state = this.pop();
    const object = this.top();
    if (!(state instanceof Map)) this.fail('the fields of an object are not a dict');
    // The metadata of a state dict, versions of its modules, changes nothing.
    if (object instanceof Map) return;
    if (!(object instanceof Instance)) this.fail('it gives fields to what has none');
    object.fields = state;
  }
}

/** Thrown where the position in the file is not known. */
export class Refusal extends Error {}

type Step = (u: Unpickler) => void;

const steps: ReadonlyMap<number, Step> = new Map<number, Step>([
  [0x80, (u) => u.u8() > 5 && u.fail('the pickle protocol is above 5')],
  [0x95, (u) => u.u64()],
  [0x28, (u) => u.mark()],
  [0x30, (u) => u.pop()],
  [0x31, (u) => u.popMark()],
  [0x4e, (u) => u.push(null)],
  [0x88, (u) => u.push(true)],
  [0x89, (u) => u.push(false)],
  [0x4a, (u) => u.push(u.i32())],
  [0x4b, (u) => u.push(u.u8())],
  [0x4d, (u) => u.push(u.u16())],
  [0x8a, (u) => u.push(u.integer(u.u8()))],
  [0x8b, (u) => u.push(u.integer(u.u32()))],
  [0x47, (u) => u.push(u.f64())],
  [0x54, (u) => u.push(u.text(u.u32()))],
  [0x55, (u) => u.push(u.text(u.u8()))],
  [0x58, (u) => u.push(u.text(u.u32()))],
  [0x8c, (u) => u.push(u.text(u.u8()))],
  [0x8d, (u) => u.push(u.text(u.u64()))],
  [0x42, (u) => u.push(u.raw(u.u32()))],
  [0x43, (u) => u.push(u.raw(u.u8()))],
  [0x8e, (u) => u.push(u.raw(u.u64()))],
  [0x5d, (u) => u.pushNew([])],
  [0x61, (u) => u.append([u.pop()])],
  [0x65, (u) => u.append(u.popMark())],
  [0x7d, (u) => u.pushNew(new Map())],
  [0x73, (u) => u.setItems(u.popTuple(2).items)],
  [0x75, (u) => u.setItems(u.popMark())],
  [0x8f, (u) => u.pushNew(new Set())],
  [0x90, (u) => u.addItems(u.popMark())],
  [
    0x91,
    (u) => {
      const items = u.popMark();
      u.pushNew(new Set());
      u.addItems(items);
    },
  ],
  [0x29, (u) => u.pushNew(new Tuple([]))],
  [0x74, (u) => u.pushNew(new Tuple(u.popMark()))],
  [0x85, (u) => u.pushNew(u.popTuple(1))],
  [0x86, (u) => u.pushNew(u.popTuple(2))],
  [0x87, (u) => u.pushNew(u.popTuple(3))],
  [0x68, (u) => u.recall(u.u8())],
  [0x6a, (u) => u.recall(u.u32())],
  [0x71, (u) => u.remember(u.u8())],
  [0x72, (u) => u.remember(u.u32())],
  [0x94, (u) => u.memoize()],
  [0x63, (u) => u.global(u.line(), u.line())],
  [
    0x93,
    (u) => {
      const [module, name] = u.popTuple(2).items;
      u.global(module, name);
    },
  ],
  [0x52, (u) => u.reduce()],
  [0x51, (u) => u.persistent()],
  [0x81, (u) => u.create()],
  [0x62, (u) => u.build()],
]);
