/** Virtual time: events in order, the trace they leave, and clocks that run fast or slow. */
import { hashText, type Random } from './prng.ts';

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** What a violated promise throws. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** Throws a Violation unless the promise holds. */
export function promise(holds: boolean, text: string): asserts holds {
  if (!holds) throw new Violation(text);
}

/** The world's time, its events and its trace. */
export class Clockwork {
  /** Virtual milliseconds since the beginning. */
  now = 0;
  eventCount = 0;
  traceHash = 0x811c9dc5;
  /** The last lines of the trace, kept only for a replay. */
  readonly lines: string[] = [];
  private readonly heap: Entry[] = [];
  private order = 0;
  private readonly tieBreak: Random | null;
  private readonly keepsLines: boolean;

  /** @param tieBreak breaks ties at random; null: first come, first served. */
  constructor(tieBreak: Random | null, keepsLines: boolean) {
    this.tieBreak = tieBreak;
    this.keepsLines = keepsLines;
  }

  /** Runs something after a delay. */
  after(delayMs: number, run: () => void): void {
    this.order++;
    const order = this.tieBreak === null ? this.order : this.tieBreak.next();
    const entry = { at: this.now + Math.max(0, delayMs), order, run };
    const { heap } = this;
    let index = heap.length;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex] as Entry;
      if (!isBefore(entry, parent)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = entry;
  }

  /** Runs the next event. Returns false when there is none. */
  step(): boolean {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) return false;
    if (heap.length > 0) {
      let index = 0;
      for (;;) {
        let childIndex = 2 * index + 1;
        if (childIndex >= heap.length) break;
        const right = heap[childIndex + 1];
        if (right !== undefined && isBefore(right, heap[childIndex] as Entry)) childIndex++;
        const child = heap[childIndex] as Entry;
        if (!isBefore(child, last)) break;
        heap[index] = child;
        index = childIndex;
      }
      heap[index] = last;
    }
    this.now = first.at;
    this.eventCount++;
    first.run();
    return true;
  }

  /** Leaves a line in the trace. */
  trace(node: string, what: string, detail = ''): void {
    const hash = hashText(node, this.traceHash);
    this.traceHash = hashText(detail, hashText(what, hash ^ Math.floor(this.now * 1000)));
    if (!this.keepsLines) return;
    this.lines.push(`${(this.now / 1000).toFixed(3).padStart(10)} ${node.padEnd(12)} ${what} ${detail}`);
    if (this.lines.length > 100_000) this.lines.splice(0, 50_000);
  }
}

/** A node's own monotonic clock: begins anywhere, runs up to a fifth too fast or too slow. */
export interface NodeClock {
  now(): number;
  /** Virtual milliseconds that the node takes for its own. */
  virtual(nodeMs: number): number;
}

/** Returns a clock for a node. */
export function nodeClock(clockwork: Clockwork, random: Random): NodeClock {
  const offset = random.between(0, 1e9);
  const rate = random.between(0.8, 1.2);
  return {
    now: () => offset + clockwork.now * rate,
    virtual: (nodeMs) => nodeMs / rate,
  };
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
