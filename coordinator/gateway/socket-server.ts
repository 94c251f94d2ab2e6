/**
 * WebSockets on the gateway's HTTP server: who may connect, how many, and how much each may make us hold. A connection that gets
 * through has a transport like any other.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  connectionCountMax,
  connectionsPerNetworkMax,
  helloMsMax,
  pingMs,
  volunteerFrameBytesMax,
  workerFrameBytesMax,
} from '../../src/core/limits.ts';
import type { Transport } from '../../src/core/protocol/transport.ts';
import { reasonOf } from '../reason-of.ts';
import { isAllowed } from '../tokens.ts';
import { type Access, bearerToken, type CheckAccess, type CheckOrigin } from './access.ts';
import { Backlog } from './backlog.ts';
import type { ClientAddressOf } from './client-address.ts';
import type { ConnectionOrigin, GatewaySession } from './gateway-session.ts';
import type { Log } from './log.ts';
import { isLoopback } from './network-of.ts';
import { Networks } from './networks.ts';
import type { Offences } from './offences.ts';

/** What a socket server works with. */
export interface SocketServerOptions {
  readonly checkAccess: CheckAccess;
  readonly checkOrigin: CheckOrigin;
  readonly addressOf: ClientAddressOf;
  readonly openSession: (transport: Transport, origin: ConnectionOrigin) => GatewaySession;
  readonly onOutcome: (outcome: string) => void;
  readonly offences: Offences;
  readonly log: Log;
}

/** A socket server that runs. */
export interface SocketServer {
  readonly sessions: ReadonlySet<GatewaySession>;
  /** Says what is to be said to everybody and ends all connections; those that do not answer are cut when `cutMs` has passed. */
  close(code: number, reason: string, cutMs: number): Promise<void>;
}

/** Path of the one WebSocket endpoint. */
export const socketPath = '/ws';

/** New connections from one network. */
const handshakes = { perSecond: 20, burst: 200 };

/** Frames that may still come in after a session has been ended: what a worker has sent and not been answered. */
const lateFramesMax = 64;
/** Time to read why, for whoever sends more. */
const lateMsMax = 1000;

/** Returns the socket server, listening for upgrades of the HTTP server. */
export function openSocketServer(server: Server, options: SocketServerOptions): SocketServer {
  const sockets = new Sockets(options);
  server.on('upgrade', (request, socket, head) => {
    // What one stranger sends must never end the coordinator for all.
    try {
      sockets.upgrade(request, socket, head);
    } catch (error) {
      options.log('upgrade-failed', { reason: reasonOf(error) });
      socket.destroy();
    }
  });
  return {
    sessions: sockets.sessions,
    close: (code, reason, cutMs) => sockets.close(code, reason, cutMs),
  };
}

class Sockets {
  readonly sessions = new Set<GatewaySession>();
  private readonly options: SocketServerOptions;
  private readonly trusted: WebSocketServer;
  private readonly others: WebSocketServer;
  private readonly networks = new Networks(handshakes);
  private sessionCount = 0;
  private isClosing = false;

  constructor(options: SocketServerOptions) {
    this.options = options;
    this.trusted = this.webSockets(workerFrameBytesMax);
    this.others = this.webSockets(volunteerFrameBytesMax);
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const ignoreError = (error: unknown): void =>
      this.options.log('socket-error', { reason: reasonOf(error) });
    socket.on('error', ignoreError);
    const refusal = this.refusal(request);
    if (refusal !== undefined) {
      this.refuse(socket, refusal);
      return;
    }
    const token = bearerToken(request);
    const isPage = request.headers.origin !== undefined;
    // A page has no way to send a token with its handshake, and is nobody without one, even where nobody else needs one.
    const access = token === undefined && isPage ? null : this.options.checkAccess(token ?? '');
    if (token !== undefined && access === null) {
      this.refuse(socket, {
        status: '401 Unauthorized',
        reason: 'the token is unknown or expired; ask the operator for one (tombola token)',
      });
      return;
    }
    if (access !== null && !isAllowed(access.scope, 'work')) {
      this.refuse(socket, {
        status: '403 Forbidden',
        reason: `the token is for ${access.scope}, expected one for worker or volunteer`,
      });
      return;
    }
    const isTrusted = access !== null && access.scope !== 'volunteer';
    if (access !== null && this.options.offences.isBanned(access, performance.now())) {
      this.refuse(socket, {
        status: '429 Too Many Requests',
        reason: 'this worker broke the protocol again and again; try again in 20 minutes',
      });
      return;
    }
    const webSockets = isTrusted ? this.trusted : this.others;
    const address = this.options.addressOf(request);
    const leave = this.enter(address);
    socket.once('close', leave);
    request.socket.setKeepAlive(true, pingMs);
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      socket.off('error', ignoreError);
      this.connect(webSocket, { address, access, isPage, isTrusted });
    });
  }

  async close(code: number, reason: string, cutMs: number): Promise<void> {
    this.isClosing = true;
    const open = [...this.trusted.clients, ...this.others.clients];
    const ended = open.map((webSocket) => new Promise((resolve) => webSocket.once('close', resolve)));
    for (const session of [...this.sessions]) session.end(code, reason);
    const cut = setTimeout(() => {
      for (const webSocket of open) webSocket.terminate();
    }, cutMs);
    await Promise.all(ended);
    clearTimeout(cut);
    this.trusted.close();
    this.others.close();
  }

  private webSockets(maxPayload: number): WebSocketServer {
    const server = new WebSocketServer({
      noServer: true,
      maxPayload,
      perMessageDeflate: false,
      maxFragments: 16,
      maxBufferedChunks: 1024,
      maxPendingAutoPongs: 8,
      closeTimeout: 5000,
      clientTracking: true,
      skipUTF8Validation: false,
    } as ConstructorParameters<typeof WebSocketServer>[0]);
    server.on('error', (error) => this.options.log('socket-server-error', { reason: reasonOf(error) }));
    server.on('wsClientError', (error, socket) => {
      this.options.onOutcome('handshake');
      this.options.log('handshake-failed', { reason: reasonOf(error) });
      socket.destroy();
    });
    return server;
  }

  /** What stands against the connection before anybody asks who it is. */
  private refusal(request: IncomingMessage): Refusal | undefined {
    const address = this.options.addressOf(request);
    // Compared as it came: what is no URL cannot be parsed.
    if (request.url?.split('?', 1)[0] !== socketPath)
      return { status: '404 Not Found', reason: `no WebSocket here, expected ${socketPath}` };
    const reason = this.options.checkOrigin(request);
    if (reason !== null) return { status: '403 Forbidden', reason };
    const count = this.trusted.clients.size + this.others.clients.size;
    if (this.isClosing || count >= connectionCountMax)
      return { status: '503 Service Unavailable', reason: 'no room for another connection; try again later' };
    if (isLoopback(address)) return undefined;
    const now = performance.now();
    const network = this.networks.of(address, now);
    if (network === undefined || network.count >= connectionsPerNetworkMax || !network.rate.take(1, now))
      return {
        status: '429 Too Many Requests',
        reason: 'too many connections from this network; try again later',
      };
    return undefined;
  }

  /** Counts a connection of an address; returns how to stop counting it. */
  private enter(address: string): () => void {
    const network = isLoopback(address) ? undefined : this.networks.of(address, performance.now());
    if (network !== undefined) network.count++;
    return () => {
      if (network !== undefined) network.count--;
    };
  }

  private refuse(socket: Duplex, { status, reason }: Refusal): void {
    this.options.onOutcome(status.slice(0, 3));
    const body = `${JSON.stringify({ error: `Cannot connect: ${reason}` })}\n`;
    socket.end(
      `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      () => socket.destroy(),
    );
  }

  private connect(
    webSocket: WebSocket,
    {
      address,
      access,
      isPage,
      isTrusted,
    }: { address: string; access: Access | null; isPage: boolean; isTrusted: boolean },
  ): void {
    const { openSession, onOutcome, log } = this.options;
    onOutcome('open');
    const session = openSession(transportOf(webSocket), {
      session: `s${++this.sessionCount}`,
      address,
      access,
      isPage,
      frameBytesMax: isTrusted ? workerFrameBytesMax : volunteerFrameBytesMax,
    });
    this.sessions.add(session);
    const greeting = setTimeout(() => session.expireGreeting(), helloMsMax);
    const stopPinging = keepAlive(webSocket);
    let lateFrames = 0;
    const heard = (take: () => void): void => {
      // What was on its way when the session ended is dropped. To whoever goes on we stop listening, and cut him once he had time
      // to read why: ws would read on until the other side closes too.
      if (!session.isEnded) take();
      else if (++lateFrames === lateFramesMax) {
        webSocket.pause();
        setTimeout(() => webSocket.terminate(), lateMsMax).unref();
      }
    };
    webSocket.on('message', (data, isBinary) =>
      heard(() => {
        if (isBinary) session.onMessage(bytesOf(data));
        else session.end(1003, 'Cannot read a text frame, expected binary ones');
      }),
    );
    webSocket.on('ping', () => heard(() => session.onControlFrame()));
    webSocket.on('pong', () => heard(() => session.onControlFrame()));
    // ws closes with the fitting code (1002, 1007, 1009) by itself.
    webSocket.on('error', (error) => {
      log('socket-error', { address, reason: reasonOf(error) });
      if ('code' in error && String(error.code).startsWith('WS_ERR_')) session.offend();
    });
    webSocket.once('close', () => {
      clearTimeout(greeting);
      stopPinging();
      this.sessions.delete(session);
      session.onClose();
    });
  }
}

interface Refusal {
  readonly status: string;
  readonly reason: string;
}

/** A socket that takes nothing for two pings' time is cut: a half-open one would hold its memory for ever. */
function keepAlive(webSocket: WebSocket): () => void {
  let isAlive = true;
  webSocket.on('pong', () => {
    isAlive = true;
  });
  const timer = setInterval(() => {
    if (!isAlive) return webSocket.terminate();
    isAlive = false;
    webSocket.ping();
  }, pingMs);
  timer.unref();
  return () => clearInterval(timer);
}

function transportOf(webSocket: WebSocket): Transport {
  const backlog = new Backlog();
  return {
    send: (bytes) => {
      if (webSocket.readyState !== webSocket.OPEN) return;
      if (backlog.isTooMuch(webSocket.bufferedAmount, performance.now())) webSocket.terminate();
      else webSocket.send(bytes);
    },
    bufferedBytes: () => webSocket.bufferedAmount,
    close: (code, reason) => webSocket.close(code, closeReason(reason)),
  };
}

/** A close frame has room for 123 bytes. */
function closeReason(reason: string): string {
  return reason.replace(/[^ -~]/g, '?').slice(0, 123);
}

function bytesOf(data: Buffer | ArrayBuffer | Buffer[]): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
