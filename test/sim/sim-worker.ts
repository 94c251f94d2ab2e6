/** Workers in the simulation: the real session around a make-believe solver, honest, lame or dishonest. */
import type { GatewayMessage, Lease, TileName, WorkerMessage } from '../../src/core/protocol/messages.ts';
import {
  apply,
  createSession,
  nextWakeMs,
  type Session,
  type SessionEffect,
  type SessionEvent,
} from '../../worker/session.ts';
import { type NodeClock, promise } from './clockwork.ts';
import type { Connection } from './sim-net.ts';
import { baseOf, honestBody, type Lie, lyingBody } from './toy-job.ts';
import type { World } from './world.ts';

/** What is wrong with a worker. */
export type WorkerManner =
  | 'honest'
  | 'slow'
  /** Takes leases, beats, and never comes to an end. */
  | 'hanging'
  | 'crashing'
  /** Stands still altogether for a while. */
  | 'pausing'
  | 'wrong'
  | 'false-miss'
  /** Works well until it is known, then claims misses. */
  | 'sleeper'
  | 'garbage'
  /** Sends everything several times, and old results again. */
  | 'repeating'
  /** Sends results of tiles that it was never given. */
  | 'unsolicited'
  /** Sends results of jobs and tiles that are not there, and bodies of other tiles. */
  | 'foreign'
  | 'refusing';

/** Manners whose results are all right. */
export const honestManners: readonly WorkerManner[] = ['honest', 'slow', 'hanging', 'crashing', 'pausing'];

/** Manners that lie. */
export const lyingManners: readonly WorkerManner[] = [
  'wrong',
  'false-miss',
  'sleeper',
  'garbage',
  'repeating',
  'unsolicited',
  'foreign',
  'refusing',
];

/** A worker, across its crashes. */
export class SimWorker {
  readonly name: string;
  manner: WorkerManner;
  session: Session;
  isUp = false;
  frozenUntil = 0;
  connection: Connection | null = null;
  solvedCount = 0;
  private readonly world: World;
  private readonly clock: NodeClock;
  private readonly queue: Lease[] = [];
  private readonly cancelled = new Set<string>();
  private busy = 0;
  private epoch = 0;
  private wakeCount = 0;
  /** Which attempt to connect is the present one. */
  private dialCount = 0;
  private readonly unanswered = new Set<string>();
  private readonly memory: { readonly name: TileName; readonly message: WorkerMessage }[] = [];

  constructor(world: World, name: string, manner: WorkerManner, clock: NodeClock) {
    this.world = world;
    this.name = name;
    this.manner = manner;
    this.clock = clock;
    this.session = this.newSession();
  }

  /** Starts the worker, with nothing in hand. */
  boot(): void {
    this.epoch++;
    this.isUp = true;
    this.queue.length = 0;
    this.cancelled.clear();
    this.unanswered.clear();
    this.busy = 0;
    this.session = this.newSession();
    this.world.clockwork.trace(this.name, 'boot', this.manner);
    this.happen({ kind: 'start' });
    this.happen({ kind: 'tick', chance: this.world.random.workers.next() });
    if (this.manner === 'unsolicited' || this.manner === 'foreign') this.pester();
  }

  /** Kills the worker. */
  crash(): void {
    this.world.clockwork.trace(this.name, 'crash');
    this.epoch++;
    this.isUp = false;
    if (this.world.random.faults.chance(0.3)) this.connection?.vanish(0);
    else this.connection?.close(0);
    this.connection = null;
  }

  /** Asks the worker to stop in order. */
  drain(graceMs: number): void {
    if (this.isUp) this.happen({ kind: 'drain', graceMs });
  }

  /** Returns whether the worker has nothing that it still waits for an answer to. */
  get isSettled(): boolean {
    return this.session.outbox.size === 0;
  }

  private newSession(): Session {
    return createSession({
      gateways: ['ws://a', 'ws://b'],
      workerId: this.name,
      sessionPrefix: `${this.name}-${this.epoch}`,
      build: 'cd'.repeat(32),
      runtime: 'node',
      threads: 2,
      blocksPerSecond: 1000,
      token: '',
      slots: 16,
    });
  }

  private happen(event: SessionEvent): void {
    const now = this.clock.now();
    let effects = apply(this.session, now, event);
    const { bug } = this.world;
    if (bug?.session !== undefined) effects = bug.session(effects, event, this.session, now);
    promise(
      this.session.outbox.size + this.session.leases.size <= 3 * 16 + 64,
      'what a worker has in hand is bounded',
    );
    for (const effect of effects) this.carryOut(effect);
    this.checkNothingLost();
    this.scheduleWake();
  }

  private carryOut(effect: SessionEffect): void {
    switch (effect.kind) {
      case 'connect':
        this.connect(effect.url);
        return;
      case 'send':
        this.send(effect.message);
        return;
      case 'close':
        this.dialCount++;
        this.connection?.close(0);
        this.connection = null;
        return;
      case 'solve':
        this.queue.push(effect.lease);
        this.work();
        return;
      case 'cancel':
        this.cancelled.add(keyOf(effect.name));
        return;
      case 'ended':
        this.isUp = false;
        if (this.session.drainUntil !== null)
          promise(
            this.isSettled || this.clock.now() >= this.session.drainUntil,
            'a worker that stops hands in what it has',
          );
        // Whoever stopped it starts it again.
        this.world.clockwork.after(this.world.random.workers.between(1_000, 9_000), () => {
          if (!this.isUp) this.boot();
        });
        return;
      case 'keep-spec':
      case 'report':
        return;
    }
  }

  private connect(url: string): void {
    const { world, epoch } = this;
    if (world.isHonest(this.name)) world.audit.connects(this.name);
    this.connection?.close(0);
    this.connection = null;
    const dial = ++this.dialCount;
    const delay = world.random.net.between(1, 50);
    world.clockwork.after(delay, () =>
      this.whenAwake(epoch, () => {
        if (dial !== this.dialCount) return;
        // The gateway named b is often away; both lead to the same coordinator.
        if (
          !world.coordinator.isUp ||
          world.isCutOff(this.name) ||
          (url === 'ws://b' && world.isGatewayDown)
        ) {
          this.happen({ kind: 'disconnected', reason: 'refused' });
          return;
        }
        const connection: Connection = world.net.connect(
          {
            onMessage: (raw) =>
              this.whenAwake(epoch, () => {
                if (this.connection === connection) this.receive(world.received(raw) as GatewayMessage);
              }),
            onClose: () =>
              this.whenAwake(epoch, () => {
                if (this.connection !== connection) return;
                this.connection = null;
                this.happen({ kind: 'disconnected', reason: 'closed' });
              }),
          },
          { onMessage: () => undefined, onClose: () => undefined },
        );
        connection.ends[1] = world.coordinator.accept(connection);
        this.connection = connection;
        this.happen({ kind: 'connected' });
      }),
    );
  }

  private receive(message: GatewayMessage): void {
    if (message.kind === 'committed' || message.kind === 'refused') this.unanswered.delete(keyOf(message));
    this.happen({ kind: 'message', message });
  }

  private send(message: WorkerMessage): void {
    if (message.kind === 'result' && this.manner === 'repeating') this.repeat(message);
    this.connection?.send(0, this.world.sent(message));
  }

  private work(): void {
    const { world, epoch } = this;
    while (this.busy < 2) {
      const lease = this.queue.shift();
      if (lease === undefined) return;
      if (this.cancelled.delete(keyOf(lease))) continue;
      if (this.manner === 'refusing') {
        this.happen({ kind: 'solve-failed', name: lease, reason: 'I would rather not' });
        continue;
      }
      if (this.manner === 'hanging' && world.random.workers.chance(0.5) && !world.isCalm) continue;
      this.busy++;
      const factor = this.manner === 'slow' ? world.random.workers.between(8, 60) : 1;
      world.clockwork.after(this.clock.virtual(world.random.workers.between(100, 1_500) * factor), () =>
        this.whenAwake(epoch, () => {
          this.busy--;
          this.solved(lease);
          this.work();
        }),
      );
    }
  }

  private solved(lease: Lease): void {
    const name = { job: lease.job, tile: lease.tile };
    if (this.cancelled.delete(keyOf(name))) return;
    const body = this.bodyFor(lease);
    this.solvedCount++;
    if (this.session.leases.has(keyOf(name))) this.unanswered.add(keyOf(name));
    this.happen({ kind: 'solved', name, body: bytesOf(body), computeMs: 100 });
  }

  private bodyFor(lease: Lease): string {
    const { world } = this;
    const base = baseOf(lease.tile);
    const random = world.random.workers;
    const lie = (kind: Lie): string => {
      world.audit.tally.lies++;
      return lyingBody(base, kind);
    };
    switch (this.manner) {
      case 'wrong':
        return random.chance(0.7) ? lie(random.pick(['wrong-mask', 'other-tile'])) : honestBody(base);
      case 'garbage':
        return lie('garbage');
      case 'false-miss':
        return lie(this.name.length % 2 === 0 ? 'false-miss' : 'all-missed');
      case 'sleeper':
        if (this.solvedCount < 12) return honestBody(base);
        return lie('false-miss');
      default:
        return honestBody(base);
    }
  }

  /** Sends a result again, and older ones as well. */
  private repeat(message: WorkerMessage): void {
    if (message.kind !== 'result') return;
    this.memory.push({ name: message, message });
    if (this.memory.length > 20) this.memory.shift();
    this.connection?.send(0, this.world.sent(message));
    const old = this.world.random.workers.pick(this.memory);
    this.connection?.send(0, this.world.sent(old.message));
  }

  /** Sends results that nobody asked for. */
  private pester(): void {
    const { world, epoch } = this;
    const { workers } = world.random;
    world.clockwork.after(workers.between(200, 5_000), () => {
      if (epoch !== this.epoch) return;
      const { job, tile, base } = world.anyTile(workers);
      const isKnown = this.manner === 'unsolicited' || workers.chance(0.3);
      const lie = workers.pick<Lie>(['wrong-mask', 'false-miss', 'all-missed', 'other-tile']);
      if (this.session.state === 'open') {
        world.audit.tally.lies++;
        this.connection?.send(
          0,
          world.sent({
            kind: 'result',
            job,
            tile: isKnown ? tile : 'f'.repeat(64),
            spec: 'ab'.repeat(32),
            token: new Uint8Array(32),
            attempt: 1,
            body: bytesOf(lyingBody(base, lie)),
            computeMs: 1,
          }),
        );
      }
      this.pester();
    });
  }

  /** What an honest worker has solved it keeps until it is answered. */
  private checkNothingLost(): void {
    for (const key of this.unanswered)
      promise(
        this.session.outbox.has(key) || this.session.state === 'ended' || this.cancelled.has(key),
        'a result is kept until it is acknowledged or refused',
      );
  }

  private scheduleWake(): void {
    const wake = ++this.wakeCount;
    const { epoch, world } = this;
    const delay = nextWakeMs(this.session, this.clock.now());
    if (delay === Number.POSITIVE_INFINITY || !this.isUp) return;
    world.clockwork.after(this.clock.virtual(delay) + 0.001, () => {
      if (wake !== this.wakeCount) return;
      this.whenAwake(epoch, () => {
        if (wake === this.wakeCount) this.happen({ kind: 'tick', chance: world.random.workers.next() });
      });
    });
  }

  private whenAwake(epoch: number, run: () => void): void {
    if (epoch !== this.epoch) return;
    const { clockwork } = this.world;
    if (clockwork.now >= this.frozenUntil) run();
    else clockwork.after(this.frozenUntil - clockwork.now + 0.001, () => this.whenAwake(epoch, run));
  }
}

function keyOf({ job, tile }: TileName): string {
  return `${job}/${tile}`;
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
