/** The session's connection: which gateway, when, and when to give it up. */
import { backoffMsMax, backoffMsMin, gatewayCountMax } from '../src/core/limits.ts';
import { protocolVersions, type Reject, type Welcome } from '../src/core/protocol/messages.ts';
import { namesOf, type Session } from './session-state.ts';
import { submitResults, wantWork } from './session-work.ts';

/** A connection that is not open by then is given up. */
const openingMsMax = 15_000;
/** Heartbeats that a gateway may miss. */
const missedBeatsMax = 3;

/** Says hello on a new connection. */
export function greet(session: Session, now: number): void {
  if (session.state !== 'opening') return;
  const { build, runtime, workerId, sessionPrefix, threads, blocksPerSecond, token } = session.options;
  session.heardAt = now;
  const results = Array.from(session.outbox.values(), ({ message }) => message);
  session.effects.push({
    kind: 'send',
    message: {
      kind: 'hello',
      protocolMin: protocolVersions.min,
      protocolMax: protocolVersions.max,
      build,
      runtime,
      workerId,
      sessionId: `${sessionPrefix}-${session.connections}`,
      threads,
      blocksPerSecond,
      token,
      // What is being solved comes first: a gateway may cut a long list short.
      holding: namesOf([...session.leases.values(), ...results]).slice(0, holdingCountMax),
    },
  });
}

/** Opens the session: what is unacknowledged is sent again. */
export function open(session: Session, now: number, welcome: Welcome): void {
  if (session.state !== 'opening') return;
  session.state = 'open';
  session.openedAt = now;
  session.heartbeatMs = welcome.heartbeatMs;
  session.leaseCountMax = welcome.leaseCountMax;
  session.frameBytesMax = welcome.frameBytesMax;
  session.beatAt = now + welcome.heartbeatMs;
  session.credit = 0;
  session.wantAt = Math.min(session.wantAt, now + backoffMsMin);
  learnGateways(session, welcome.gateways);
  say(session, `connected to ${urlOf(session)}`);
  submitResults(session, now);
  wantWork(session, now);
}

/** A gateway does not let us in. */
export function acceptRejection(session: Session, now: number, { code, reason, retryMs }: Reject): void {
  if (session.state !== 'opening' && session.state !== 'open') return;
  const gateway = session.gateways[session.gateway];
  say(session, `${urlOf(session)} refuses: ${reason} (${code})`);
  if (gateway !== undefined && retryMs > 0) gateway.notBefore = now + retryMs;
  else session.gateways.splice(session.gateway, 1);
  closeConnection(session, 'rejected');
  // closeConnection moves on by one; what moved up into the place of a removed gateway is next.
  if (retryMs === 0) session.gateway = Math.max(0, session.gateway - 1);
  if (session.gateways.length === 0) end(session, `no gateway lets this worker in: ${reason}`);
}

/** The gateway is going away: moves to another if there is one, else asks it for nothing more. */
export function leaveDraining(
  session: Session,
  now: number,
  { graceMs, gateways }: { readonly graceMs: number; readonly gateways: readonly string[] },
): void {
  if (session.state !== 'open') return;
  learnGateways(session, gateways);
  const gateway = session.gateways[session.gateway];
  if (gateway !== undefined) gateway.notBefore = now + graceMs;
  session.wantAt = now + graceMs;
  if (session.gateways.some(({ notBefore }) => notBefore <= now))
    closeConnection(session, 'the gateway is draining');
}

/** Gives the connection up, and goes on with the next gateway after a while. */
export function closeConnection(session: Session, reason: string): void {
  session.effects.push({ kind: 'close', reason });
  loseConnection(session, reason);
}

/** The connection is gone. What is in hand stays in hand. */
export function loseConnection(session: Session, reason: string): void {
  if (session.state === 'offline' || session.state === 'ended') return;
  say(session, `disconnected from ${urlOf(session)}: ${reason}`);
  session.state = 'offline';
  session.connectAt = null;
  session.failures = Math.min(session.failures + 1, 1_000);
  session.credit = 0;
  session.sentCount = 0;
  for (const entry of session.outbox.values()) if (entry.state === 'sent') entry.state = 'waiting';
  session.gateway = session.gateways.length === 0 ? 0 : (session.gateway + 1) % session.gateways.length;
}

/** Connects, beats or gives up, as the time is. */
export function keepConnection(session: Session, now: number): void {
  if (session.state === 'offline') reconnect(session, now);
  else if (session.state === 'opening') {
    if (now - session.heardAt > openingMsMax) closeConnection(session, 'no answer');
  } else if (session.state === 'open') {
    if (now - session.heardAt > missedBeatsMax * session.heartbeatMs) {
      closeConnection(session, 'no sign of life');
      return;
    }
    // A gateway that lets us in only to drop us is no success.
    if (now - session.openedAt > missedBeatsMax * session.heartbeatMs) session.failures = 0;
    if (now >= session.beatAt) beat(session, now);
  }
}

/** Returns milliseconds until the connection needs a tick. */
export function connectionWakeMs(session: Session, now: number): number {
  switch (session.state) {
    case 'offline':
      return session.connectAt === null ? 0 : Math.max(0, session.connectAt - now);
    case 'opening':
      return Math.max(0, session.heardAt + openingMsMax - now) + 1;
    case 'open':
      return Math.max(
        0,
        Math.min(session.beatAt, session.heardAt + missedBeatsMax * session.heartbeatMs + 1) - now,
      );
    case 'ended':
      return Number.POSITIVE_INFINITY;
  }
}

/** Ends the session for good. */
export function end(session: Session, reason: string): void {
  if (session.state === 'ended') return;
  session.state = 'ended';
  session.effects.push({ kind: 'ended', reason });
}

/** Tells people. */
export function say(session: Session, text: string): void {
  session.effects.push({ kind: 'report', text });
}

/** Names in one hello or beat. */
const holdingCountMax = 512;

function beat(session: Session, now: number): void {
  session.beatAt = now + session.heartbeatMs;
  session.effects.push({
    kind: 'send',
    message: {
      kind: 'beat',
      holding: namesOf(session.leases.values()).slice(0, holdingCountMax),
      hidden: session.hidden,
    },
  });
}

/** Full jitter: a random time up to a bound that doubles with every round of gateways that failed. */
function reconnect(session: Session, now: number): void {
  if (session.connectAt === null) {
    const rounds = Math.floor(session.failures / Math.max(1, session.gateways.length));
    const bound =
      session.failures === 0 ? 0 : Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(rounds, 20));
    const earliest = Math.min(...session.gateways.map(({ notBefore }) => notBefore));
    session.connectAt = Math.max(now, earliest) + session.chance * bound;
  }
  if (now < session.connectAt) return;
  const count = session.gateways.length;
  for (let step = 0; step < count; step++) {
    const index = (session.gateway + step) % count;
    const gateway = session.gateways[index];
    if (gateway === undefined || gateway.notBefore > now) continue;
    session.gateway = index;
    session.state = 'opening';
    session.connections++;
    session.heardAt = now;
    session.effects.push({ kind: 'connect', url: gateway.url });
    return;
  }
  session.connectAt = null;
}

/**
 * Adds gateways that a gateway names; never ones that are less safe than what the worker was started with. Those that another one
 * named before are forgotten: addresses of gateways that come and go must not gather for ever.
 */
function learnGateways(session: Session, urls: readonly string[]): void {
  const isSecure = session.options.gateways.every((url) => url.startsWith('wss:'));
  const current = session.gateways[session.gateway];
  if (urls.length > 0 && current !== undefined) {
    const kept = new Set([...session.options.gateways, ...urls, current.url]);
    session.gateways.splice(
      0,
      session.gateways.length,
      ...session.gateways.filter(({ url }) => kept.has(url)),
    );
    session.gateway = session.gateways.indexOf(current);
  }
  for (const url of urls) {
    if (session.gateways.length >= gatewayCountMax) return;
    if (isSecure && !url.startsWith('wss:')) continue;
    if (session.gateways.some((known) => known.url === url)) continue;
    session.gateways.push({ url, notBefore: Number.NEGATIVE_INFINITY });
  }
}

function urlOf(session: Session): string {
  return session.gateways[session.gateway]?.url ?? 'no gateway';
}
