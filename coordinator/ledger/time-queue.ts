/** A binary heap by time; equal times leave in the order they came. */
interface Entry<T> {
  readonly at: number;
  readonly order: number;
  readonly item: T;
}

/** Items due at a time: push and take in O(log n). */
export class TimeQueue<T> {
  private readonly heap: Entry<T>[] = [];
  private order = 0;

  get size(): number {
    return this.heap.length;
  }

  /** Returns when the first item is due, Infinity if there is none. */
  get nextAt(): number {
    return this.heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  push(at: number, item: T): void {
    const { heap } = this;
    const entry = { at, order: this.order++, item };
    let index = heap.length;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex] as Entry<T>;
      if (!isBefore(entry, parent)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = entry;
  }

  /** Takes the first item that is due at `now`, or returns undefined. */
  takeDue(now: number): T | undefined {
    const { heap } = this;
    const first = heap[0];
    if (first === undefined || first.at > now) return undefined;
    const last = heap.pop() as Entry<T>;
    if (heap.length > 0) this.sink(last);
    return first.item;
  }

  /** Keeps what `isWanted`, in O(n). */
  keep(isWanted: (item: T) => boolean): void {
    const kept = this.heap.filter(({ item }) => isWanted(item)).sort((a, b) => (isBefore(a, b) ? -1 : 1));
    this.heap.length = 0;
    for (const entry of kept) this.heap.push(entry);
  }

  /** Puts `entry` at the root and lets it sink to its place. */
  private sink(entry: Entry<T>): void {
    const { heap } = this;
    let index = 0;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= heap.length) break;
      const right = heap[childIndex + 1];
      if (right !== undefined && isBefore(right, heap[childIndex] as Entry<T>)) childIndex++;
      const child = heap[childIndex] as Entry<T>;
      if (!isBefore(child, entry)) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = entry;
  }
}

function isBefore<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
