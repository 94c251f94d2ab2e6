/**
 * A network of connections. Each keeps its order, as TCP does; but it may be slow, stand still for a while, be reset (what was under
 * way is lost), or go half-open: one side or both send into nothing and learn nothing. Messages may be doubled.
 */
import type { Clockwork } from './clockwork.ts';
import type { Random } from './prng.ts';

/** What a network does wrong. */
export interface NetFaults {
  /** Milliseconds of a message's way, at least and at most. */
  readonly delayMs: readonly [number, number];
  readonly duplicate: number;
  /** Chances per message. */
  readonly reset: number;
  readonly halfOpen: number;
  readonly pause: number;
}

/** A network without faults. */
export const calmNet: NetFaults = { delayMs: [1, 5], duplicate: 0, reset: 0, halfOpen: 0, pause: 0 };

/** One end of a connection. */
export interface Endpoint {
  onMessage(message: unknown): void;
  onClose(): void;
}

/** A connection between a worker (side 0) and the coordinator (side 1). */
export class Connection {
  readonly name: string;
  isOpen = true;
  /** It was hurt: whoever does not notice at once is excused. */
  isHealthy = true;
  readonly ends: [Endpoint, Endpoint];
  private readonly net: SimNet;
  private readonly arrivals: [number, number] = [0, 0];
  private readonly isMute: [boolean, boolean] = [false, false];

  constructor(net: SimNet, name: string, ends: [Endpoint, Endpoint]) {
    this.net = net;
    this.name = name;
    this.ends = ends;
  }

  /** Sends a message from a side to the other. */
  send(from: 0 | 1, message: unknown): void {
    const { clockwork, random, faults } = this.net;
    if (!this.isOpen || this.isMute[from]) return;
    if (random.chance(faults.reset)) {
      this.reset();
      return;
    }
    if (random.chance(faults.halfOpen)) this.halfOpen(random.below(3));
    if (this.isMute[from]) return;
    let delay = random.between(faults.delayMs[0], faults.delayMs[1]);
    if (random.chance(faults.pause)) {
      this.isHealthy = false;
      delay += random.between(1_000, 60_000);
    }
    const copies = random.chance(faults.duplicate) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      this.arrivals[from] = Math.max(this.arrivals[from] + 0.001, clockwork.now + delay);
      clockwork.after(this.arrivals[from] - clockwork.now, () => {
        if (this.isOpen && !this.isMute[from]) this.ends[from === 0 ? 1 : 0].onMessage(message);
      });
    }
  }

  /** Loses what is under way; both ends learn of it, one of them perhaps later. */
  reset(): void {
    this.close(0);
    this.net.clockwork.after(this.net.random.between(0, 100), () => this.ends[0].onClose());
  }

  /** Closed in order by one side: what it sent before still arrives. */
  close(from: 0 | 1): void {
    if (!this.isOpen) return;
    const to = from === 0 ? 1 : 0;
    const { clockwork, random, faults } = this.net;
    const isMute = this.isMute[from];
    const at = Math.max(this.arrivals[from], clockwork.now + random.between(...faults.delayMs));
    this.isHealthy = false;
    this.ends[from] = nobody;
    if (isMute) return;
    clockwork.after(at - clockwork.now + 0.0005, () => {
      this.isOpen = false;
      this.ends[to].onClose();
    });
  }

  /** Which side is cut off: 0, 1, or 2 for both. */
  halfOpen(side: number): void {
    this.isHealthy = false;
    if (side !== 1) this.isMute[0] = true;
    if (side !== 0) this.isMute[1] = true;
  }

  /** One end is gone without a word, as at a power failure: the other learns of it only when it sends, or by silence. */
  vanish(side: 0 | 1): void {
    this.ends[side] = nobody;
    this.halfOpen(2);
  }
}

const nobody: Endpoint = { onMessage: () => undefined, onClose: () => undefined };

/** Makes connections. */
export class SimNet {
  readonly clockwork: Clockwork;
  readonly random: Random;
  faults: NetFaults;
  readonly connections = new Set<Connection>();
  private count = 0;

  constructor(clockwork: Clockwork, random: Random, faults: NetFaults) {
    this.clockwork = clockwork;
    this.random = random;
    this.faults = faults;
  }

  /** Returns a new connection between a worker's end and the coordinator's. */
  connect(worker: Endpoint, coordinator: Endpoint): Connection {
    const connection = new Connection(this, `c${++this.count}`, [worker, coordinator]);
    for (const known of this.connections) if (!known.isOpen) this.connections.delete(known);
    this.connections.add(connection);
    return connection;
  }
}
