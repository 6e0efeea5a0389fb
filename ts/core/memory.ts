/** Who frees what: scopes, reference counts and the collector. */

import type { Device } from '../device/device.js';
import type { Tensor } from '../tensor.js';
import { ValueError } from './errors.js';

/** What the finaliser knows of a storage; it outlives the storage object itself. */
export interface Ticket {
  readonly device: Device;
  readonly handle: number;
  readonly bytes: number;
  freed: boolean;
}

const live = { bytes: 0, peak: 0, storages: 0 };

/** Storages below this weigh little enough to be seen through their JavaScript objects alone. */
const BALLAST_THRESHOLD = 32 * 1024;
/** Bytes allocated since the last macrotask after which `breathe()` takes one. */
const WATERMARK = 64 * 1024 * 1024;

const finalizers = new FinalizationRegistry<Ticket>(freeTicket);

/** Counts a new storage, and returns the ballast that makes the collector feel its bytes. */
export function track(owner: object, ticket: Ticket): ArrayBuffer | undefined {
  live.bytes += ticket.bytes;
  live.storages++;
  if (live.bytes > live.peak) live.peak = live.bytes;
  allocatedSinceTurn += ticket.bytes;
  noteOrigin(ticket);
  finalizers.register(owner, ticket);
  return ticket.bytes >= BALLAST_THRESHOLD ? new ArrayBuffer(ticket.bytes >> 1) : undefined;
}

/** Gives the bytes of a ticket back, once. */
export function freeTicket(ticket: Ticket): void {
  if (ticket.freed) return;
  ticket.freed = true;
  live.bytes -= ticket.bytes;
  live.storages--;
  ticket.device.free(ticket.handle, ticket.bytes);
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

/** Where newly made tensors are noted while a scope is open. */
let current: Tensor[] | undefined;

/** Notes a tensor in the open scope, if there is one. */
export function note(tensor: Tensor): void {
  if (current !== undefined) current.push(tensor);
}

/** Opens a scope and returns the one outside it, for `leave`. */
export function enter(): Tensor[] | undefined {
  const outer = current;
  current = [];
  return outer;
}

/** Closes the scope, disposing what was made in it unless `keeps` says to keep it. */
export function leave(outer: Tensor[] | undefined, keeps: (tensor: Tensor) => boolean): void {
  const made = current as Tensor[];
  current = outer;
  for (const tensor of made) {
    if (keeps(tensor)) {
      if (outer !== undefined) outer.push(tensor);
    } else tensor.dispose();
  }
}

/** Leaves a tensor to the collector instead of the open scope. */
export function escape(tensor: Tensor): void {
  const index = current?.lastIndexOf(tensor) ?? -1;
  if (index >= 0) current?.splice(index, 1);
}

function isTensor(value: unknown): value is Tensor {
  return typeof value === 'object' && value !== null && 'isTensor' in value;
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
  const kept = new Set<unknown>();
  try {
    const result = body();
    if (typeof result === 'object' && result !== null && 'then' in result) {
      throw new ValueError(
        'scope: the callback returned a promise; its tensors would be freed while it still runs. ' +
          'Give scope() a synchronous callback, or use `using` inside async code',
      );
    }
    collectTensors(result, kept);
    return result;
  } finally {
    leave(outer, (tensor) => kept.has(tensor));
  }
}

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
export function noteOrigin(ticket: Ticket): void {
  if (debug) origins.set(ticket, new Error('made here').stack?.split('\n').slice(3).join('\n') ?? '');
}
