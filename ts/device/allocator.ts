/**
 * The heap's allocator: size classes over coalescing large blocks, all bookkeeping in JavaScript.
 */

const ALIGNMENT = 64;
/**
 * Blocks up to this come from slabs by size class; larger ones are cut from the heap to measure.
 */
const SMALL = 64 * 1024;
const SLAB = 256 * 1024;

/** Size classes: four per doubling, so that at most a fifth of a block is lost. */
function classSizes(): number[] {
  const sizes: number[] = [];
  for (let size = ALIGNMENT; size <= SMALL; size *= 2) {
    for (let quarter = 0; quarter < 4; quarter++) {
      const bytes = size + (size / 4) * quarter;
      if (bytes <= SMALL && bytes % ALIGNMENT === 0) sizes.push(bytes);
    }
  }
  return sizes;
}

const CLASS_BYTES = classSizes();
/** Class index by size in units of 64 bytes. */
const CLASS_OF = buildClassIndex();

function buildClassIndex(): Uint8Array {
  const index = new Uint8Array(SMALL / ALIGNMENT + 1);
  for (let unit = 0, k = 0; unit < index.length; unit++) {
    while (CLASS_BYTES[k] < unit * ALIGNMENT) k++;
    index[unit] = k;
  }
  return index;
}

/** Where the heap can grow to. Returns false when `end` cannot be had. */
export type Grow = (end: number) => boolean;

/** Allocates and frees byte ranges of one heap. Never touches the memory itself. */
export class Allocator {
  private readonly freeLists: number[][] = CLASS_BYTES.map(() => []);
  /** Free large ranges in address order, never adjacent to each other. */
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];
  private top: number;

  constructor(
    base: number,
    private readonly grow: Grow,
  ) {
    this.top = Math.ceil(base / ALIGNMENT) * ALIGNMENT;
  }

  /** Address of `bytes` bytes, 64-byte aligned, or -1 if the heap has no room. */
  allocate(bytes: number): number {
    if (bytes > SMALL) return this.allocateRange(roundUp(bytes));
    const k = CLASS_OF[Math.ceil(bytes / ALIGNMENT)];
    const list = this.freeLists[k];
    if (list.length > 0) return list.pop() as number;
    return this.refill(k);
  }

  /** Gives back what `allocate(bytes)` returned. */
  free(address: number, bytes: number): void {
    if (bytes > SMALL) this.freeRange(address, address + roundUp(bytes));
    else this.freeLists[CLASS_OF[Math.ceil(bytes / ALIGNMENT)]].push(address);
  }

  /** Cuts a slab into blocks of class `k` and returns one of them. */
  private refill(k: number): number {
    const size = CLASS_BYTES[k];
    const slab = this.allocateRange(SLAB);
    if (slab < 0) return this.allocateRange(size);
    for (let at = slab + SLAB - (SLAB % size) - size; at > slab; at -= size) {
      this.freeLists[k].push(at);
    }
    return slab;
  }

  /** Best fit among the free ranges, else from the top of the heap. */
  private allocateRange(bytes: number): number {
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.starts.length; i++) {
      const room = this.ends[i] - this.starts[i];
      if (room >= bytes && room < least) {
        best = i;
        least = room;
        if (room === bytes) break;
      }
    }
    if (best >= 0) {
      const address = this.starts[best];
      this.starts[best] += bytes;
      if (this.starts[best] === this.ends[best]) this.removeRange(best);
      return address;
    }
    return this.extend(bytes);
  }

  private extend(bytes: number): number {
    const last = this.starts.length - 1;
    const touches = last >= 0 && this.ends[last] === this.top;
    const address = touches ? this.starts[last] : this.top;
    if (!this.grow(address + bytes)) return -1;
    if (touches) this.removeRange(last);
    this.top = address + bytes;
    return address;
  }

  private freeRange(start: number, end: number): void {
    let low = 0;
    let high = this.starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.starts[middle] < start) low = middle + 1;
      else high = middle;
    }
    const joinsBefore = low > 0 && this.ends[low - 1] === start;
    const joinsAfter = low < this.starts.length && this.starts[low] === end;
    if (joinsBefore && joinsAfter) {
      this.ends[low - 1] = this.ends[low];
      this.removeRange(low);
    } else if (joinsBefore) this.ends[low - 1] = end;
    else if (joinsAfter) this.starts[low] = start;
    else {
      this.starts.splice(low, 0, start);
      this.ends.splice(low, 0, end);
    }
  }

  private removeRange(index: number): void {
    this.starts.splice(index, 1);
    this.ends.splice(index, 1);
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
