/** A worker of the scale simulation (scale.ts): the real session around a solver that only takes time. */
import type { Lease, WorkerMessage } from '../../src/core/protocol/messages.ts';
import {
  apply as applyToSession,
  createSession,
  nextWakeMs,
  type Session,
  type SessionEvent,
} from '../../worker/session.ts';
import type { Gateway } from './scale-gateway.ts';
import type { Swarm } from './scale-swarm.ts';

const noBytes = new Uint8Array(0);

/** A worker. */
export class Member {
  readonly name: string;
  session: Session;
  epoch = 0;
  connection = 0;
  backAt = 0;
  private gateway: Gateway | null = null;
  private readonly swarm: Swarm;
  private readonly queue: Lease[] = [];
  private busy = 0;
  private wake = 0;

  constructor(swarm: Swarm, index: number) {
    this.swarm = swarm;
    this.name = `w${index}`;
    const { urls, setting } = swarm;
    const first = index % urls.length;
    this.session = createSession({
      gateways: [...urls.slice(first), ...urls.slice(0, first)],
      workerId: this.name,
      sessionPrefix: this.name,
      build: 'cd'.repeat(32),
      runtime: 'node',
      threads: setting.threads,
      blocksPerSecond: 1000,
      token: 'x'.repeat(120),
      slots: 16 + 4 * setting.threads,
    });
  }

  start(): void {
    this.happen({ kind: 'start' });
    this.happen({ kind: 'tick', chance: this.swarm.random.next() });
  }

  /** The connection is gone. */
  lost(reason: string): void {
    this.gateway = null;
    this.connection++;
    this.backAt = Number.POSITIVE_INFINITY;
    this.swarm.clockwork.after(this.swarm.way(), () => this.happen({ kind: 'disconnected', reason }));
  }

  happen(event: SessionEvent): void {
    const { clockwork, random } = this.swarm;
    if (
      event.kind === 'message' &&
      event.message.kind === 'grant' &&
      this.backAt === Number.POSITIVE_INFINITY
    )
      this.backAt = clockwork.now;
    for (const effect of applyToSession(this.session, clockwork.now, event))
      switch (effect.kind) {
        case 'connect':
          this.connect(effect.url);
          break;
        case 'send':
          this.send(effect.message);
          break;
        case 'close':
          this.gateway?.leave(this);
          this.gateway = null;
          this.connection++;
          break;
        case 'solve':
          this.queue.push(effect.lease);
          break;
        default:
          break;
      }
    this.work();
    const wake = ++this.wake;
    const delay = nextWakeMs(this.session, clockwork.now);
    if (delay < Number.POSITIVE_INFINITY)
      clockwork.after(delay + 0.001, () => {
        if (wake === this.wake) this.happen({ kind: 'tick', chance: random.next() });
      });
  }

  private connect(url: string): void {
    const gateway = this.swarm.gatewayAt(url);
    const connection = ++this.connection;
    this.swarm.clockwork.after(2 * this.swarm.way(), () => {
      if (connection !== this.connection) return;
      if (!gateway.isUp) {
        this.happen({ kind: 'disconnected', reason: 'refused' });
        return;
      }
      this.gateway = gateway;
      this.happen({ kind: 'connected' });
    });
  }

  private send(message: WorkerMessage): void {
    const { gateway, connection } = this;
    this.swarm.clockwork.after(this.swarm.way(), () => {
      if (gateway?.isUp === true && connection === this.connection) gateway.receive(this, message);
    });
  }

  private work(): void {
    const { setting, clockwork, random } = this.swarm;
    while (this.busy < setting.threads) {
      const lease = this.queue.shift();
      if (lease === undefined) return;
      this.busy++;
      clockwork.after(setting.tile.solveMs * random.between(0.8, 1.25), () => {
        this.busy--;
        this.happen({
          kind: 'solved',
          name: { job: lease.job, tile: lease.tile },
          body: noBytes,
          computeMs: setting.tile.solveMs,
        });
      });
    }
  }
}
