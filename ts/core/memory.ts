/** Who frees what: scopes, reference counts and the collector. */

import type { Device } from '../device/device.js';
import type { Tensor } from '../tensor.js';
import { ValueError } from './errors.js';
import { isTensor } from './is_tensor.js';
import { giveBack, lend } from './lend.js';

/** What the finaliser knows of a block of device memory; it outlives the block's owner. */
export interface Ticket {
  device: Device;
  handle: number;
  /** Bytes to give back to the device. */
  readonly size: number;
  /** Bytes and number of the storages in it that were not released. */
  bytes: number;
  storages: number;
  freed: boolean;
}

const live = { bytes: 0, peak: 0, storages: 0 };

/**
 * Bytes of blocks newly made since the collector last found one, and how many may be before it is
 * called for. In a loop that gives its blocks back, none is new.
 */
const fresh = { bytes: 0, limit: 0 };
const MUCH = 32 * 1024 * 1024;
/** More than V8 lets the weight of its buffers grow by before it collects. */
const WEIGHT = 80 * 1024 * 1024;

/**
 * Has the engine collect when so much may have been dropped: it feels only what weighs on its own
 * heap, such as an untouched buffer. As long as no finaliser runs, it is called for less often.
 */
function weigh(size: number): void {
  fresh.bytes += size;
  allocatedSinceTurn += (NEW - 1) * size;
  if (fresh.bytes < Math.max(MUCH, live.bytes / 4, fresh.limit)) return;
  fresh.limit = fresh.bytes * 1.25;
  try {
    new ArrayBuffer(WEIGHT);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
}

/** Bytes allocated since the last macrotask after which `breathe()` takes one. */
const WATERMARK = 64 * 1024 * 1024;
/** How many times a newly made block counts there: what was dropped for it may wait to be freed. */
const NEW = 16;
/** Storages up to this share slabs: one finaliser then serves many of them. */
const SMALL = 512;
const SLAB = 16 * 1024;

/**
 * Blocks that were given back, by size: the next one of that size needs neither a finaliser nor
 * anything of its own, whose making and collecting costs more than a small kernel.
 */
const spare = new Map<number, Block[]>();
const MOST_SPARE = 4096;
let spared = 0;

const finalizers = new FinalizationRegistry<Ticket>((ticket) => {
  fresh.bytes = 0;
  fresh.limit = 0;
  freeTicket(ticket);
});

/** A block of device memory, for one storage or for many small ones one after another. */
export class Block {
  readonly ticket: Ticket;
  private used = 0;

  private constructor(device: Device, handle: number, size: number) {
    this.ticket = { device, handle, size, bytes: 0, storages: 0, freed: false };
    weigh(size);
    finalizers.register(this, this.ticket);
  }

  static of(device: Device, size: number): Block {
    const handle = device.allocate(size);
    let block = debug ? undefined : spare.get(size)?.pop();
    if (block === undefined) block = new Block(device, handle, size);
    else {
      block.used = 0;
      const { ticket } = block;
      ticket.device = device;
      ticket.handle = handle;
      ticket.freed = false;
      spared--;
    }
    allocatedSinceTurn += size;
    if (debug) noteOrigin(block.ticket);
    return block;
  }

  /** Frees the memory and keeps the block, which nobody has any more, for the next of its size. */
  giveBack(): void {
    freeTicket(this.ticket);
    const { size } = this.ticket;
    if (debug || spared >= MOST_SPARE) return;
    spared++;
    const list = spare.get(size);
    if (list === undefined) spare.set(size, [this]);
    else list.push(this);
  }

  /** Whether `bytes` more fit. */
  holds(bytes: number): boolean {
    return this.used + bytes <= this.ticket.size && !this.ticket.freed;
  }

  /** The handle of the next `bytes` bytes. */
  take(bytes: number): number {
    const { ticket } = this;
    const handle = ticket.handle + this.used;
    this.used += Math.ceil(bytes / 16) * 16;
    ticket.bytes += bytes;
    ticket.storages++;
    live.bytes += bytes;
    live.storages++;
    if (live.bytes > live.peak) live.peak = live.bytes;
    return handle;
  }

  /** Gives `bytes` back; the last ones give the block back. */
  release(bytes: number): void {
    const { ticket } = this;
    if (ticket.freed) return;
    ticket.bytes -= bytes;
    ticket.storages--;
    live.bytes -= bytes;
    live.storages--;
    if (ticket.storages > 0 || slab === this) return;
    this.giveBack();
  }
}

/** The block that small storages are cut from now. */
let slab: Block | undefined;

/** A block with room for `bytes`: the slab for small ones, else one of its own. */
export function blockFor(device: Device, bytes: number): Block {
  if (bytes > SMALL || !device.addressable || debug) return Block.of(device, bytes);
  if (slab?.ticket.device === device && slab.holds(bytes)) return slab;
  const full = slab;
  slab = Block.of(device, SLAB);
  if (full?.ticket.storages === 0) full.giveBack();
  return slab;
}

/** Gives the memory of a ticket back, once. */
function freeTicket(ticket: Ticket): void {
  if (ticket.freed) return;
  ticket.freed = true;
  live.bytes -= ticket.bytes;
  live.storages -= ticket.storages;
  ticket.device.free(ticket.handle, ticket.size);
}

let allocatedSinceTurn = 0;

/**
 * Takes a turn of the event loop if much was allocated since the last one, since finalisers run
 * only between macrotasks. Awaited by `item()` and the data loader.
 */
export function breathe(): Promise<void> | undefined {
  if (allocatedSinceTurn < WATERMARK) return undefined;
  allocatedSinceTurn = 0;
  return macrotask();
}

/** Resolves in a later macrotask. */
export function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') {
      setImmediate(resolve);
    } else {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => {
        channel.port1.close();
        resolve();
      };
      channel.port2.postMessage(0);
    }
  });
}

/**
 * Tensors made in the scopes that are open, those of inner scopes behind; what a scope has let go
 * left a gap. Lists of each scope's own would be made anew all the time.
 */
const noted: (Tensor | undefined)[] = [];
let count = 0;
/** Where those of the innermost scope begin; -1: none is open. */
let start = -1;

/** Notes a tensor in the open scope, if there is one. */
export function note(tensor: Tensor): void {
  if (start >= 0) noted[count++] = tensor;
}

/** Opens a scope and returns the one outside it, for `leave`. */
export function enter(): number {
  const outer = start;
  if (start === own) ownInner = count;
  start = count;
  return outer;
}

/** What leaves a scope alive; undefined: everything. */
type Kept = readonly unknown[] | ReadonlySet<unknown> | undefined;

function keeps(kept: Kept, tensor: Tensor): boolean {
  return kept === undefined || ('has' in kept ? kept.has(tensor) : kept.includes(tensor));
}

/**
 * Closes the scope, disposing what was made in it, but not what is `kept` or lies before `seen`.
 * With `own`, nobody but the library's own code can have the handles.
 */
export function leave(outer: number, kept: Kept, seen = 0, own = false): void {
  const begin = start;
  const end = count;
  start = outer;
  count = begin;
  for (let i = begin; i < end; i++) {
    const tensor = noted[i];
    noted[i] = undefined;
    if (tensor === undefined) continue;
    if (i >= seen && !keeps(kept, tensor)) {
      if (own) tensor.recycle();
      else tensor.dispose();
    } else if (outer >= 0) noted[count++] = tensor;
  }
}

/** Leaves a tensor to the collector instead of the open scope. Whether no scope has it now. */
export function escape(tensor: Tensor): boolean {
  if (start < 0) return true;
  for (let i = count - 1; i >= start; i--) {
    if (noted[i] !== tensor) continue;
    noted[i] = undefined;
    return true;
  }
  return false;
}

function collectTensors(value: unknown, into: Set<unknown>, depth = 0): void {
  if (isTensor(value)) into.add(value);
  else if (depth < 8 && Array.isArray(value)) {
    for (const item of value) collectTensors(item, into, depth + 1);
  } else if (depth < 8 && typeof value === 'object' && value !== null) {
    if (value instanceof Map || value instanceof Set) {
      for (const item of value.values()) collectTensors(item, into, depth + 1);
    } else if (Object.getPrototypeOf(value) === Object.prototype) {
      for (const item of Object.values(value)) collectTensors(item, into, depth + 1);
    }
  }
}

/**
 * Runs `body` and frees every tensor made in it at the end, except those it returns (also inside
 * arrays and plain objects), leaf gradients, and what `tensor.keep()` was called on. Correctness
 * never needs it; it frees at a known point, which a synchronous loop needs.
 */
export function scope<R>(body: () => R): R {
  const outer = enter();
  let kept: Kept = NO_ARGUMENTS;
  try {
    const result = body();
    if (result === undefined || result === null) return result;
    if (typeof result === 'object' && 'then' in result) {
      throw new ValueError(
        'scope: the callback returned a promise; its tensors would be freed while it still runs. ' +
          'Give scope() a synchronous callback, or use `using` inside async code',
      );
    }
    const found = new Set<unknown>();
    collectTensors(result, found);
    kept = found;
    return result;
  } finally {
    leave(outer, kept);
  }
}

/** Where the tensors of the library's own code that runs begin, or -1: none does. */
let own = -1;
/** Its outer scope, where the scopes in it begin, and up to where users may have seen tensors. */
let ownOuter = -1;
let ownInner = 0;
let seen = 0;

/** The base of a view is not kept, but its handle cannot serve for another tensor. */
function keepHandle(view: Tensor): void {
  view.meta?.base?.autogradOfBase(0);
}

/** The tensors in a result; undefined: it may hold others, too. */
function held(result: unknown, into: unknown[]): unknown[] | undefined {
  if (isTensor(result)) {
    into.push(result);
    keepHandle(result);
  } else if (!Array.isArray(result)) return result === null ? into : undefined;
  else for (const item of result) if (held(item, into) === undefined) return undefined;
  return into;
}

/**
 * Runs code of which users see nothing but the result, and frees what it made on the way. What it
 * calls that is not the library's must run in `visible`.
 */
export function hidden<R>(
  body: (...args: never[]) => R,
  self?: unknown,
  args: readonly unknown[] = NO_ARGUMENTS,
): R {
  if (own >= 0) return body.apply(self, args as never);
  const outer = enter();
  own = start;
  ownOuter = outer;
  seen = start;
  const one = lend<unknown>(1);
  let kept: unknown[] | undefined = one;
  try {
    const result = body.apply(self, args as never);
    if (isTensor(result)) {
      one[0] = result;
      keepHandle(result);
    } else kept = held(result, []);
    return result;
  } finally {
    own = -1;
    leave(outer, kept, seen, true);
    giveBack(one);
  }
}

/** Runs users' code, inside or outside of `hidden`: what was made so far may have been seen. */
export function visible<R>(
  body: (...args: never[]) => R,
  self?: unknown,
  args: readonly unknown[] = NO_ARGUMENTS,
): R {
  if (own < 0) return body.apply(self, args as never);
  const [inside, outside, scope] = [own, ownOuter, start];
  const direct = scope === own;
  const end = direct ? count : ownInner;
  own = -1;
  if (direct) start = outside;
  try {
    return body.apply(self, args as never);
  } finally {
    own = inside;
    ownOuter = outside;
    ownInner = end;
    seen = direct ? count : end;
    start = scope;
  }
}

const NO_ARGUMENTS: readonly unknown[] = [];

/** What torch.memory() reports. */
export interface MemoryReport {
  /** Bytes of live storages, in all devices. */
  readonly bytes: number;
  /** Largest `bytes` since the start or the last resetPeakMemory(). */
  readonly peak: number;
  /** Live storages; views share one. */
  readonly storages: number;
  /** Where live storages were made, most bytes first; only in debug mode. */
  readonly origins?: readonly { stack: string; bytes: number; count: number }[];
}

const origins = new Map<Ticket, string>();
let debug = false;

/** Live bytes and storages; with `debugMemory(true)` also where they were made. */
export function memory(): MemoryReport {
  const report = { bytes: live.bytes, peak: live.peak, storages: live.storages };
  if (!debug) return report;
  const byStack = new Map<string, { stack: string; bytes: number; count: number }>();
  for (const [ticket, stack] of origins) {
    if (ticket.freed) {
      origins.delete(ticket);
      continue;
    }
    const entry = byStack.get(stack) ?? { stack, bytes: 0, count: 0 };
    entry.bytes += ticket.bytes;
    entry.count++;
    byStack.set(stack, entry);
  }
  return { ...report, origins: [...byStack.values()].sort((a, b) => b.bytes - a.bytes) };
}

/** Records a creation stack per storage from now on (slow; for finding what keeps memory). */
export function debugMemory(on: boolean): void {
  debug = on;
  origins.clear();
}

/** Sets `peak` back to what is live now. */
export function resetPeakMemory(): void {
  live.peak = live.bytes;
}

/** Remembers where a storage was made, in debug mode. */
function noteOrigin(ticket: Ticket): void {
  origins.set(ticket, new Error('made here').stack?.split('\n').slice(3).join('\n') ?? '');
}
