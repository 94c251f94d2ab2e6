/** A worker's session under a clock that tests turn. */
import type {
  GatewayMessage,
  Lease,
  Result,
  Welcome,
  WorkerMessage,
} from '../../src/core/protocol/messages.ts';
import {
  apply,
  createSession,
  nextWakeMs,
  type SessionEffect,
  type SessionEvent,
} from '../../worker/session.ts';

/** No bytes. */
export const empty = new Uint8Array(0);

/** A session and a clock to turn. */
export function deskOf({
  gateways = ['ws://a'],
  slots = 8,
  kept = [],
}: {
  gateways?: string[];
  slots?: number;
  kept?: readonly Result[];
} = {}) {
  const session = createSession({
    gateways,
    workerId: 'w',
    sessionPrefix: 'p',
    build: 'b',
    runtime: 'node',
    threads: 1,
    blocksPerSecond: 1,
    token: '',
    slots,
    results: kept,
  });
  let now = 0;
  const happen = (event: SessionEvent): SessionEffect[] => apply(session, now, event);
  const desk = {
    session,
    happen,
    hear: (message: GatewayMessage) => happen({ kind: 'message', message }),
    tick: (chance = 0.5) => happen({ kind: 'tick', chance }),
    /** Lets time pass, ticking whenever the session asks for it. */
    pass: (ms: number, chance = 0.5) => {
      const effects: SessionEffect[] = [];
      const end = now + ms;
      for (let step = 0; step < 10_000; step++) {
        const wakeMs = nextWakeMs(session, now);
        if (now + wakeMs > end) break;
        now += wakeMs;
        effects.push(...desk.tick(chance));
      }
      now = end;
      return effects;
    },
    /** Ticks until the session wants a connection; returns where to. */
    untilConnect: (chance = 0.5): string => {
      for (let step = 0; step < 100; step++) {
        now += nextWakeMs(session, now);
        for (const effect of desk.tick(chance)) if (effect.kind === 'connect') return effect.url;
      }
      throw new Error('the session never connects');
    },
    wakeMs: () => nextWakeMs(session, now),
    now: () => now,
    connect: () => {
      if (session.state === 'offline') {
        if (session.connections === 0) happen({ kind: 'start' });
        desk.untilConnect();
      }
      return happen({ kind: 'connected' });
    },
    open: () => {
      desk.connect();
      return desk.hear(welcome);
    },
    solve: (tile: string, body = empty) =>
      happen({ kind: 'solved', name: { job: 'j', tile }, body, computeMs: 1 }),
  };
  return desk;
}

/** Lets a session in. */
export const welcome: Welcome = {
  kind: 'welcome',
  protocol: 1,
  heartbeatMs: 10_000,
  leaseMs: 60_000,
  frameBytesMax: 1 << 20,
  leaseCountMax: 1_000,
  gateways: [],
};

const lease = (tile: string): Lease => ({
  job: 'j',
  tile,
  spec: 's',
  token: empty,
  attempt: 1,
  leaseMs: 60_000,
  sourceLayer: 1,
  pass: 0,
  neurons: empty,
  targets: empty,
  biasTargets: empty,
});

/** Returns a grant of tiles. */
export const grant = (...tiles: string[]): GatewayMessage => ({ kind: 'grant', leases: tiles.map(lease) });

/** Returns the messages to send among effects. */
export const sent = (effects: readonly SessionEffect[]): WorkerMessage[] =>
  effects.flatMap((effect) => (effect.kind === 'send' ? [effect.message] : []));

/** Returns the tiles whose results are sent. */
export const results = (effects: readonly SessionEffect[]): string[] =>
  sent(effects).flatMap((message) => (message.kind === 'result' ? [message.tile] : []));

/** Returns the kinds of effects. */
export const kinds = (effects: readonly SessionEffect[]): string[] => effects.map(({ kind }) => kind);
