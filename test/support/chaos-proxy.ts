/** A TCP proxy on loopback that harms what passes through it: holds connections half-open, cuts them, delays them, flips bits. */
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** A way through the proxy: to the gateway or back to the worker. */
export type Direction = 'in' | 'out';

/** What happens to one connection. */
export type Fault =
  | { readonly kind: 'none' }
  /** It is cut both ways once so many bytes have passed. */
  | { readonly kind: 'cut'; readonly direction: Direction; readonly atByte: number }
  | { readonly kind: 'flip'; readonly direction: Direction; readonly atByte: number; readonly bit: number }
  /** Everything passes so much later, in order. */
  | { readonly kind: 'delay'; readonly delayMs: number };

/** A proxy that listens. */
export interface ChaosProxy {
  /** Like the target's, with the proxy's port. */
  readonly url: string;
  /** Harms the connections to come in the order in which they come. */
  setFault(faultOf: (connection: number) => Fault): void;
  /** Lets nothing through any more on the connections there are, neither bytes nor their end: half-open sockets. */
  hold(): void;
  /** Lets through what was held. */
  release(): void;
  /** Cuts the connections there are. */
  cut(): void;
  /** What the latest connection's ends have sent. */
  recorded(direction: Direction): Buffer;
  close(): Promise<void>;
}

/** Returns a proxy in front of a coordinator's URL. */
export async function openChaosProxy(target: string): Promise<ChaosProxy> {
  const { hostname, port } = new URL(target);
  const links = new Set<Link>();
  let faultOf: (connection: number) => Fault = () => ({ kind: 'none' });
  let count = 0;
  let latest: Link | undefined;
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    const link = new Link({ near, far, fault: faultOf(count++) });
    latest = link;
    links.add(link);
    near.once('close', () => links.delete(link));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    setFault: (next) => {
      faultOf = next;
      count = 0;
    },
    hold: () => {
      for (const link of links) link.hold();
    },
    release: () => {
      for (const link of links) link.release();
    },
    cut: () => {
      for (const link of links) link.cut();
    },
    recorded: (direction) => Buffer.concat(latest?.passed[direction] ?? []),
    close: async () => {
      for (const link of links) link.cut();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

/** One connection through the proxy. */
class Link {
  readonly passed: Record<Direction, Buffer[]> = { in: [], out: [] };
  private readonly near: Socket;
  private readonly far: Socket;
  private readonly fault: Fault;
  private readonly byteCounts: Record<Direction, number> = { in: 0, out: 0 };
  private isHeld = false;
  /** Steps that wait for the hold's end. */
  private held: (() => void)[] = [];
  private readonly turns: Record<Direction, Promise<void>> = {
    in: Promise.resolve(),
    out: Promise.resolve(),
  };

  constructor({ near, far, fault }: { near: Socket; far: Socket; fault: Fault }) {
    this.near = near;
    this.far = far;
    this.fault = fault;
    this.join('in', near, far);
    this.join('out', far, near);
    if (fault.kind === 'cut' && fault.atByte === 0) this.cut();
  }

  hold(): void {
    this.isHeld = true;
  }

  release(): void {
    this.isHeld = false;
    for (const step of this.held.splice(0)) step();
  }

  cut(): void {
    this.near.destroy();
    this.far.destroy();
  }

  private join(direction: Direction, from: Socket, to: Socket): void {
    from.on('data', (bytes: Buffer) => this.soon(direction, () => this.pass(direction, bytes, to)));
    from.once('end', () => this.soon(direction, () => to.end()));
    // What ends one side ends the other, unless the link is held.
    from.once('error', () => this.soon(direction, () => to.destroy()));
    from.once('close', () => this.soon(direction, () => to.end()));
  }

  /** Runs a step when its turn has come. */
  private soon(direction: Direction, step: () => void): void {
    const { fault } = this;
    if (fault.kind === 'delay')
      this.turns[direction] = this.turns[direction]
        .then(() => delay(fault.delayMs))
        .then(() => this.now(step));
    else this.now(step);
  }

  private now(step: () => void): void {
    if (this.isHeld) this.held.push(step);
    else step();
  }

  private pass(direction: Direction, bytes: Buffer, to: Socket): void {
    const { fault } = this;
    const start = this.byteCounts[direction];
    this.byteCounts[direction] += bytes.length;
    this.passed[direction].push(bytes);
    if (fault.kind === 'cut' && fault.direction === direction && start + bytes.length >= fault.atByte) {
      to.write(bytes.subarray(0, fault.atByte - start), () => this.cut());
      return;
    }
    const at = fault.kind === 'flip' && fault.direction === direction ? fault.atByte - start : -1;
    to.write(fault.kind === 'flip' && at >= 0 && at < bytes.length ? flipped(bytes, at, fault.bit) : bytes);
  }
}

/** Returns the bytes with one bit turned over. */
export function flipped(bytes: Buffer, at: number, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ (1 << bit);
  return copy;
}
